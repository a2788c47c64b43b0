import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, typed, unitOffsets } from "../src/decode.js";
import { verdictOf } from "../src/chooser.js";
import { isRight, neighbour, neighbours } from "../src/filtering.js";
import { limitsOf } from "../src/controls.js";
import { linked, linkedSpan } from "../src/linking.js";
import { digits, general, short, shortWord, ticks, weighed } from "../src/numbers.js";
import { moved, showing, shownSpan, zoomed } from "../src/span.js";
import { HOSTILE, spansOf } from "./fixtures.mjs";

test("offsets count code points, slices count units", () => {
  const text = "a 🎬🎬 cafe\u0301 \u{1D11E}x";
  const spans = Int32Array.of(0, 1, 2, 4, 5, 10, 11, 13, 11, 99);
  const offsets = unitOffsets(text, spans);
  const words = [0, 1, 2, 3, 4].map((i) => text.slice(offsets[2 * i], offsets[2 * i + 1]));
  assert.deepEqual(words, ["a", "🎬🎬", "cafe\u0301", "\u{1D11E}x", "\u{1D11E}x"]);
  const hostile = unitOffsets(HOSTILE, spansOf(HOSTILE));
  for (let i = 0; i < hostile.length; i += 2) {
    assert.match(HOSTILE.slice(hostile[i], hostile[i + 1]), /^\S+$/);
  }
  assert.deepEqual([...unitOffsets("ab cd", Int32Array.of(0, 2, 3, 9))], [0, 2, 3, 5]);
});

test("buffers of every kind become the same numbers", () => {
  const numbers = Float32Array.of(1.5, -2, NaN);
  const bytes = new Uint8Array(numbers.buffer);
  const odd = new Uint8Array(13);
  odd.set(bytes, 1);
  const base64 = Buffer.from(bytes).toString("base64");
  for (const source of [
    numbers,
    numbers.buffer,
    new DataView(numbers.buffer),
    new DataView(odd.buffer, 1, 12),
    bytesOf(` ${base64}\n`),
  ]) {
    assert.deepEqual([...typed(source, "float32")], [1.5, -2, NaN]);
  }
  assert.throws(() => typed(new ArrayBuffer(7), "int32"), /int32 holds 7 bytes/);
});

test("numbers are written with a true minus and the digits asked for", () => {
  assert.equal(digits(0.123456789, 6), "0.123457");
  assert.equal(digits(-1234567, 6), "−1.23457e6");
  assert.equal(digits(NaN), "–");
  assert.equal(digits(-Infinity), "−∞");
  assert.equal(weighed(0.28654, true), "+0.2865");
  assert.equal(weighed(-0.1, false), "−0.1000");
  assert.equal(weighed(0.00012345, false), "0.000123");
  assert.equal(weighed(0, true), "0.0000");
  assert.equal(short(1e-7), "1e−7");
  assert.equal(short(-0.25), "−0.25");
});

test("general is Python's .4g", () => {
  const cases = [
    [0.12345, "0.1235"],
    [1234.56, "1235"],
    [12345.6, "1.235e+04"],
    [0.0001, "0.0001"],
    [0.00001234, "1.234e-05"],
    [100, "100"],
    [0, "0"],
    [-0.5, "-0.5"],
    [NaN, "nan"],
    [-Infinity, "-inf"],
    [9.9996, "10"],
    [999.96, "1000"],
    [99999, "1e+05"],
  ];
  for (const [value, told] of cases) assert.equal(general(value), told);
});

test("ticks are round, inside and not too many", () => {
  assert.deepEqual(ticks(0, 1), [0, 0.25, 0.5, 0.75, 1]);
  assert.deepEqual(ticks(-0.3, 0.3, 4), [-0.2, 0, 0.2]);
  assert.deepEqual(ticks(5, 5), [5]);
  for (const [low, high] of [
    [0, 0.37],
    [-3, 17],
    [1e-7, 9e-7],
    [0, 115],
  ]) {
    const found = ticks(low, high);
    assert.ok(found.length >= 2 && found.length <= 6, `${found}`);
    assert.ok(found.every((tick) => tick >= low - 1e-12 && tick <= high + 1e-12));
  }
});

test("long words are cut between letters, never through one", () => {
  assert.equal(shortWord("🎬".repeat(30), 5), "🎬🎬🎬🎬…");
  assert.equal(shortWord("a\n b"), "a b");
});

