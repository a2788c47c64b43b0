// The state of an explorer: of a widget (anywidget's model) or of a page. Both have the same six
// functions: get, set, on (returns what ends it), ask, hear (the same) and array.

import { bytesOf, typed } from "./decode.js";
import { filtered } from "./filtering.js";

const READ_ONLY = { panels: "_panels", rows: "_rows", status: "_status", abilities: "_abilities" };

const DEFAULTS = {
  sequence: 0,
  sentence: "",
  timestep: -1,
  cell: "",
  layer: "",
  lens: "",
  head: -1,
  edits: {},
  filters: {},
  window: [0, 0],
};

/** What another text begins with. */
const ELSEWHERE = { timestep: -1, window: [0, 0] };

/** The store over anywidget's model. */
export function modelStore(model) {
  const named = (name) => READ_ONLY[name] || name;
  return {
    get: (name) => model.get(named(name)),
    set(changes) {
      const real = Object.entries(changes).filter(([name, value]) => !same(model.get(name), value));
      if (real.length === 0) return;
      for (const [name, value] of real) model.set(name, value);
      model.save_changes();
    },
    on(name, listener) {
      const event = `change:${named(name)}`;
      model.on(event, listener);
      return () => model.off(event, listener);
    },
    ask: (message) => model.send(message),
    hear(listener) {
      model.on("msg:custom", listener);
      return () => model.off("msg:custom", listener);
    },
    array: (buffer, type) => typed(buffer, type),
  };
}

/** The store of a page: everything is in the payload, and JavaScript does what Python would.
 *
 * payload = { state, rows: [...], panels: { "<sequence>": [PANEL, ...] } }; `base64(i)` is the
 * text of the i-th buffer. */
export function pageStore(payload, base64) {
  const state = { ...DEFAULTS, ...payload.state };
  const listeners = new Map();
  const decoded = new Map();
  const found = new Map();

  function panels() {
    const key = JSON.stringify([state.sequence, state.edits]);
    if (!found.has(key)) {
      const all = (payload.panels || {})[String(state.sequence)] || [];
      found.set(
        key,
        all.map((panel) => withVariant(panel, state.edits)),
      );
    }
    return found.get(key);
  }

  const derived = {
    panels,
    rows: () => filtered(payload.rows || [], state.filters),
    status: () => ({ busy: [], error: null }),
    abilities: () => ({ live: false, saved: true, layers: sharedLayers(panels()) }),
  };
  const causes = { sequence: "panels", edits: "panels", filters: "rows" };

  function tell(name) {
    for (const listener of [...(listeners.get(name) || [])]) listener();
  }

  return {
    get: (name) => (name in derived ? derived[name]() : state[name]),
    set(changes) {
      const moves = "sequence" in changes && changes.sequence !== state.sequence;
      const all = moves ? { ...ELSEWHERE, ...changes } : changes;
      const real = Object.entries(all).filter(([name, value]) => !same(state[name], value));
      for (const [name, value] of real) state[name] = value;
      const names = new Set(real.flatMap(([name]) => (name in causes ? [name, causes[name]] : [name])));
      names.forEach(tell);
    },
    on(name, listener) {
      if (!listeners.has(name)) listeners.set(name, new Set());
      listeners.get(name).add(listener);
      return () => listeners.get(name).delete(listener);
    },
    ask() {},
    hear: () => () => {},
    array(buffer, type) {
      if (
        buffer === null ||
        typeof buffer !== "object" ||
        !("buffer" in buffer) ||
        ArrayBuffer.isView(buffer)
      ) {
        return typed(buffer, type);
      }
      const key = `${buffer.buffer} ${type}`;
      if (!decoded.has(key)) decoded.set(key, typed(bytesOf(base64(buffer.buffer)), type));
      return decoded.get(key);
    },
  };
}

/** Whether two plain values say the same, whatever the order of their keys. */
export function same(a, b) {
  return a === b || JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

/** Edits with all that they can say: `{lags, heads, uniform}`, in order. */
export function cleanEdits(edits) {
  const numbers = (list) => [...new Set(list || [])].sort((a, b) => a - b);
  const { lags, heads, uniform } = edits || {};
  return { lags: numbers(lags), heads: numbers(heads), uniform: Boolean(uniform) };
}

/** Edits as they are set: nothing where nothing is edited. */
export function setEdits(edits) {
  return unedited(edits) ? {} : cleanEdits(edits);
}

/** Whether nothing is edited. */
export function unedited(edits) {
  return same(cleanEdits(edits), cleanEdits({}));
}

/** The layers of which every cell has a panel. */
function sharedLayers(panels) {
  const keys = [...new Set(panels.map((panel) => panel.key))];
  const has = (key, layer) => panels.some((panel) => panel.key === key && panel.layer === layer);
  const layers = [...new Set(panels.map((panel) => panel.layer))];
  return layers.filter((layer) => keys.every((key) => has(key, layer)));
}

function withVariant(panel, edits) {
  if (unedited(edits)) return panel;
  const wanted = cleanEdits(edits);
  const variant = (panel.variants || []).find((one) => same(cleanEdits(one.edits), wanted));
  return variant ? { ...panel, edited: { label: variant.label, ...variant.edited } } : panel;
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}
