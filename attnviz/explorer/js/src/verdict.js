// A panel's title, what is right, and what the model says.

import { make, say } from "./dom.js";
import { className, difference, NO_NUMBER, predicted } from "./wording.js";

/** The head of a panel. */
export function createVerdict() {
  const title = make("h3", { dir: "auto" });
  const layer = make("span", { class: "av-layer" });
  const facts = make("p", { class: "av-facts" });
  const element = make("header", {}, make("div", { class: "av-title" }, title, layer), facts);

  function show(view) {
    const { panel } = view;
    say(title, panel.title || panel.key);
    say(layer, [panel.cell, panel.layer, `${view.n} timesteps`].filter(Boolean).join(" · "));
    facts.replaceChildren(...factsOf(view).map(([text, kind]) => make("span", { class: kind }, text)));
  }

  return { element, show };
}

/** The same in words, for figures. */
export function verdictText(view) {
  return factsOf(view)
    .map(([text]) => text)
    .join(" ");
}

/** Pairs of a text and how it is marked. Pure. */
export function factsOf({ panel, edited, prediction = panel.prediction }) {
  const known = panel.label >= 0 && panel.label !== null;
  const found = known ? [[`true: ${className(panel.classes, panel.label)}`, ""]] : [];
  const before = predicted(prediction, panel.classes);
  if (!before) return found;
  if (known) found.push(["·", ""]);
  if (edited) return [...found, ...editFacts(panel, edited)];
  if (before.index < 0) return [...found, [`predicted: ${NO_NUMBER}`, "av-wrong"]];
  const wrong = known && before.index !== panel.label;
  found.push([`predicted: ${before.name} (${before.text})`, wrong ? "av-wrong" : ""]);
  if (wrong) found.push(["✗ wrong", "av-wrong"]);
  return found;
}

function editFacts({ prediction, classes }, edited) {
  // Both arms of an edit ran on one path; the difference is against that run.
  const unedited = edited.unedited?.length > 0 ? edited.unedited : prediction;
  const [was, is] = [predicted(unedited, classes), predicted(edited.prediction, classes)];
  const label = [edited.label, "av-edit"];
  if (!is) return [label];
  const shown = unedited.length === 2 ? 1 : Math.max(was.index, 0);
  const [from, to] = [unedited[shown], edited.prediction[shown]];
  const found = [[`${className(classes, shown)}: ${rounded(from)} → ${rounded(to)}`, ""]];
  if (Number.isFinite(from) && Number.isFinite(to)) {
    const change = to - from;
    found.push([`(${difference(change)})`, change < 0 ? "av-change av-less" : "av-change av-more"]);
  }
  if (was.index !== is.index) found.push([`now ${is.name}`, "av-wrong"]);
  return [...found, label];
}

function rounded(probability) {
  return Number.isFinite(probability) ? probability.toFixed(2) : NO_NUMBER;
}
