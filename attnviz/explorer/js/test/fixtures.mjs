// Made-up panels of any size, as Python writes them, for tests and for pages to look at.

/** The same numbers every time, 0 to 1. */
export function random(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 4294967296;
  };
}

export const HOSTILE =
  'He said <script>alert("1")</script> & "so" <br />\n it\'s \u{1F3AC}\u{1F3AC} cafe\u0301 ' +
  `\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd ${"x".repeat(300)} </style> \u0000\ud800 $\\foo$ bad.`;

/** Text of so many words. */
export function textOf(count, seed = 7) {
  const next = random(seed);
  const some =
    "the a film plot was not bad but dull and then wonderful of in it never somebody ending , . music".split(
      " ",
    );
  return Array.from({ length: count }, () => some[Math.floor(next() * some.length)]).join(" ");
}

/** Start and end of each word, in code points. */
export function spansOf(text) {
  const spans = [];
  let [start, i] = [-1, 0];
  for (const letter of text) {
    const blank = /\s/.test(letter);
    if (!blank && start < 0) start = i;
    if (blank && start >= 0) {
      spans.push(start, i);
      start = -1;
    }
    i++;
  }
  if (start >= 0) spans.push(start, i);
  return Int32Array.from(spans);
}

/** Softmaxed weights of each timestep over the states that it can reach; NaN elsewhere. */
export function weights(n, sources, { seed = 1, direction = 1, signed = false, initial = true } = {}) {
  const next = random(seed);
  const values = new Float32Array(n * sources.length).fill(NaN);
  const centre = Array.from({ length: n }, () => 1 + 2.5 * next() ** 4);
  for (let t = 0; t < n; t++) {
    const step = direction === 1 ? t : n - 1 - t;
    let sum = 0;
    const row = sources.map((lag) => {
      if (step - lag < (initial ? -1 : 0)) return NaN;
      const source = t - direction * lag;
      const raw = Math.exp((centre[source] ?? 1) + next() - 1);
      sum += raw;
      return raw;
    });
    row.forEach((raw, i) => {
      const sign = signed && i % 3 === 1 ? -1 : 1;
      values[t * sources.length + i] = (sign * raw) / sum;
    });
  }
  return values;
}

function walk(n, seed, start = 0.5) {
  const next = random(seed);
  let value = start;
  return Float32Array.from({ length: n }, () => {
    value = Math.min(0.98, Math.max(0.02, value + 0.16 * (next() - 0.5)));
    return value;
  });
}

/** The tracks of a sequence. */
export function tracksOf(n, seed) {
  const shares = ["output", "gates", "candidate", "shortcut", "memory"].map((label, i) => ({
    label,
    values: walk(n, seed + 20 + i, 0.2).map((v) => v / 2.2),
  }));
  const line = (label, k) => ({ label, values: walk(n, seed + k) });
  return [
    {
      name: "score",
      label: "running prediction",
      unit: "probability of positive",
      kind: "lines",
      range: [0, 1],
      series: [line("positive", 1)],
    },
    {
      name: "gates",
      label: "gates",
      unit: "mean over units",
      kind: "lines",
      range: [0, 1],
      series: [line("input gate", 2), line("forget gate", 3), line("output gate", 4)],
    },
    {
      name: "gradient",
      label: "gradient norm",
      unit: "per unit of loss",
      kind: "log",
      range: null,
      series: [
        { label: "at the hidden", values: walk(n, seed + 9).map((v, t) => v * Math.exp((t - n) / 40)) },
      ],
    },
    {
      name: "routes",
      label: "share of the gradient by route",
      unit: "share",
      kind: "stack",
      range: null,
      series: shares,
    },
  ];
}

/** A lens over lags or ages with so many heads. */
export function lensOf(
  n,
  { name = "attention", axis = "lag", sources, heads = 1, seed = 1, direction = 1, signed = false },
) {
  const names = heads === 1 ? ["all"] : ["mean", ...Array.from({ length: heads }, (_, i) => `head ${i}`)];
  return {
    name,
    label: name === "attention" ? "attention α" : name.replace("_", " "),
    says: "What goes in.",
    unit: "weight",
    axis,
    sources,
    heads: names,
    signed,
    kinds: [],
    at: null,
    extras: [],
    values: names.map((_, i) => weights(n, sources, { seed: seed + i, direction, signed })),
  };
}

/** A panel. */
export function panelOf({
  key = "larnn",
  cell = "LARNN",
  text = textOf(116),
  lags = 10,
  first = 1,
  heads = 4,
  ...more
} = {}) {
  const { seed = 3, direction = 1, signed = false } = more;
  const spans = spansOf(text);
  const n = spans.length / 2;
  const sources = Array.from({ length: lags }, (_, i) => first + i);
  return {
    key,
    title: key,
    cell,
    layer: "l0",
    layers: ["l0"],
    text,
    spans,
    classes: ["negative", "positive"],
    label: 1,
    prediction: [0.18, 0.82],
    direction,
    history: 0,
    initial: true,
    notes: [],
    edited: null,
    variants: [],
    lenses: [lensOf(n, { sources, heads, seed, direction, signed })],
    tracks: tracksOf(n, seed),
    switches: { lags: sources, heads, uniform: true },
    ...more,
  };
}

/** The same panel under an edit. */
export function editedOf(panel, label = "lag 3 off", seed = 77) {
  const n = panel.spans.length / 2;
  const [lens] = panel.lenses;
  return {
    label,
    prediction: [0.41, 0.59],
    unedited: [0.18, 0.82],
    lenses: [{ ...lens, values: lens.values.map((_, i) => weights(n, lens.sources, { seed: seed + i })) }],
    tracks: tracksOf(n, seed).slice(0, 2),
  };
}

/** A page's header with its buffers, and the text of each buffer. */
export function pageOf(shelf, state = {}) {
  const buffers = [];
  const swap = (value) => {
    if (ArrayBuffer.isView(value)) {
      buffers.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64"));
      return { buffer: buffers.length - 1, type: value instanceof Int32Array ? "int32" : "float32" };
    }
    if (Array.isArray(value)) return value.map(swap);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, swap(part)]));
  };
  const panels = Object.fromEntries(shelf.map((list, i) => [String(i), list.map(swap)]));
  const rows = shelf.map(([panel], sequence) => ({
    sequence,
    id: `review-${sequence}`,
    text: panel.text,
    start: panel.text.slice(0, 80),
    label: panel.label,
    prediction: panel.prediction[1] > 0.5 ? 1 : 0,
    length: panel.spans.length / 2,
  }));
  return {
    header: { state: { sequence: 0, timestep: -1, window: [0, 0], ...state }, rows, panels },
    buffers,
  };
}

/** A whole page around a bundle, for looking at it. */
export function htmlOf({ header, buffers }, script, style) {
  const json = JSON.stringify(header).replace(/</g, "\\u003c");
  const held = buffers
    .map((text, n) => `<script type="text/plain" data-buffer="${n}">${text}</script>`)
    .join("\n");
  const head = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>explorer</title>`;
  return `${head}<style>${style}</style></head><body><main class="attnviz-page"></main>
<script type="application/json" data-header>${json}</script>
${held}
<script type="module">${script}
window.opened = performance.now();
mount(document.querySelector("main"), document);
requestAnimationFrame(() => requestAnimationFrame(() => { window.drawn = performance.now(); }));
</script></body></html>`;
}
