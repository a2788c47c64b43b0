// The whole view as one figure on any painter: bars, then the panels side by side. Always on white.

import { barsOf, drawBar } from "./bar.js";
import { inkOn, palette, ramp, rampColour } from "./colour.js";
import { layoutOf } from "./layout.js";
import { readersOf, sourcesOf } from "./reading.js";
import { placeOf, strengthOf } from "./scale.js";
import { setText, TEXT } from "./textflow.js";
import { drawMoving, drawStill } from "./timeline.js";
import { verdictText } from "./verdict.js";

const MARGIN = 16;
const GAP = 24;
const HEAD = 44;
const DENSITY = 2;

/** Draws the figure and returns its height. With `dry` nothing is drawn: only the height is found. */
export function drawFigure(painter, views, { panelWidth, columns, notes }) {
  const colours = palette(false);
  const width = widthOf(columns, panelWidth);
  let top = MARGIN;
  for (const bar of barsOf(views)) {
    top += drawBar(painter, bar, { x: MARGIN, y: top, width: width - 2 * MARGIN, colours, dark: false });
  }
  top += barsOf(views).length > 0 ? 6 : 0;
  for (let first = 0; first < views.length; first += columns) {
    const row = views.slice(first, first + columns);
    const texts = row.map((view) => textIn(painter, view, panelWidth));
    // Time lines side by side stand at one height.
    const textHeight = Math.max(...texts.map((set) => set.lines)) * TEXT.line;
    const heights = row.map((view, column) => {
      const x = MARGIN + column * (panelWidth + GAP);
      return drawOne(painter, view, {
        x,
        y: top,
        width: panelWidth,
        colours,
        set: texts[column],
        textHeight,
      });
    });
    top += Math.max(...heights) + GAP;
  }
  for (const note of notes) {
    painter.text(note, MARGIN, top - 8, { size: 8.5, fill: colours.soft });
    top += 12;
  }
  return Math.ceil(top);
}

/** How wide a figure of so many columns is. */
export function widthOf(columns, panelWidth) {
  return 2 * MARGIN + columns * panelWidth + (columns - 1) * GAP;
}

/** A painter that only measures. */
export function dryPainter(measure) {
  const nothing = () => {};
  return {
    rect: nothing,
    line: nothing,
    path: nothing,
    area: nothing,
    curve: nothing,
    text: nothing,
    cells: nothing,
    clipped: (x, y, w, h, draw) => draw(),
    group: (name, draw) => draw(),
    measure,
  };
}

function drawOne(painter, view, { x, y, width, colours, set, textHeight }) {
  let top = y;
  painter.group(view.panel.key, () => {
    painter.text(view.panel.title || view.panel.key, x, top + 13, {
      size: 13,
      weight: "bold",
      fill: colours.ink,
    });
    const facts = [view.panel.cell, view.panel.layer, verdictText(view)].filter(Boolean).join(" · ");
    const small = { size: 9.5, fill: colours.soft };
    painter.text(cropped(painter, facts, small, width), x, top + 29, small);
    top += HEAD;
    drawText(painter, view, set, { x, y: top, width, colours });
    top += textHeight + 8;
    const layout = layoutOf(view, width);
    const shifted = moved(painter, x, top);
    const scene = { view, layout, colours, dark: false, density: DENSITY, hover: -1 };
    drawStill(shifted, scene);
    drawMoving(shifted, scene);
    top += layout.height;
  });
  return top - y;
}

function cropped(painter, words, style, width) {
  if (painter.measure(words, style) <= width) return words;
  const letters = Array.from(words);
  while (letters.length > 1 && painter.measure(`${letters.join("")}…`, style) > width) letters.pop();
  return `${letters.join("")}…`;
}

function textIn(painter, view, width) {
  return setText(view, width, (words) => painter.measure(words, { size: TEXT.size }));
}

function drawText(painter, view, set, { x, y, width, colours }) {
  const style = { size: TEXT.size };
  const marks = marksOfWords(view);
  for (const piece of set.pieces) {
    const left = set.leftwards ? x + width - piece.x - piece.width : x + piece.x;
    const base = y + piece.line * TEXT.line + 12;
    const mark = marks.get(piece.t) || {};
    if (mark.fill) painter.rect(left, base - 11, piece.width, 14.5, { fill: mark.fill });
    if (mark.under) {
      const dash = mark.dashed ? [3, 2] : [];
      painter.line(left, base + 3, left + piece.width, base + 3, {
        stroke: mark.under,
        width: mark.thick,
        dash,
      });
    }
    if (piece.t >= 0 && piece.t === view.selected) {
      painter.rect(left - 1, base - 11.5, piece.width + 2, 15.5, { stroke: colours.mark, width: 1.2 });
    }
    const fill = piece.t < 0 ? colours.faint : mark.fill ? inkOn(mark.fill) : colours.ink;
    painter.text(piece.text, left, base, { ...style, fill });
  }
}

/** How words are marked: what was read is filled, who read it later is underlined. */
function marksOfWords(view) {
  const marks = new Map();
  const { selected, look, scale } = view;
  if (selected < 0 || !look?.matrix || look.axis === "feature") return marks;
  for (const one of sourcesOf(look, selected) || []) {
    if (one.timestep < 0) continue;
    const colours = ramp(scale.signed ? "signed" : "sources", false);
    marks.set(one.timestep, { fill: rampColour(colours, placeOf(scale, one.weight)) });
  }
  for (const one of readersOf(look, selected)) {
    const strength = strengthOf(scale, one.weight);
    if (strength < 0.015) continue;
    const under = rampColour(ramp("readers", false), 0.25 + 0.75 * strength);
    const dashed = one.weight < 0;
    marks.set(one.timestep, { under: dashed ? palette(false).less : under, thick: 1 + 2 * strength, dashed });
  }
  return marks;
}

/** The same painter with its origin elsewhere. */
function moved(painter, dx, dy) {
  const shift = (pieces) => pieces.map((points) => points.map(([x, y]) => [x + dx, y + dy]));
  return {
    ...painter,
    rect: (x, y, w, h, style) => painter.rect(x + dx, y + dy, w, h, style),
    line: (x1, y1, x2, y2, style) => painter.line(x1 + dx, y1 + dy, x2 + dx, y2 + dy, style),
    path: (pieces, style) => painter.path(shift(pieces), style),
    area: (pieces, style) => painter.area(shift(pieces), style),
    curve: (numbers, style) =>
      painter.curve(
        numbers.map((n, i) => n + (i % 2 === 0 ? dx : dy)),
        style,
      ),
    text: (words, x, y, style) => painter.text(words, x + dx, y + dy, style),
    cells: (x, y, w, h, grid) => painter.cells(x + dx, y + dy, w, h, grid),
    clipped: (x, y, w, h, draw) => painter.clipped(x + dx, y + dy, w, h, draw),
  };
}
