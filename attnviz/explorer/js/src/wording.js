// Sentences: for the live region, and for what is said when nothing can be shown. Pure.

import { byStrength, featureName, nameOf, sourcesOf, unmeasured } from "./reading.js";
import { general, shortWord } from "./numbers.js";

export const NO_NUMBER = "not a number";

/** What a timestep read in all, the largest first: `{label, lag, timestep, weight}`.
 *
 * Extras (such as what is older than the longest age) are among them, with lag -1. */
export function linksOf(view, t) {
  const { look, lens } = view;
  const found = sourcesOf(look, t);
  if (found === null) return [];
  const links = found.map((item) => {
    const feature = look.axis === "feature" ? featureName(lens, item.index) : null;
    return { ...item, label: feature ?? nameOf(item, view.words) };
  });
  for (const extra of view.extras) {
    const weight = extra.values[t];
    if (Number.isNaN(weight)) continue;
    links.push({ index: -1, lag: -1, kind: "extra", timestep: -1, weight, label: extra.label });
  }
  return byStrength(links);
}

/** The selected word and its strongest sources, in a sentence. */
export function saidAloud(view, t, count = 3) {
  const { panel, lens, look, words } = view;
  const start = `${panel.key}, word ${t + 1} of ${words.length}: ${words[t]}. ${lens.label}`;
  const links = linksOf(view, t).slice(0, count);
  if (links.length === 0) return `${start}: nothing to read.`;
  const where = (link) => (look.axis === "feature" || link.lag < 0 ? "" : ` at ${look.axis} ${link.lag}`);
  const told = links.map((link) => `${link.label}${where(link)}, ${general(link.weight)}`);
  return `${start}: ${told.join("; ")}.`;
}

/** One name for what several cells call by several symbols: "attention α / ŵ". */
export function sharedLabel(labels) {
  const different = [...new Set(labels)];
  if (different.length < 2) return different[0] ?? "";
  const parts = different.map((label) => label.split(" "));
  let same = 0;
  while (parts.every((words) => words[same] !== undefined && words[same] === parts[0][same])) same++;
  const [name, rests] = [
    parts[0].slice(0, same).join(" "),
    parts.map((words) => words.slice(same).join(" ")),
  ];
  if (name === "") return different.join(" / ");
  return rests.every((rest) => /^\S+$/.test(rest)) ? `${name} ${rests.join(" / ")}` : name;
}

/** A label with its unit, unless it says the unit already. */
export function withUnit(label, unit) {
  return !unit || label.split(/[\s,]+/).includes(unit) ? label : `${label} (${unit})`;
}

/** What the numbers of a lens are, in a word for the head of a column. */
export function unitWord({ label, unit }) {
  if (/^1 = uniform/.test(unit || "")) {
    // Multiples of an equal share: their symbol, if they have one.
    const symbol = label.split(" ").pop();
    return symbol.includes("·") ? symbol.replace(/_t$/, "") : "multiple";
  }
  if (/squared standard deviation/.test(unit || "")) return "variance";
  return shortWord((unit || "").split(/[,(]/)[0].trim() || "value", 10);
}

/** The same for the live region: a word that was not measured says so. */
export function announced(view, t) {
  if (!unmeasured(view.look, t)) return saidAloud(view, t);
  return `${view.panel.key}, word ${t + 1} of ${view.words.length}: ${view.words[t]}. ${notMeasured(view)}.`;
}

/** What stands where a lens has no row for the selected word. */
export function notMeasured({ lens, live }) {
  return `${lens.label}: not measured for this word${live ? " yet" : ""}`;
}

/** What must be said of the lens that is shown. */
export function lensNotes({ lens, instead, empty, uneditedLens }) {
  if (uneditedLens) return [`${lens.label} was not measured under the edit: shown unedited.`];
  if (empty) return [`${empty.label} was not measured for this text: ${lens.label} is shown instead.`];
  return instead ? [`This cell has no such attention: ${lens.label} is shown instead.`] : [];
}

/** `positive (0.82)`: the class with the highest probability. */
export function predicted(probabilities, classes) {
  if (!probabilities || probabilities.length === 0) return null;
  if (!probabilities.every(Number.isFinite)) {
    return { index: -1, name: NO_NUMBER, p: NaN, text: NO_NUMBER };
  }
  let best = 0;
  probabilities.forEach((p, i) => {
    if (p > probabilities[best]) best = i;
  });
  return {
    index: best,
    name: className(classes, best),
    p: probabilities[best],
    text: probabilities[best].toFixed(2),
  };
}

/** The name of a class, or its number. */
export function className(classes, index) {
  return classes?.[index] ?? `class ${index}`;
}

/** A difference with its sign. */
export function difference(value) {
  if (Math.abs(value) < 0.5e-4)
    return value === 0
      ? "±0"
      : `${value > 0 ? "+" : "−"}${Math.abs(value).toExponential(1).replace("-", "−")}`;
  return `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(Math.abs(value) < 0.01 ? 4 : 2)}`;
}
