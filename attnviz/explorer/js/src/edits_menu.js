// Switching lags and heads off: freely where a model is there, else among what was computed before.

import { button, labelled, make, options } from "./dom.js";
import { cleanEdits, same, setEdits, unedited } from "./store.js";

/** The switches of all panels together: a panel takes of an edit what it knows. */
export function switchesOf(panels) {
  const known = panels.map((panel) => panel.switches).filter(Boolean);
  if (known.length === 0) return null;
  return {
    lags: [...new Set(known.flatMap((one) => one.lags))].sort((a, b) => a - b),
    heads: Math.max(...known.map((one) => (one.lags.length > 0 ? one.heads : 0))),
    uniform: known.some((one) => one.uniform),
  };
}

/** The precomputed variants of all panels: `[{edits, label}]`, each once. */
export function variantsOf(panels) {
  const found = [];
  for (const variant of panels.flatMap((panel) => panel.variants || [])) {
    if (!found.some((one) => same(cleanEdits(one.edits), cleanEdits(variant.edits)))) found.push(variant);
  }
  return found;
}

/** The control for edits; hidden where nothing can be edited. */
export function createEditsMenu(store, plain) {
  const select = make("select", {
    onchange: () => store.set({ edits: choices[Number(select.value)] || {} }),
  });
  const field = labelled("edit", select);
  const switches = make("div", {
    class: "av-switches",
    role: "group",
    "aria-label": "what attention may read",
  });
  const summary = make("summary", {}, "edits");
  const details = make("details", { class: "av-edits" }, summary, switches);
  const showPlain = make("input", { type: "checkbox", onchange: () => plain(showPlain.checked) });
  const plainField = make("label", { class: "av-check" }, showPlain, "show unedited");
  const element = make("div", { class: "av-editing" }, field, details, plainField);
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    event.stopPropagation();
    details.open = false;
    summary.focus();
  });
  let choices = [];
  let told = "";

  function update(panels) {
    const edits = store.get("edits");
    const live = store.get("abilities")?.live;
    const known = live ? switchesOf(panels) : null;
    const variants = live ? [] : variantsOf(panels);
    details.hidden = known === null;
    field.hidden = variants.length === 0;
    element.hidden = details.hidden && field.hidden;
    plainField.hidden = !panels.some((panel) => panel.edited);
    if (!field.hidden) showVariants(variants, edits);
    if (known) showSwitches(known, edits);
  }

  function showVariants(variants, edits) {
    choices = [{}, ...variants.map((variant) => variant.edits)];
    const place = choices.findIndex((one) => same(cleanEdits(one), cleanEdits(edits)));
    options(
      select,
      ["unedited", ...variants.map((v) => v.label)].map((text, value) => ({ value: String(value), text })),
      String(Math.max(0, place)),
    );
  }

  function showSwitches(known, edits) {
    if (told !== JSON.stringify(known)) {
      told = JSON.stringify(known);
      switches.replaceChildren(...boxes(known));
    }
    const now = cleanEdits(edits);
    for (const box of switches.querySelectorAll("input")) {
      const { field: name, number } = box.dataset;
      box.checked = name === "uniform" ? now.uniform : !now[name].includes(Number(number));
    }
    const count = now.lags.length + now.heads.length + (now.uniform ? 1 : 0);
    summary.textContent = count === 0 ? "edits" : `edits (${count})`;
    details.classList.toggle("av-active", !unedited(edits));
  }

  function boxes(known) {
    const group = (name, legend, numbers) =>
      numbers.length === 0
        ? null
        : make(
            "fieldset",
            {},
            make("legend", {}, legend),
            ...numbers.map((number) => box(name, number, String(number))),
          );
    const heads = known.heads > 1 ? [...Array(known.heads).keys()] : [];
    return [
      group("lags", "lags that are read", known.lags),
      group("heads", "heads that read", heads),
      known.uniform ? make("div", {}, box("uniform", 0, "uniform attention")) : null,
      button("reset", "take all edits back", () => store.set({ edits: {} })),
    ].filter(Boolean);
  }

  function box(name, number, text) {
    const input = make("input", {
      type: "checkbox",
      "data-field": name,
      "data-number": number,
      onchange: flip,
    });
    return make("label", { class: "av-check" }, input, text);
  }

  function flip(event) {
    const { field: name, number } = event.target.dataset;
    const now = cleanEdits(store.get("edits"));
    if (name === "uniform") now.uniform = event.target.checked;
    else if (event.target.checked) now[name] = now[name].filter((one) => one !== Number(number));
    else now[name] = [...now[name], Number(number)];
    store.set({ edits: setEdits(now) });
  }

  /** Closes the menu when something else is pressed. */
  function leave(target) {
    if (details.open && !details.contains(target)) details.open = false;
  }

  return { element, update, leave };
}
