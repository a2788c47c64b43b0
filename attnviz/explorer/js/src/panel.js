// One panel: what one model shows of the sequence.

import { freshPainter } from "./canvas_painter.js";
import { palette } from "./colour.js";
import { make } from "./dom.js";
import { toldAt } from "./hover.js";
import { layoutOf } from "./layout.js";
import { createLists } from "./lists.js";
import { pointAt } from "./pointing.js";
import { drawMoving, drawStill } from "./timeline.js";
import { createVerdict } from "./verdict.js";
import { lensNotes } from "./wording.js";
import { createWords, timestepOf } from "./words.js";

/** A panel's element and its functions. `actions` come from the explorer. */
export function createPanel(key, name, actions) {
  const verdict = createVerdict();
  const notes = make("ul", { class: "av-notes" });
  const words = createWords(
    (t) => `${name}-${t}`,
    (t) => actions.choose(key, t),
  );
  const still = make("canvas", { role: "img" });
  const moving = make("canvas", { class: "av-moving", "aria-hidden": "true" });
  const chart = make("div", { class: "av-chart" }, still, moving);
  const lists = createLists((t) => actions.choose(key, t));
  const element = make(
    "section",
    { class: "av-panel", "aria-label": key },
    verdict.element,
    notes,
    words.element,
    chart,
    lists.element,
  );
  let [view, layout, dark, hover, revealed] = [null, null, false, -1, -1];
  let width = 0; // kept: to ask lays the page out

  const stopPointing = pointAt(moving, () => layout, {
    choose: (t) => actions.choose(key, t),
    pan: (start, by) => actions.pan(view, start, by),
    zoom: (factor, t) => actions.zoom(factor, t, view),
    hover(x, y, event) {
      const lines = toldAt(view, layout, x, y);
      if (lines) actions.tell(lines, event.clientX, event.clientY);
      else actions.hush();
      setHover(lines ? Math.floor((x - layout.left) / layout.column) + layout.first : -1);
    },
    leave() {
      actions.hush();
      setHover(-1);
    },
  });
  element.addEventListener("focusin", () => actions.focus(key));
  words.element.addEventListener("pointerover", (event) => {
    const t = timestepOf(event.target);
    if (t >= 0 && view && t < view.n) setHover(t);
  });
  words.element.addEventListener("pointerleave", () => setHover(-1));

  function setHover(t) {
    if (t === hover) return;
    hover = t;
    actions.redraw(key);
  }

  /** Takes over a view; `what` says what changed: text, map, place. */
  function update(next, what, isDark) {
    [view, dark] = [next, isDark];
    if (what.text) {
      verdict.show(view);
      const told = [...(view.panel.notes || []), ...lensNotes(view)];
      notes.replaceChildren(...told.map((note) => make("li", {}, note)));
      notes.hidden = notes.childElementCount === 0;
      words.build(view);
      words.element.setAttribute("aria-label", `${view.panel.title}: the words of the text`);
      still.setAttribute("aria-label", chartLabel(view));
    }
    element.classList.toggle("av-focused", view.focused);
    words.paint(view, dark);
    lists.show(view, dark);
    draw(what.map || what.text || what.printing, what.printing);
  }

  /** Scrolls the text to the selected word, once it is another. */
  function reveal() {
    if (view.selected !== revealed) words.reveal(view.selected);
    revealed = view.selected;
  }

  /** Takes over how wide the chart is, and says whether that is news. */
  function measure() {
    const before = width;
    width = chart.clientWidth;
    return width !== before;
  }

  /** Draws what moves, and on demand what stands still. On paper one canvas holds both: the wiping of
   * an upper one would, in some browsers, wipe the lower one. */
  function draw(all, printing) {
    if (all && width === 0) measure();
    if (view === null || width === 0) return;
    const density = window.devicePixelRatio || 1;
    layout = layoutOf(view, width);
    const scene = { view, layout, colours: palette(dark), dark, density, hover };
    const below = all ? freshPainter(still, layout, density) : null;
    if (all) drawStill(below, scene);
    drawMoving(printing && below ? below : freshPainter(moving, layout, density), scene);
  }

  return {
    element,
    update,
    measure,
    forget: () => (width = 0),
    draw,
    reveal,
    words,
    view: () => view,
    stop: stopPointing,
  };
}

function chartLabel({ panel, lens, tracks, n }) {
  const parts = [...(lens ? [lens.label] : []), ...tracks.map((track) => track.label)];
  const shown = `${panel.title}: ${parts.join(", ")} over ${n} timesteps`;
  return `${shown}; the numbers of the selected word are below.`;
}
