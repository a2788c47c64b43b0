// One colour scale for all panels that are compared. Pure.

import { fullWindow, rowOf } from "./reading.js";
import { short, ticks } from "./numbers.js";

const HARDLY = 1.05; // times the highest of full windows

/** The scale over several looks: from 0, or about 0 where weights have a sign.
 *
 * It is made from timesteps whose window is full: where only one past state can be reached all weight
 * lies on it, which would make everything later pale. Where no window is full, or the others reach
 * hardly higher, all timesteps count.
 * `ratio`: values are multiples of an equal share, and 1 is the middle of a logarithmic scale.
 * `most` is there where values lie beyond the end: the largest of them. */
export function scaleOf(looks, options = {}) {
  const all = limits(looks, () => true);
  const full = limits(looks, fullWindow);
  const ends = none(full) || reach(all) <= HARDLY * reach(full) ? all : full;
  const scale = endsOf(none(ends) ? [0, 1] : ends, options);
  const most = scale.signed && !scale.ratio ? reach(all) : all[1];
  return most > scale.high * (1 + 1e-6) ? { ...scale, most } : scale;
}

/** What must be said of values that lie beyond the scale's end; nothing where none does. */
export function beyondText(scale, strongest) {
  if (scale.most === undefined) return "";
  const [end, most] = [scale.high, scale.most].map((value) => short(Number(value.toPrecision(2))));
  return `${strongest}: ${end} and more (up to ${most} where less than a whole window lies behind)`;
}

function endsOf([low, high], { signed = false, ratio = false }) {
  if (ratio) {
    const most = Math.max(2, high, low > 0 ? 1 / Math.max(low, 1 / Math.max(high, 2)) : 2);
    return { low: 1 / most, high: most, signed: true, ratio: true };
  }
  if (signed || low < 0) {
    const most = reach([low, high]) || 1;
    return { low: -most, high: most, signed: true, ratio: false };
  }
  return { low: 0, high: high > 0 ? high : 1, signed: false, ratio: false };
}

/** Where a value lies on the scale, 0 to 1; NaN for none. */
export function placeOf(scale, value) {
  if (Number.isNaN(value)) return NaN;
  const { low, high } = scale;
  const place = scale.ratio
    ? (Math.log(Math.max(value, 1e-30)) - Math.log(low)) / (Math.log(high) - Math.log(low))
    : (value - low) / (high - low);
  return Math.min(1, Math.max(0, place));
}

/** How strong a value is, whatever its sign: 0 to 1. */
export function strengthOf(scale, value) {
  if (Number.isNaN(value)) return 0;
  const place = placeOf(scale, value);
  return scale.signed ? Math.abs(2 * place - 1) : place;
}

/** Values to write beside the colour bar, with their places. */
export function scaleTicks(scale) {
  if (!scale.ratio) {
    return ticks(scale.low, scale.high).map((value) => ({
      place: placeOf(scale, value),
      text: short(value),
    }));
  }
  const top = Math.floor(Math.log2(scale.high) + 1e-9);
  const step = Math.max(1, Math.ceil(top / 2));
  const powers = [];
  for (let p = -step * Math.floor(top / step); p <= top; p += step) powers.push(p);
  return powers.map((p) => ({
    place: placeOf(scale, 2 ** p),
    text: p < 0 ? `1/${2 ** -p}` : String(2 ** p),
  }));
}

function none([low, high]) {
  return low > high;
}

/** How far from 0 the ends are; 0 where there are none. */
function reach([low, high]) {
  return low > high ? 0 : Math.max(Math.abs(low), Math.abs(high));
}

function limits(looks, counts) {
  let [low, high] = [Infinity, -Infinity];
  for (const look of looks) {
    const wide = look.width;
    for (let t = 0; t < look.n; t++) {
      const row = rowOf(look, t);
      if (row < 0 || !counts(look, t)) continue;
      for (let i = row * wide; i < (row + 1) * wide; i++) {
        const value = look.matrix[i];
        if (value < low) low = value;
        if (value > high && value !== Infinity) high = value;
      }
    }
  }
  return [low === -Infinity ? 0 : low, high];
}
