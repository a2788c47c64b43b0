import assert from "node:assert/strict";
import { test } from "node:test";
import { sliceKeeper } from "../src/slices.js";
import { cleanEdits, modelStore, pageStore, same, setEdits } from "../src/store.js";
import { editedOf, pageOf, panelOf, textOf } from "./fixtures.mjs";

/** As much of anywidget's model as is used. */
function modelOf(values) {
  const listeners = new Map();
  const model = {
    saved: 0,
    sent: [],
    listeners,
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      model.fire(`change:${name}`);
    },
    save_changes: () => model.saved++,
    send: (message) => model.sent.push(message),
    on: (event, f) => listeners.set(event, [...(listeners.get(event) ?? []), f]),
    off: (event, f) =>
      listeners.set(
        event,
        (listeners.get(event) ?? []).filter((one) => one !== f),
      ),
    fire: (event, ...args) => (listeners.get(event) ?? []).forEach((f) => f(...args)),
  };
  return model;
}

test("a widget's store writes what changed, once, and reads what is Python's by its private name", () => {
  const model = modelOf({
    timestep: 3,
    edits: { lags: [1], heads: [] },
    _panels: ["p"],
    _rows: { total: 1 },
  });
  const store = modelStore(model);
  assert.deepEqual(store.get("panels"), ["p"]);
  assert.equal(store.get("timestep"), 3);
  store.set({ timestep: 3, edits: { heads: [], lags: [1] } });
  assert.equal(model.saved, 0);
  const heard = [];
  const stop = store.on("timestep", () => heard.push("timestep"));
  store.on("panels", () => heard.push("panels"));
  store.set({ timestep: 4, edits: { lags: [1], heads: [] } });
  assert.equal(model.saved, 1);
  model.set("_panels", []);
  assert.deepEqual(heard, ["timestep", "panels"]);
  stop();
  store.set({ timestep: 5 });
  assert.equal(heard.length, 2);
});

test("a page's store does what Python would: panels, variants, filters", () => {
  const panel = panelOf({ text: textOf(12) });
  panel.variants = [
    { edits: { uniform: false, heads: [], lags: [3] }, label: "lag 3 off", edited: editedOf(panel) },
  ];
  const { header, buffers } = pageOf([[panel], [panelOf({ text: "a short one", label: 0 })]], {
    timestep: 2,
  });
  const asked = [];
  const store = pageStore(header, (n) => {
    asked.push(n);
    return buffers[n];
  });
  assert.deepEqual(asked, [], "nothing is decoded before it is looked at");
  assert.equal(store.get("head"), -1);
  assert.equal(store.get("abilities").live, false);
  assert.equal(store.get("panels")[0].text, panel.text);
  assert.equal(store.get("panels"), store.get("panels"), "the same panels are the same objects");
  assert.equal(store.get("panels")[0].edited, null);

  const heard = [];
  for (const name of ["panels", "rows", "edits", "filters", "sequence"])
    store.on(name, () => heard.push(name));
  store.set({ edits: { lags: [3] } });
  assert.equal(store.get("panels")[0].edited.label, "lag 3 off");
  assert.deepEqual(heard.splice(0), ["edits", "panels"]);
  store.set({ edits: { lags: [4] } });
  assert.equal(store.get("panels")[0].edited, null, "an edit that was not computed is none");
  store.set({ filters: { label: 0 } });
  assert.deepEqual(
    store.get("rows").rows.map((row) => row.sequence),
    [1],
  );
  assert.equal(store.get("rows").total, 2);
  heard.length = 0;
  store.set({ filters: { label: 0 } });
  assert.deepEqual(heard, []);
  store.set({ timestep: 3, window: [2, 9] });
  heard.length = 0;
  store.set({ sequence: 0 });
  assert.deepEqual([store.get("timestep"), store.get("window")], [3, [2, 9]]);
  store.set({ sequence: 1 });
  assert.equal(store.get("panels")[0].text, "a short one");
  assert.deepEqual([store.get("timestep"), store.get("window")], [-1, [0, 0]], "as Python does");
  store.set({ sequence: 99 });
  assert.deepEqual(store.get("panels"), []);

  const values = store.array(header.panels[0][0].lenses[0].values[1], "float32");
  assert.deepEqual(values, panel.lenses[0].values[1]);
  assert.equal(store.array(header.panels[0][0].lenses[0].values[1], "float32"), values, "decoded once");
  assert.equal(asked.length, 1);
});

