// Which key does what.

import { make } from "./dom.js";

/** Keys that walk words: only while the words have the focus. */
const WALKING = {
  ArrowLeft: "before",
  ArrowRight: "after",
  ArrowUp: "up",
  ArrowDown: "down",
  Home: "first",
  End: "last",
  "[": "source",
  "]": "reader",
};
/** Keys that always count, but not while something is typed. */
const ALWAYS = {
  h: "head",
  l: "lens",
  "+": "nearer",
  "=": "nearer",
  "-": "further",
  0: "fit",
  "?": "help",
  Escape: "none",
};

/** What a key does: the name of an action, or null. */
export function actionOf(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  const target = event.target;
  if (target.closest?.('input, textarea, select, [contenteditable="true"]')) return null;
  if (target.closest?.(".av-words") && event.key in WALKING) return WALKING[event.key];
  return event.key in ALWAYS ? ALWAYS[event.key] : null;
}

const HELP = [
  [["←", "→"], "a word back, a word on"],
  [["↑", "↓"], "a line up, a line down"],
  [["Home", "End"], "first word, last word"],
  [["["], "to the word that was read most"],
  [["]"], "to the word that reads this most"],
  [["h"], "next head"],
  [["l"], "next lens"],
  [["+", "−", "0"], "zoom in, zoom out, show all"],
  [["Esc"], "select nothing"],
  [["?"], "this help"],
];

/** The list of keys. */
export function keyHelp() {
  const rows = HELP.map(([keys, does]) =>
    make("div", {}, make("dt", {}, ...keys.map((key) => make("kbd", {}, key))), make("dd", {}, does)),
  );
  return make(
    "div",
    { class: "av-help", hidden: true, role: "region", "aria-label": "keys" },
    make("dl", {}, ...rows),
    make(
      "p",
      {},
      "The keys for words work while the text has the focus. On the time line: click a word, drag to " +
        "move, turn the wheel with Ctrl or Shift to zoom.",
    ),
  );
}
