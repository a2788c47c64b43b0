import assert from "node:assert/strict";
import { test } from "node:test";
import { numbersAt } from "../src/atword.js";
import { sliceKeeper } from "../src/slices.js";
import { pageStore } from "../src/store.js";
import { verdictText } from "../src/verdict.js";
import { announced, lensNotes, notMeasured } from "../src/wording.js";
import { headIndex, isRatio, placeViews, shownPanels, viewsOf } from "../src/views.js";
import { editedOf, lensOf, pageOf, panelOf, textOf, weights } from "./fixtures.mjs";

function viewsFor(panels, state = {}, { plain = false, aside = null, live = false } = {}) {
  const { header, buffers } = pageOf([panels], state);
  const page = pageStore(header, (n) => buffers[n]);
  const store = live ? { ...page, get: (name) => (name === "abilities" ? { live } : page.get(name)) } : page;
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

test("the unedited arm of an edit stands for the panel's own run", () => {
  const panel = panelOf({ text: textOf(40) });
  const [lens] = panel.lenses;
  const arm = weights(40, lens.sources, { seed: 5 });
  const score = Float32Array.from({ length: 40 }, (_, t) => t / 100);
  const [track] = panel.tracks;
  panel.edited = {
    ...editedOf(panel),
    unedited: [0.3, 0.7],
    before: {
      lenses: [{ ...lens, values: [arm, ...lens.values.slice(1).map(() => null)] }],
      tracks: [{ ...track, series: [{ label: "positive", values: score }] }],
    },
  };
  const [edited] = viewsFor([panel]);
  assert.deepEqual(edited.look.matrix, panel.edited.lenses[0].values[0]);
  assert.deepEqual(edited.others[0].matrix, arm);
  assert.deepEqual(edited.tracks[0].before[0].values, score);
  assert.deepEqual(edited.tracks[1].before[0].values, panel.tracks[1].series[0].values, "else the panel's");
  const [plain] = viewsFor([panel], {}, { plain: true });
  assert.deepEqual(plain.look.matrix, arm);
  assert.deepEqual(plain.tracks[0].series[0].values, score);
  assert.equal(verdictText(plain), "true: positive · predicted: positive (0.70)");
  // Of a head that the arm has not, the panel's own.
  const [head] = viewsFor([panel], { head: 1 }, { plain: true });
  assert.deepEqual(head.look.matrix, lens.values[2]);
  panel.edited.before = { lenses: [], tracks: [] };
  const [own] = viewsFor([panel], {}, { plain: true });
  assert.deepEqual(own.look.matrix, lens.values[0]);
});

/** Influence at the timesteps `at`. */
function influenceOf(at, label = "replacement influence") {
  const values = Float32Array.from({ length: 3 * at.length }, (_, i) => i + 1);
  const lens = lensOf(30, { name: "influence", sources: [1, 2, 3] });
  return { ...lens, label, at, values: [values] };
}

test("a lens that the edit did not measure is shown unedited and says so", () => {
  const panel = panelOf({ text: textOf(30) });
  panel.lenses.push(influenceOf([4, 9]));
  panel.edited = editedOf(panel);
  const [view] = viewsFor([panel], { lens: "influence", timestep: 9 });
  assert.equal(view.lens.name, "influence");
  assert.deepEqual([view.instead, view.uneditedLens], [false, true]);
  assert.deepEqual([...view.look.matrix], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(
    view.lenses.map((lens) => lens.name),
    ["attention", "influence"],
  );
  assert.match(lensNotes(view).join(" "), /replacement influence .*shown unedited/);
  const [attention] = viewsFor([panel], { lens: "attention" });
  assert.deepEqual([attention.uneditedLens, lensNotes(attention)], [false, []]);
  // Python's own says it in its label.
  panel.edited.lenses.push(influenceOf([4], "replacement influence, unedited"));
  const [told] = viewsFor([panel], { lens: "influence" });
  assert.equal(told.lens.label, "replacement influence, unedited");
  assert.deepEqual([told.uneditedLens, lensNotes(told)], [false, []]);
});

test("a word that was not measured says so, and on a page nothing is awaited", () => {
  const panel = panelOf({ text: textOf(30) });
  panel.lenses.push(influenceOf([4, 9]));
  const state = { lens: "influence", timestep: 7 };
  const [page] = viewsFor([panel], state);
  assert.equal(notMeasured(page), "replacement influence: not measured for this word");
  assert.match(announced(page, 7), /word 8 of 30: .*\. replacement influence: not measured for this word\.$/);
  assert.match(announced(page, 9), /replacement influence: .* at lag 3, 6/);
  const [live] = viewsFor([panel], state, { live: true });
  assert.equal(notMeasured(live), "replacement influence: not measured for this word yet");
});

test("on a page a lens of which nothing was measured is no choice", () => {
  const measured = panelOf({ key: "a", text: textOf(30) });
  const not = panelOf({ key: "b", text: textOf(30) });
  measured.lenses.push(influenceOf([4]));
  not.lenses.push(influenceOf([]));
  const names = (view) => view.lenses.map((lens) => lens.name);
  const [alone] = viewsFor([not], { lens: "influence" });
  assert.deepEqual([names(alone), alone.lens.name], [["attention"], "attention"]);
  assert.match(lensNotes(alone)[0], /^replacement influence was not measured for this text: attention/);
  const [, second] = viewsFor([measured, not], { lens: "influence", timestep: 4 });
  assert.equal(second.lens.name, "influence", "beside a cell where it was measured it stays");
  const [live] = viewsFor([not], { lens: "influence" }, { live: true });
  assert.equal(live.lens.name, "influence");
});

test("the numbers at a word, with six digits, edited and unedited", () => {
  const panel = panelOf({ text: textOf(30) });
  const [plain] = viewsFor([panel]);
  const [score, gates] = numbersAt(plain, 3);
  const written = (values, t) => values[t].toPrecision(6);
  const own = panel.tracks.map((track) => track.series);
  assert.equal(score.track, "running prediction (probability of positive)");
  assert.equal(numbersAt(plain, 3)[3].track, "share of the gradient by route", "the unit is said once");
  assert.deepEqual(score.rows, [{ label: "positive", values: [written(own[0][0].values, 3)] }]);
  assert.deepEqual(gates.rows[2], { label: "output gate", values: [written(own[1][2].values, 3)] });
  panel.edited = editedOf(panel);
  const [edited] = viewsFor([panel]);
  const [under, , gradient] = numbersAt(edited, 3);
  const now = panel.edited.tracks[0].series[0].values;
  assert.deepEqual(under.rows[0].values, [written(now, 3), written(own[0][0].values, 3)]);
  assert.equal(gradient.track, "gradient norm, unedited (per unit of loss)");
  assert.deepEqual(gradient.rows[0].values, ["–", written(own[2][0].values, 3)]);
  panel.edited.tracks[0].series[0].values[3] = NaN;
  assert.equal(numbersAt(viewsFor([panel])[0], 3)[0].rows[0].values[0], "–");
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
  assert.ok(isRatio({ unit: "1 = uniform" }) && !isRatio({ unit: "weight" }));
});

test("a panel without lenses is shown with its tracks", () => {
  const panel = panelOf({ text: textOf(5) });
  panel.lenses = [];
  const [view] = viewsFor([panel], { timestep: 1 });
  assert.equal(view.look, null);
  assert.equal(view.tracks.length, 4);
  assert.equal(weights(3, [1]).length, 3);
});
