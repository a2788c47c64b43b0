// Where the strips of a time line stand: arcs, words, map, tracks and axis, on one time axis. Pure.

const GUTTER = 52;
const EDGE = 8;
const TITLE = 15;
const LINE = 12;
const LETTER = 5.5; // about how wide a letter of a legend is
const GAP = 7;
const HEIGHTS = { lines: 46, log: 46, stack: 52 };
const ARCS = 62;
const NAMES = 15;
const AXIS = 16;
const LABELLED = 9.5; // pixels a column needs for its word

const ordered = new WeakMap(); // look -> groups of rows

/** The strips from top to bottom, each with `kind`, `top` and `height`, and the axis they share. */
export function layoutOf(view, width) {
  const [first, last] = view.span;
  const left = GUTTER;
  const inner = Math.max(40, width - left - EDGE);
  const column = inner / Math.max(1, last - first);
  const strips = [];
  let top = 2;
  const add = (kind, height, more = {}) => {
    strips.push({ kind, top, height, ...more });
    top += height;
  };
  const arcs = view.look !== null && view.look.axis !== "feature";
  if (arcs) add("arcs", ARCS);
  if (column >= LABELLED) add("words", wordsHeight(view));
  else if (arcs) add("names", NAMES);
  if (view.look !== null) {
    top += 3;
    add("map", mapHeight(view), { rows: rowsOf(view) });
  }
  view.tracks.forEach((track, number) => {
    top += GAP;
    const legend = legendOf(track, inner);
    add("title", TITLE + LINE * (legend.lines - 1), { number, legend });
    add("track", HEIGHTS[track.kind] || HEIGHTS.lines, { number });
  });
  add("axis", AXIS);
  return { width, height: Math.ceil(top), left, inner, column, first, last, strips };
}

/** Where the names of a track's series stand: `{entries: [{label, x, line}], lines, room}`.
 *
 * On the line of the title where there is room beside it, else on lines of their own. */
function legendOf(track, inner) {
  if (track.series.length < 2) return { entries: [], lines: 1, room: inner };
  const widths = track.series.map((one) => LETTER * one.label.length + 22);
  const whole = widths.reduce((a, b) => a + b, 0);
  const beside = whole + LETTER * track.label.length + 12 <= inner;
  let [x, line] = beside ? [inner - whole, 0] : [0, 1];
  const entries = track.series.map((one, i) => {
    if (x > 0 && x + widths[i] > inner + 8) [x, line] = [0, line + 1];
    const entry = { label: one.label, x, line };
    x += widths[i];
    return entry;
  });
  return { entries, lines: line + 1, room: beside ? inner - whole - 8 : inner };
}

/** The middle of a timestep's column. */
export function xOf(layout, t) {
  return layout.left + (t - layout.first + 0.5) * layout.column;
}

/** The timestep at a place, also outside of what is shown. */
export function timestepAt(layout, x) {
  return Math.floor((x - layout.left) / layout.column) + layout.first;
}

/** The strip at a height; null between them. */
export function stripAt(layout, y) {
  return layout.strips.find((strip) => y >= strip.top && y < strip.top + strip.height) || null;
}

/** Which sources the map's rows show, from the bottom: groups of `{label, order}`.
 *
 * Features stand together by kind, those with the highest mean at the top. */
export function rowsOf(view) {
  if (!ordered.has(view.look)) ordered.set(view.look, groupsOf(view));
  return ordered.get(view.look);
}

function groupsOf({ look, lens }) {
  const all = look.sources.map((_, i) => i);
  if (look.axis !== "feature") return [{ label: look.axis, order: all }];
  const means = all.map((index) => mean(look, index));
  const kinds = [...new Set(lens.kinds || [])];
  const groups = kinds.length === 0 ? [null] : kinds.reverse();
  return groups.map((kind) => ({
    label: kind ?? "feature",
    order: all.filter((i) => kind === null || lens.kinds[i] === kind).sort((a, b) => means[a] - means[b]),
  }));
}

function mean(look, index) {
  if (!look.matrix) return 0;
  let sum = 0;
  for (let i = index; i < look.matrix.length; i += look.width) sum += look.matrix[i] || 0;
  return sum;
}

function mapHeight(view) {
  const rows = view.look.sources.length;
  if (view.look.axis === "feature") return Math.min(190, Math.max(90, rows * 1.5));
  return Math.min(170, Math.max(40, rows * 11));
}

function wordsHeight(view) {
  const [first, last] = view.span;
  let longest = 0;
  for (let t = first; t < last; t++) longest = Math.max(longest, view.words[t].length);
  return Math.min(78, 12 + 5.9 * Math.min(longest, 12));
}
