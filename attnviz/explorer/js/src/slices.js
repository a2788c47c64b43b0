// The values of one head of one lens: there already, or asked for once and awaited.

/** Keeps what came. `arrived` is called when another slice is there. */
export function sliceKeeper(store, arrived) {
  const kept = new WeakMap(); // panel -> Map of "edited lens head" -> Float32Array, or null while awaited
  const numbers = new WeakMap(); // panel -> its number, so that an answer meant for an older one is dropped
  let count = 0;
  // Two views of one widget count their panels alike and hear each other's answers.
  const view = crypto.getRandomValues(new Uint32Array(2)).join("-");
  const stop = store.hear((message, buffers) => {
    if (!message || message.kind !== "slice" || message.view !== view) return;
    const panel = (store.get("panels") || []).find((one) => numbers.get(one) === message.generation);
    if (!panel || panel.key !== message.key || panel.layer !== message.layer) return;
    if (!buffers || buffers.length === 0) return;
    const key = name(message.lens, message.head + 1, message.edited);
    // Only what was asked for, and once.
    if (shelf(panel).get(key) !== null) return;
    shelf(panel).set(key, store.array(buffers[0], "float32"));
    arrived();
  });

  function shelf(panel) {
    if (!kept.has(panel)) {
      kept.set(panel, new Map());
      numbers.set(panel, ++count);
    }
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
      // Heads are numbered from 0; the first entry of `values` is their mean.
      const message = { kind: "slice", key: panel.key, layer: panel.layer, lens: lens.name, head: head - 1 };
      store.ask({ ...message, edited: Boolean(edited), generation: numbers.get(panel), view });
    }
    return own.get(key);
  }

  return { values, stop };
}

function name(lens, head, edited) {
  return `${edited ? "edited" : "plain"} ${head} ${lens}`;
}
