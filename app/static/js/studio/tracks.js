// The track list as a spreadsheet: walk, paste, fill, undo; and its rows in another order, by hand or by key.
// Everything listens on the document, so that it works however often the page is swapped in.

import { Sortable } from "../../vendor/sortable.mjs";
import { parse } from "./tsv.js";

const UNDO_DEPTH = 30;
const histories = new WeakMap(); // table → what it looked like before each of the last changes
let current = null; // the cell that was last written in
let before = ""; // what stood in it when it was entered, or when it was last remembered

const table = () => document.querySelector("[data-tracks]");
const rows = () => [...table().tBodies[0].rows];
const columns = () => [...rows()[0].querySelectorAll("[data-column]")].map((cell) => cell.dataset.column);
const input = (row, column) => row?.querySelector(`[data-column="${column}"] input`) ?? null;
const columnOf = (element) => element.closest("[data-column]")?.dataset.column;
const cellAt = (target) => (target.matches?.("[data-tracks] [data-column] input") ? target : null);

function worded(text, facts) {
  return Object.entries(facts).reduce((all, [name, fact]) => all.replace(`%(${name})s`, () => fact), text);
}

function say(text, facts = {}) {
  document.querySelector("[data-tracks-said]").textContent = worded(text, facts);
}

/** The list has changed: its cells are called by the rows they are in, and whoever watches the form may look. */
function changed() {
  const words = table().dataset;
  rows().forEach((row, index) => {
    const number = String(index + 1);
    for (const cell of row.querySelectorAll("[data-column]")) {
      const name = worded(words.textCell, { column: cell.dataset.label, number });
      cell.querySelector("input").setAttribute("aria-label", name);
    }
    row.querySelector("[data-select]").setAttribute("aria-label", worded(words.textSelect, { number }));
  });
  table().dispatchEvent(new Event("change", { bubbles: true }));
}

// ---- The page comes -------------------------------------------------------------------------------------------------

function begin() {
  if (!table() || histories.has(table())) return;
  histories.set(table(), []);
  current = null;
  for (const hidden of table().querySelectorAll("[data-script]")) hidden.hidden = false;
  const tools = document.querySelector("[data-tracks-tools]");
  if (tools) tools.hidden = false;
  new Sortable(table().tBodies[0], {
    handle: ".sheet__handle",
    animation: 150,
    onStart: remember,
    onEnd: ({ item, oldIndex, newIndex }) => (oldIndex === newIndex ? forget() : settle(item)),
  });
}

document.addEventListener("wavecrate:page", begin);
begin();

// ---- Walking --------------------------------------------------------------------------------------------------------

document.addEventListener("focusin", (event) => {
  const cell = cellAt(event.target);
  if (!cell) return;
  current = cell;
  before = cell.value;
});

document.addEventListener("keydown", (event) => {
  const cell = cellAt(event.target);
  if (!cell || event.isComposing || event.keyCode === 229) return; // an input method is choosing characters
  const { key } = event;
  const row = cell.closest("tr");
  if (event.altKey && (key === "ArrowUp" || key === "ArrowDown")) {
    event.preventDefault();
    move(row, key === "ArrowUp" ? -1 : 1);
    cell.focus();
  } else if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "d" && !event.shiftKey) {
    event.preventDefault();
    fill("below");
  } else if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "z" && !event.shiftKey) {
    if (cell.value !== before || !histories.get(table()).length) return; // the browser undoes what is being typed
    event.preventDefault();
    undo();
  } else if (event.ctrlKey || event.metaKey || event.altKey) {
    return;
  } else if (key === "Enter") {
    event.preventDefault(); // Enter is for the next cell; the list is saved by its button
    go(cell, event.shiftKey ? -1 : 1, 0);
  } else if (key === "ArrowUp" || key === "ArrowDown") {
    event.preventDefault();
    go(cell, key === "ArrowUp" ? -1 : 1, 0);
  } else if (key === "ArrowLeft" && cell.selectionStart === 0 && isBareOrWhole(cell)) {
    event.preventDefault();
    go(cell, 0, -1);
  } else if (key === "ArrowRight" && cell.selectionEnd === cell.value.length && isBareOrWhole(cell)) {
    event.preventDefault();
    go(cell, 0, 1);
  } else if (key === "Escape") {
    cell.value = before;
    cell.select();
  }
});

/** No part of the text is selected: nothing, or all of it as when one has just come in. */
function isBareOrWhole(cell) {
  const { selectionStart, selectionEnd, value } = cell;
  return selectionStart === selectionEnd || (selectionStart === 0 && selectionEnd === value.length);
}

function go(cell, down, right) {
  const all = rows();
  const names = columns();
  const row = all[all.indexOf(cell.closest("tr")) + down];
  const next = input(row, names[names.indexOf(columnOf(cell)) + right]);
  next?.focus();
  next?.select();
}

// ---- Filling --------------------------------------------------------------------------------------------------------

