// Light or dark: as the notebook is, or else as the reader's system is.

import { palette } from "./colour.js";

const LETTERS = [
  "paper",
  "raised",
  "ink",
  "soft",
  "faint",
  "line",
  "grid",
  "more",
  "less",
  "later",
  "wrong",
  "mark",
];

/** Whether the surroundings are dark. */
export function isDark() {
  const body = document.body;
  const told = body.getAttribute("data-jp-theme-light");
  if (told !== null) return told === "false";
  const kind = body.getAttribute("data-vscode-theme-kind");
  if (kind !== null) return !kind.includes("light");
  const theme = document.documentElement.getAttribute("theme") || document.documentElement.dataset.theme;
  if (theme === "dark" || theme === "light") return theme === "dark";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Keeps an element's colours as the surroundings', and light on paper. Returns what ends that.
 *
 * `changed(dark, printing)` draws anew; for the printer at once, since no frame comes before it. */
export function followTheme(root, changed) {
  let [dark, printing] = [null, false];
  const apply = (onPaper) => {
    const wanted = isDark() && !onPaper;
    if (wanted === dark && onPaper === printing) return;
    [dark, printing] = [wanted, onPaper];
    const colours = palette(dark);
    for (const name of LETTERS) root.style.setProperty(`--av-${name}`, colours[name]);
    root.style.setProperty("color-scheme", dark ? "dark" : "light");
    root.classList.toggle("av-dark", dark);
    changed(dark, printing);
  };
  const update = () => apply(printing);
  const before = () => apply(true);
  const after = () => apply(false);
  const paper = window.matchMedia("print");
  const turned = () => apply(paper.matches);
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const watcher = new MutationObserver(update);
  const attributes = { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"] };
  watcher.observe(document.body, attributes);
  watcher.observe(document.documentElement, { attributes: true, attributeFilter: ["theme", "data-theme"] });
  system.addEventListener("change", update);
  window.addEventListener("beforeprint", before);
  window.addEventListener("afterprint", after);
  paper.addEventListener("change", turned);
  update();
  return () => {
    watcher.disconnect();
    system.removeEventListener("change", update);
    window.removeEventListener("beforeprint", before);
    window.removeEventListener("afterprint", after);
    paper.removeEventListener("change", turned);
  };
}
