// The text of a panel, word by word: tinted by what the selected word read, underlined by who read it.

import { inkOn, ramp, rampColour } from "./colour.js";
import { make } from "./dom.js";
import { sameWords } from "./linking.js";
import { readersOf, sourcesOf } from "./reading.js";
import { placeOf, strengthOf } from "./scale.js";

const FAINTEST = 0.015;
const MARGIN = 38; // pixels of text that stay seen above and below the selected word

/** The element, and what it can do. `name(t)` gives ids that no other explorer has. */
export function createWords(name, choose) {
  const list = make("div", {
    class: "av-words",
    role: "listbox",
    tabindex: "0",
    dir: "auto",
    "aria-label": "the words of the text",
  });
  let pieces = []; // what the list holds: words, and what stands between them
  let spans = [];
  let built = null;
  let touched = [];

  list.addEventListener("click", (event) => {
    const t = timestepOf(event.target);
    if (t >= 0) choose(t);
  });

  /** Builds the words where the text is another; those that stay are left alone. */
  function build(view) {
    const { text } = view.panel;
    if (built && built.text === text && sameWords(built.offsets, view.offsets)) return;
    built = { text, offsets: view.offsets };
    const before = pieces;
    pieces = piecesOf(text, view).map((piece, i) => {
      const old = before[i];
      return old?.t === piece.t && old.words === piece.words ? old : { ...piece, node: nodeOf(piece) };
    });
    pieces.forEach(({ node }, i) => {
      if (i >= before.length) list.append(node);
      else if (before[i].node !== node) before[i].node.replaceWith(node);
    });
    for (const { node } of before.slice(pieces.length)) node.remove();
    spans = pieces.filter(({ t }) => t >= 0).map(({ node }) => node);
  }

  function nodeOf({ t, words }) {
    if (t < 0) return between(words);
    return make("span", { class: "av-word", role: "option", id: name(t), "data-t": t }, words);
  }

  /** Colours the words for the selected one; only those that change are touched. */
  function paint(view, dark) {
    for (const span of touched) {
      span.removeAttribute("style");
      span.classList.remove("av-source", "av-reader", "av-chosen");
      span.removeAttribute("aria-selected");
    }
    touched = [];
    const t = view.selected;
    const chosen = spans[t];
    if (!chosen) {
      list.removeAttribute("aria-activedescendant");
      return;
    }
    if (view.look?.matrix && view.look.axis !== "feature") {
      for (const one of sourcesOf(view.look, t) || []) tint(one, view, dark);
      for (const one of readersOf(view.look, t)) underline(one, view, dark);
    }
    chosen.classList.add("av-chosen");
    chosen.setAttribute("aria-selected", "true");
    list.setAttribute("aria-activedescendant", chosen.id);
    touched.push(chosen);
  }

  function tint(source, view, dark) {
    const span = spans[source.timestep];
    if (!span || strengthOf(view.scale, source.weight) < FAINTEST) return;
    const colours = ramp(view.scale.signed ? "signed" : "sources", dark);
    const fill = rampColour(colours, placeOf(view.scale, source.weight));
    span.style.backgroundColor = fill;
    span.style.color = inkOn(fill);
    span.classList.add("av-source");
    touched.push(span);
  }

  function underline(reader, view, dark) {
    const span = spans[reader.timestep];
    const strength = strengthOf(view.scale, reader.weight);
    if (!span || strength < FAINTEST) return;
    const below = reader.weight < 0;
    const colours = ramp(below ? "signed" : "readers", dark);
    // From a little above nothing on: a line as pale as the paper would not be one.
    const place = below ? 0.42 - 0.42 * strength : 0.25 + 0.75 * strength;
    // A background, not a text decoration: that would lay the text out again at every step.
    const colour = rampColour(colours, place);
    const line = below
      ? `repeating-linear-gradient(90deg, ${colour} 0 4px, transparent 4px 7px)`
      : `linear-gradient(${colour}, ${colour})`;
    span.style.backgroundImage = line;
    span.style.backgroundSize = `100% ${(1.5 + 2.5 * strength).toFixed(1)}px`;
    span.classList.add("av-reader");
    touched.push(span);
  }

  /** Scrolls the text itself, never the page, so far that a word is seen. */
  function reveal(t) {
    const span = spans[t];
    if (!span) return;
    const [box, word] = [list.getBoundingClientRect(), span.getBoundingClientRect()];
    if (word.top < box.top + 4) list.scrollTop -= box.top - word.top + MARGIN;
    else if (word.bottom > box.bottom - 4) list.scrollTop += word.bottom - box.bottom + MARGIN;
  }

  /** The word a visual line further up (-1) or down (1), nearest from left to right. */
  function lineFrom(t, step) {
    if (!spans[t]) return -1;
    const middle = (span) => span.offsetLeft + span.offsetWidth / 2;
    const here = spans[t].offsetTop;
    let i = t + step;
    while (spans[i] && sameLine(spans[i].offsetTop, here)) i += step;
    if (!spans[i]) return -1;
    const line = spans[i].offsetTop;
    let best = i;
    for (; spans[i] && sameLine(spans[i].offsetTop, line); i += step) {
      if (Math.abs(middle(spans[i]) - middle(spans[t])) < Math.abs(middle(spans[best]) - middle(spans[t])))
        best = i;
    }
    return best;
  }

  return { element: list, build, paint, reveal, lineFrom };
}

/** The timestep of the word an event came from; -1 of none. */
export function timestepOf(target) {
  const word = target.closest?.("[data-t]");
  return word ? Number(word.dataset.t) : -1;
}

function sameLine(a, b) {
  return Math.abs(a - b) < 4;
}

/** A text in words and what stands between them: `{t, words}`, t = -1 for what no timestep read. Pure. */
export function piecesOf(text, { n, offsets }) {
  const found = [];
  let end = 0;
  for (let t = 0; t < n; t++) {
    const [from, to] = [offsets[2 * t], offsets[2 * t + 1]];
    if (from > end) found.push({ t: -1, words: text.slice(end, from) });
    found.push({ t, words: text.slice(Math.max(from, end), to) });
    end = Math.max(end, to);
  }
  if (end < text.length) found.push({ t: -1, words: text.slice(end) });
  return found;
}

/** What no timestep read: grey, unless it is blank. */
function between(text) {
  return text.trim() === "" ? document.createTextNode(text) : make("span", { class: "av-unread" }, text);
}
