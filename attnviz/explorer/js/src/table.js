// A table of words with their weights. Rows are kept and filled anew: walking words must be quick.

import { ramp, rampColour } from "./colour.js";
import { make, say } from "./dom.js";
import { shortWord, weighed } from "./numbers.js";
import { placeOf, strengthOf } from "./scale.js";

const FEW = 12; // shown at first; all of them would cost a longer layout at every step
const MOST = 500;

/** An element with `fill`, `caption` and `columns`; `choose(timestep)` is called for a word's row. */
export function createTable(title, label, choose) {
  const caption = make("caption", {}, title);
  const what = make("th", { scope: "col" }, "word");
  const distance = make("th", { scope: "col", class: "av-number av-distance" }, "lag");
  const weight = make("th", { scope: "col", class: "av-number av-weight" }, "weight");
  const body = make("tbody");
  const none = make("p", { class: "av-none" }, "nothing");
  const more = make("button", { type: "button", class: "av-all", onclick: () => showAll(!all) });
  const head = make("thead", {}, make("tr", {}, what, distance, weight));
  const attributes = { class: "av-scroll", role: "region", "aria-label": label };
  const element = make("div", attributes, make("table", {}, caption, head, body), none, more);
  const rows = [];
  // Asking where the table is scrolled to would lay the page out, so it is remembered.
  let scrolled = false;
  element.addEventListener("scroll", () => (scrolled = true), { passive: true });

  body.addEventListener("click", (event) => {
    const row = event.target.closest("[data-go]");
    if (row) choose(Number(row.dataset.go));
  });
  // One tab stop a table; the arrow keys go from row to row.
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = [...body.querySelectorAll(".av-go:not([hidden])")];
    all[all.indexOf(event.target) + step]?.focus();
    event.preventDefault();
    event.stopPropagation();
  });

  let [all, last] = [false, null];
  function showAll(wanted) {
    all = wanted;
    if (last) fill(...last);
  }

  function fill(links, view, dark, sources) {
    last = [links, view, dark, sources];
    // A list of one more than a few is shown as it is.
    const few = links.length > FEW + 1;
    const shown = links.slice(0, few && !all ? FEW : MOST);
    more.hidden = !few;
    say(more, all ? "fewer" : `all ${Math.min(links.length, MOST)}`);
    while (rows.length < shown.length) rows.push(createRow());
    shown.forEach((link, i) => rows[i].fill(link, view, swatchColour(link, view.scale, dark, sources)));
    if (body.childElementCount !== shown.length) {
      body.replaceChildren(...rows.slice(0, shown.length).map((row) => row.element));
    }
    const first = shown.findIndex((link) => link.timestep >= 0);
    rows.forEach((row, i) => row.reachable(i === first));
    none.hidden = shown.length > 0;
    if (scrolled) element.scrollTop = 0;
    scrolled = false;
  }

  return {
    element,
    fill,
    caption: (text) => say(caption, text),
    columns(name, lag, unit) {
      say(what, name);
      say(distance, lag);
      say(weight, unit);
    },
  };
}

function createRow() {
  const swatch = make("i", { class: "av-swatch", "aria-hidden": "true" });
  const go = make("button", { type: "button", class: "av-go", dir: "auto", tabindex: "-1" });
  const noword = make("span", { class: "av-noword" });
  const lag = make("td", { class: "av-number" });
  const weight = make("td", { class: "av-number" });
  const name = make("td", {}, swatch, go, noword);
  const element = make("tr", {}, name, lag, weight);

  let [word, place, shade, tab] = [null, null, null, false];

  // What is the same is left alone: even setting it again would cost a layout.
  function fill(link, view, colour) {
    const isWord = link.timestep >= 0;
    if (word !== isWord) {
      word = isWord;
      [go.hidden, noword.hidden] = [!isWord, isWord];
      element.classList.toggle("av-clickable", isWord);
    }
    if (place !== link.timestep) {
      place = link.timestep;
      if (isWord) element.dataset.go = place;
      else delete element.dataset.go;
    }
    say(isWord ? go : noword, shortWord(link.label, 48));
    if (shade !== colour) swatch.style.backgroundColor = colour;
    shade = colour;
    // Extras stand at no lag, and are no weights of the map, so they have no colour of its scale.
    const extra = link.kind === "extra";
    if (swatch.hidden !== extra) [swatch.hidden, lag.hidden, name.colSpan] = [extra, extra, extra ? 2 : 1];
    say(lag, link.lag < 0 || view.look.axis === "feature" ? "" : String(link.lag));
    say(weight, weighed(link.weight, view.lens.signed));
  }

  function reachable(yes) {
    if (yes !== tab) go.tabIndex = yes ? 0 : -1;
    tab = yes;
  }

  return { element, fill, reachable };
}

function swatchColour(link, scale, dark, sources) {
  if (sources || link.weight < 0) {
    return rampColour(ramp(scale.signed ? "signed" : "sources", dark), placeOf(scale, link.weight));
  }
  return rampColour(ramp("readers", dark), 0.15 + 0.85 * strengthOf(scale, link.weight));
}
