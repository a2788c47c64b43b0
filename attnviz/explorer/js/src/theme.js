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

/** Keeps an element's colours as the surroundings', and light on paper. Returns what ends that. */
export function followTheme(root, changed) {
  let dark = null;
  const apply = (wanted, now) => {
    if (wanted === dark) return;
    dark = wanted;
    const colours = palette(dark);
    for (const name of LETTERS) root.style.setProperty(`--av-${name}`, colours[name]);
    root.style.setProperty("color-scheme", dark ? "dark" : "light");
    root.classList.toggle("av-dark", dark);
    changed(dark, now);
  };
  const update = () => apply(isDark(), false);
  // A canvas cannot be drawn again while it is printed, so that happens at once before.
  const before = () => apply(false, true);
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const watcher = new MutationObserver(update);
  const attributes = { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"] };
  watcher.observe(document.body, attributes);
  watcher.observe(document.documentElement, { attributes: true, attributeFilter: ["theme", "data-theme"] });
  system.addEventListener("change", update);
  window.addEventListener("beforeprint", before);
  window.addEventListener("afterprint", update);
  update();
  return () => {
    watcher.disconnect();
    system.removeEventListener("change", update);
    window.removeEventListener("beforeprint", before);
    window.removeEventListener("afterprint", update);
  };
}
