// Which review is shown: filters, the list, the one before and the one after.

import { button, labelled, make, options, say } from "./dom.js";
import { isRight, NO_FILTERS, neighbours } from "./filtering.js";
import { className } from "./wording.js";

const MOST = 300;
const PREVIEW = 80; // letters of a text that are listed
const TYPING = 150; // milliseconds after the last key

let made = 0;

/** The chooser's elements: a line that is always there, and a drawer with filters and the list.
 *
 * `firstPanel()` is the one whose classes and predictions the texts are listed with. */
export function createChooser(store, firstPanel) {
  const id = `attnviz-text-${Date.now().toString(36)}-${made++}`;
  const go = (sequence) => sequence !== null && store.set({ sequence });
  const rows = () => store.get("rows")?.rows || [];
  const beside = () => neighbours(store.get("rows"), store.get("sequence"));
  const before = button("‹", "previous text", () => go(beside().previous));
  const after = button("›", "next text", () => go(beside().next));
  const name = make("span", { class: "av-name", dir: "auto" });
  const count = make("span", { class: "av-count" });
  const open = button("", "choose a text", () => toggle(), { class: "av-open", "aria-expanded": "false" });
  open.append(name, make("span", { "aria-hidden": "true", class: "av-caret" }, "▾"));
  const filters = createFilters(store, firstPanel);
  const list = make("ul", { class: "av-rows", role: "listbox", tabindex: "0", "aria-label": "texts" });
  const more = make("p", { class: "av-hint" });
  const drawer = make("div", { class: "av-drawer", hidden: true }, filters.element, list, more);
  const element = make("div", { class: "av-chooser" }, before, after, open, count);
  let shown = {}; // the text that is shown: {sequence, name}

  function toggle(wanted = drawer.hidden) {
    drawer.hidden = !wanted;
    open.setAttribute("aria-expanded", String(wanted));
    if (wanted) update();
  }

  list.addEventListener("click", (event) => {
    const item = event.target.closest("[data-place]");
    if (item) go(rows()[Number(item.dataset.place)].sequence);
  });
  list.addEventListener("keydown", (event) => {
    const listed = rows().slice(0, MOST);
    const steps = {
      ArrowDown: () => beside().next,
      ArrowUp: () => beside().previous,
      Home: () => listed[0]?.sequence ?? null,
      End: () => listed[listed.length - 1]?.sequence ?? null,
    };
    if (event.key in steps) go(steps[event.key]());
    else if (event.key === "Enter") leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  for (const part of [element, drawer]) {
    part.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing || !leave()) return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** Closes the drawer; false where it was not open. */
  function leave() {
    if (drawer.hidden) return false;
    toggle(false);
    open.focus();
    return true;
  }

  function update() {
    const known = store.get("rows") || {};
    const all = rows();
    const sequence = store.get("sequence");
    const own = all.find((row) => row.sequence === sequence);
    // A text that the filters leave out keeps the name that it was chosen by.
    if (own) shown = { sequence, name: nameOf(own) };
    if (shown.sequence !== sequence) shown = { sequence, name: `text ${sequence}` };
    say(name, sequence < 0 ? "a sentence of your own" : shown.name);
    const [total, matching] = [known.total ?? all.length, known.matching ?? all.length];
    say(count, countText(matching, total));
    element.hidden = total === 0;
    const { previous, next } = beside();
    [before.disabled, after.disabled] = [previous === null, next === null];
    if (drawer.hidden) return;
    filters.update();
    const listed = all.slice(0, MOST);
    list.replaceChildren(
      ...listed.map((row, place) => {
        const option = item(row, firstPanel(), row.sequence === sequence);
        option.id = `${id}-${row.sequence}`;
        option.dataset.place = place;
        return option;
      }),
    );
    // The focus stays on the list; which row it is on is told.
    const chosen = list.querySelector('[aria-selected="true"]');
    if (chosen) list.setAttribute("aria-activedescendant", chosen.id);
    else list.removeAttribute("aria-activedescendant");
    chosen?.scrollIntoView?.({ block: "nearest" });
    say(more, matching > listed.length ? `The first ${listed.length} are listed: filter to see others.` : "");
    more.hidden = more.textContent === "";
  }

  return { element, drawer, update, leave };
}

/** How many texts there are to choose from. */
export function countText(matching, total) {
  if (total > 0 && matching === 0) return "no text matches";
  if (matching < total) return `${matching} of ${total} match`;
  return total === 1 ? "1 text" : `${total} texts`;
}

/** The beginning of a text, and whether it goes on. */
export function preview({ start: told, text }) {
  const start = told ?? "";
  // Where the whole text is not there, a beginning of full length is taken for cut.
  const cut = text === undefined ? Array.from(start).length >= PREVIEW : text.length > start.length;
  return cut ? `${start.trimEnd()}…` : start;
}

function nameOf(row) {
  return row.id && row.id !== String(row.sequence) ? `${row.sequence} · ${row.id}` : `text ${row.sequence}`;
}

/** Whose verdict a row tells, and what it is. */
export function verdictOf(row, panel) {
  const right = isRight(row);
  if (right === null) return "";
  const whose = panel ? `${panel.key}: ` : "";
  if (right) return `${whose}predicted rightly`;
  return `${whose}predicted wrongly, ${className(panel?.classes, row.prediction)}`;
}

function item(row, panel, chosen) {
  const right = isRight(row);
  const mark = right === null ? "" : right ? "✓" : "✗";
  const told = verdictOf(row, panel);
  const classes = panel?.classes;
  return make(
    "li",
    { role: "option", "aria-selected": String(chosen) },
    make("span", { class: "av-rowname" }, nameOf(row)),
    make(
      "span",
      { class: "av-rowlabel" },
      row.label >= 0 && row.label !== null ? className(classes, row.label) : "",
    ),
    make(
      "span",
      { class: right === false ? "av-mark av-wrong" : "av-mark", title: told, "aria-label": told },
      mark,
    ),
    make("span", { class: "av-number" }, row.length >= 0 ? String(row.length) : ""),
    make("span", { class: "av-start", dir: "auto" }, preview(row)),
  );
}

function createFilters(store, firstPanel) {
  const change = (changes) => store.set({ filters: { ...NO_FILTERS, ...store.get("filters"), ...changes } });
  const label = make("select", {
    onchange: () => change({ label: label.value === "" ? null : Number(label.value) }),
  });
  const right = make("select", {
    onchange: () => change({ right: { "": null, right: true, wrong: false }[right.value] }),
  });
  const number = (field) =>
    make("input", {
      type: "number",
      min: 1,
      inputmode: "numeric",
      onchange: (event) =>
        change({ [field]: event.target.value === "" ? null : Math.max(0, Number(event.target.value)) }),
    });
  const [shortest, longest] = [number("shortest"), number("longest")];
  let waiting = 0;
  const contains = make("input", {
    type: "search",
    placeholder: "words in the text",
    oninput() {
      clearTimeout(waiting);
      waiting = setTimeout(() => change({ contains: contains.value }), TYPING);
    },
  });
  options(
    right,
    [
      ["", "right or wrong"],
      ["right", "right"],
      ["wrong", "wrong"],
    ].map(([value, text]) => ({ value, text })),
    "",
  );
  const element = make(
    "div",
    { class: "av-filters", role: "group", "aria-label": "filters" },
    labelled("label", label),
    labelled("prediction", right),
    labelled("words, at least", shortest),
    labelled("at most", longest),
    labelled("contains", contains),
    button("clear", "clear all filters", () => store.set({ filters: { ...NO_FILTERS } })),
  );

  function update() {
    const now = { ...NO_FILTERS, ...store.get("filters") };
    const panel = firstPanel();
    right.title = panel ? `as ${panel.key} predicts` : "";
    const classes = (panel?.classes || []).map((text, value) => ({ value: String(value), text }));
    options(label, [{ value: "", text: "any" }, ...classes], now.label ?? "");
    right.value = now.right === null ? "" : now.right ? "right" : "wrong";
    const quiet = (input, value) => {
      // In a shadow tree the document only knows of the host.
      if (input.getRootNode().activeElement !== input) input.value = value;
    };
    quiet(shortest, now.shortest ?? "");
    quiet(longest, now.longest ?? "");
    quiet(contains, now.contains);
  }

  return { element, update };
}
