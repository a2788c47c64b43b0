// What the selected word read, and which words read it, as tables.

import { ramp, rampColour } from "./colour.js";
import { make, say } from "./dom.js";
import { shortWord, weighed } from "./numbers.js";
import { byStrength, readersOf } from "./reading.js";
import { placeOf, strengthOf } from "./scale.js";
import { linksOf } from "./wording.js";

const MOST = 200;

/** Two tables; `choose(timestep)` is called where a row of a word is clicked. */
export function createLists(choose) {
  const element = make("div", { class: "av-lists" });
  const heading = make("p", { class: "av-hint" });
  const read = table("read", "what the selected word read", choose);
  const readers = table("was read by", "later words that read the selected word", choose);
  element.append(heading, read.element, readers.element);

  function show(view, dark) {
    const t = view.selected;
    const { look, lens } = view;
    const chosen = t >= 0 && look !== null;
    const feature = look?.axis === "feature";
    say(heading, hintFor(view));
    heading.hidden = heading.textContent === "";
    read.element.hidden = !chosen || !look.matrix;
    readers.element.hidden = read.element.hidden || feature;
    if (read.element.hidden) return;
    read.caption(feature ? "strongest features" : `“${shortWord(view.words[t])}” read`);
    read.columns(feature ? "feature" : "word", feature ? "" : lens.axis);
    readers.columns("word", lens.axis);
    readers.caption(`“${shortWord(view.words[t])}” was read by`);
    read.fill(linksOf(view, t), view, dark, true);
    const later = byStrength(readersOf(look, t)).map((one) => ({ ...one, label: view.words[one.timestep] }));
    readers.fill(later, view, dark, false);
  }

  return { element, show };
}

function hintFor(view) {
  if (view.look === null) return "Nothing was recorded of what this cell looks back at.";
  if (view.selected < 0) {
    return view.elsewhere
      ? "This model did not read the selected word."
      : "Click a word, or walk with ← and →.";
  }
  if (!view.look.matrix) return view.waiting || "loading …";
  const has = view.look.rows === null || view.look.rows.has(view.selected);
  return has ? "" : `No value yet of ${view.lens.label} for this word.`;
}

function table(title, label, choose) {
  const caption = make("caption", {}, title);
  const what = make("th", { scope: "col" }, "word");
  const distance = make("th", { scope: "col", class: "av-number" }, "lag");
  const head = make("tr", {}, what, distance, make("th", { scope: "col", class: "av-number" }, "weight"));
  const body = make("tbody");
  const element = make(
    "div",
    { class: "av-scroll", role: "region", "aria-label": label },
    make("table", {}, caption, make("thead", {}, head), body),
  );
  body.addEventListener("click", (event) => {
    const row = event.target.closest("[data-go]");
    if (row) choose(Number(row.dataset.go));
  });
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = [...body.querySelectorAll(".av-go")];
    all[all.indexOf(event.target) + step]?.focus();
    event.preventDefault();
    event.stopPropagation();
  });

  function fill(links, view, dark, sources) {
    const rows = links.slice(0, MOST).map((link) => rowOf(link, view, dark, sources));
    if (rows.length === 0) rows.push(make("tr", {}, make("td", { colspan: 3, class: "av-none" }, "nothing")));
    body.replaceChildren(...rows);
    // One tab stop a table; the arrow keys go from row to row.
    body.querySelector(".av-go")?.setAttribute("tabindex", "0");
    element.scrollTop = 0;
  }

  return {
    element,
    fill,
    caption: (text) => say(caption, text),
    columns(name, lag) {
      say(what, name);
      say(distance, lag);
    },
  };
}

function rowOf(link, view, dark, sources) {
  const word = shortWord(link.label, 28);
  const isWord = link.timestep >= 0;
  // Extras are no weights of the map, so they have no colour of its scale.
  const swatch = make("i", { class: "av-swatch", "aria-hidden": "true" });
  if (link.kind === "extra") swatch.style.visibility = "hidden";
  else swatch.style.backgroundColor = swatchColour(link, view.scale, dark, sources);
  const name = isWord
    ? make("button", { type: "button", class: "av-go", dir: "auto", tabindex: "-1" }, word)
    : make("span", { class: "av-noword" }, word);
  const value = make("td", { class: "av-number" }, weighed(link.weight, view.lens.signed));
  return make(
    "tr",
    isWord ? { "data-go": link.timestep, class: "av-clickable" } : {},
    make("td", { title: link.label.slice(0, 300) }, swatch, name),
    make("td", { class: "av-number" }, link.lag < 0 || view.look.axis === "feature" ? "" : String(link.lag)),
    value,
  );
}

function swatchColour(link, scale, dark, sources) {
  if (sources || link.weight < 0) {
    return rampColour(ramp(scale.signed ? "signed" : "sources", dark), placeOf(scale, link.weight));
  }
  return rampColour(ramp("readers", dark), 0.15 + 0.85 * strengthOf(scale, link.weight));
}
