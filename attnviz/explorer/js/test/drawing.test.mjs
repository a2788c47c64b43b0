import assert from "node:assert/strict";
import { test } from "node:test";
import { barsOf, barText, drawBar } from "../src/bar.js";
import { palette } from "../src/colour.js";
import { drawFigure, dryPainter } from "../src/figure.js";
import { toldAt } from "../src/hover.js";
import { layoutOf, stripAt, timestepAt, xOf } from "../src/layout.js";
import { groupsIn, sourceAt } from "../src/map.js";
import { standing } from "../src/reading.js";
import { fileName } from "../src/saving.js";
import { sliceKeeper } from "../src/slices.js";
import { pageStore } from "../src/store.js";
import { escaped, svgPainter } from "../src/svg_painter.js";
import { rightToLeft, setText } from "../src/textflow.js";
import { drawMoving, drawStill } from "../src/timeline.js";
import { rangeOf } from "../src/tracks.js";
import { placeViews, viewsOf } from "../src/views.js";
import { HOSTILE, lensOf, pageOf, panelOf, textOf } from "./fixtures.mjs";

const measure = (words, { size = 11 } = {}) => 0.55 * size * [...words].length;

function viewsFor(panels, state = {}, live = false) {
  const { header, buffers } = pageOf([panels], state);
  const page = pageStore(header, (n) => buffers[n]);
  const store = live ? { ...page, get: (name) => (name === "abilities" ? { live } : page.get(name)) } : page;
  const views = viewsOf(
    store,
    sliceKeeper(store, () => {}),
    false,
  );
  placeViews(views, store, null);
  return views;
}

/** A painter that remembers what it was told. */
function recorder() {
  const calls = [];
  const keep =
    (name) =>
    (...args) =>
      calls.push([name, ...args]);
  const names = ["rect", "line", "path", "area", "curve", "text", "cells"];
  const painter = Object.fromEntries(names.map((name) => [name, keep(name)]));
  return { ...painter, calls, measure, clipped: (x, y, w, h, draw) => draw(), group: (name, draw) => draw() };
}

const numbersIn = (value) =>
  typeof value === "number" ? [value] : Array.isArray(value) ? value.flatMap(numbersIn) : [];

function sceneOf(view, width = 500) {
  const layout = layoutOf(view, width);
  return { view, layout, colours: palette(false), dark: false, density: 1, hover: 2 };
}

