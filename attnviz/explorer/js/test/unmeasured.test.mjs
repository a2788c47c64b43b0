// Influence is measured word by word, and on a page not at all.

import assert from "node:assert/strict";
import { test } from "node:test";
import { palette } from "../src/colour.js";
import { dryPainter } from "../src/figure.js";
import { toldAt } from "../src/hover.js";
import { layoutOf, xOf } from "../src/layout.js";
import { sliceKeeper } from "../src/slices.js";
import { pageStore } from "../src/store.js";
import { drawStill } from "../src/timeline.js";
import { placeViews, viewsOf } from "../src/views.js";
import { lensOf, pageOf, panelOf, textOf } from "./fixtures.mjs";

const measure = (words) => 6 * words.length;

function viewsFor(panels, live) {
  const { header, buffers } = pageOf([panels], { lens: "influence", timestep: 3 });
  const page = pageStore(header, (n) => buffers[n]);
  const store = { ...page, get: (name) => (name === "abilities" ? { live } : page.get(name)) };
  const slices = sliceKeeper(store, () => {});
  const views = viewsOf(store, slices, false);
  placeViews(views, store, null);
  return views;
}

test("a lens without any row says whether one can be had", () => {
  const attention = lensOf(9, { sources: [1, 2] });
  const none = {
    ...attention,
    name: "influence",
    label: "influence",
    at: [],
    sources: [],
    values: [new Float32Array(0)],
  };
  const some = { ...none, at: [1], sources: [1], values: [Float32Array.of(0.5)] };
  const [one, other] = [none, some].map((lens, i) => {
    const panel = panelOf({ key: `p${i}`, text: textOf(9) });
    panel.lenses = [lens, attention];
    return panel;
  });
  const told = (live) => {
    const [view] = viewsFor([one, other], live);
    const words = [];
    const painter = { ...dryPainter(measure), text: (text) => words.push(text) };
    drawStill(painter, {
      view,
      layout: layoutOf(view, 500),
      colours: palette(false),
      dark: false,
      density: 1,
    });
    return words;
  };
  assert.ok(told(false).includes("not measured for this text"));
  assert.ok(told(true).includes("no value yet: a word is measured when it is selected"));
  const [, measured] = viewsFor([one, other], false);
  const layout = layoutOf(measured, 500);
  const strip = layout.strips.find((part) => part.kind === "map");
  const lines = (t) => toldAt(measured, layout, xOf(layout, t), strip.top + 4);
  assert.deepEqual(lines(3)[2], ["influence", "not measured for this word"]);
  assert.deepEqual(lines(1)[2], ["influence", "0.500000"]);
});
