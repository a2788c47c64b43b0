// Building elements. Texts go in as text, never as markup.

/** An element: `make("button", {type: "button", class: "av-x", onclick: f}, "Save")`. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets text only where it changed: a live region speaks again whenever it is set. */
export function say(element, text) {
  const only = element.firstChild;
  if (only === null) {
    if (text !== "") element.textContent = text;
  } else if (only === element.lastChild && only.nodeType === Node.TEXT_NODE) {
    if (only.data !== text) only.data = text;
  } else {
    element.textContent = text;
  }
}

/** The options of a select, rebuilt only where they changed: `[{value, text}]`. */
export function options(select, list, chosen) {
  const told = JSON.stringify(list);
  if (select.dataset.told !== told) {
    select.dataset.told = told;
    select.replaceChildren(...list.map(({ value, text }) => make("option", { value }, text)));
  }
  select.value = String(chosen);
}

/** A label around a control. */
export function labelled(text, control, attributes = {}) {
  return make("label", { class: "av-field", ...attributes }, make("span", {}, text), control);
}

/** A button. */
export function button(text, label, onclick, attributes = {}) {
  return make("button", { type: "button", "aria-label": label, title: label, onclick, ...attributes }, text);
}
