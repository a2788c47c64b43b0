// The bar on top: text, lens, head, layer, edits, zoom, saving, help; and a sentence of one's own.

import { createChooser } from "./chooser.js";
import { button, labelled, make, options, say } from "./dom.js";
import { createEditsMenu, variantsOf } from "./edits_menu.js";
import { sharedLabel } from "./wording.js";

/** The controls. `actions`: plain, zoom, fit, save, help. */
export function createControls(store, actions) {
  const chooser = createChooser(store, () => (store.get("panels") || [])[0]);
  const own = createOwnSentence(store);
  const lens = make("select", { onchange: () => store.set({ lens: lens.value }) });
  const head = make("select", { onchange: () => store.set({ head: Number(head.value) }) });
  const layer = make("select", { onchange: () => store.set({ layer: layer.value }) });
  const [lensField, headField, layerField] = [
    labelled("shows", lens),
    labelled("head", head),
    labelled("layer", layer),
  ];
  const edits = createEditsMenu(store, actions.plain);
  const zoom = make(
    "div",
    { class: "av-group", role: "group", "aria-label": "zoom" },
    button("−", "zoom out (key -)", () => actions.zoom(0.5)),
    button("+", "zoom in (key +)", () => actions.zoom(2)),
    button("fit", "show all timesteps (key 0)", actions.fit),
  );
  const save = make(
    "div",
    { class: "av-group", role: "group", "aria-label": "save the view" },
    button("SVG", "save the view as SVG", () => actions.save("svg")),
    button("PNG", "save the view as PNG", () => actions.save("png")),
  );
  const help = button("?", "keys (key ?)", actions.help, { "aria-expanded": "false" });
  const busy = make("span", { class: "av-busy", role: "status" });
  const limits = make("p", { class: "av-hint av-limits" });
  const error = make("p", { class: "av-error", role: "alert" });
  let failure = null;
  const element = make(
    "div",
    { class: "av-controls" },
    make("div", { class: "av-row" }, chooser.element, busy),
    chooser.drawer,
    own.element,
    make(
      "div",
      { class: "av-row" },
      lensField,
      headField,
      layerField,
      edits.element,
      make("span", { class: "av-space" }),
      zoom,
      save,
      help,
    ),
    limits,
    error,
  );

  /** Brings the controls up to date. `views` are the panels' views. */
  function update(views) {
    const panels = store.get("panels") || [];
    chooser.update();
    own.update();
    const lenses = distinct(
      views.flatMap((view) => view.lenses),
      (one) => one.name,
    );
    // A lens that is measured on demand need not be there yet.
    const wanted = store.get("lens");
    const chosen = lenses.some((one) => one.name === wanted) ? wanted : lenses[0]?.name;
    options(
      lens,
      lenses.map(({ name }) => ({ value: name, text: sharedLabel(named(views, name)) })),
      chosen ?? "",
    );
    lensField.hidden = lenses.length === 0;
    const heads = headsOf(views);
    options(
      head,
      heads.map((text, i) => ({ value: String(i - 1), text })),
      clamp(store.get("head"), heads),
    );
    headField.hidden = heads.length <= 1;
    const layers = store.get("abilities")?.layers || [];
    options(
      layer,
      layers.map((value) => ({ value, text: value })),
      views[0]?.panel.layer ?? "",
    );
    layerField.hidden = layers.length <= 1;
    edits.update(panels);
    say(limits, limitsOf(store.get("abilities"), panels));
    limits.hidden = limits.textContent === "";
    showStatus();
  }

  function showStatus() {
    const { busy: doing, error: wrong } = store.get("status") || {};
    say(busy, doing && doing.length > 0 ? `working: ${doing.join(", ")} …` : "");
    const told = [wrong, failure].filter(Boolean).join("\n");
    say(error, told);
    error.hidden = told === "";
  }

  /** What went wrong here and not in Python; null takes it back. */
  function fail(why) {
    failure = why;
    showStatus();
  }

  return { element, update, showStatus, fail, helpButton: help, leave: edits.leave, close: chooser.leave };
}

/** What cannot be done where no model is there; nothing where one is. */
export function limitsOf(abilities, panels) {
  if (abilities?.live) return "";
  const where = abilities?.saved ? "saved view" : "view of a trace";
  const typed = `${where}: without a running model nothing can be typed`;
  if (variantsOf(panels).length > 0) return `${typed}; edits are those made beforehand`;
  return panels.some((panel) => panel.switches) ? `${typed} or switched off` : typed;
}

/** All heads that can be chosen: the mean first; of panels with several numbers of heads the most. */
export function headsOf(views) {
  return views.map((view) => view.lens?.heads || []).reduce((a, b) => (b.length > a.length ? b : a), []);
}

function clamp(head, heads) {
  return Math.max(-1, Math.min(heads.length - 2, head));
}

/** What the cells call a lens. */
function named(views, name) {
  return views.flatMap((view) => view.lenses.filter((one) => one.name === name).map((one) => one.label));
}

function distinct(list, key) {
  return [...new Map(list.map((one) => [key(one), one])).values()];
}

function createOwnSentence(store) {
  const box = make("textarea", {
    rows: 2,
    dir: "auto",
    spellcheck: "false",
    placeholder: "Type a sentence; the models read it as you type.",
    "aria-label": "a sentence of your own",
    // The widget's model keeps only the latest text while the kernel is busy with one before.
    oninput: () => store.set({ sentence: box.value }),
  });
  const element = make("div", { class: "av-own" }, box);

  function update() {
    element.hidden = !store.get("abilities")?.live;
    const sentence = store.get("sentence") || "";
    if (box.getRootNode().activeElement !== box) box.value = sentence;
  }

  return { element, update };
}