document.addEventListener("paste", (event) => {
  const cell = cellAt(event.target);
  const text = event.clipboardData?.getData("text/plain") ?? "";
  if (!cell || !/[\t\n]/.test(text.replace(/\r?\n$/, ""))) return;
  event.preventDefault();
  remember();
  const all = rows();
  const names = columns();
  const top = all.indexOf(cell.closest("tr"));
  const left = names.indexOf(columnOf(cell));
  let count = 0;
  let leftOut = false;
  parse(text).forEach((line, down) =>
    line.forEach((value, right) => {
      const target = input(all[top + down], names[left + right]);
      if (target) {
        write(target, value.trim());
        count += 1;
      } else {
        leftOut = true;
      }
    }),
  );
  const words = table().dataset;
  say(leftOut ? words.textLeftOut : words.textFilled, { count });
  changed();
});

function fill(where) {
  const words = table().dataset;
  if (!current?.isConnected) return say(words.textNowhere);
  const column = columnOf(current);
  const own = current.closest("tr");
  const all = rows();
  const targets =
    where === "below"
      ? all.slice(all.indexOf(own) + 1)
      : all.filter((row) => row !== own && row.querySelector("[data-select]")?.checked);
  if (!targets.length && where === "selected") return say(words.textUnselected);
  remember();
  const first = Number.parseInt(current.value, 10);
  targets.forEach((row, index) => {
    // Numbers go on counting: the same one twice would make no sense.
    const counts = column === "position" && Number.isFinite(first);
    write(input(row, column), counts ? String(first + index + 1) : current.value);
  });
  say(words.textFilled, { count: targets.length });
  current.focus();
  changed();
}

function write(target, value) {
  target.value = value;
  if (target === current) before = value;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-fill], [data-renumber], [data-undo], [data-move]");
  if (!button || !table()) return;
  if (button.dataset.fill) fill(button.dataset.fill);
  if ("renumber" in button.dataset) {
    remember();
    for (const disc of new Set(rows().map(discOf))) number(disc);
    say(table().dataset.textFilled, { count: rows().length });
    changed();
  }
  if ("undo" in button.dataset) undo();
  if (button.dataset.move) {
    move(button.closest("tr"), button.dataset.move === "up" ? -1 : 1);
    button.focus();
  }
});

document.addEventListener("change", (event) => {
  if (event.target === current) return keepTyped();
  if (!event.target.matches?.("[data-select-all]")) return;
  for (const box of table().querySelectorAll("[data-select]")) box.checked = event.target.checked;
});

// ---- Order ----------------------------------------------------------------------------------------------------------

const discOf = (row) => input(row, "disc").value.trim();

/** One place up or down; over the edge of a disc it first becomes the last, or first, of the disc beside it. */
function move(row, by) {
  const beside = by < 0 ? row.previousElementSibling : row.nextElementSibling;
  if (!beside) return;
  remember();
  const from = discOf(row);
  if (discOf(beside) === from) {
    if (by < 0) beside.before(row);
    else beside.after(row);
  } else {
    write(input(row, "disc"), discOf(beside));
  }
  for (const disc of new Set([from, discOf(row)])) number(disc);
  tell(row);
}

/** A row was dropped: it is on the disc of the row above it, or of the one below where it is the first. */
function settle(row) {
  const from = discOf(row);
  const neighbour = row.previousElementSibling ?? row.nextElementSibling;
  write(input(row, "disc"), discOf(neighbour));
  for (const disc of new Set([from, discOf(row)])) number(disc);
  tell(row);
}

function number(disc) {
  rows()
    .filter((row) => discOf(row) === disc)
    .forEach((row, index) => write(input(row, "position"), String(index + 1)));
}

function tell(row) {
  const facts = { title: input(row, "title").value, disc: discOf(row), number: input(row, "position").value };
  say(table().dataset.textMoved, facts);
  changed();
}

// ---- Undo -----------------------------------------------------------------------------------------------------------

function picture() {
  return rows().map((row) => ({ row, values: columns().map((column) => input(row, column).value) }));
}

/** What was typed by hand is a step of its own. */
function keepTyped() {
  if (!current?.isConnected || current.value === before) return;
  const typed = current.value;
  current.value = before;
  keep(picture());
  current.value = typed;
  before = typed;
}

/** Keep how the list looks now, before it is changed. */
function remember() {
  keepTyped();
  keep(picture());
}

function keep(step) {
  const history = histories.get(table());
  history.push(step);
  if (history.length > UNDO_DEPTH) history.shift();
  showUndo();
}

function forget() {
  histories.get(table()).pop();
  showUndo();
}

function undo() {
  const names = columns();
  const focused = document.activeElement;
  for (const { row, values } of histories.get(table()).pop() ?? []) {
    table().tBodies[0].append(row);
    names.forEach((column, index) => write(input(row, column), values[index]));
  }
  focused.focus(); // a row that is moved loses it
  say(table().dataset.textUndone);
  changed();
  showUndo();
}

function showUndo() {
  const button = document.querySelector("[data-undo]");
  const none = !histories.get(table()).length;
  const focused = document.activeElement;
  button.disabled = none;
  if (none && focused === button) (current?.isConnected ? current : input(rows()[0], "title")).focus();
}
