// Draws an SVG: text stays text, lines stay paths. The same functions as canvas_painter.js.

import { FONT } from "./font.js";

const MOST_RECTS = 4000;

/** A painter that collects SVG.
 *
 * `measure(words, style)` tells how wide letters are; `png(grid)` makes a data address of a grid of
 * colours, for maps of more cells than rectangles are sensible for. */
export function svgPainter({ measure, png }) {
  const parts = [];
  let clips = 0;
  const put = (name, attributes, inside) => parts.push(element(name, attributes, inside));
  return {
    rect: (x, y, width, height, style) => put("rect", { x, y, width, height, ...drawn(style) }),
    line: (x1, y1, x2, y2, style) => put("line", { x1, y1, x2, y2, ...drawn(style) }),
    path: (pieces, style) => put("path", { d: outline(pieces), ...drawn({ ...style, fill: undefined }) }),
    area: (pieces, style) => put("path", { d: `${outline(pieces)}Z`, ...drawn(style) }),
    curve([x1, y1, ax, ay, bx, by, x2, y2], style) {
      const d = `M${num(x1)} ${num(y1)}C${[ax, ay, bx, by, x2, y2].map(num).join(" ")}`;
      put("path", { d, ...drawn({ ...style, fill: undefined }) });
    },
    text(words, x, y, style) {
      const { size = 11, weight, slant, align, rotate, direction } = style;
      put(
        "text",
        {
          x,
          y,
          "font-size": size,
          "font-weight": weight,
          "font-style": slant,
          direction,
          "text-anchor": align,
          fill: style.fill,
          opacity: style.opacity,
          transform: rotate ? `rotate(${num(rotate)} ${num(x)} ${num(y)})` : undefined,
          "xml:space": "preserve",
        },
        escaped(words),
      );
    },
    cells(x, y, width, height, grid) {
      if (grid.columns * grid.rows > MOST_RECTS) {
        const style = "image-rendering:pixelated";
        put("image", { x, y, width, height, preserveAspectRatio: "none", style, href: png(grid) });
      } else {
        rects(grid, x, y, width / grid.columns, height / grid.rows, put);
      }
    },
    clipped(x, y, width, height, draw) {
      const id = `clip${clips++}`;
      parts.push(`<clipPath id="${id}">${element("rect", { x, y, width, height })}</clipPath>`);
      parts.push(`<g clip-path="url(#${id})">`);
      draw();
      parts.push("</g>");
    },
    group(name, draw) {
      parts.push(`<g>${element("title", {}, escaped(name))}`);
      draw();
      parts.push("</g>");
    },
    measure,
    /** The whole document. */
    document(width, height, { title, description }) {
      const size = `width="${num(width)}" height="${num(height)}" viewBox="0 0 ${num(width)} ${num(height)}"`;
      return [
        `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="${escaped(FONT)}">`,
        element("title", {}, escaped(title)),
        element("desc", {}, escaped(description)),
        ...parts,
        "</svg>",
        "",
      ].join("\n");
    },
  };
}

/** Text that can stand in XML, whatever it holds. */
export function escaped(text) {
  return (
    String(text)
      // XML knows no control characters and no half of a surrogate pair, not even escaped.
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
      .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd")
      .replace(/&/g, "&amp;")
      .replace(/</g, "&lt;")
      .replace(/>/g, "&gt;")
      .replace(/"/g, "&quot;")
      .replace(/'/g, "&#39;")
  );
}

function element(name, attributes, inside) {
  const told = Object.entries(attributes)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? num(value) : escaped(value)}"`)
    .join("");
  return inside === undefined ? `<${name}${told}/>` : `<${name}${told}>${inside}</${name}>`;
}

function drawn({ fill, stroke, width, opacity, dash, cap }) {
  return {
    fill: fill || "none",
    stroke,
    "stroke-width": stroke ? width : undefined,
    "stroke-dasharray": dash && dash.length > 0 ? dash.join(" ") : undefined,
    "stroke-linecap": cap,
    "stroke-linejoin": stroke ? "round" : undefined,
    opacity: opacity === 1 ? undefined : opacity,
  };
}

function outline(pieces) {
  return pieces
    .filter((points) => points.length > 0)
    .map((points) => `M${points.map(([x, y]) => `${num(x)} ${num(y)}`).join("L")}`)
    .join("");
}

/** One rectangle for each run of equal colours in a row. */
function rects({ columns, rows, rgba }, x, y, wide, high, put) {
  const colourAt = (row, column) => {
    const i = 4 * (row * columns + column);
    return `#${[0, 1, 2].map((c) => rgba[i + c].toString(16).padStart(2, "0")).join("")}`;
  };
  for (let row = 0; row < rows; row++) {
    for (let first = 0; first < columns;) {
      const fill = colourAt(row, first);
      let last = first + 1;
      while (last < columns && colourAt(row, last) === fill) last++;
      // A hair of overlap, or viewers show seams between neighbours.
      const width = (last - first) * wide + (last < columns ? 0.2 : 0);
      const height = high + (row < rows - 1 ? 0.2 : 0);
      put("rect", { x: x + first * wide, y: y + row * high, width, height, fill });
      first = last;
    }
  }
}

function num(value) {
  return Number.isFinite(value) ? String(Math.round(value * 100) / 100) : "0";
}
