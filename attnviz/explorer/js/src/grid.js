// A map of numbers to a grid of colours, one cell a pixel column where there is room for no more. Pure.

import { rowOf, weightAt } from "./reading.js";
import { channels } from "./colour.js";
import { placeOf } from "./scale.js";

/** The strongest value of each bin: `{columns, rows, values}`, the first source in the last row.
 *
 * `order` names the source of each row, from the bottom; `most` is how many columns and rows fit. */
export function binned(look, [first, last], order, most) {
  const columns = Math.max(1, Math.min(last - first, most.columns));
  const rows = Math.max(1, Math.min(order.length, most.rows));
  const values = new Float32Array(columns * rows).fill(NaN);
  const whole = columns === last - first && rows === order.length;
  for (let t = first; t < last; t++) {
    if (rowOf(look, t) < 0) continue;
    const column = whole ? t - first : Math.floor(((t - first) * columns) / (last - first));
    for (let i = 0; i < order.length; i++) {
      const value = weightAt(look, t, order[i]);
      if (value !== value) continue;
      const row = rows - 1 - Math.floor((i * rows) / order.length);
      const at = row * columns + column;
      const there = values[at];
      if (there !== there || Math.abs(value) > Math.abs(there)) values[at] = value;
    }
  }
  return { columns, rows, values };
}

/** The colours of binned values, as bytes red, green, blue, opaque. */
export function coloured({ columns, rows, values }, scale, colours, bad) {
  const rgba = new Uint8ClampedArray(4 * columns * rows);
  const grey = channels(bad);
  const top = colours.length / 3 - 1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const known = value === value;
    const from = known ? 3 * Math.round(placeOf(scale, value) * top) : 0;
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = known ? colours[from + c] : grey[c];
    rgba[4 * i + 3] = 255;
  }
  return { columns, rows, rgba };
}

/** Slanting lines inside a rectangle, as pieces of a path; neighbours' lines meet. */
export function hatching(x, y, width, height, spacing, both) {
  const lines = [];
  for (const sign of both ? [1, -1] : [1]) {
    // Lines x·sign + y = c, for all c that are multiples of the spacing.
    const corners = [
      x * sign + y,
      (x + width) * sign + y,
      x * sign + y + height,
      (x + width) * sign + y + height,
    ];
    const [low, high] = [Math.min(...corners), Math.max(...corners)];
    for (let k = Math.ceil(low / spacing); k * spacing <= high; k++) {
      const c = k * spacing;
      const ends = [x, x + width].map((at) => [at, c - at * sign]);
      const piece = cropped(ends, y, y + height);
      if (piece) lines.push(piece);
    }
  }
  return lines;
}

function cropped([[x1, y1], [x2, y2]], top, bottom) {
  if (Math.max(y1, y2) < top || Math.min(y1, y2) > bottom) return null;
  const at = (y) => [x1 + ((y - y1) / (y2 - y1)) * (x2 - x1), y];
  const ends = [
    [x1, y1],
    [x2, y2],
  ].map(([x, y]) => (y < top ? at(top) : y > bottom ? at(bottom) : [x, y]));
  return Math.hypot(ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]) < 0.01 ? null : ends;
}
