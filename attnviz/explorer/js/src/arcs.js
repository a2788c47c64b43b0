// Arcs from the selected word to what it read, and from those that read it later.

import { byStrength, readersOf, sourcesOf } from "./reading.js";
import { strengthOf } from "./scale.js";
import { shortWord } from "./numbers.js";
import { xOf } from "./layout.js";

const MOST = 60; // of each kind; weaker ones would not be seen
const FAINTEST = 0.02;
const NAMED = 4;

/** The arcs of the selected timestep, the weakest first: `{t, weight, read}`. */
export function arcsOf(view) {
  if (view.selected < 0 || !view.look?.matrix || view.look.axis === "feature") return [];
  const words = (list) => byStrength((list || []).filter((one) => one.timestep >= 0)).slice(0, MOST);
  const read = words(sourcesOf(view.look, view.selected)).map((one) => ({ ...one, read: true }));
  const readers = words(readersOf(view.look, view.selected)).map((one) => ({ ...one, read: false }));
  return byStrength([...read, ...readers]).reverse();
}

/** Draws them into their strip, standing on its lower edge. */
export function drawArcs(painter, { view, layout, colours }, strip) {
  const arcs = arcsOf(view).filter((arc) => arc.timestep !== view.selected);
  const base = strip.top + strip.height - 1;
  painter.line(layout.left, base, layout.left + layout.inner, base, { stroke: colours.line, width: 1 });
  if (arcs.length === 0) return;
  const from = xOf(layout, view.selected);
  const farthest = Math.max(...arcs.map((arc) => arc.lag), 1);
  painter.clipped(layout.left, strip.top, layout.inner, strip.height, () => {
    for (const arc of arcs) {
      const strength = strengthOf(view.scale, arc.weight);
      if (strength < FAINTEST) continue;
      const to = xOf(layout, arc.timestep);
      // No steeper than they are wide: a bundle of needles tells nothing.
      const highest = Math.min(strip.height - 6, 8 + farthest * layout.column);
      const height = highest * (0.25 + 0.75 * Math.sqrt(arc.lag / farthest));
      const bend = [from, base, from, base - height * 1.3, to, base - height * 1.3, to, base];
      painter.curve(bend, {
        stroke: arcColour(arc, colours),
        width: 0.8 + 3.2 * strength,
        opacity: 0.25 + 0.7 * strength,
        dash: arc.weight < 0 ? [4, 2.5] : [],
        cap: arc.weight < 0 ? "butt" : "round",
      });
    }
  });
  const own = arcs.filter((arc) => arc.timestep >= layout.first && arc.timestep < layout.last);
  for (const arc of own) {
    const strength = strengthOf(view.scale, arc.weight);
    if (strength < FAINTEST) continue;
    const r = 1 + 1.4 * strength;
    const style = { fill: arcColour(arc, colours) };
    painter.rect(xOf(layout, arc.timestep) - r, base - r, 2 * r, 2 * r, style);
  }
}

/** Below 0 is purple, whoever reads; otherwise what was read is orange and who read it blue. */
export function arcColour(arc, colours) {
  if (arc.weight < 0) return colours.less;
  return arc.read ? colours.more : colours.later;
}

/** The selected word and the strongest at both ends of the arcs, where they do not overlap. */
export function drawNames(painter, { view, layout, colours }, strip) {
  if (view.selected < 0) return;
  const arcs = arcsOf(view).reverse();
  const strong = (read) => arcs.filter((arc) => arc.read === read && arc.timestep !== view.selected);
  const wanted = [{ timestep: view.selected, colour: colours.ink, weight: "bold" }];
  for (const arc of [...strong(true).slice(0, NAMED), ...strong(false).slice(0, NAMED)]) {
    if (strengthOf(view.scale, arc.weight) < 0.05) continue;
    wanted.push({ timestep: arc.timestep, colour: arcColour(arc, colours), weight: "normal" });
  }
  const taken = [];
  for (const name of wanted) {
    if (name.timestep < layout.first || name.timestep >= layout.last) continue;
    const style = { size: 10, weight: name.weight, fill: name.colour };
    const word = shortWord(view.words[name.timestep], 16);
    const wide = painter.measure(word, style);
    const middle = xOf(layout, name.timestep);
    const right = layout.left + layout.inner;
    const x = Math.max(layout.left, Math.min(middle - wide / 2, right - wide));
    if (taken.some(([a, b]) => x < b + 5 && x + wide > a - 5)) continue;
    taken.push([x, x + wide]);
    painter.text(word, x, strip.top + 11, style);
  }
}
