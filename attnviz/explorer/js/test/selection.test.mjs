// The JavaScript says of sources, readers and filters what Python says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { unitOffsets } from "../src/decode.js";
import { filtered } from "../src/filtering.js";
import { byStrength, lookAt, readersOf } from "../src/reading.js";
import { linksOf, saidAloud } from "../src/wording.js";

const table = JSON.parse(readFileSync(new URL("selection.json", import.meta.url), "utf8"));
const numbers = (list) => Float32Array.from(list, (value) => (value === null ? NaN : value));

function viewOf({ panel, lens, matrix }) {
  const offsets = unitOffsets(panel.text, Int32Array.from(panel.spans));
  const words = [];
  for (let i = 0; i < offsets.length; i += 2) words.push(panel.text.slice(offsets[i], offsets[i + 1]));
  const extras = lens.extras.map((extra) => ({ label: extra.label, values: numbers(extra.values) }));
  return { panel, lens, words, extras, look: lookAt(panel, words.length, lens, numbers(matrix)) };
}

for (const [number, one] of table.cases.entries()) {
  const { direction, history, initial } = one.panel;
  const which = `${one.lens.axis}, direction ${direction}, history ${history}, initial ${initial}`;
  test(`case ${number}: ${which}`, () => {
    const view = viewOf(one);
    assert.ok(view.words.length === one.said.length && view.words.includes("🎬🎬"));
    for (let t = 0; t < view.words.length; t++) {
      const sources = linksOf(view, t).map((link) => [link.timestep, link.lag, link.weight, link.label]);
      assert.deepEqual(sources, one.sources[t], `sources of ${t}`);
      const readers = byStrength(readersOf(view.look, t));
      const told = readers.map((link) => [link.timestep, link.lag, link.weight, view.words[link.timestep]]);
      assert.deepEqual(told, one.readers[t], `readers of ${t}`);
      assert.equal(saidAloud(view, t), one.said[t]);
    }
  });
}

for (const { filter, left } of table.filters) {
  test(`filter ${JSON.stringify(filter)}`, () => {
    assert.deepEqual(
      filtered(table.rows, filter).rows.map((row) => row.sequence),
      left,
    );
  });
}
