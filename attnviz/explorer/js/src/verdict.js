// A panel's title, what is right, and what the model says.

import { make, say } from "./dom.js";
import { className, difference, predicted } from "./wording.js";

/** The head of a panel. */
export function createVerdict() {
  const title = make("h3");
  const layer = make("span", { class: "av-layer" });
  const facts = make("p", { class: "av-facts" });
  const element = make("header", {}, make("div", { class: "av-title" }, title, layer), facts);

  function show(view) {
    const { panel } = view;
    say(title, panel.title || panel.key);
    say(layer, [panel.cell, panel.layer, `${view.n} timesteps`].filter(Boolean).join(" · "));
    facts.replaceChildren(...factsOf(view));
  }

  return { element, show };
}

/** The same in words, for figures. */
export function verdictText(view) {
  return factsOf(view)
    .map((part) => part.textContent)
    .join(" ");
}

function factsOf({ panel, edited }) {
  const found = [];
  const known = panel.label >= 0 && panel.label !== null;
  if (known) found.push(make("span", {}, `true: ${className(panel.classes, panel.label)}`));
  const before = predicted(panel.prediction, panel.classes);
  if (!before) return found;
  if (known) found.push(dot());
  if (!edited) {
    const right = !known || before.index === panel.label;
    found.push(
      make("span", { class: right ? "" : "av-wrong" }, `predicted: ${before.name} (${before.text})`),
    );
    if (known && !right) found.push(make("span", { class: "av-wrong" }, "✗ wrong"));
    return found;
  }
  // Both arms of an edit ran on one path; their difference is against that run.
  const unedited = edited.unedited || panel.prediction;
  const shown = unedited.length === 2 ? 1 : predicted(unedited, panel.classes).index;
  const name = className(panel.classes, shown);
  const change = edited.prediction[shown] - unedited[shown];
  found.push(
    make("span", {}, `${name}: ${unedited[shown].toFixed(2)} → ${edited.prediction[shown].toFixed(2)}`),
  );
  found.push(make("b", { class: change < 0 ? "av-less" : "av-more" }, `(${difference(change)})`));
  const [was, is] = [predicted(unedited, panel.classes), predicted(edited.prediction, panel.classes)];
  if (was.index !== is.index) found.push(make("span", { class: "av-wrong" }, `now ${is.name}`));
  found.push(make("span", { class: "av-edit" }, edited.label));
  return found;
}

function dot() {
  return make("span", { "aria-hidden": "true" }, "·");
}
