// The colour bar: one for each lens that is shown, with numbers and what the other marks mean.

import { ramp, rampColour } from "./colour.js";
import { hatching } from "./grid.js";
import { marksOf } from "./map.js";
import { INITIAL } from "./reading.js";
import { beyondText, scaleTicks } from "./scale.js";
import { sharedLabel, withUnit } from "./wording.js";

const BAR = 150;
const HIGH = 9;
const TOP = 3;
export const BAR_HEIGHT = 30;

/** The lenses that are shown, each once: `{lens, label, scale, marks, arcs}`. */
export function barsOf(views) {
  const found = new Map();
  for (const view of views) {
    if (!view.lens || !view.scale) continue;
    if (!found.has(view.lens.name))
      found.set(view.lens.name, { lens: view.lens, scale: view.scale, marks: new Set(), labels: [] });
    const bar = found.get(view.lens.name);
    for (const kind of marksOf(view.look)) bar.marks.add(kind);
    bar.labels.push(view.lens.label);
  }
  const bars = [...found.values()].map(({ labels, ...bar }) => ({ ...bar, label: sharedLabel(labels) }));
  // What the arcs' colours mean need be said once.
  const first = bars.find((bar) => bar.lens.axis !== "feature");
  return bars.map((bar) => ({ ...bar, arcs: bar === first }));
}

/** What the bar of a lens says, in words. */
export function barText({ lens, label, scale }) {
  const ticks = scaleTicks(scale);
  const ends = ticks.length > 0 ? `, from ${ticks[0].text} to ${ticks[ticks.length - 1].text}` : "";
  const beyond = beyondText(scale, "; strongest");
  return `colours: ${withUnit(label, lens.unit)}${ends}${beyond}`;
}

/** Draws one bar with its legend at (x, y), over several lines where it is wide; returns its height. */
export function drawBar(painter, { lens, label, scale, marks, arcs }, { x, y, width, colours, dark }) {
  const colour = ramp(scale.signed ? "signed" : "sources", dark);
  const levels = colour.length / 3;
  const rgba = new Uint8ClampedArray(4 * levels);
  for (let i = 0; i < levels; i++)
    rgba.set([colour[3 * i], colour[3 * i + 1], colour[3 * i + 2], 255], 4 * i);
  painter.cells(x, y + TOP, BAR, HIGH, { columns: levels, rows: 1, rgba });
  painter.rect(x, y + TOP, BAR, HIGH, { stroke: colours.line, width: 1 });
  const small = { size: 8.5, fill: colours.soft };
  for (const { place, text } of scaleTicks(scale)) {
    const at = x + place * BAR;
    painter.line(at, y + TOP + HIGH, at, y + TOP + HIGH + 3, { stroke: colours.faint, width: 1 });
    painter.text(text, at, y + TOP + HIGH + 12, { ...small, align: "middle" });
  }
  const style = { size: 10.5, fill: colours.ink };
  let [left, top] = [x + BAR + 12, y];
  const put = (wide, draw) => {
    if (left + wide > x + width && left > x) [left, top] = [x, top + (top === y ? BAR_HEIGHT : 16)];
    draw(left, top);
    left += wide + 16;
  };
  const words = withUnit(label, lens.unit);
  put(painter.measure(words, style), (at, line) => painter.text(words, at, line + 12, style));
  // On dark paper the strongest colour is the brightest.
  const beyond = beyondText(scale, dark ? "brightest" : "darkest");
  if (beyond) {
    put(painter.measure(beyond, small), (at, line) => painter.text(beyond, at, line + 12, small));
  }
  for (const key of keysOf(scale, marks, { colours, dark, arcs })) {
    put(26 + painter.measure(key.text, small), (at, line) => {
      key.draw(painter, at, line + 4);
      painter.text(key.text, at + 24, line + 12, small);
    });
  }
  return top - y + (top === y ? BAR_HEIGHT : 18);
}

function keysOf(scale, marks, { colours, dark, arcs }) {
  const keys = [];
  if (arcs) {
    const line = (stroke, dash) => (painter, x, y) =>
      painter.line(x, y + 4, x + 18, y + 4, { stroke, width: 2.5, dash });
    keys.push({ text: "read by the selected word", draw: line(colours.more) });
    keys.push({ text: "reads the selected word", draw: line(rampColour(ramp("readers", dark), 0.75)) });
    if (scale.signed) keys.push({ text: "below 0", draw: line(colours.less, [4, 2.5]) });
  }
  for (const kind of marks) {
    keys.push({
      text: kind === INITIAL ? "initial state" : "before the first word",
      draw(painter, x, y) {
        painter.rect(x, y, 18, 9, { stroke: colours.line, width: 1 });
        painter.path(hatching(x, y, 18, 9, 5, kind === INITIAL), { stroke: colours.hatch, width: 0.7 });
      },
    });
  }
  return keys;
}
