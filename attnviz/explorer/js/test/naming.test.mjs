// What things are called, and that a name has one colour.

import assert from "node:assert/strict";
import { test } from "node:test";
import { countText, preview } from "../src/chooser.js";
import { palette, seriesColours } from "../src/colour.js";
import { featureName } from "../src/reading.js";
import { sharedLabel, unitWord, withUnit } from "../src/wording.js";

test("a route has one colour whatever stands beside it, and no two of a track share one", () => {
  const series = (...labels) => labels.map((label) => ({ label }));
  for (const dark of [false, true]) {
    const colours = palette(dark);
    const lstm = seriesColours(series("output", "gates", "candidate", "memory"), colours);
    const larnn = seriesColours(series("my own", "memory", "output", "constructor", "candidate"), colours);
    assert.deepEqual([larnn[1], larnn[2], larnn[4]], [lstm[3], lstm[0], lstm[2]]);
    assert.equal(new Set(larnn).size, 5);
    assert.equal(seriesColours(series("carry"), colours)[0], lstm[3]);
    const many = Array.from({ length: 23 }, (_, i) => `route ${i}`);
    assert.ok(seriesColours(series(...many), colours).every((colour) => /^#/.test(colour)));
  }
});

test("features are numbered within their kind", () => {
  const lens = { kinds: ["input", "input", "hidden", "hidden"], sources: [0, 1, 2, 3] };
  assert.deepEqual(
    lens.sources.map((_, i) => featureName(lens, i)),
    ["input 0", "input 1", "hidden 0", "hidden 1"],
  );
  assert.equal(featureName({ kinds: [], sources: [7] }, 0), "feature 7");
});

test("the head of a column is the lens's unit in a word", () => {
  const word = (unit, label = "attention α") => unitWord({ label, unit });
  assert.equal(word("weight"), "weight");
  assert.equal(word("weight, mean over units"), "weight");
  assert.equal(word("norm"), "norm");
  assert.equal(word("1 = uniform", "feature attention n·U_t"), "n·U");
  assert.equal(word("1 = uniform", "feature attention"), "multiple");
  assert.equal(word("½ squared standard deviations"), "variance");
  assert.equal(word(undefined), "value");
});

test("cells that call a lens by several symbols share its name", () => {
  assert.equal(sharedLabel(["attention α", "attention ŵ", "attention α"]), "attention α / ŵ");
  assert.equal(sharedLabel(["attention α", "attention"]), "attention");
  assert.equal(sharedLabel(["attention α"]), "attention α");
  assert.equal(sharedLabel(["this", "that"]), "this / that");
});

test("a unit that the label says is not said again", () => {
  assert.equal(withUnit("share of the gradient by route", "share"), "share of the gradient by route");
  assert.equal(withUnit("gradient norm", "per unit of loss"), "gradient norm (per unit of loss)");
  assert.equal(withUnit("gates", ""), "gates");
});

test("a beginning says that the text goes on", () => {
  assert.equal(preview({ start: "all of it", text: "all of it" }), "all of it");
  assert.equal(preview({ start: "not all ", text: "not all of it" }), "not all…");
  assert.equal(preview({ start: "🎬".repeat(80) }), `${"🎬".repeat(80)}…`);
  assert.equal(preview({ start: "🎬".repeat(79) }), "🎬".repeat(79));
  assert.equal(preview({}), "");
});

test("how many texts match", () => {
  assert.equal(countText(0, 3), "no text matches");
  assert.equal(countText(2, 3), "2 of 3 match");
  assert.equal(countText(1, 1), "1 text");
  assert.equal(countText(3, 3), "3 texts");
});
