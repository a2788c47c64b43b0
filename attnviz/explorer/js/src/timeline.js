// The time line of one panel. What stands still while words are walked is drawn apart from what moves.

import { drawArcs, drawNames } from "./arcs.js";
import { drawMap } from "./map.js";
import { shortWord, ticks } from "./numbers.js";
import { drawTitle, drawTrack } from "./tracks.js";
import { xOf } from "./layout.js";

const STILL = { map: drawMap, title: drawTitle, track: drawTrack, axis: drawAxis, words: drawWords };
const MOVING = { arcs: drawArcs, names: drawNames, words: drawChosenWords };

/** Draws map, tracks and axis. */
export function drawStill(painter, scene) {
  for (const strip of scene.layout.strips) {
    if (STILL[strip.kind]) STILL[strip.kind](painter, scene, strip);
  }
}

/** Draws arcs, names and the lines through the selected and the hovered timestep. */
export function drawMoving(painter, scene) {
  const { view, layout, colours, hover } = scene;
  for (const strip of layout.strips) {
    if (MOVING[strip.kind]) MOVING[strip.kind](painter, scene, strip);
  }
  if (hover !== undefined && hover >= 0 && hover !== view.selected) {
    drawUpright(painter, scene, hover, { stroke: colours.faint, width: 1, dash: [2, 2] });
  }
  drawUpright(painter, scene, view.selected, { stroke: colours.mark, width: 1 });
}

/** A line, or where columns are wide a frame, through all strips below the words. */
function drawUpright(painter, { layout }, t, style) {
  if (t < layout.first || t >= layout.last) return;
  const strips = layout.strips.filter((strip) => strip.kind === "map" || strip.kind === "track");
  const x = xOf(layout, t);
  for (const { top, height } of strips) {
    if (layout.column >= 6) painter.rect(x - layout.column / 2, top, layout.column, height, style);
    else painter.line(x, top, x, top + height, style);
  }
}

function drawAxis(painter, { layout, colours }, strip) {
  const { left, inner, first, last } = layout;
  const style = { size: 8.5, fill: colours.soft, align: "middle" };
  const wanted = Math.max(2, Math.min(10, Math.floor(inner / 60)));
  const whole = ticks(first, last - 1, wanted).filter(Number.isInteger);
  for (const t of whole) {
    const x = xOf(layout, t);
    painter.line(x, strip.top, x, strip.top + 3, { stroke: colours.faint, width: 1 });
    painter.text(String(t), x, strip.top + 12, style);
  }
  painter.text("timestep", left - 10, strip.top + 12, { ...style, align: "end" });
}

function drawWords(painter, { view, layout, colours }, strip) {
  for (let t = layout.first; t < layout.last; t++)
    drawWord(painter, { view, layout }, strip, t, colours.soft);
}

/** The same words in their colours, over the others: the selected one, and the ends of arcs. */
function drawChosenWords(painter, { view, layout, colours }, strip) {
  const shown = (t) => t >= layout.first && t < layout.last;
  if (!shown(view.selected)) return;
  const base = strip.top + strip.height;
  painter.rect(xOf(layout, view.selected) - layout.column / 2, strip.top, layout.column, base - strip.top, {
    fill: colours.raised,
    stroke: colours.mark,
    width: 1,
  });
  drawWord(painter, { view, layout }, strip, view.selected, colours.ink, "bold");
}

function drawWord(painter, { view, layout }, strip, t, fill, weight) {
  const size = Math.min(10, layout.column - 0.5);
  const word = shortWord(view.words[t], 12);
  const x = xOf(layout, t) + size * 0.34;
  painter.text(word, x, strip.top + 4, { size, fill, weight, align: "end", rotate: -90 });
}
