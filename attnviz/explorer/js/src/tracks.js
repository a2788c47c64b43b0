// Lines, logarithmic lines and stacked shares along the timesteps.

import { short, ticks } from "./numbers.js";
import { xOf } from "./layout.js";
import { seriesColours } from "./colour.js";
import { withUnit } from "./wording.js";

/** The ends of a track's vertical axis over the whole sequence. */
export function rangeOf(track) {
  const all = [...track.series, ...(track.before || [])].map((one) => one.values);
  if (Array.isArray(track.range)) return track.range;
  if (track.kind === "stack") return stackRange(track);
  let [low, high] = [Infinity, -Infinity];
  for (const values of all) {
    for (const value of values) {
      if (!Number.isFinite(value) || (track.kind === "log" && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return track.kind === "log" ? [0.1, 1] : [0, 1];
  if (track.kind === "log") {
    const power = (value, round) => 10 ** round(Math.log10(value) + (round === Math.floor ? 1e-9 : -1e-9));
    const ends = [power(low, Math.floor), power(high, Math.ceil)];
    return ends[0] === ends[1] ? [ends[0] / 10, ends[1]] : ends;
  }
  return low === high ? [low - 0.5, high + 0.5] : [Math.min(low, 0), high];
}

function stackRange(track) {
  let [low, high] = [0, 1];
  const n = track.series[0]?.values.length ?? 0;
  for (let t = 0; t < n; t++) {
    let [up, down] = [0, 0];
    for (const { values } of track.series) {
      if (values[t] > 0) up += values[t];
      if (values[t] < 0) down += values[t];
    }
    [low, high] = [Math.min(low, down), Math.max(high, up)];
  }
  // Shares of hardly any gradient can be huge; they are cut off, the hover tells the number.
  return [Math.max(low, -1.5), Math.min(high, 2.5)];
}

/** The track's name, and what its colours mean. */
export function drawTitle(painter, { view, layout, colours }, strip) {
  const track = view.tracks[strip.number];
  const y = strip.top + 10;
  const style = { size: 9.5, fill: colours.soft };
  const aside = track.before ? "; dashed: unedited" : "";
  const choices = [`${withUnit(track.label, track.unit)}${aside}`, `${track.label}${aside}`, track.label];
  painter.text(fitted(painter, choices, strip.legend.room, style), layout.left, y, style);
  const own = seriesColours(track.series, colours);
  strip.legend.entries.forEach(({ label, x, line }, i) => {
    const [left, base] = [layout.left + x, y + 12 * line];
    painter.rect(left, base - 6, 9, 5, { fill: own[i] });
    painter.text(label, left + 12, base, { ...style, fill: colours.ink });
  });
}

function fitted(painter, choices, room, style) {
  const found = choices.find((words) => painter.measure(words, style) <= room);
  return found ?? choices[choices.length - 1];
}

/** Draws one track. */
export function drawTrack(painter, scene, strip) {
  const { view, layout, colours } = scene;
  const track = view.tracks[strip.number];
  const [low, high] = rangeOf(track);
  const place = placer(track.kind, low, high, strip);
  const own = seriesColours(track.series, colours);
  drawLevels(painter, scene, strip, { track, low, high, place });
  painter.clipped(layout.left, strip.top - 1, layout.inner, strip.height + 2, () => {
    if (track.kind === "stack") {
      drawStack(painter, scene, { track, place, own });
      return;
    }
    (track.before || []).forEach((one, i) => {
      const stroke = own[i];
      painter.path(pieces(one.values, layout, place), { stroke, width: 1, dash: [3, 2.5], opacity: 0.75 });
    });
    track.series.forEach((one, i) => {
      painter.path(pieces(one.values, layout, place), { stroke: own[i], width: 1.3 });
    });
  });
}

function placer(kind, low, high, strip) {
  const scaled =
    kind === "log"
      ? (value) => (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low))
      : (value) => (value - low) / (high - low);
  return (value) => strip.top + strip.height * (1 - scaled(value));
}

function drawLevels(painter, { layout, colours }, strip, { track, low, high, place }) {
  const right = layout.left + layout.inner;
  painter.rect(layout.left, strip.top, layout.inner, strip.height, { stroke: colours.grid, width: 1 });
  const shown = track.kind === "log" ? powers(low, high) : ticks(low, high, 2);
  for (const value of shown) {
    const y = place(value);
    painter.line(layout.left, y, right, y, { stroke: colours.grid, width: 1 });
    const at = Math.min(strip.top + strip.height, Math.max(strip.top + 6, y + 3));
    painter.text(short(value), layout.left - 4, at, { size: 8.5, fill: colours.soft, align: "end" });
  }
  // Two classes part at one half.
  if (track.name === "score" && low === 0 && high === 1) {
    painter.line(layout.left, place(0.5), right, place(0.5), {
      stroke: colours.faint,
      width: 0.8,
      dash: [2, 2],
    });
  }
}

function powers(low, high) {
  const [a, b] = [Math.round(Math.log10(low)), Math.round(Math.log10(high))];
  const step = Math.max(1, Math.ceil((b - a) / 3));
  const found = [];
  for (let p = b; p >= a; p -= step) found.push(10 ** p);
  return found;
}

/** A line, broken where nothing is; a lone point becomes a short dash. */
function pieces(values, layout, place) {
  const found = [];
  let open = null;
  const [from, to] = [Math.max(0, layout.first - 1), Math.min(values.length, layout.last + 1)];
  for (let t = from; t < to; t++) {
    const y = place(values[t]);
    if (!Number.isFinite(y)) {
      open = null;
      continue;
    }
    if (open === null) found.push((open = []));
    open.push([xOf(layout, t), y]);
  }
  const half = Math.min(3, layout.column / 2);
  return found.map((points) =>
    points.length > 1 ? points : [-half, half].map((d) => [points[0][0] + d, points[0][1]]),
  );
}

function drawStack(painter, { layout, colours }, { track, place, own }) {
  const count = layout.last - layout.first;
  const zero = new Float64Array(count);
  const [up, down] = [zero.slice(), zero.slice()];
  track.series.forEach(({ values }, i) => {
    const fill = own[i];
    for (const [base, sign] of [
      [up, 1],
      [down, -1],
    ]) {
      const before = base.slice();
      let any = false;
      for (let c = 0; c < count; c++) {
        const value = values[layout.first + c];
        if (value * sign > 0) [base[c], any] = [base[c] + value, true];
      }
      if (any) painter.area(steps(before, base, layout, place), { fill, opacity: 0.9 });
    }
  });
  painter.line(layout.left, place(0), layout.left + layout.inner, place(0), {
    stroke: colours.soft,
    width: 0.6,
  });
}

/** Bars that touch, as one outline: from left to right on top, and back below. */
function steps(below, above, layout, place) {
  const edge = (c) => layout.left + c * layout.column;
  const forth = [];
  const back = [];
  for (let c = 0; c < below.length; c++) {
    forth.push([edge(c), place(above[c])], [edge(c + 1), place(above[c])]);
    back.push([edge(c), place(below[c])], [edge(c + 1), place(below[c])]);
  }
  return [[...forth, ...back.reverse()]];
}
