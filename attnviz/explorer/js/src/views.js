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
  const views = panels.map((panel) => viewOf(panel, store, slices, plain));
  shareScales(views);
  return views;
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

function viewOf(panel, store, slices, plain) {
  const { offsets, words } = wordsOf(panel, store);
  const edited = panel.edited && !plain ? panel.edited : null;
  const lenses = edited ? edited.lenses : panel.lenses;
  const wanted = store.get("lens");
  const lens = lenses.find((one) => one.name === wanted) || lenses[0] || null;
  const view = {
    panel,
    offsets,
    words,
    edited,
    lens,
    lenses,
    n: words.length,
    tracks: tracksOf(panel, edited, store),
    instead: Boolean(lens && wanted && lens.name !== wanted),
  };
  return { ...view, ...lookOf(view, store, slices) };
}

function lookOf({ panel, n, lens, edited }, store, slices) {
  if (lens === null) return { look: null, others: [], extras: [], head: 0 };
  const head = headIndex(lens, store.get("head"));
  const look = lookAt(panel, n, lens, slices.values(panel, lens, head, Boolean(edited)));
  const others = [];
  const before = edited && panel.lenses.find((one) => one.name === lens.name);
  // The unedited numbers count for the scale, so that the colours stay when the edit is taken back.
  const values = before && before.values[Math.min(head, before.values.length - 1)];
  if (values) others.push(lookAt(panel, n, before, store.array(values, "float32")));
  const extras = (lens.extras || []).map((extra) => ({
    label: extra.label,
    values: store.array(extra.values, "float32"),
  }));
  return { look, others, extras, head };
}

/** Which entry of `heads` and `values` a head is: the mean first where there are several. */
export function headIndex(lens, head) {
  const place = head + 1; // a head that the cell has not got: the mean
  return place > 0 && place < lens.heads.length ? place : 0;
}

function tracksOf(panel, edited, store) {
  const numbers = (track) =>
    track.series.map((one) => ({
      label: one.label,
      values: store.array(one.values, "float32"),
    }));
  const shown = edited ? edited.tracks : panel.tracks;
  // What the edit did not measure again (gradients) is that of the unedited run, and says so.
  const names = [...new Set([...panel.tracks, ...shown].map((track) => track.name))];
  return names.map((name) => {
    const own = shown.find((track) => track.name === name);
    const before = panel.tracks.find((track) => track.name === name);
    return {
      ...(own || before),
      label: own || !edited ? (own || before).label : `${before.label}, unedited`,
      series: numbers(own || before),
      before: own && before && edited ? numbers(before) : null,
    };
  });
}

/** Multiples of an equal share have a scale of their own, about 1. */
export function isRatio(lens) {
  return lens.scale === "ratio" || /^1 = uniform/.test(lens.unit || "");
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
