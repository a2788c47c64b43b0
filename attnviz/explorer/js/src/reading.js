// What a timestep read, and which later timesteps read it. Pure.
//
// A *look* is one head of one lens over one sequence:
//   n          timesteps
//   direction  1, or -1 for a layer that reads from the end
//   history    steps carried in from before the sequence
//   initial    whether an initial state stands before the first step
//   axis       "lag", "age" or "feature"
//   sources    lags or ages, or labels of features
//   matrix     Float32Array, one row of sources after the other; null while it is awaited
//   rows       null, or the row of each timestep that has one
//
// The rules are those of attnviz/explorer/selection.py; one table of cases tests both.

export const REAL = "real";
export const CARRIED = "carried";
export const INITIAL = "initial";
export const MISSING = "missing";

/** The look at one head of a lens of a panel. */
export function lookAt(panel, n, lens, matrix) {
  const { direction = 1, history = 0, initial = true } = panel;
  const rows = Array.isArray(lens.at) ? new Map(lens.at.map((t, i) => [t, i])) : null;
  const count = rows === null ? n : lens.at.length;
  const width = matrix && count > 0 ? Math.round(matrix.length / count) : lens.sources.length;
  return { n, direction, history, initial, axis: lens.axis, sources: lens.sources, matrix, rows, width };
}

/** How many steps the cell had taken before this timestep. */
export function stepOf(look, t) {
  return look.direction === 1 ? t : look.n - 1 - t;
}

/** What stands `lag` steps before timestep t. */
export function standing(look, t, lag) {
  const state = stepOf(look, t) - lag + look.history;
  if (state >= look.history) return REAL;
  if (state >= 0) return CARRIED;
  return state === -1 && look.initial ? INITIAL : MISSING;
}

/** The number of the timestep's row, or -1. */
export function rowOf(look, t) {
  if (t < 0 || t >= look.n || !look.matrix) return -1;
  if (look.rows === null) return t;
  return look.rows.has(t) ? look.rows.get(t) : -1;
}

/** Whether rows are measured word by word, and this word's is not there. */
export function unmeasured(look, t) {
  return look.rows !== null && !look.rows.has(t);
}

/** The weight at a timestep and source; NaN where there is none. */
export function weightAt(look, t, index) {
  const row = rowOf(look, t);
  return row < 0 || index >= look.width ? NaN : look.matrix[row * look.width + index];
}

/** Whether every source of a timestep is a state that really stood there. */
export function fullWindow(look, t) {
  if (look.axis === "feature") return true;
  return look.sources.every((lag) => standing(look, t, lag) === REAL);
}

/** What timestep t read: `{index, lag, kind, timestep, weight}`, by source; null without a row.
 *
 * A weight of 0 on what is no state is left out. */
export function sourcesOf(look, t) {
  const row = rowOf(look, t);
  if (row < 0) return null;
  const found = [];
  look.sources.forEach((lag, index) => {
    const weight = weightAt(look, t, index);
    if (Number.isNaN(weight)) return;
    const kind = look.axis === "feature" ? REAL : standing(look, t, lag);
    if (weight === 0 && (kind === INITIAL || kind === MISSING)) return;
    const timestep = kind === REAL && look.axis !== "feature" ? t - look.direction * lag : -1;
    found.push({ index, lag, kind, timestep, weight });
  });
  return found;
}

/** Which later timesteps read timestep t: `{index, lag, kind, timestep, weight}`, by lag. */
export function readersOf(look, t) {
  if (t < 0 || t >= look.n || look.axis === "feature" || !look.matrix) return [];
  const found = [];
  look.sources.forEach((lag, index) => {
    if (lag === 0) return;
    const timestep = t + look.direction * lag;
    const weight = weightAt(look, timestep, index);
    if (!Number.isNaN(weight)) found.push({ index, lag, kind: REAL, timestep, weight });
  });
  return found;
}

/** The same, the strongest first; equal ones stay in their order. */
export function byStrength(list) {
  return [...list].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}

/** The strongest that is a word other than t itself; null if there is none. */
export function strongest(list, t) {
  const words = (list || []).filter((item) => item.timestep >= 0 && item.timestep !== t);
  return byStrength(words)[0] || null;
}

/** What a feature is called: its kind, and its number within the kind. */
export function featureName({ kinds, sources }, index) {
  const kind = kinds?.[index];
  return kind === undefined ? `feature ${sources[index]}` : `${kind} ${index - kinds.indexOf(kind)}`;
}

/** What a source is called: its word, or what stands there instead. */
export function nameOf(item, words) {
  if (item.timestep >= 0) return words[item.timestep];
  return { carried: "carried in", initial: "initial state", missing: "before the first word" }[item.kind];
}
