// The values of one head of one lens: there already, or asked for once and awaited.

const NUMBER = (value) => (value === null || value === undefined ? 0 : value);

/** Keeps what came. `arrived` is called when another slice is there. */
export function sliceKeeper(store, arrived) {
  const kept = new WeakMap(); // panel -> Map of "edited lens head" -> Float32Array, or null while awaited
  const stop = store.hear((message, buffers) => {
    if (!message || message.kind !== "slice") return;
    const panel = (store.get("panels") || []).find((one) => fits(one, message));
    if (!panel || !buffers || buffers.length === 0) return;
    shelf(panel).set(name(message.lens, message.head, message.edited), store.array(buffers[0], "float32"));
    arrived();
  });

  function shelf(panel) {
    if (!kept.has(panel)) kept.set(panel, new Map());
    return kept.get(panel);
  }

  /** A Float32Array; null while it is awaited or where it cannot be had. */
  function values(panel, lens, head, edited) {
    const buffer = lens.values[head];
    if (buffer !== null && buffer !== undefined) return store.array(buffer, "float32");
    const key = name(lens.name, head, edited);
    const own = shelf(panel);
    if (!own.has(key)) {
      own.set(key, null);
      if (store.get("abilities")?.live !== false || panel.generation !== undefined) {
        const message = { kind: "slice", key: panel.key, layer: panel.layer, lens: lens.name, head };
        store.ask({ ...message, edited: Boolean(edited), generation: NUMBER(panel.generation) });
      }
    }
    return own.get(key);
  }

  return { values, stop };
}

function fits(panel, message) {
  if (panel.key !== message.key) return false;
  if (message.layer !== undefined && message.layer !== panel.layer) return false;
  return NUMBER(panel.generation) === NUMBER(message.generation);
}

function name(lens, head, edited) {
  return `${edited ? "edited" : "plain"} ${head} ${lens}`;
}
