// The whole view: keeps controls and panels up to date with the store, once a frame.

import { createBars } from "./bars.js";
import { createCommands } from "./commands.js";
import { createControls } from "./controls.js";
import { make, say } from "./dom.js";
import { createTip } from "./hover.js";
import { actionOf, keepKeys, keyHelp } from "./keys.js";
import { createPanel } from "./panel.js";
import { sliceKeeper } from "./slices.js";
import { followTheme } from "./theme.js";
import { placeViews, viewsOf } from "./views.js";
import { announced } from "./wording.js";

const CAUSES = {
  panels: "text",
  layer: "text",
  lens: "text",
  head: "text",
  edits: "text",
  window: "map",
  timestep: "place",
  cell: "place",
  sequence: "controls",
  sentence: "controls",
  filters: "controls",
  rows: "controls",
  status: "status",
  abilities: "controls",
};

let made = 0;

/** Builds an explorer in an element and returns what takes it away again.
 *
 * `alone`: the page holds nothing else, so keys count from the start. */
export function createExplorer(host, store, { alone = false } = {}) {
  // Ids of words are needed by screen readers; no two explorers share one.
  const name = `attnviz-${Date.now().toString(36)}-${made++}`;
  const dirty = new Set(["text", "controls"]);
  let [views, panels, frame] = [[], [], 0];
  let [dark, printing, plain, spoken] = [false, false, false, false];
  let waiting = alone; // until there is a text that can have the focus
  let aside = null; // a selected word that the first panel has not
  const slices = sliceKeeper(store, () => touch("text"));
  const explorer = {
    store,
    views: () => views,
    panelOf: (key) => panels.find((one) => one.view()?.panel.key === key),
    /** Draws now what waits for the next frame: a key counts from what was selected last. */
    settle() {
      if (frame <= 0) return;
      cancelAnimationFrame(frame);
      draw();
    },
    setAside(word) {
      aside = word;
      touch("place");
    },
    /** Says what went wrong in the browser; null: nothing any more. */
    fail: (why) => controls.fail(why),
    setPlain(value) {
      plain = value;
      touch("text");
    },
  };

  const root = make("div", { class: "attnviz" });
  const commands = createCommands(explorer);
  const controls = createControls(store, { ...commands.controls, help: () => showHelp() });
  const help = keyHelp();
  const bars = createBars();
  const grid = make("div", { class: "av-panels" });
  const live = make("p", { class: "av-live", "aria-live": "polite" });
  root.append(controls.element, help, bars.element, grid, live);
  const tip = createTip(root);
  host.append(root);

  function showHelp(shown = help.hidden) {
    help.hidden = !shown;
    controls.helpButton.setAttribute("aria-expanded", String(shown));
  }

  /** Marks something as changed; it is drawn with the next frame. */
  function touch(what) {
    dirty.add(what);
    if (frame === 0) frame = requestAnimationFrame(draw);
  }

  function draw() {
    frame = 0;
    const what = { text: dirty.has("text"), map: dirty.has("map"), place: true, printing };
    const places = what.text || what.map || dirty.has("place");
    if (what.text) views = viewsOf(store, slices, plain);
    if (places) placeViews(views, store, aside);
    if (what.text || dirty.has("controls")) controls.update(views);
    if (what.text || dirty.has("status")) controls.showStatus();
    dirty.clear();
    if (!places) return;
    if (what.text) {
      matchPanels();
      bars.show(views, dark);
    }
    views.forEach((view, i) => panels[i].update(view, what, dark));
    // Last, for it needs a layout.
    for (const panel of panels) panel.reveal();
    announce();
    if (waiting) takeFocus();
  }

  function takeFocus() {
    const first = panels.find((panel) => panel.view().focused);
    waiting = !first;
    if (first && document.activeElement === document.body) first.words.element.focus({ preventScroll: true });
  }

  function matchPanels() {
    const keys = views.map((view) => view.panel.key);
    if (panels.length === keys.length && panels.every((panel, i) => panel.key === keys[i])) return;
    for (const panel of panels) panel.stop();
    panels = keys.map((key, i) => ({ key, ...createPanel(key, `${name}-${i}`, commands.panel(tip)) }));
    grid.replaceChildren(...panels.map((panel) => panel.element));
    for (const panel of panels) sizes.observe(panel.element);
  }

  function announce() {
    const view = views.find((one) => one.focused);
    const words = view && view.selected >= 0 && view.look?.matrix ? announced(view, view.selected) : "";
    if (spoken || words === "") say(live, words);
    spoken = true;
  }

  // A panel that is only taller than before is drawn already.
  const sizes = new ResizeObserver(() => {
    bars.measure();
    const wider = panels.filter((panel) => panel.measure());
    for (const panel of wider) panel.draw(true, printing);
    if (views.length > 0) bars.show(views, dark);
  });
  function pressed(event) {
    const action = actionOf(event);
    if (action === null) return;
    if (action === "help") showHelp();
    else if (action === "none" && !help.hidden) showHelp(false);
    else if (action !== "none" || !controls.close()) commands.key(action);
    event.preventDefault();
    event.stopPropagation();
  }
  root.addEventListener("keydown", pressed);
  root.addEventListener("pointerdown", (event) => controls.leave(event.target));
  const stops = Object.entries(CAUSES).map(([trait, what]) => store.on(trait, () => touch(what)));
  // What Python sends is drawn as soon as all of it is taken over: a frame is long.
  stops.push(store.on("panels", () => queueMicrotask(explorer.settle)));
  // Another text has other words.
  for (const trait of ["sequence", "sentence"]) stops.push(store.on(trait, () => (aside = null)));
  stops.push(keepKeys(root));
  stops.push(
    followTheme(root, (isDark, onPaper) => {
      [dark, printing] = [isDark, onPaper];
      // A paper has a width of its own.
      for (const one of [bars, ...panels]) one.forget();
      touch("text");
      if (printing) explorer.settle();
    }),
  );
  touch("text");

  return () => {
    cancelAnimationFrame(frame);
    frame = -1;
    sizes.disconnect();
    for (const stop of [...stops, slices.stop, ...panels.map((panel) => panel.stop)]) stop();
    root.removeEventListener("keydown", pressed);
    root.remove();
  };
}