test("edits are compared by what they do", () => {
  assert.deepEqual(cleanEdits({ lags: [5, 2, 5] }), { lags: [2, 5], heads: [], uniform: false });
  assert.deepEqual(setEdits({ lags: [], uniform: false }), {});
  assert.ok(same({ a: [1, { b: 2, c: 3 }] }, { a: [1, { c: 3, b: 2 }] }));
  assert.ok(!same({ a: [1, 2] }, { a: [2, 1] }));
  assert.ok(!same([], {}));
});

test("a slice is asked for once, by the head's number, and answers for older panels are dropped", () => {
  const panel = panelOf({ heads: 4 });
  const [lens] = panel.lenses;
  const hidden = lens.values[3];
  lens.values[3] = null;
  const model = modelOf({ _panels: [panel] });
  let arrived = 0;
  const slices = sliceKeeper(modelStore(model), () => arrived++);
  assert.equal(slices.values(panel, lens, 0, false), lens.values[0]);
  assert.equal(slices.values(panel, lens, 3, false), null);
  assert.equal(slices.values(panel, lens, 3, false), null);
  assert.equal(model.sent.length, 1);
  const [asked] = model.sent;
  assert.deepEqual(
    { ...asked, generation: 0, view: "" },
    {
      kind: "slice",
      key: panel.key,
      layer: "l0",
      lens: "attention",
      head: 2,
      edited: false,
      generation: 0,
      view: "",
    },
  );

  const bytes = [new DataView(hidden.buffer)];
  model.fire("msg:custom", { ...asked, generation: asked.generation + 1 }, bytes);
  model.fire("msg:custom", { kind: "something else" }, bytes);
  const others = { key: "other", layer: "l1", lens: "contribution", head: 1, edited: true, view: "another" };
  for (const [field, value] of Object.entries(others))
    model.fire("msg:custom", { ...asked, [field]: value }, bytes);
  model.fire("msg:custom", asked, []);
  assert.equal(arrived, 0);
  assert.equal(slices.values(panel, lens, 3, false), null);
  model.fire("msg:custom", asked, bytes);
  assert.equal(arrived, 1);
  assert.deepEqual(slices.values(panel, lens, 3, false), hidden);

  const newer = { ...panel };
  model.set("_panels", [newer]);
  assert.equal(slices.values(newer, lens, 3, true), null);
  assert.equal(model.sent.length, 2);
  assert.equal(model.sent[1].edited, true);
  model.fire("msg:custom", asked, bytes);
  assert.equal(arrived, 1, "the panel that it was for is no longer shown");
  slices.stop();
  model.fire("msg:custom", model.sent[1], bytes);
  assert.equal(arrived, 1);
});

test("two views of one widget do not take each other's answers", () => {
  const panel = panelOf({ text: textOf(20), heads: 2 });
  const [lens] = panel.lenses;
  lens.values[1] = null;
  const model = modelOf({ _panels: [panel] });
  const arrived = [0, 0];
  const [one, two] = [0, 1].map((i) => sliceKeeper(modelStore(model), () => arrived[i]++));
  one.values(panel, lens, 1, false);
  two.values(panel, lens, 1, false);
  const [first, second] = model.sent;
  assert.equal(first.generation, second.generation);
  assert.notEqual(first.view, second.view);
  model.fire("msg:custom", second, [new Float32Array(4)]);
  model.fire("msg:custom", second, [new Float32Array(8)]);
  assert.deepEqual(arrived, [0, 1]);
  assert.equal(one.values(panel, lens, 1, false), null);
  assert.equal(two.values(panel, lens, 1, false).length, 4);
});

test("a page offers the layers of which every cell has a panel", () => {
  const make = (key, layer) => panelOf({ key, layer, layers: ["l0", "l1", "l2"], text: textOf(5) });
  const layersOf = (panels) => {
    const { header, buffers } = pageOf([panels]);
    return pageStore(header, (n) => buffers[n]).get("abilities").layers;
  };
  assert.deepEqual(layersOf([make("a", "l0")]), ["l0"]);
  assert.deepEqual(layersOf([make("a", "l0"), make("a", "l1"), make("b", "l1")]), ["l1"]);
  assert.deepEqual(layersOf([make("a", "l1"), make("a", "l0")]), ["l1", "l0"]);
});
