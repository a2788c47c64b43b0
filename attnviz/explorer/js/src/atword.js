// The numbers of the tracks at the selected word: what the pointer tells, for those who use none.

import { make, say } from "./dom.js";
import { digits, shortWord } from "./numbers.js";
import { withUnit } from "./wording.js";

const DIGITS = 6;

/** The numbers at timestep t: `[{track, rows: [{label, values}]}]`. Pure.
 *
 * `values` has one number as it is written or, under an edit, two: edited and unedited. */
export function numbersAt({ tracks, edited }, t) {
  return tracks.map(({ label, unit, series, before, carried }) => ({
    track: withUnit(label, unit),
    rows: series.map((one, i) => {
      const now = digits(one.values[t], DIGITS);
      if (!edited) return { label: one.label, values: [now] };
      if (carried) return { label: one.label, values: [digits(NaN), now] };
      return { label: one.label, values: [now, digits(before?.[i]?.values[t], DIGITS)] };
    }),
  }));
}

/** The table's element and its `show`. */
export function createAtWord() {
  const caption = make("caption", {});
  const table = make("table", {}, caption);
  const attributes = { class: "av-scroll av-atword", role: "region", "aria-label": "numbers at this word" };
  const element = make("div", attributes, table);
  let [built, cells] = ["", []];

  function show(view) {
    const t = view.selected;
    element.hidden = t < 0 || view.tracks.length === 0;
    if (element.hidden) return;
    const groups = numbersAt(view, t);
    say(caption, `at this word: “${shortWord(view.words[t])}”`);
    // A step to another word changes the numbers only.
    const shape = JSON.stringify([
      Boolean(view.edited),
      groups.map(({ track, rows }) => [track, rows.map((row) => row.label)]),
    ]);
    if (shape !== built) build(groups, Boolean(view.edited));
    built = shape;
    const told = groups.flatMap(({ rows }) => rows.flatMap((row) => row.values));
    cells.forEach((cell, i) => say(cell, told[i]));
  }

  function build(groups, edited) {
    cells = [];
    const names = edited ? ["edited", "unedited"] : ["value"];
    const number = (name) => make("th", { scope: "col", class: "av-number" }, name);
    const head = make(
      "thead",
      {},
      make("tr", {}, make("th", { scope: "col" }, "track"), ...names.map(number)),
    );
    const bodies = groups.map(({ track, rows }) => {
      const title = make("th", { scope: "rowgroup", colspan: names.length + 1 }, track);
      return make("tbody", {}, make("tr", {}, title), ...rows.map((row) => line(row, names.length)));
    });
    table.replaceChildren(caption, head, ...bodies);
  }

  function line({ label }, count) {
    const own = Array.from({ length: count }, () => make("td", { class: "av-number" }));
    cells.push(...own);
    return make("tr", {}, make("th", { scope: "row", dir: "auto" }, label), ...own);
  }

  return { element, show };
}