test("the window stays inside and keeps the timestep under the pointer", () => {
  assert.deepEqual(shownSpan([0, 0], 50), [0, 50]);
  assert.deepEqual(shownSpan([40, 90], 50), [40, 50]);
  assert.deepEqual(shownSpan([90, 99], 50), [49, 50]);
  assert.deepEqual(shownSpan(undefined, 0), [0, 0]);
  assert.deepEqual(zoomed([0, 0], 100, 2, 50), [25, 75]);
  assert.deepEqual(zoomed([0, 0], 100, 2, 0), [0, 50]);
  assert.deepEqual(zoomed([25, 75], 100, 0.5, 50), [0, 0]);
  assert.deepEqual(zoomed([10, 18], 100, 2, 12), [10, 18]);
  assert.deepEqual(zoomed([0, 0], 5, 4, 2), [0, 0]);
  assert.deepEqual(moved([10, 20], 100, -15), [0, 10]);
  assert.deepEqual(moved([10, 20], 100, 300), [90, 100]);
  assert.deepEqual(moved([0, 0], 100, 5), [0, 0]);
  assert.deepEqual(showing([10, 20], 100, 15), [10, 20]);
  for (const t of [0, 9, 20, 63, 99]) {
    const [a, b] = showing([10, 20], 100, t);
    assert.ok(a <= t && t < b && b - a === 10, `${t}: ${a} ${b}`);
  }
});

test("words are linked by their characters", () => {
  const words = Int32Array.of(0, 3, 4, 12, 13, 16);
  const pieces = Int32Array.of(0, 3, 4, 7, 7, 12, 13, 14, 14, 16);
  assert.deepEqual(
    [0, 1, 2].map((t) => linked(words, pieces, t)),
    [0, 2, 4],
  );
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((t) => linked(pieces, words, t)),
    [0, 1, 1, 2, 2],
  );
  assert.equal(linked(words, Int32Array.of(4, 12), 0), -1);
  assert.equal(linked(words, pieces, -1), -1);
  assert.equal(linked(words, pieces, 3), -1);
  assert.equal(linked(words, Int32Array.from(words), 2), 2);
  assert.deepEqual(linkedSpan(words, pieces, [1, 2]), [1, 3]);
  assert.deepEqual(linkedSpan(words, pieces, [1, 3]), [1, 5]);
  assert.deepEqual(linkedSpan(words, pieces, [0, 0]), [0, 0]);
});

test("rows before and after, also of a row that is filtered out", () => {
  const rows = [2, 5, 9].map((sequence) => ({ sequence }));
  assert.equal(neighbour(rows, 5, 1).sequence, 9);
  assert.equal(neighbour(rows, 5, -1).sequence, 2);
  assert.equal(neighbour(rows, 9, 1), null);
  assert.equal(neighbour(rows, 6, 1).sequence, 9);
  assert.equal(neighbour(rows, 6, -1).sequence, 5);
  assert.equal(neighbour(rows, -1, 1).sequence, 2);
  assert.equal(isRight({ label: 1, prediction: 1 }), true);
  assert.equal(isRight({ label: 0, prediction: 1 }), false);
  assert.equal(isRight({ label: -1, prediction: 1 }), null);
  assert.equal(isRight({ label: 1, prediction: null }), null);
});

test("beyond the rows that were sent, Python says what is before and after", () => {
  const rows = [2, 5, 9].map((sequence) => ({ sequence }));
  const beside = (known, sequence) => {
    const { previous, next } = neighbours(known, sequence);
    return [previous, next];
  };
  assert.deepEqual(beside({ rows }, 5), [2, 9]);
  assert.deepEqual(beside({ rows }, 6), [5, 9]);
  assert.deepEqual(beside({ rows }, 9), [5, null]);
  assert.deepEqual(beside({ rows, previous: 5, next: 14 }, 9), [5, 14]);
  assert.deepEqual(beside({ rows, previous: 800, next: 803 }, 801), [800, 803]);
  assert.deepEqual(beside({ rows, previous: null, next: 2 }, -1), [null, 2]);
  assert.deepEqual(beside({ rows, previous: 9, next: null }, 801), [9, null]);
  // What Python told of the text before does not send a quick reader back.
  assert.deepEqual(beside({ rows, previous: null, next: 5 }, 5), [2, 9]);
  assert.deepEqual(beside(undefined, 0), [null, null]);
});

test("whose verdict a row of the list tells", () => {
  const panel = { key: "rra", classes: ["negative", "positive"] };
  assert.equal(verdictOf({ label: 1, prediction: 1 }, panel), "rra: predicted rightly");
  assert.equal(verdictOf({ label: 0, prediction: 1 }, panel), "rra: predicted wrongly, positive");
  assert.equal(verdictOf({ label: 0, prediction: -1 }, panel), "");
  assert.equal(verdictOf({ label: 0, prediction: 1 }), "predicted wrongly, class 1");
});

test("what a view without a model says of itself, as far as it applies", () => {
  const page = { live: false, saved: true };
  const [plain, edits] = [{ variants: [], switches: null }, { variants: [{ edits: { lags: [1] } }] }];
  const typed = "saved view: without a running model nothing can be typed";
  assert.equal(limitsOf({ live: true }, [edits]), "");
  assert.equal(limitsOf(page, [plain]), typed);
  assert.equal(limitsOf(page, [plain, edits]), `${typed}; edits are those made beforehand`);
  assert.equal(limitsOf(page, [{ ...plain, switches: { lags: [1] } }]), `${typed} or switched off`);
  assert.match(limitsOf({ live: false }, [plain]), /^view of a trace: without a running model/);
});
