// What the selected word read, which words read it, and the tracks' numbers there, as tables.

import { createAtWord } from "./atword.js";
import { make, say } from "./dom.js";
import { shortWord } from "./numbers.js";
import { byStrength, readersOf, unmeasured } from "./reading.js";
import { createTable } from "./table.js";
import { linksOf, notMeasured, unitWord } from "./wording.js";

/** The tables; `choose(timestep)` is called where a row of a word is clicked. */
export function createLists(choose) {
  const element = make("div", { class: "av-lists" });
  const here = createAtWord();
  const heading = make("p", { class: "av-hint" });
  const read = createTable("read", "what the selected word read", choose);
  const readers = createTable("was read by", "later words that read the selected word", choose);
  element.append(heading, read.element, readers.element, here.element);

  function show(view, dark) {
    here.show(view);
    const t = view.selected;
    const { look, lens } = view;
    const chosen = t >= 0 && look !== null;
    const feature = look?.axis === "feature";
    say(heading, hintFor(view));
    heading.hidden = heading.textContent === "";
    read.element.hidden = !chosen || !look.matrix;
    readers.element.hidden = read.element.hidden || feature;
    if (read.element.hidden) return;
    read.element.hidden = unmeasured(look, t);
    read.caption(feature ? "strongest features" : `“${shortWord(view.words[t])}” read`);
    read.columns(feature ? "feature" : "word", feature ? "" : lens.axis, unitWord(lens));
    readers.columns("word", lens.axis, unitWord(lens));
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
  if (!view.look.matrix) return "loading …";
  return unmeasured(view.look, view.selected) ? notMeasured(view) : "";
}
