// The view as a file: SVG with text that stays text, or PNG of twice the size.

import { canvasPainter, imageOf } from "./canvas_painter.js";
import { drawFigure, dryPainter, widthOf } from "./figure.js";
import { svgPainter } from "./svg_painter.js";

const SHARPNESS = 2;

/** Saves the views; `options`: panelWidth, columns, notes, name. */
export async function saveView(views, kind, options) {
  const blob =
    kind === "svg"
      ? new Blob([svgOf(views, options)], { type: "image/svg+xml" })
      : await pngOf(views, options);
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = `${options.name}.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A file name without anything that a file system minds. */
export function fileName(views, id) {
  const parts = [...views.map((view) => view.panel.key), id, views[0]?.lens?.name].filter(Boolean);
  const plain = parts
    .join("-")
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/-+/g, "-");
  return plain.replace(/^[-.]+|[-.]+$/g, "").slice(0, 120) || "attnviz";
}

/** The SVG of the views. */
export function svgOf(views, options) {
  const measure = measurer();
  const painter = svgPainter({ measure, png: (grid) => imageOf(grid).toDataURL("image/png") });
  const height = drawFigure(painter, views, options);
  const title = views.map((view) => view.panel.title).join(", ");
  const description = `attnviz: ${views[0]?.lens?.label ?? "no lens"}; ${options.name}`;
  return painter.document(widthOf(options.columns, options.panelWidth), height, { title, description });
}

function pngOf(views, options) {
  const width = widthOf(options.columns, options.panelWidth);
  const height = drawFigure(dryPainter(measurer()), views, options);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * SHARPNESS, height * SHARPNESS];
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.setTransform(SHARPNESS, 0, 0, SHARPNESS, 0, 0);
  drawFigure(canvasPainter(context), views, options);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large for a PNG."))),
      "image/png",
    );
  });
}

function measurer() {
  const context = document.createElement("canvas").getContext("2d");
  return canvasPainter(context).measure;
}
