import assert from "node:assert/strict";
import { test } from "node:test";
import { lookAt, readersOf, sourcesOf, standing, strongest, weightAt, fullWindow } from "../src/reading.js";
import { random } from "./fixtures.mjs";

const KINDS = { real: 0, carried: 0, initial: 0, missing: 0 };

/** Every pair of timesteps, by walking the states one after the other. */
function slowly(n, direction, history, initial, sources, matrix) {
  // The states in the order in which they were made: the initial one, those carried in, the sequence's.
  const order = Array.from({ length: n }, (_, i) => (direction === 1 ? i : n - 1 - i));
  const states = [initial ? "initial" : "missing", ...Array(history).fill("carried"), ...order];
  const read = Array.from({ length: n }, () => []);
  const readers = Array.from({ length: n }, () => []);
  order.forEach((t, step) => {
    sources.forEach((lag, index) => {
      const place = 1 + history + step - lag;
      const state = place < 0 ? "missing" : states[place];
      const weight = matrix[t * sources.length + index];
      if (Number.isNaN(weight)) return;
      if (typeof state === "number" || state === "carried" || weight !== 0) {
        read[t].push([typeof state === "number" ? state : -1, lag, weight]);
      }
      if (typeof state === "number" && lag > 0) readers[state].push([t, lag, weight]);
    });
  });
  return { read, readers };
}

function made(n, sources, seed, holes) {
  const next = random(seed);
  return Float32Array.from({ length: n * sources.length }, () =>
    next() < holes ? NaN : next() < 0.1 ? 0 : next() - 0.4,
  );
}

for (const [n, direction, history, initial, sources] of [
  [9, 1, 0, true, [1, 2, 3]],
  [11, -1, 0, true, [2, 3, 4, 5]],
  [7, 1, 3, false, [1, 4, 6]],
  [8, -1, 2, true, [1, 2]],
  [5, 1, 0, false, [0, 1, 2]],
  [1, -1, 0, true, [1, 3]],
]) {
  test(`n ${n}, direction ${direction}, history ${history}, initial ${initial}, sources ${sources}`, () => {
    for (const holes of [0, 0.3]) {
      const matrix = made(n, sources, n * 31 + sources.length, holes);
      const look = lookAt({ direction, history, initial }, n, { axis: "lag", sources, at: null }, matrix);
      const { read, readers } = slowly(n, direction, history, initial, sources, matrix);
      for (let t = 0; t < n; t++) {
        const told = (list) => list.map((one) => [one.timestep, one.lag, one.weight]);
        assert.deepEqual(told(sourcesOf(look, t)), read[t], `what ${t} read`);
        const byLag = (a, b) => a[1] - b[1];
        assert.deepEqual(told(readersOf(look, t)).sort(byLag), readers[t].sort(byLag), `who read ${t}`);
        for (const one of sourcesOf(look, t)) KINDS[one.kind]++;
      }
    }
  });
}

test("all kinds of states came up above", () => {
  for (const [kind, count] of Object.entries(KINDS)) assert.ok(count > 3, `${kind} ${count}`);
});

test("readers are exactly those whose sources they are", () => {
  const sources = [1, 2, 5];
  const look = lookAt({ direction: -1 }, 20, { axis: "lag", sources, at: null }, made(20, sources, 5, 0.2));
  for (let t = 0; t < 20; t++) {
    for (let u = 0; u < 20; u++) {
      const forth = (sourcesOf(look, u) ?? []).filter((one) => one.timestep === t).map((one) => one.weight);
      const back = readersOf(look, t)
        .filter((one) => one.timestep === u)
        .map((one) => one.weight);
      assert.deepEqual(forth, back);
    }
  }
});

test("a lens with rows of some timesteps has none of the others", () => {
  const matrix = Float32Array.from([0.1, 0.2, 0.3, 0.4]);
  const look = lookAt({ direction: 1 }, 9, { axis: "lag", sources: [1, 2], at: [7, 4] }, matrix);
  assert.equal(sourcesOf(look, 5), null);
  assert.equal(weightAt(look, 4, 0), matrix[2]);
  assert.deepEqual(
    sourcesOf(look, 7).map((one) => [one.timestep, one.weight]),
    [
      [6, matrix[0]],
      [5, matrix[1]],
    ],
  );
  assert.deepEqual(
    readersOf(look, 3).map((one) => one.timestep),
    [4],
  );
  assert.deepEqual(
    readersOf(look, 6).map((one) => [one.timestep, one.lag]),
    [[7, 1]],
  );
});

test("the strongest is by size, a word, and not the word itself", () => {
  const look = lookAt(
    { direction: 1 },
    4,
    { axis: "age", sources: [0, 1, 2, 3], at: null },
    Float32Array.from({ length: 16 }, (_, i) => [0.9, 0.1, -0.6, 0.5][i % 4]),
  );
  assert.equal(strongest(sourcesOf(look, 3), 3).timestep, 1);
  assert.equal(strongest(sourcesOf(look, 0), 0), null);
  assert.equal(strongest(null, 0), null);
});

test("features have no timesteps and no readers", () => {
  const look = lookAt(
    {},
    2,
    { axis: "feature", sources: [0, 1, 2], at: null },
    Float32Array.of(1, 2, 3, 4, 5, 6),
  );
  assert.deepEqual(
    sourcesOf(look, 1).map((one) => [one.timestep, one.weight]),
    [
      [-1, 4],
      [-1, 5],
      [-1, 6],
    ],
  );
  assert.deepEqual(readersOf(look, 1), []);
  assert.equal(fullWindow(look, 0), true);
});

test("outside of the sequence, and before numbers came, nothing is read", () => {
  const lens = { axis: "lag", sources: [1], at: null };
  const empty = lookAt({ direction: 1 }, 3, lens, null);
  assert.equal(sourcesOf(empty, 1), null);
  assert.deepEqual(readersOf(empty, 1), []);
  const look = lookAt({ direction: 1 }, 3, lens, Float32Array.of(1, 1, 1));
  assert.equal(sourcesOf(look, -1), null);
  assert.equal(sourcesOf(look, 3), null);
  assert.deepEqual(readersOf(look, -1), []);
  assert.equal(standing(look, 0, 1), "initial");
  assert.equal(standing(look, 0, 2), "missing");
});
