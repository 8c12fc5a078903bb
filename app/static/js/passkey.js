// Passkeys: the two ceremonies of WebAuthn between a page's [data-passkey] box and the shop.

import { csrfToken, toast } from "./main.js";

const toBytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

async function post(address, body) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrfToken() },
    body: JSON.stringify(body ?? {}),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

const known = (list) => (list ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));

async function show(box) {
  const options = await post(box.dataset.options);
  const made = await navigator.credentials.get({
    publicKey: { ...options, challenge: toBytes(options.challenge), allowCredentials: known(options.allowCredentials) },
  });
  const { authenticatorData, clientDataJSON, signature, userHandle } = made.response;
  const said = await post(box.dataset.answer, {
    id: made.id,
    rawId: toText(made.rawId),
    type: made.type,
    response: {
      authenticatorData: toText(authenticatorData),
      clientDataJSON: toText(clientDataJSON),
      signature: toText(signature),
      userHandle: userHandle ? toText(userHandle) : null,
    },
  });
  location.assign(said.next);
}

async function add(box) {
  const options = await post(box.dataset.options);
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: toBytes(options.challenge),
      user: { ...options.user, id: toBytes(options.user.id) },
      excludeCredentials: known(options.excludeCredentials),
    },
  });
  const said = await post(box.dataset.answer, {
    id: made.id,
    rawId: toText(made.rawId),
    type: made.type,
    name: box.querySelector("input").value,
    response: {
      attestationObject: toText(made.response.attestationObject),
      clientDataJSON: toText(made.response.clientDataJSON),
    },
  });
  if (said.codes.length) keep(box, said);
  else location.assign(said.next);
}

/** The first recovery codes, in the box's place: nothing else happens until they are kept. */
function keep(box, said) {
  const words = document.createElement("p");
  words.className = "notice";
  words.textContent = box.dataset.textCodes;
  words.tabIndex = -1;
  const list = document.createElement("ul");
  list.className = "codes";
  for (const code of said.codes) {
    const item = document.createElement("li");
    const shown = document.createElement("code");
    shown.textContent = code;
    item.append(shown);
    list.append(item);
  }
  const on = document.createElement("a");
  on.className = "button button--primary";
  on.href = said.next;
  on.textContent = box.dataset.textKept;
  box.replaceChildren(words, list, on);
  words.focus();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-passkey] button");
  if (!button) return;
  const box = button.closest("[data-passkey]");
  button.disabled = true;
  try {
    await (box.dataset.passkey === "add" ? add : show)(box);
  } catch (error) {
    // A person who changed their mind and a device without keys look alike from here.
    toast(error instanceof DOMException || !error.message ? box.dataset.textFailed : error.message);
  } finally {
    button.disabled = false;
  }
});
