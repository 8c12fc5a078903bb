// The upload page: choose or drop masters, a row for each with its bar and buttons. Sending goes on while other pages
// are swapped in, so everything listens on the document and a row is put back where its page comes again.

import { bytes, Pace, time } from "./studio/amounts.js";
import { ask } from "./studio/ask.js";
import { Transfer } from "./studio/transfer.js";

const AT_ONCE = 3;
const rows = new Set(); // every row of this visit that the server does not draw yet
let running = 0;

const form = () => document.getElementById("upload-form");
const list = () => document.getElementById("uploads");

// ---- Files come in --------------------------------------------------------------------------------------------------

document.addEventListener("change", (event) => {
  if (event.target.id === "upload-files") take(event.target);
});

function take(field) {
  add(field.files);
  field.value = ""; // the same file can be chosen again
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-choose-again]")) document.getElementById("upload-files").click();
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
  if (!form() || !event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  form().classList.remove("is-over");
  if (form().contains(event.target)) add(event.dataTransfer.files);
});

addEventListener("beforeunload", (event) => {
  if ([...rows].some((row) => !row.transfer.isOver)) event.preventDefault();
});

function add(files) {
  const track = form().dataset.track;
  for (const file of track ? [...files].slice(0, 1) : files) {
    const same = [...rows].find((row) => !row.transfer.isOver && row.isOf(file, track));
    if (same) same.root.scrollIntoView({ block: "nearest" });
    else rows.add(new Row(file, track));
  }
  next();
}

function next() {
  for (const row of rows) {
    if (running >= AT_ONCE) return;
    if (!row.isWaiting) continue;
    running += 1;
    row.send().finally(() => {
      running -= 1;
      next();
    });
  }
}

// ---- A row for each -------------------------------------------------------------------------------------------------

class Row {
  #pace = new Pace();
  #said = "";

  /** `track` is the one that the page is about. What a file of another page goes on with, the shop finds out. */
  constructor(file, track) {
    this.file = file;
    this.track = track;
    this.isWaiting = true;
    this.words = { ...form().dataset };
    this.begin = form().action;
    this.root = document.getElementById("upload-row").content.firstElementChild.cloneNode(true);
    this.#part("name").textContent = file.name;
    for (const button of this.root.querySelectorAll("button")) {
      button.setAttribute("aria-label", `${button.textContent}: ${file.name}`);
    }
    this.#bar.setAttribute("aria-label", `${this.words.textSending}: ${file.name}`);
    this.root.addEventListener("click", (event) => this.#press(event.target.closest("button")?.dataset ?? {}));
    this.transfer = this.#transfer();
    list().prepend(this.root);
    this.#show();
  }

  isOf(file, track) {
    const { name, size, lastModified } = this.file;
    if (name !== file.name || size !== file.size || lastModified !== file.lastModified) return false;
    return track === undefined || track === (this.transfer.track ?? undefined);
  }

  async send() {
    this.isWaiting = false;
    const url =
      this.file.size > Number(this.words.most) ? this.#tooLarge() : await this.transfer.run();
    if (url) await this.#handOver(url);
  }

  /** Put the row into the page that is there now, in the place of what the server drew of it. */
  attach() {
    if (this.root.isConnected || !list()) return;
    const drawn = this.transfer.id && document.getElementById(`upload-${this.transfer.id}`);
    if (drawn) drawn.replaceWith(this.root);
    else list().prepend(this.root);
  }

  #transfer() {
    const { begin, words } = this;
    const track = this.transfer?.track ?? this.track;
    return new Transfer(this.file, { begin, track, words, changed: () => this.#show() });
  }

  #tooLarge() {
    this.transfer.state = "failed";
    this.transfer.note = this.words.textLarge;
    this.#show();
    return null;
  }

  #press(button) {
    if ("pause" in button) this.transfer.pause();
    if ("resume" in button) this.transfer.resume();
    if ("cancel" in button) {
      this.transfer.cancel();
      this.isWaiting = false;
    }
    if ("again" in button) {
      this.transfer = this.#transfer();
      this.isWaiting = true;
      this.#show();
      next();
    }
    // What was pressed may be gone now: the focus stays in the row.
    if (!this.root.contains(document.activeElement) || document.activeElement.hidden) {
      this.root.querySelector("button:not([hidden])")?.focus();
    }
  }

