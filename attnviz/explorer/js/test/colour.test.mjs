import assert from "node:assert/strict";
import { test } from "node:test";
import { channels, inkOn, palette, ramp, rampColour } from "../src/colour.js";
import { binned, coloured, hatching } from "../src/grid.js";
import { lookAt } from "../src/reading.js";
import { beyondText, placeOf, scaleOf, scaleTicks, strengthOf } from "../src/scale.js";

const light = ([r, g, b]) => {
  const linear = [r, g, b].map((c) =>
    c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const contrast = (a, b) => {
  const [low, high] = [light(channels(a)), light(channels(b))].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};

test("ramps grow evenly darker, in the dark brighter, and begin with the paper", () => {
  for (const dark of [false, true]) {
    for (const name of ["sources", "readers"]) {
      const colours = ramp(name, dark);
      assert.equal(rampColour(colours, 0), palette(dark).paper);
      for (let i = 1; i < 257; i++) {
        const [before, now] = [
          light(colours.slice(3 * i - 3, 3 * i)),
          light(colours.slice(3 * i, 3 * i + 3)),
        ];
        assert.ok(dark ? now >= before - 1e-3 : now <= before + 1e-3, `${name} ${dark} ${i}`);
      }
    }
    assert.equal(rampColour(ramp("signed", dark), 0.5), palette(dark).paper);
  }
});

test("letters can be read on every colour", () => {
  for (const dark of [false, true]) {
    for (const name of ["sources", "readers", "signed"]) {
      for (let place = 0; place <= 1; place += 1 / 255) {
        const ground = rampColour(ramp(name, dark), place);
        assert.ok(contrast(ground, inkOn(ground)) >= 4.5, `${name} ${dark} ${place}`);
      }
    }
    const { paper, ink, soft, more, less, later, wrong } = palette(dark);
    for (const colour of [ink, soft, more, less, later, wrong]) {
      assert.ok(contrast(colour, paper) >= 4.5, `${colour} on ${paper}: ${contrast(colour, paper)}`);
    }
  }
});

const lookOf = (n, sources, matrix, more = {}) =>
  lookAt({ direction: 1, ...more }, n, { axis: "lag", sources, at: null }, Float32Array.from(matrix));

test("the scale is that of timesteps with a full window, over all panels", () => {
  const first = lookOf(4, [1, 2], [9, NaN, 8, 7, 0.2, 0.3, 0.1, NaN]);
  const second = lookOf(3, [1], [5, 0.6, 0.5]);
  const scale = { low: 0, high: Math.fround(0.3), signed: false, ratio: false };
  assert.deepEqual(scaleOf([first]), { ...scale, most: 9 });
  assert.match(beyondText(scaleOf([first]), "darkest"), /^darkest: 0\.3 and more \(up to 9 where less /);
  assert.equal(beyondText(scaleOf([lookOf(3, [1], [0.1, 0.6, 0.5])]), "darkest"), "");
  assert.equal(scaleOf([first, second]).high, Math.fround(0.6));
  const back = lookOf(3, [1], [0.5, 0.6, 5], { direction: -1 });
  assert.equal(scaleOf([back]).high, Math.fround(0.6));
  assert.equal(scaleOf([lookOf(2, [3], [0.7, 0.1])]).high, Math.fround(0.7));
  assert.deepEqual(scaleOf([]), { low: 0, high: 1, signed: false, ratio: false });
  assert.equal(scaleOf([lookOf(2, [1], [NaN, 0])]).high, 1);
});

test("values that lie hardly beyond those of full windows are not cut off", () => {
  const close = scaleOf([lookOf(3, [1], [0.62, 0.6, 0.5])]);
  assert.deepEqual(close, { low: 0, high: Math.fround(0.62), signed: false, ratio: false });
  const far = scaleOf([lookOf(3, [1], [0.64, 0.6, 0.5])]);
  assert.deepEqual([far.high, far.most], [Math.fround(0.6), Math.fround(0.64)]);
  const below = scaleOf([lookOf(3, [1], [-0.62, -0.6, 0.5])]);
  assert.deepEqual([below.low, below.high, below.most], [Math.fround(-0.62), Math.fround(0.62), undefined]);
});

test("values of either sign have a scale about 0, multiples one about 1", () => {
  const scale = scaleOf([lookOf(3, [1], [9, -0.4, 0.1])]);
  assert.equal(scale.high, -scale.low);
  assert.equal(placeOf(scale, 0), 0.5);
  assert.ok(Math.abs(strengthOf(scale, -0.4) - 1) < 1e-6);
  const ratio = scaleOf([lookOf(3, [1], [9, 8, 1])], { ratio: true });
  assert.ok(Math.abs(placeOf(ratio, 1) - 0.5) < 1e-9);
  assert.equal(placeOf(ratio, 0), 0);
  assert.deepEqual(
    scaleTicks(ratio).map((tick) => tick.text),
    ["1/4", "1", "4"],
  );
  assert.ok(Number.isNaN(placeOf(scale, NaN)));
  assert.equal(strengthOf(scale, NaN), 0);
});

test("a map is exact where there is room, and shows the strongest where there is not", () => {
  const look = lookOf(4, [1, 2], [1, 2, 3, 4, 5, 6, -7, 8]);
  const all = binned(look, [1, 4], [0, 1], { columns: 99, rows: 99 });
  assert.deepEqual([all.columns, all.rows, ...all.values], [3, 2, 4, 6, 8, 3, 5, -7]);
  const half = binned(look, [0, 4], [0, 1], { columns: 2, rows: 99 });
  assert.deepEqual([...half.values], [4, 8, 3, -7]);
  const one = binned(look, [0, 4], [0, 1], { columns: 1, rows: 1 });
  assert.deepEqual([...one.values], [8]);
  const some = lookAt({ direction: 1 }, 4, { axis: "lag", sources: [1], at: [2] }, Float32Array.of(5));
  assert.deepEqual([...binned(some, [0, 4], [0], { columns: 9, rows: 9 }).values], [NaN, NaN, 5, NaN]);
});

test("colours of a map: the ends, the middle, and grey for nothing", () => {
  const colours = ramp("signed", false);
  const bins = { columns: 4, rows: 1, values: Float32Array.of(-2, 0, 9, NaN) };
  const { rgba } = coloured(bins, { low: -2, high: 2, signed: true, ratio: false }, colours, "#e0e0e0");
  const at = (i) => [...rgba.slice(4 * i, 4 * i + 4)];
  assert.deepEqual(at(0), [...colours.slice(0, 3), 255]);
  assert.deepEqual(at(1), [...channels(rampColour(colours, 0.5)), 255]);
  assert.deepEqual(at(2), [...colours.slice(-3), 255]);
  assert.deepEqual(at(3), [224, 224, 224, 255]);
});

test("hatching stays inside its rectangle and goes through it", () => {
  for (const both of [false, true]) {
    const lines = hatching(13, 7, 30, 11, 5, both);
    assert.ok(lines.length >= (both ? 14 : 7));
    for (const [x, y] of lines.flat()) {
      assert.ok(x >= 13 - 1e-9 && x <= 43 + 1e-9 && y >= 7 - 1e-9 && y <= 18 + 1e-9, `${x} ${y}`);
    }
  }
});
