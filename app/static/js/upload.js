// Sends masters straight to the object store, with a progress bar each, and then shows what the shop makes of them.
// Listens on the document, so that it works however often the page is swapped in, and goes on when it is swapped out.

import { csrfToken } from "./main.js";

const AT_ONCE = 2;
const waiting = [];
let running = 0;

const form = () => document.getElementById("upload-form");
const list = () => document.getElementById("uploads");

document.addEventListener("change", (event) => {
  if (event.target.id !== "upload-files") return;
  add(event.target.files);
  event.target.value = ""; // the same file can be chosen again
});

document.addEventListener("submit", (event) => {
  if (event.target.id === "upload-form") event.preventDefault();
});

for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    if (!form() || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault(); // also beside the zone: a missed drop must not open the file instead of this page
    form().classList.toggle("is-over", form().contains(event.target));
  });
}

document.addEventListener("dragleave", (event) => {
  if (form() && !event.relatedTarget) form().classList.remove("is-over");
});

document.addEventListener("drop", (event) => {
  if (!form()) return;
  event.preventDefault();
  form().classList.remove("is-over");
  if (form().contains(event.target)) add(event.dataTransfer.files);
});

addEventListener("beforeunload", (event) => {
  if (running || waiting.length) event.preventDefault();
});

// A screen reader hears what state a file has come to, not every percent on the way.
const heard = new Map();
document.addEventListener("htmx:load", (event) => {
  const item = event.detail.elt;
  if (!item.classList?.contains("upload")) return;
  if (heard.get(item.id) === item.dataset.state) return;
  heard.set(item.id, item.dataset.state);
  say(`${item.dataset.name}: ${item.dataset.state}`);
});

function say(text) {
  const line = document.getElementById("upload-said");
  if (line) line.textContent = text;
}

function add(files) {
  for (const file of files) waiting.push(itemFor(file));
  next();
}

function next() {
  while (running < AT_ONCE && waiting.length) {
    const item = waiting.shift();
    if (item.cancelled) continue;
    running += 1;
    send(item).finally(() => {
      running -= 1;
      next();
    });
  }
}

/** A list entry for a file: its name, a bar, its state, and a button to stop. */
function itemFor(file) {
  const words = { ...form().dataset };
  const root = document.createElement("li");
  root.className = "upload card";
  const row = document.createElement("div");
  row.className = "row row--between";
  const name = document.createElement("strong");
  name.className = "upload__name";
  name.textContent = file.name;
  const state = document.createElement("span");
  state.className = "badge";
  state.textContent = words.textWaiting;
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", `${words.textSending}: ${file.name}`);
  const stop = document.createElement("button");
  stop.type = "button";
  stop.className = "button button--quiet button--small";
  stop.textContent = words.textCancel;
  stop.setAttribute("aria-label", `${words.textCancel}: ${file.name}`);
  row.append(name, state, stop);
  root.append(row, bar);
  list().prepend(root);
  const item = { file, root, state, bar, stop, words, begin: form().action, request: null, cancelled: false };
  stop.addEventListener("click", () => {
    item.cancelled = true;
    item.request?.abort();
    end(item, words.textCancelled);
  });
  return item;
}

async function send(item) {
  const { file, words } = item;
  try {
    const begun = await post(item.begin, { filename: file.name, size: file.size });
    if (item.cancelled) return;
    item.state.textContent = words.textSending;
    say(`${file.name}: ${words.textSending}`);
    await put(item, begun.url);
    item.stop.remove();
    item.bar.removeAttribute("value");
    item.state.textContent = words.textChecking;
    const answer = await fetch(begun.complete, { method: "POST", headers: headers() });
    if (!answer.ok) throw new Error(await complaint(answer, words.textLost));
    const holder = document.createElement("template");
    holder.innerHTML = (await answer.text()).trim();
    const shown = holder.content.firstElementChild;
    item.root.replaceWith(shown);
    if (shown.isConnected) window.htmx.process(shown);
  } catch (error) {
    if (!item.cancelled) end(item, error instanceof TypeError ? words.textLost : error.message, true);
  }
}

/** PUT with progress, which fetch cannot tell. */
function put(item, url) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    item.request = request;
    request.open("PUT", url);
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      item.bar.value = event.loaded / event.total;
      item.state.textContent = `${item.words.textSending} ${Math.floor((100 * event.loaded) / event.total)} %`;
    });
    request.addEventListener("load", () =>
      request.status < 300 ? resolve() : reject(new Error(item.words.textRefused)),
    );
    request.addEventListener("error", () => reject(new Error(item.words.textLost)));
    request.addEventListener("abort", () => reject(new Error(item.words.textCancelled)));
    request.send(item.file);
  });
}

async function post(url, body) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { ...headers(), "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await complaint(answer, form()?.dataset.textRefused ?? ""));
  return answer.json();
}

async function complaint(answer, otherwise) {
  try {
    return (await answer.json()).error || otherwise;
  } catch {
    return otherwise;
  }
}

function headers() {
  return { "X-CSRFToken": csrfToken(), Accept: "application/json" };
}

/** Nothing more will come of it: say why, and offer to send it again. */
function end(item, text, failed = false) {
  item.bar.remove();
  item.stop.remove();
  item.state.textContent = failed ? "" : text;
  say(`${item.file.name}: ${text}`);
  const note = document.createElement("p");
  if (failed) {
    note.className = "notice notice--error";
    note.textContent = text;
  }
  const again = document.createElement("button");
  again.type = "button";
  again.className = "button button--small";
  again.textContent = item.words.textAgain;
  again.setAttribute("aria-label", `${item.words.textAgain}: ${item.file.name}`);
  again.addEventListener("click", () => {
    item.root.remove();
    if (form()) add([item.file]);
  });
  item.root.append(note, again);
}
