// Draws on a canvas. The same functions as svg_painter.js: rect, line, path, area, curve, text, cells,
// clipped and measure; lengths are CSS pixels.

import { FONT } from "./font.js";

/** A painter over a 2D context whose scale is set already. */
export function canvasPainter(context) {
  return {
    rect(x, y, width, height, style) {
      styled(context, style);
      if (style.fill) context.fillRect(x, y, width, height);
      if (style.stroke) context.strokeRect(x, y, width, height);
    },
    line(x1, y1, x2, y2, style) {
      styled(context, style);
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
    },
    path(pieces, style) {
      styled(context, style);
      context.beginPath();
      trace(context, pieces);
      context.stroke();
    },
    area(pieces, style) {
      styled(context, style);
      context.beginPath();
      trace(context, pieces);
      context.fill();
    },
    curve([x1, y1, ax, ay, bx, by, x2, y2], style) {
      styled(context, style);
      context.beginPath();
      context.moveTo(x1, y1);
      context.bezierCurveTo(ax, ay, bx, by, x2, y2);
      context.stroke();
    },
    text(words, x, y, style) {
      styled(context, style);
      context.font = fontOf(style);
      context.textAlign = { middle: "center", end: "right" }[style.align] || "left";
      context.textBaseline = "alphabetic";
      context.direction = style.direction || "ltr";
      context.save();
      context.translate(x, y);
      if (style.rotate) context.rotate((style.rotate * Math.PI) / 180);
      context.fillText(words, 0, 0);
      context.restore();
    },
    cells(x, y, width, height, grid) {
      context.imageSmoothingEnabled = false;
      context.globalAlpha = 1;
      context.drawImage(imageOf(grid), x, y, width, height);
    },
    clipped(x, y, width, height, draw) {
      context.save();
      context.beginPath();
      context.rect(x, y, width, height);
      context.clip();
      draw();
      context.restore();
    },
    group(name, draw) {
      draw();
    },
    measure(words, style) {
      context.font = fontOf(style);
      return context.measureText(words).width;
    },
  };
}

/** A painter on a canvas that is wiped, of a size in pixels of CSS; `density` is how many dots one has. */
export function freshPainter(canvas, { width, height }, density) {
  const [w, h] = [Math.round(width * density), Math.round(height * density)];
  const context = canvas.getContext("2d");
  // Each of the two, even set to what it is, makes a new picture.
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) {
    canvas.height = h;
    canvas.style.height = `${height}px`;
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, w, h);
  context.setTransform(density, 0, 0, density, 0, 0);
  return canvasPainter(context);
}

/** A grid of colours `{columns, rows, rgba}` as a canvas of one pixel a cell. */
export function imageOf({ columns, rows, rgba }) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  canvas.getContext("2d").putImageData(new ImageData(rgba, columns, rows), 0, 0);
  return canvas;
}

function fontOf({ size = 11, weight = "normal", slant = "normal" }) {
  return `${slant} ${weight} ${size}px ${FONT}`;
}

function styled(context, { fill, stroke, width = 1, opacity = 1, dash = [], cap = "butt" }) {
  context.globalAlpha = opacity;
  if (fill) context.fillStyle = fill;
  if (stroke) context.strokeStyle = stroke;
  context.lineWidth = width;
  context.lineCap = cap;
  context.lineJoin = "round";
  context.setLineDash(dash);
}

function trace(context, pieces) {
  for (const points of pieces) {
    points.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  }
}
