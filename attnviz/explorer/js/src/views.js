// What a panel shows in the present state: its lens, head, numbers, words and scale.

import { unitOffsets } from "./decode.js";
import { linked, linkedSpan } from "./linking.js";
import { lookAt } from "./reading.js";
import { shownSpan } from "./span.js";
import { scaleOf } from "./scale.js";

const cut = new WeakMap(); // panel -> {offsets, words}

/** A panel's words, and where they stand in its text. */
export function wordsOf(panel, store) {
  if (!cut.has(panel)) {
    const offsets = unitOffsets(panel.text, store.array(panel.spans, "int32"));
    const words = [];
    for (let i = 0; i < offsets.length; i += 2) words.push(panel.text.slice(offsets[i], offsets[i + 1]));
    cut.set(panel, { offsets, words });
  }
  return cut.get(panel);
}

/** The panels of the chosen layer: of each key one. */
export function shownPanels(panels, layer) {
  const keys = [...new Set(panels.map((panel) => panel.key))];
  return keys.map((key) => {
    const own = panels.filter((panel) => panel.key === key);
    return own.find((panel) => panel.layer === layer) || own[0];
  });
}

/** All views, on scales that they share. `plain` shows panels without their edit. */
export function viewsOf(store, slices, plain) {
  const panels = shownPanels(store.get("panels") || [], store.get("layer"));
  const live = Boolean(store.get("abilities")?.live);
  const empty = live ? new Set() : unmeasuredIn(panels);
  const views = panels.map((panel) => viewOf(panel, store, slices, { plain, live, empty }));
  shareScales(views);
  return views;
}

/** Names of lenses of which no panel has a single row: without a model none will come. */
function unmeasuredIn(panels) {
  const all = panels.flatMap((panel) => [...panel.lenses, ...(panel.edited?.lenses || [])]);
  const some = new Set(all.filter((lens) => lens.at?.length !== 0).map((lens) => lens.name));
  return new Set(all.map((lens) => lens.name).filter((name) => !some.has(name)));
}

/** Sets what is selected and which timesteps are shown, by the timesteps of the first panel.
 *
 * `aside` is a word `{key, t}` of another panel that the first one did not read. */
export function placeViews(views, store, aside) {
  const focused = views.find((view) => view.panel.key === store.get("cell")) || views[0];
  const other = aside && views.find((view) => view.panel.key === aside.key);
  const [home, timestep] = other ? [other, aside.t] : [views[0], store.get("timestep")];
  for (const view of views) {
    view.focused = view === focused;
    view.selected = linked(home.offsets, view.offsets, timestep);
    view.elsewhere = timestep >= 0 && view.selected < 0;
    view.span = shownSpan(linkedSpan(views[0].offsets, view.offsets, store.get("window")), view.n);
  }
}

/** What is shown of a panel: the run under its edit, null without one, and the run without it.
 *
 * Both arms of an edit went one path; where the unedited arm was kept it stands for the panel's own. */
function runsOf(panel, plain) {
  const edited = panel.edited && !plain ? panel.edited : null;
  const { lenses, tracks } = panel.edited?.before || {};
  const unedited = { lenses: overlaid(panel.lenses, lenses), tracks: overlaid(panel.tracks, tracks) };
  return { edited, unedited };
}

/** Lenses or tracks, of each name that of `others` where they have it. */
function overlaid(own, others) {
  const named = new Map([...own, ...(others || [])].map((one) => [one.name, one]));
  return [...named.values()];
}

function viewOf(panel, store, slices, { plain, live, empty }) {
  const { offsets, words } = wordsOf(panel, store);
  const runs = runsOf(panel, plain);
  const { edited, unedited } = runs;
  const lenses = overlaid(unedited.lenses, edited?.lenses).filter((one) => !empty.has(one.name));
  const wanted = store.get("lens");
  const lens = lenses.find((one) => one.name === wanted) || lenses[0] || null;
  const view = {
    panel,
    offsets,
    words,
    edited,
    lens,
    lenses,
    live,
    n: words.length,
    tracks: tracksOf(runs, store),
    prediction: predictionOf(panel, plain),
    // An edit need not have been measured in every lens: then the unedited one is shown, and says so.
    uneditedLens: Boolean(edited && lens && !edited.lenses.includes(lens)),
    instead: Boolean(lens && wanted && lens.name !== wanted),
    empty: empty.has(wanted) ? panel.lenses.find((one) => one.name === wanted) || null : null,
  };
  return { ...view, ...lookOf(view, runs, store, slices) };
}

function predictionOf({ prediction, edited }, plain) {
  return plain && edited?.unedited?.length > 0 ? edited.unedited : prediction;
}

function lookOf({ panel, n, lens, edited, uneditedLens }, runs, store, slices) {
  if (lens === null) return { look: null, others: [], extras: [], head: 0 };
  const head = headIndex(lens, store.get("head"));
  const under = Boolean(edited) && !uneditedLens;
  const held = under ? lens : heldBy(panel, lens, head);
  const look = lookAt(panel, n, held, slices.values(panel, held, head, under));
  const others = [];
  const before = under ? runs.unedited.lenses.find((one) => one.name === lens.name) : null;
  // The unedited numbers count for the scale, so that the colours stay when the edit is taken back.
  const place = Math.min(head, (before?.values.length ?? 1) - 1);
  const known = before ? heldBy(panel, before, place) : null;
  const values = known?.values[place];
  if (values) others.push(lookAt(panel, n, known, store.array(values, "float32")));
  const extras = (lens.extras || []).map((extra) => ({
    label: extra.label,
    values: store.array(extra.values, "float32"),
  }));
  return { look, others, extras, head };
}

/** An unedited lens with the values of a head: heads are asked for of the panel's own. */
function heldBy(panel, lens, head) {
  if (lens.values[head]) return lens;
  return panel.lenses.find((one) => one.name === lens.name) || lens;
}

/** Which entry of `heads` and `values` a head is: the mean first where there are several. */
export function headIndex(lens, head) {
  const place = head + 1; // a head that the cell has not got: the mean
  return place > 0 && place < lens.heads.length ? place : 0;
}

function tracksOf({ edited, unedited }, store) {
  const numbers = (track) =>
    track.series.map((one) => ({
      label: one.label,
      values: store.array(one.values, "float32"),
    }));
  return overlaid(unedited.tracks, edited?.tracks).map((track) => {
    const before = unedited.tracks.find((one) => one.name === track.name);
    // What the edit did not measure again (gradients) is that of the unedited run, and says so.
    const carried = Boolean(edited) && !edited.tracks.includes(track);
    return {
      ...track,
      label: carried ? `${track.label}, unedited` : track.label,
      carried,
      series: numbers(track),
      before: edited && before && !carried ? numbers(before) : null,
    };
  });
}

/** Multiples of an equal share have a scale of their own, about 1. */
export function isRatio(lens) {
  return /^1 = uniform/.test(lens.unit || "");
}

function shareScales(views) {
  const names = [...new Set(views.filter((view) => view.lens).map((view) => view.lens.name))];
  for (const name of names) {
    const sharing = views.filter((view) => view.lens?.name === name);
    const looks = sharing.flatMap((view) => [view.look, ...view.others]).filter((look) => look.matrix);
    const options = { signed: sharing.some((v) => v.lens.signed), ratio: isRatio(sharing[0].lens) };
    const scale = scaleOf(looks, options);
    for (const view of sharing) view.scale = scale;
  }
}