  #show() {
    const { transfer, words } = this;
    if (!transfer) return;
    const { state, sent, note, purpose, isOver, isPaused, id } = transfer;
    if (id && this.root.id !== `upload-${id}`) {
      document.getElementById(`upload-${id}`)?.remove(); // as the server drew it
      this.root.id = `upload-${id}`;
    }
    this.#part("purpose").hidden = !purpose;
    this.#part("purpose").textContent = purpose;
    const said = state === "failed" ? "" : words[`text${state[0].toUpperCase()}${state.slice(1)}`];
    this.#part("state").textContent = said ?? "";
    this.#part("state").hidden = !said;
    const share = this.file.size ? sent / this.file.size : 0;
    this.#bar.parentElement.hidden = isOver;
    if (state === "checking") this.#bar.removeAttribute("value");
    else this.#bar.value = share;
    this.#part("percent").textContent = `${Math.floor(100 * share)} %`;
    this.#part("amount").textContent = this.#amount(state, sent);
    this.#part("note").hidden = !note;
    this.#part("note").textContent = note;
    this.#part("note").classList.toggle("notice--error", state === "failed");
    this.#part("pause").hidden = isPaused || !transfer.canPause;
    this.#part("resume").hidden = !isPaused || isOver;
    this.#part("cancel").hidden = isOver || state === "checking";
    this.#part("again").hidden = !["failed", "cancelled"].includes(state);
    // A screen reader hears what state a file has come to, not every percent on the way.
    const heard = note || said;
    if (heard && heard !== this.#said) say(`${this.file.name}: ${heard}`);
    this.#said = heard;
  }

  #amount(state, sent) {
    const amount = this.words.textAmount
      .replace("%(sent)s", bytes(sent))
      .replace("%(size)s", bytes(this.file.size));
    const left = state === "sending" ? this.#pace.left(sent, this.file.size) : null;
    return left === null ? amount : `${amount} · ${this.words.textLeft.replace("%(time)s", time(left))}`;
  }

  /** The store has it all: from here on the server draws what becomes of it. */
  async #handOver(url) {
    for (;;) {
      try {
        const answer = await ask("GET", url);
        const holder = document.createElement("template");
        holder.innerHTML = (await answer.text()).trim();
        const drawn = holder.content.firstElementChild;
        this.root.replaceWith(drawn);
        rows.delete(this);
        if (drawn.isConnected) window.htmx.process(drawn);
        return;
      } catch {
        if (!rows.has(this)) return;
        await new Promise((resolve) => setTimeout(resolve, 3000));
      }
    }
  }

  get #bar() {
    return this.root.querySelector("progress");
  }

  #part(name) {
    return this.root.querySelector(`[data-${name}]`);
  }
}

// ---- Pages come and go ----------------------------------------------------------------------------------------------

document.addEventListener("wavecrate:page", () => {
  for (const row of [...rows].reverse()) {
    if (row.transfer.state === "cancelled") rows.delete(row);
    else row.attach();
  }
});

const heard = new Map();
document.addEventListener("htmx:load", (event) => {
  const item = event.detail.elt;
  if (!item.classList?.contains("upload") || !item.dataset.state) return;
  if (heard.get(item.id) === item.dataset.state) return;
  heard.set(item.id, item.dataset.state);
  say(`${item.dataset.name}: ${item.dataset.state}`);
});

// Last, as all above must be there: buttons that need this script are shown, and what was chosen before it came is taken.
document.documentElement.dataset.uploads = "";
if (document.getElementById("upload-files")?.files.length) take(document.getElementById("upload-files"));

function say(text) {
  const line = document.getElementById("upload-said");
  if (line) line.textContent = text;
}
