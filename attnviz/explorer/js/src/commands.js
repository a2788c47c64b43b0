// What clicks and keys do to the state.

import { headsOf } from "./controls.js";
import { fileName, saveView } from "./saving.js";
import { moved, showing, zoomed } from "./span.js";
import { linked, linkedSpan } from "./linking.js";
import { readersOf, sourcesOf, strongest } from "./reading.js";
import { lensNotes } from "./wording.js";

/** The commands of an explorer `{store, views, panelOf, settle, setPlain, setAside, fail}`. */
export function createCommands(explorer) {
  const { store } = explorer;
  const views = () => explorer.views();
  const focused = () => views().find((view) => view.focused) || views()[0];

  /** Selects a timestep of a panel, and moves the window so that it is seen.
   *
   * The state counts timesteps in the first panel. A word that its model did not read has none
   * there: then it is only this view that knows of it. */
  function choose(key, t) {
    const view = views().find((one) => one.panel.key === key);
    if (!view) return;
    const timestep = linked(view.offsets, views()[0].offsets, t);
    explorer.setAside(timestep < 0 ? { key, t } : null);
    const changes = { cell: key, timestep };
    if (t >= 0 && (t < view.span[0] || t >= view.span[1])) {
      changes.window = linkedSpan(view.offsets, views()[0].offsets, showing(view.span, view.n, t));
    }
    store.set(changes);
  }

  /** The window of `view` as the first panel's, by which it is kept. */
  function setSpan(view, span) {
    store.set({ window: linkedSpan(view.offsets, views()[0].offsets, span) });
  }

  function zoom(factor, centre, view = views()[0]) {
    if (!view) return;
    const middle = view.selected >= 0 ? view.selected : (view.span[0] + view.span[1]) / 2;
    setSpan(view, zoomed(view.span, view.n, factor, centre ?? middle));
  }

  function focus(key) {
    if (store.get("cell") !== key) store.set({ cell: key });
  }

  const WALK = {
    before: (view, t) => (t < 0 ? view.n - 1 : Math.max(0, t - 1)),
    after: (view, t) => Math.min(view.n - 1, t + 1),
    first: () => 0,
    last: (view) => view.n - 1,
    up: (view, t) => explorer.panelOf(view.panel.key).words.lineFrom(Math.max(0, t), -1),
    down: (view, t) => explorer.panelOf(view.panel.key).words.lineFrom(Math.max(0, t), 1),
    source: (view, t) => (t < 0 || !view.look ? -1 : (strongest(sourcesOf(view.look, t), t)?.timestep ?? -1)),
    reader: (view, t) => (t < 0 || !view.look ? -1 : (strongest(readersOf(view.look, t), t)?.timestep ?? -1)),
  };

  const OTHER = {
    nearer: () => zoom(2),
    further: () => zoom(0.5),
    fit: () => store.set({ window: [0, 0] }),
    none() {
      explorer.setAside(null);
      store.set({ timestep: -1 });
    },
    head() {
      const count = headsOf(views()).length;
      if (count > 1) store.set({ head: ((store.get("head") + 2) % count) - 1 });
    },
    lens() {
      const names = [...new Set(views().flatMap((view) => view.lenses.map((lens) => lens.name)))];
      const place = names.indexOf(store.get("lens"));
      if (names.length > 0) store.set({ lens: names[(Math.max(0, place) + 1) % names.length] });
    },
  };

  function key(action) {
    explorer.settle();
    if (action in OTHER) return OTHER[action]();
    const view = focused();
    if (!view || view.n === 0) return undefined;
    const t = WALK[action](view, view.selected);
    if (t >= 0 && t !== view.selected) choose(view.panel.key, t);
    return undefined;
  }

  function save(kind) {
    const shown = views();
    if (shown.length === 0) return;
    const own = (store.get("rows")?.rows || []).find((row) => row.sequence === store.get("sequence"));
    const id = own ? own.id : store.get("sequence") < 0 ? "own-sentence" : String(store.get("sequence"));
    const named = (view) => lensNotes(view).map((note) => `${view.panel.key}: ${note}`);
    const notes = [...new Set(shown.flatMap((view) => [...(view.panel.notes || []), ...named(view)]))];
    const columns = Math.min(3, shown.length);
    const name = fileName(shown, id);
    explorer.fail(null);
    saveView(shown, kind, { panelWidth: columns === 1 ? 720 : 440, columns, notes, name }).catch((error) =>
      explorer.fail(`The view was not saved: ${error.message}`),
    );
  }

  return {
    key,
    controls: { plain: explorer.setPlain, zoom, fit: OTHER.fit, save },
    panel: (tip) => ({
      focus,
      zoom,
      choose(panelKey, t) {
        choose(panelKey, t);
        explorer.panelOf(panelKey)?.words.element.focus({ preventScroll: true });
      },
      pan: (view, start, by) => setSpan(view, moved([start.first, start.last], view.n, by)),
      tell: tip.show,
      hush: tip.hide,
      redraw: (panelKey) => explorer.panelOf(panelKey)?.draw(false),
    }),
  };
}
