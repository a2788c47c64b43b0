// Which review is shown: filters, the list, the one before and the one after.

import { button, labelled, make, options, say } from "./dom.js";
import { isRight, largest, NO_FILTERS, neighbour } from "./filtering.js";
import { className } from "./wording.js";

const MOST = 300;
const TYPING = 150; // milliseconds after the last key

/** The chooser's elements: a line that is always there, and a drawer with filters and the list. */
export function createChooser(store, classesOf) {
  const go = (row) => row && store.set({ sequence: row.sequence, timestep: -1, window: [0, 0] });
  const rows = () => store.get("rows")?.rows || [];
  const before = button("‹", "previous text", () => go(neighbour(rows(), store.get("sequence"), -1)));
  const after = button("›", "next text", () => go(neighbour(rows(), store.get("sequence"), 1)));
  const name = make("span", { class: "av-name", dir: "auto" });
  const count = make("span", { class: "av-count" });
  const open = button("", "choose a text", () => toggle(), { class: "av-open", "aria-expanded": "false" });
  open.append(name, make("span", { "aria-hidden": "true", class: "av-caret" }, "▾"));
  const filters = createFilters(store, classesOf);
  const list = make("ul", { class: "av-rows", role: "listbox", tabindex: "0", "aria-label": "texts" });
  const more = make("p", { class: "av-hint" });
  const drawer = make("div", { class: "av-drawer", hidden: true }, filters.element, list, more);
  const element = make("div", { class: "av-chooser" }, before, after, open, count);

  function toggle(shown = drawer.hidden) {
    drawer.hidden = !shown;
    open.setAttribute("aria-expanded", String(shown));
    if (shown) update();
  }

  list.addEventListener("click", (event) => {
    const item = event.target.closest("[data-place]");
    if (item) go(rows()[Number(item.dataset.place)]);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" || event.key === "Escape") toggle(false);
    else if (step) go(neighbour(rows(), store.get("sequence"), step));
    else return;
    if (!step) open.focus();
    event.preventDefault();
    event.stopPropagation();
  });

  function update() {
    const known = store.get("rows") || {};
    const all = rows();
    const sequence = store.get("sequence");
    const own = all.find((row) => row.sequence === sequence);
    say(name, sequence < 0 ? "a sentence of your own" : own ? nameOf(own) : `text ${sequence}`);
    const [total, matching] = [known.total ?? all.length, known.matching ?? all.length];
    say(
      count,
      matching === total ? (total === 1 ? "1 text" : `${total} texts`) : `${matching} of ${total} match`,
    );
    element.hidden = total === 0;
    before.disabled = !neighbour(all, sequence, -1);
    after.disabled = !neighbour(all, sequence, 1);
    if (drawer.hidden) return;
    filters.update();
    const shown = all.slice(0, MOST);
    list.replaceChildren(
      ...shown.map((row, place) => item(row, place, row.sequence === sequence, classesOf())),
    );
    list.querySelector('[aria-selected="true"]')?.scrollIntoView?.({ block: "nearest" });
    say(more, matching > shown.length ? `The first ${shown.length} are listed: filter to see others.` : "");
    more.hidden = more.textContent === "";
  }

  return { element, drawer, update };
}

function nameOf(row) {
  return row.id && row.id !== String(row.sequence) ? `${row.sequence} · ${row.id}` : `text ${row.sequence}`;
}

function item(row, place, chosen, classes) {
  const right = isRight(row);
  const prediction = Array.isArray(row.prediction) ? largest(row.prediction) : row.prediction;
  const mark = right === null ? "" : right ? "✓" : "✗";
  const told =
    right === null
      ? ""
      : right
        ? "predicted rightly"
        : `predicted wrongly: ${className(classes, prediction)}`;
  return make(
    "li",
    { role: "option", "data-place": place, "aria-selected": String(chosen) },
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
    make("span", { class: "av-start", dir: "auto" }, row.start ?? ""),
  );
}

function createFilters(store, classesOf) {
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
    const classes = (classesOf() || []).map((text, value) => ({ value: String(value), text }));
    options(label, [{ value: "", text: "any" }, ...classes], now.label ?? "");
    right.value = now.right === null ? "" : now.right ? "right" : "wrong";
    const quiet = (input, value) => {
      if (document.activeElement !== input) input.value = value;
    };
    quiet(shortest, now.shortest ?? "");
    quiet(longest, now.longest ?? "");
    quiet(contains, now.contains);
  }

  return { element, update };
}
