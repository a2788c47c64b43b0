// The colour bars above the panels, on a canvas.

import { barsOf, barText, drawBar } from "./bar.js";
import { canvasPainter, freshPainter } from "./canvas_painter.js";
import { palette } from "./colour.js";
import { make } from "./dom.js";
import { dryPainter } from "./figure.js";

/** The element and its `show`. */
export function createBars() {
  const canvas = make("canvas", { role: "img" });
  const says = make("p", { class: "av-says" });
  const element = make("div", { class: "av-bars" }, canvas, says);
  let [width, drawn] = [0, ""]; // kept: to ask lays the page out

  /** Takes over how wide they may be. */
  function measure() {
    width = element.clientWidth;
  }

  function show(views, dark) {
    const bars = barsOf(views);
    element.hidden = bars.length === 0;
    if (bars.length === 0) return;
    if (width === 0) measure();
    const density = window.devicePixelRatio || 1;
    const told = JSON.stringify([bars.map(shown), width, density, dark]);
    // Another text often has the same scale.
    if (width === 0 || told === drawn) return;
    drawn = told;
    const all = (onto) =>
      bars.reduce(
        (y, bar) => y + drawBar(onto, bar, { x: 12, y, width: width - 16, colours: palette(dark), dark }),
        0,
      );
    const height = all(dryPainter(canvasPainter(canvas.getContext("2d")).measure));
    all(freshPainter(canvas, { width, height }, density));
    canvas.setAttribute("aria-label", bars.map(barText).join("; "));
    const sentences = bars.map(
      ({ lens, label }) => lens.says && (bars.length > 1 ? `${label}: ${lens.says}` : lens.says),
    );
    says.replaceChildren(...sentences.filter(Boolean).map((text) => make("span", {}, text)));
  }

  return { element, measure, forget: () => (width = 0), show };
}

/** All of a bar that is seen. */
function shown({ lens, label, scale, marks, arcs }) {
  return [lens.name, lens.says, lens.unit, label, scale, [...marks], arcs];
}
