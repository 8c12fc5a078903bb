// What was changed and not saved: the form's bar says so, and whoever leaves the page is asked first.

let clean = "";

const form = () => document.querySelector("form[data-guard]");

function content() {
  return JSON.stringify([...new FormData(form())].map(([name, value]) => [name, value.name ?? value]));
}

function isChanged() {
  if (!form()) return false;
  return "unsaved" in form().dataset || content() !== clean;
}

function begin() {
  if (!form()) return;
  clean = content();
  show();
}

function show() {
  if (!form()) return;
  const said = form().querySelector("[data-guard-said]");
  const text = isChanged() ? said.dataset.text : "";
  if (said.textContent !== text) said.textContent = text;
}

for (const event of ["input", "change"]) document.addEventListener(event, show);
document.addEventListener("wavecrate:page", begin);
begin();

addEventListener("beforeunload", (event) => {
  if (isChanged()) event.preventDefault();
});

// A link or button that swaps the whole page; what only renews a piece of it names its own address in hx-….
document.addEventListener("htmx:confirm", (event) => {
  const { elt, issueRequest } = event.detail;
  const stays = elt === form() || elt.hasAttribute("hx-get") || elt.hasAttribute("hx-post");
  if (stays || !isChanged()) return;
  event.preventDefault();
  if (confirm(form().dataset.textLeave)) issueRequest(true);
});