test("SVG holds hostile text as text", () => {
  const views = viewsFor([panelOf({ text: HOSTILE, key: '<b>&"' })], { timestep: 4 });
  const painter = svgPainter({ measure, png: () => "data:," });
  const height = drawFigure(painter, views, { panelWidth: 500, columns: 1, notes: ["<note>"] });
  const svg = painter.document(532, height, { title: "</title>", description: "a -- b" });
  assert.ok(!/<script|<br|<b>|<note|<\/title><\/title>/.test(svg));
  assert.ok(
    svg.includes("&lt;script&gt;") && svg.includes("&lt;b&gt;&amp;&quot;") && svg.includes("&lt;note&gt;"),
  );
  // eslint-disable-next-line no-control-regex
  assert.ok(!/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(svg));
  assert.ok(svg.isWellFormed ? svg.isWellFormed() : true);
  assert.ok(!/NaN|undefined|Infinity/.test(svg.replace(/<text[^]*?<\/text>/g, "")));
  const stack = [];
  for (const [, close, name, empty] of svg.matchAll(/<(\/?)([A-Za-z]+)(?:[^<>"]|"[^"<]*")*?(\/?)>/g)) {
    if (close) assert.equal(stack.pop(), name);
    else if (!empty) stack.push(name);
  }
  assert.deepEqual(stack, []);
});

test("escaping", () => {
  assert.equal(escaped(`<a b="c">&'`), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
  assert.equal(escaped("\u0000\ud83c x \udfac 🎬\u0001\uffff"), "\ufffd\ufffd x \ufffd 🎬\ufffd\ufffd");
});

test("a map of few cells is rectangles, of many a picture, and both are of the right colours", () => {
  const rgba = Uint8ClampedArray.of(255, 0, 0, 255, 255, 0, 0, 255, 0, 0, 255, 255);
  const few = svgPainter({ measure, png: () => "data:," });
  few.cells(10, 20, 30, 5, { columns: 3, rows: 1, rgba });
  const svg = few.document(50, 50, { title: "", description: "" });
  assert.match(svg, /<rect x="10" y="20" width="20.2" height="5" fill="#ff0000"\/>/);
  assert.match(svg, /<rect x="30" y="20" width="10" height="5" fill="#0000ff"\/>/);
  const many = svgPainter({ measure, png: ({ columns }) => `data:image/png;base64,${columns}` });
  many.cells(0, 0, 9, 9, { columns: 5000, rows: 1, rgba: new Uint8ClampedArray(20000) });
  assert.match(
    many.document(9, 9, { title: "", description: "" }),
    /<image [^>]*href="data:image\/png;base64,5000"/,
  );
});

test("a place on the time line is the timestep and source drawn there", () => {
  const [view] = viewsFor([panelOf({ text: textOf(60), lags: 7 })], { timestep: 30, window: [10, 50] });
  const layout = layoutOf(view, 640);
  for (let t = 10; t < 50; t++) assert.equal(timestepAt(layout, xOf(layout, t)), t);
  const strip = layout.strips.find((one) => one.kind === "map");
  const row = strip.height / 7;
  for (let i = 0; i < 7; i++) assert.equal(sourceAt(strip, strip.top + strip.height - (i + 0.5) * row), i);
  assert.equal(stripAt(layout, strip.top + 1), strip);
  const at = strip.top + strip.height - 2.5 * row;
  const lines = toldAt(view, layout, xOf(layout, 33), at);
  const weight = view.look.matrix[33 * 7 + 2];
  assert.deepEqual(lines[0], ["timestep 33", view.words[33]]);
  assert.deepEqual(lines[1], ["lag 3", view.words[30]]);
  assert.equal(lines[2][1], weight.toPrecision(6));
  assert.equal(toldAt(view, layout, 3, at), null);
  const track = layout.strips.find((one) => one.kind === "track");
  const [, told] = toldAt(view, layout, xOf(layout, 12), track.top + 3);
  assert.deepEqual(told, ["positive", view.tracks[0].series[0].values[12].toPrecision(6)]);
});

test("cells of what does not exist are covered whole, those of the initial state in part", () => {
  for (const direction of [1, -1]) {
    const [view] = viewsFor([panelOf({ text: textOf(60), lags: 7, direction })]);
    const scene = sceneOf(view);
    const painter = recorder();
    drawStill(painter, scene);
    const veils = painter.calls.filter(([name, , , , , style]) => name === "rect" && style.opacity);
    const strip = scene.layout.strips.find((one) => one.kind === "map");
    const opacityAt = (x, y) =>
      veils
        .filter(([, left, top, wide, high]) => left < x && x < left + wide && top < y && y < top + high)
        .reduce((most, [, , , , , style]) => Math.max(most, style.opacity), 0);
    for (let t = 0; t < 60; t++) {
      for (let i = 0; i < 7; i++) {
        const expected = { real: 0, initial: 0.55, missing: 1 }[standing(view.look, t, i + 1)];
        const y = strip.top + strip.height * (1 - (i + 0.5) / 7);
        assert.equal(opacityAt(xOf(scene.layout, t), y), expected, `${direction} ${t} ${i}`);
      }
    }
  }
});

test("features stand by kind, those with the highest mean on top", () => {
  const panel = panelOf({ text: textOf(3), cell: "RAU" });
  const values = Float32Array.of(1, 5, 2, 8, 1, 5, 2, 8, 1, 5, 2, 9);
  panel.lenses = [
    {
      ...lensOf(3, { sources: [0, 1, 2, 3] }),
      axis: "feature",
      unit: "1 = uniform",
      values: [values],
      heads: ["all"],
      kinds: ["input", "input", "hidden", "hidden"],
    },
  ];
  const [view] = viewsFor([panel], { timestep: 1 });
  const strip = layoutOf(view, 400).strips.find((one) => one.kind === "map");
  assert.deepEqual(
    groupsIn(strip).map(({ label, order }) => [label, ...order]),
    [
      ["hidden", 2, 3],
      ["input", 0, 1],
    ],
  );
  assert.equal(sourceAt(strip, strip.top + 1), 3);
  assert.equal(view.scale.ratio, true);
  const painter = recorder();
  drawStill(painter, sceneOf(view));
  assert.ok(!painter.calls.some(([name]) => name === "curve"));
});

test("arcs go to what was read and from who reads, the strongest last", () => {
  const [view] = viewsFor([panelOf({ text: textOf(60), lags: 5 })], { timestep: 20 });
  const painter = recorder();
  const scene = sceneOf(view, 900);
  drawMoving(painter, scene);
  const curves = painter.calls.filter(([name]) => name === "curve");
  const ends = curves.map(([, numbers]) => timestepAt(scene.layout, numbers[6]));
  assert.deepEqual(
    [...ends].sort((a, b) => a - b),
    [15, 16, 17, 18, 19, 21, 22, 23, 24, 25],
  );
  const widths = curves.map(([, , style]) => style.width);
  assert.deepEqual(
    widths,
    [...widths].sort((a, b) => a - b),
  );
  curves.forEach(([, , style], i) =>
    assert.equal(style.stroke, ends[i] < 20 ? palette(false).more : palette(false).later),
  );
});

test("every drawing is of finite numbers, also at the edges of what can be shown", () => {
  const empty = panelOf({ text: textOf(9) });
  empty.lenses = [{ ...lensOf(9, { sources: [] }), at: [], values: [new Float32Array(0)], heads: ["all"] }];
  const nan = panelOf({ text: textOf(9) });
  nan.lenses[0].values = nan.lenses[0].values.map((values) => values.fill(NaN));
  for (const track of nan.tracks) for (const one of track.series) one.values.fill(NaN);
  const one = panelOf({ text: "one", direction: -1 });
  const panels = {
    empty,
    nan,
    one,
    signed: panelOf({ text: textOf(300), signed: true, direction: -1, lags: 38 }),
  };
  for (const [name, panel] of Object.entries(panels)) {
    for (const timestep of [-1, 0]) {
      for (const width of [60, 430, 3000]) {
        const [view] = viewsFor([panel], { timestep }, name === "empty");
        const painter = recorder();
        drawStill(painter, sceneOf(view, width));
        drawMoving(painter, sceneOf(view, width));
        for (const call of painter.calls)
          assert.ok(numbersIn(call).every(Number.isFinite), `${name} ${JSON.stringify(call)}`);
      }
    }
  }
});

test("the range of a track", () => {
  const track = (kind, ...series) => ({ kind, range: null, series: series.map((values) => ({ values })) });
  assert.deepEqual(rangeOf({ ...track("lines", [5]), range: [0, 1] }), [0, 1]);
  assert.deepEqual(rangeOf(track("log", [0.02, NaN, 0, 3])), [0.01, 10]);
  assert.deepEqual(rangeOf(track("log", [1, 1])), [0.1, 1]);
  assert.deepEqual(rangeOf(track("log", [NaN, 0])), [0.1, 1]);
  assert.deepEqual(rangeOf(track("stack", [0.7, 0.5], [0.6, -0.2])), [-0.2, 1.2999999999999998]);
  assert.deepEqual(rangeOf(track("lines", [2, 2])), [1.5, 2.5]);
});

test("text is set into lines, nothing is lost, long words break", () => {
  const view = { ...viewsFor([panelOf({ text: HOSTILE })])[0] };
  const wide = (words) => 7 * [...words].length;
  const { pieces, lines, leftwards } = setText(view, 140, wide);
  assert.ok(pieces.every((piece) => piece.x + piece.width <= 140 + 1e-9));
  assert.equal(leftwards, false);
  assert.ok(lines > 300 / 20);
  const told = Array.from({ length: view.n }, (_, t) =>
    pieces
      .filter((one) => one.t === t)
      .map((one) => one.text)
      .join(""),
  );
  assert.deepEqual(told, view.words);
  const some = setText({ ...view, span: [2, 5] }, 4000, wide);
  assert.deepEqual([...new Set(some.pieces.map((one) => one.t))], [-1, 2, 3, 4]);
  assert.equal(rightToLeft("12 שלום abc"), true);
  assert.equal(rightToLeft("abc שלום"), false);
});

test("bars: one for each lens, what arcs mean said once", () => {
  const gru = panelOf({ key: "gru", text: textOf(20) });
  gru.lenses = [lensOf(20, { name: "gate_attention", axis: "age", sources: [0, 1] })];
  const views = viewsFor([panelOf({ text: textOf(20) }), gru], { lens: "attention", timestep: 3 });
  const bars = barsOf(views);
  assert.deepEqual(
    bars.map((bar) => bar.lens.name),
    ["attention", "gate_attention"],
  );
  const painter = recorder();
  for (const bar of bars) {
    assert.ok(drawBar(painter, bar, { x: 0, y: 0, width: 300, colours: palette(false), dark: false }) > 20);
  }
  const words = painter.calls.filter(([name]) => name === "text").map(([, text]) => text);
  assert.equal(words.filter((text) => text === "reads the selected word").length, 1);
  assert.match(barText(bars[0]), /^colours: attention α \(weight\), from 0 to /);
});

test("a figure is as high when it is measured as when it is drawn", () => {
  const views = viewsFor(
    [panelOf({ text: textOf(50) }), panelOf({ key: "b", text: textOf(50), direction: -1 })],
    { timestep: 9 },
  );
  const options = { panelWidth: 440, columns: 2, notes: [] };
  assert.equal(drawFigure(dryPainter(measure), views, options), drawFigure(recorder(), views, options));
});

test("names of files are harmless", () => {
  const views = [{ panel: { key: "../a b" }, lens: { name: "attention" } }, { panel: { key: "<x>" } }];
  assert.equal(fileName(views, "train/pos/7_10.txt"), "a-b-x-train-pos-7_10.txt-attention");
  assert.equal(fileName([{ panel: { key: "שלום" } }], ""), "attnviz");
});
