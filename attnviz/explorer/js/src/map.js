// The heatmap: lags, ages or features upwards, timesteps from left to right.

import { ramp } from "./colour.js";
import { binned, coloured, hatching } from "./grid.js";
import { INITIAL, MISSING, featureName, fullWindow, standing } from "./reading.js";
import { short } from "./numbers.js";

const LABEL = 8.5; // height that the label of a row needs
const NAMED = 4; // features of a kind
const GROUP_GAP = 3;
const AWAITED = "no value yet: a word is measured when it is selected";
const NONE = "not measured for this text";

/** Where the groups of rows stand: `{label, order, top, height}`. */
export function groupsIn(strip) {
  const groups = strip.rows;
  const count = groups.reduce((sum, group) => sum + group.order.length, 0);
  const room = strip.height - GROUP_GAP * (groups.length - 1);
  let top = strip.top;
  return groups.map((group) => {
    const height = count === 0 ? room : (room * group.order.length) / count;
    const placed = { ...group, top, height };
    top += height + GROUP_GAP;
    return placed;
  });
}

/** Which source is at a height of the strip: its index; -1 between groups. */
export function sourceAt(strip, y) {
  for (const group of groupsIn(strip)) {
    if (y < group.top || y >= group.top + group.height) continue;
    const row = Math.floor(((group.top + group.height - y) / group.height) * group.order.length);
    return group.order[Math.min(group.order.length - 1, Math.max(0, row))];
  }
  return -1;
}

/** Draws the map; `density` is how many dots a pixel has. */
export function drawMap(painter, { view, layout, colours, dark, density }, strip) {
  const { look, scale } = view;
  const colour = ramp(scale.signed ? "signed" : "sources", dark);
  for (const group of groupsIn(strip)) {
    const { top, height } = group;
    if (nothingYet(look)) {
      drawNotice(painter, { layout, colours }, group, view.live ? AWAITED : NONE);
    } else if (look.matrix) {
      const most = {
        columns: Math.ceil(layout.inner * density),
        rows: Math.max(1, Math.ceil(height * density)),
      };
      const bins = binned(look, [layout.first, layout.last], group.order, most);
      painter.cells(layout.left, top, layout.inner, height, coloured(bins, scale, colour, colours.bad));
      if (look.axis !== "feature") drawHatching(painter, { view, layout, colours }, group);
    } else {
      drawNotice(painter, { layout, colours }, group, "loading …");
    }
    painter.rect(layout.left, top, layout.inner, height, { stroke: colours.line, width: 1 });
    drawRowLabels(painter, { view, layout, colours }, group);
  }
  const axis = { lag: "lag (timesteps back)", age: "age (timesteps)", feature: "feature" }[look.axis];
  drawUpright(painter, axis, 10, strip, colours);
}

/** Whether rows are measured word by word, and none is there. */
function nothingYet(look) {
  return look.sources.length === 0 || (look.rows !== null && look.rows.size === 0);
}

function drawNotice(painter, { layout, colours }, { top, height }, words) {
  painter.rect(layout.left, top, layout.inner, height, { fill: colours.raised });
  const style = { size: 11, fill: colours.soft, align: "middle" };
  painter.text(words, layout.left + layout.inner / 2, top + height / 2 + 4, style);
}

/** A label that runs upwards beside a strip. */
function drawUpright(painter, words, x, strip, colours) {
  const style = { size: 9, fill: colours.soft, align: "middle", rotate: -90 };
  const fits = painter.measure(words, style) <= strip.height;
  painter.text(fits ? words : words.split(" ")[0], x, strip.top + strip.height / 2, style);
}

function drawRowLabels(painter, { view, layout, colours }, group) {
  const count = group.order.length;
  const row = group.height / count;
  const feature = view.look.axis === "feature";
  const place = (i) => group.top + group.height - (i + 0.5) * row + 3;
  const style = { size: 8.5, fill: colours.soft, align: "end" };
  if (feature) {
    drawUpright(painter, group.label, 24, group, colours);
    // The strongest few, each at its own row; of those that would overlap the stronger.
    let free = group.top - 1;
    for (let n = 0, named = 0; n < count && named < NAMED; n++) {
      const base = Math.max(place(count - 1 - n), group.top + LABEL - 1);
      if (base - LABEL - 1 < free || base > group.top + group.height + 1) continue;
      const name = featureName(view.lens, group.order[count - 1 - n])
        .split(" ")
        .pop();
      painter.text(name, layout.left - 4, base, style);
      [free, named] = [base, named + 1];
    }
    return;
  }
  const every = Math.max(1, Math.ceil(LABEL / row));
  for (let i = 0; i < count; i += every) {
    painter.text(short(Number(view.look.sources[group.order[i]])), layout.left - 4, place(i), style);
  }
}

function drawHatching(painter, { view, layout, colours }, group) {
  const row = group.height / group.order.length;
  const lines = { [INITIAL]: [], [MISSING]: [] };
  // A weight on the initial state is shown pale, one on what does not exist not at all.
  const veils = { [INITIAL]: 0.55, [MISSING]: 1 };
  const { look } = view;
  group.order.forEach((index, i) => {
    const y = group.top + group.height - (i + 1) * row;
    for (const [kind, first, last] of runs(look, look.sources[index], layout)) {
      const x = layout.left + (first - layout.first) * layout.column;
      const wide = (last - first) * layout.column;
      // What does not exist does not at larger lags either: overlapping, the rows leave no seam.
      const above = kind === MISSING && i + 1 < group.order.length ? 0.5 : 0;
      painter.rect(x, y - above, wide, row + above, { fill: colours.paper, opacity: veils[kind] });
      lines[kind].push(...hatching(x, y, wide, row, 5, kind === INITIAL));
    }
  });
  for (const pieces of Object.values(lines)) {
    if (pieces.length > 0) painter.path(pieces, { stroke: colours.hatch, width: 0.6, opacity: 0.8 });
  }
}

/** Runs of timesteps of one kind that is no state, within what is shown. */
function runs(look, lag, { first, last }) {
  const found = [];
  // They lie at the start only, or at the end where the layer reads backwards.
  const reach = Number(lag) + 1;
  const [from, to] =
    look.direction === 1 ? [first, Math.min(last, reach)] : [Math.max(first, look.n - reach), last];
  for (let t = from; t < to; t++) {
    const kind = standing(look, t, lag);
    if (kind !== INITIAL && kind !== MISSING) continue;
    const open = found[found.length - 1];
    if (open && open[0] === kind && open[2] === t) open[2] = t + 1;
    else found.push([kind, t, t + 1]);
  }
  return found;
}

/** Which of the marks of what is no state occur in the sequence at all. */
export function marksOf(look) {
  if (!look || look.axis === "feature" || look.n === 0) return [];
  const start = look.direction === 1 ? 0 : look.n - 1;
  if (fullWindow(look, start)) return [];
  const kinds = new Set(look.sources.map((lag) => standing(look, start, lag)));
  const later = look.sources.some((lag) => lag >= 1 && look.initial && look.history === 0);
  return [INITIAL, MISSING].filter((kind) => kinds.has(kind) || (kind === INITIAL && later));
}
