import assert from "node:assert/strict";
import { test } from "node:test";
import { sliceKeeper } from "../src/slices.js";
import { pageStore } from "../src/store.js";
import { headIndex, isRatio, placeViews, shownPanels, viewsOf } from "../src/views.js";
import { editedOf, lensOf, pageOf, panelOf, textOf, weights } from "./fixtures.mjs";

function viewsFor(panels, state = {}, { plain = false, aside = null } = {}) {
  const { header, buffers } = pageOf([panels], state);
  const store = pageStore(header, (n) => buffers[n]);
  const views = viewsOf(
    store,
    sliceKeeper(store, () => {}),
    plain,
  );
  placeViews(views, store, aside);
  return views;
}

test("panels that show the same lens share one scale, others have their own", () => {
  const text = textOf(40);
  const gru = panelOf({ key: "gru", text });
  gru.lenses = [lensOf(40, { name: "gate_attention", axis: "age", sources: [0, 1, 2] })];
  const [one, two, three] = viewsFor([panelOf({ text }), panelOf({ key: "rra", text, signed: true }), gru], {
    lens: "attention",
  });
  assert.equal(one.scale, two.scale);
  assert.ok(one.scale.signed);
  assert.notEqual(three.scale, one.scale);
  assert.deepEqual([one.instead, two.instead, three.instead], [false, false, true]);
});

test("the scale stays when an edit is taken back", () => {
  const panel = panelOf({ text: textOf(40) });
  panel.edited = editedOf(panel);
  const [edited] = viewsFor([panel]);
  assert.notDeepEqual(edited.look.matrix, panel.lenses[0].values[0]);
  const highest = (values) => values.slice(400 - 290).reduce((a, b) => (b > a ? b : a), 0);
  const both = Math.max(highest(edited.look.matrix), highest(panel.lenses[0].values[0]));
  assert.equal(edited.scale.high, both);
  assert.deepEqual(
    edited.tracks.map((track) => track.before !== null),
    [true, true, false, false],
  );
  assert.match(edited.tracks[2].label, /unedited/);
  const [plain] = viewsFor([panel], {}, { plain: true });
  assert.deepEqual(plain.look.matrix, panel.lenses[0].values[0]);
  assert.deepEqual(
    plain.tracks.map((track) => track.before),
    [null, null, null, null],
  );
});

test("timesteps are counted in the first panel; a word that it has not can still be selected", () => {
  const text = textOf(30);
  const short = panelOf({ key: "short", text });
  short.spans = short.spans.slice(0, 20);
  short.lenses = [lensOf(10, { sources: [1, 2] })];
  const [one, two] = viewsFor([short, panelOf({ key: "long", text })], { timestep: 4, cell: "long" });
  assert.deepEqual([one.selected, two.selected, one.focused, two.focused], [4, 4, false, true]);
  const [a, b] = viewsFor(
    [short, panelOf({ key: "long", text })],
    { timestep: -1 },
    { aside: { key: "long", t: 22 } },
  );
  assert.deepEqual([a.selected, a.elsewhere, b.selected, b.elsewhere], [-1, true, 22, false]);
  const [c, d] = viewsFor([short, panelOf({ key: "long", text })], { window: [5, 10] });
  assert.deepEqual(
    [c.span, d.span],
    [
      [5, 10],
      [5, 30],
    ],
  );
});

test("of a cell with several layers the chosen one is shown", () => {
  const layers = ["l0", "l1"].map((layer) => ({ key: "a", layer }));
  const other = { key: "b", layer: "l0" };
  assert.deepEqual(shownPanels([...layers, other], "l1"), [layers[1], other]);
  assert.deepEqual(shownPanels([...layers, other], ""), [layers[0], other]);
});

test("heads are counted from 0 with their mean before them", () => {
  const several = { heads: ["mean", "head 0", "head 1"] };
  assert.deepEqual(
    [-1, 0, 1, 7].map((head) => headIndex(several, head)),
    [0, 1, 2, 0],
  );
  assert.equal(headIndex({ heads: ["all"] }, 3), 0);
  assert.ok(isRatio({ unit: "1 = uniform" }) && isRatio({ scale: "ratio" }) && !isRatio({ unit: "weight" }));
});

test("a panel without lenses is shown with its tracks", () => {
  const panel = panelOf({ text: textOf(5) });
  panel.lenses = [];
  const [view] = viewsFor([panel], { timestep: 1 });
  assert.equal(view.look, null);
  assert.equal(view.tracks.length, 4);
  assert.equal(weights(3, [1]).length, 3);
});
