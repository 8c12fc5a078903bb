// What every page does: boosted navigation, CSRF for requests from script, the theme, menus, toasts.

const main = () => document.getElementById("main");
const words = document.body.dataset;

// ---- Toasts -------------------------------------------------------------------------------------------------------

/** Says something in the corner and to screen readers; it stays until dismissed or a while has passed. */
export function toast(text) {
  const box = document.createElement("div");
  box.className = "toast";
  const said = document.createElement("span");
  said.textContent = text;
  const dismiss = document.createElement("button");
  dismiss.type = "button";
  dismiss.textContent = "×";
  dismiss.setAttribute("aria-label", words.textDismiss);
  dismiss.addEventListener("click", () => box.remove());
  box.append(said, dismiss);
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), 12_000);
}

/** The CSRF token of the page as it is now; it changes when one signs in or out. */
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]').content;
}

// ---- Boosted navigation ---------------------------------------------------------------------------------------------
// Links and forms swap #main only, so the player outside it plays on. The rest of the answer tells what else changed.

function adoptShell(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const token = page.querySelector('meta[name="csrf-token"]');
  if (token) document.querySelector('meta[name="csrf-token"]').content = token.content;
  const fresh = page.getElementById("header-state");
  const present = document.getElementById("header-state");
  if (fresh && present) {
    const imported = document.importNode(fresh, true);
    present.replaceWith(imported);
    window.htmx.process(imported);
  }
  // The language form returns to the page being read, and its token must be the present one.
  const tools = page.querySelector(".site-sections__tools form");
  const presentTools = document.querySelector(".site-sections__tools form");
  if (tools && presentTools) presentTools.replaceWith(document.importNode(tools, true));
  return page;
}

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = csrfToken();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const detail = event.detail;
  const answer = detail.xhr.responseText || "";
  const isPage = answer.includes('id="main"');
  if (isPage) {
    adoptShell(answer);
    arriving = detail.xhr;
    detail.target = main();
    detail.selectOverride = "#main";
    detail.swapOverride = "outerHTML show:none";
    detail.shouldSwap = true; // an error page is a page: it says what to do
    detail.isError = false;
  } else if (detail.isError) {
    toast(detail.xhr.status >= 500 ? words.textFailed : textOf(answer) || words.textFailed);
  }
});

let arriving = null; // the request whose answer is a whole page on its way into #main

function textOf(answer) {
  if (answer.startsWith("{")) {
    try {
      return JSON.parse(answer).error;
    } catch {
      return "";
    }
  }
  return answer.includes("<") ? "" : answer;
}

document.addEventListener("htmx:sendError", () => toast(words.textOffline));
document.addEventListener("htmx:timeout", () => toast(words.textOffline));

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.boosted) document.documentElement.classList.add("is-loading");
});
document.addEventListener("htmx:afterRequest", () => document.documentElement.classList.remove("is-loading"));

document.addEventListener("htmx:afterSettle", (event) => {
  if (!arriving || event.detail.xhr !== arriving) return;
  arriving = null;
  arrive();
});

document.addEventListener("htmx:historyRestore", () => refreshPageState());

/** A new page is there: start at its top, or at the anchor the address names, and tell screen readers. A form that
 * came back starts at the first field to mend. */
function arrive() {
  const anchor = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (anchor) anchor.scrollIntoView();
  else window.scrollTo({ top: 0, behavior: "instant" });
  if (mend()) return refreshPageState();
  const heading = main().querySelector("h1") ?? main();
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  refreshPageState();
}

function mend() {
  const field = main().querySelector('[aria-invalid="true"]');
  field?.focus();
  return field !== null;
}

mend();

function refreshPageState() {
  document.dispatchEvent(new CustomEvent("wavecrate:page"));
}

// ---- Theme ----------------------------------------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : dark.matches;
}

function showTheme() {
  document.getElementById("theme-toggle").setAttribute("aria-pressed", String(isDark()));
}

document.getElementById("theme-toggle").addEventListener("click", () => {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("wavecrate-theme", next);
  } catch {
    // Storage is denied: the choice holds for this page.
  }
  showTheme();
});
dark.addEventListener("change", showTheme);
showTheme();

// ---- Menus ----------------------------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target) || event.target.closest("a")) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
