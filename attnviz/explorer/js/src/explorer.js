// The explorer: `render` for anywidget, `mount` for a page.

import { createExplorer } from "./view.js";
import { modelStore, pageStore } from "./store.js";

/** Shows an explorer in a widget's element. Returns what takes it away again. */
function render({ model, el }) {
  return createExplorer(el, modelStore(model));
}

/** Shows an explorer in an element of a page.
 *
 * `root` (a document or an element) holds the page's data: one `script[data-header]` with JSON
 * `{state, rows, panels}`, and a `script[data-buffer="n"]` with base64 for each buffer. */
function mount(element, root = document) {
  const header = root.querySelector("script[data-header]");
  if (!header) {
    element.textContent =
      "The explorer needs its data in a script element with data-header, but the page has none.";
    return () => {};
  }
  const payload = JSON.parse(header.textContent);
  const base64 = (number) => {
    const held = root.querySelector(`script[data-buffer="${Number(number)}"]`);
    if (!held) throw new Error(`The page has no buffer ${number}: it was not saved whole.`);
    return held.textContent;
  };
  return createExplorer(element, pageStore(payload, base64), { alone: isAlone(element) });
}

/** Whether an element is all that the reader opened: no other content beside it, and no frame around. */
function isAlone(element) {
  const others = [...document.body.children].filter((one) => one !== element && one.localName !== "script");
  return window.parent === window && element.parentNode === document.body && others.length === 0;
}

export { mount };
export default { render };
