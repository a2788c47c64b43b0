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
  if (target.closest?.(TYPED)) return null;
  if (target.closest?.(".av-words") && event.key in WALKING) return WALKING[event.key];
  return event.key in ALWAYS ? ALWAYS[event.key] : null;
}

const TYPED = 'input, textarea, select, [contenteditable="true"]';
const EDITING = /^([acvxyz]|Arrow.*|Home|End|Backspace|Delete)$/i;

/** Whether a key is the explorer's own, and no shortcut of the notebook around it.
 *
 * Ctrl, Meta and Alt make it the notebook's, unless they edit a text that is typed here. A letter that
 * does nothing here stays here too: beside `h` and `l` are letters that would delete a cell. */
export function isOwnKey(event, typing) {
  if (event.getModifierState?.("AltGraph")) return typing;
  if (event.ctrlKey || event.metaKey || event.altKey) return typing && EDITING.test(event.key);
  if (/^F\d+$/.test(event.key)) return false;
  return typing || !(event.shiftKey && event.key === "Enter");
}

/** Keeps own keys from JupyterLab, which hears keys before anything inside its page does: all that it
 * heeds is an attribute, which is set anew for every key. Returns what ends that. */
export function keepKeys(root) {
  const mark = (own) =>
    own
      ? root.setAttribute("data-lm-suppress-shortcuts", "true")
      : root.removeAttribute("data-lm-suppress-shortcuts");
  const decide = (event) => {
    const path = event.composedPath();
    if (path.includes(root)) mark(isOwnKey(event, Boolean(path[0].closest?.(TYPED))));
  };
  mark(true);
  window.addEventListener("keydown", decide, true);
  return () => window.removeEventListener("keydown", decide, true);
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
