// attnviz's sentence explorer. Bundled from js/src by `npm run build`: change it there.
// An ES module: `export default { render }` for anywidget, `mount(element, root)` for a page.

// src/colour.js
var LIGHT = {
  paper: "#ffffff",
  raised: "#f6f7f9",
  ink: "#1b1f24",
  soft: "#57606a",
  faint: "#6e7781",
  line: "#d0d7de",
  grid: "#e9ecf0",
  bad: "#e0e0e0",
  hatch: "#8a8a8a",
  mark: "#1b1f24",
  more: "#b85008",
  less: "#6a3d9a",
  later: "#0b62a4",
  wrong: "#b3261e",
  series: [
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#4d4d4d",
    "#882255",
    "#7a8b1a",
    "#44339a"
  ]
};
var DARK = {
  paper: "#15181c",
  raised: "#1f2429",
  ink: "#e6e9ed",
  soft: "#a3acb6",
  faint: "#87919c",
  line: "#3a424b",
  grid: "#2a3037",
  bad: "#34393f",
  hatch: "#7d858e",
  mark: "#f2f4f6",
  more: "#ff9f45",
  less: "#c9a2ff",
  later: "#6cb6ff",
  wrong: "#ff8a80",
  series: [
    "#56b4e9",
    "#ff8f3d",
    "#2fc79a",
    "#e39bc4",
    "#9ad0f5",
    "#f2c14e",
    "#b8bec5",
    "#d0688f",
    "#c3cf5a",
    "#a394ff"
  ]
};
var RAMPS = {
  light: {
    sources: ["#ffffff", "#fee8d2", "#fdc995", "#f99a4d", "#e2680f", "#a83f03", "#6b2600"],
    readers: ["#ffffff", "#dcebf7", "#aed0ec", "#6cabdb", "#2f80bf", "#0b579c", "#08306b"],
    signed: [
      "#2d0a52",
      "#5e3a99",
      "#9484c0",
      "#cdc8e3",
      "#ffffff",
      "#fdd5ab",
      "#f0953f",
      "#b85308",
      "#6b2600"
    ]
  },
  dark: {
    sources: ["#15181c", "#3d2310", "#6b370c", "#a3520d", "#dd7a1e", "#ffab5a", "#ffe0b8"],
    readers: ["#15181c", "#12304b", "#14497a", "#1f6bb0", "#4692dd", "#86bdf2", "#cfe5fb"],
    signed: [
      "#e8dcff",
      "#b893f0",
      "#7d58bd",
      "#43306b",
      "#15181c",
      "#5c3310",
      "#b0600f",
      "#f29a3e",
      "#ffe0b8"
    ]
  }
};
var LEVELS = 257;
var made = /* @__PURE__ */ new Map();
function palette(dark) {
  return dark ? DARK : LIGHT;
}
var OWN = new Map(
  Object.entries({
    memory: 0,
    carry: 0,
    candidate: 1,
    shortcut: 2,
    "attention value": 2,
    query: 3,
    "attention key": 4,
    "attention score": 4,
    gates: 5,
    "update gate": 5,
    output: 6,
    "final state": 9,
    "reset gate": 7,
    hidden: 8,
    "input gate": 2,
    "forget gate": 9,
    "output gate": 4,
    "at the hidden": 8,
    "at the memory": 0,
    "at the input": 6
  })
);
function seriesColours(series, { series: all }) {
  const known = series.map(({ label }) => OWN.get(label) ?? -1);
  const free = all.map((_, i) => i).filter((i) => !known.includes(i));
  const rest = free.length > 0 ? free : all.map((_, i) => i);
  let next = 0;
  return known.map((place) => all[place >= 0 ? place : rest[next++ % rest.length]]);
}
function ramp(name2, dark) {
  const key = `${name2} ${dark}`;
  if (!made.has(key)) made.set(key, between(RAMPS[dark ? "dark" : "light"][name2].map(channels)));
  return made.get(key);
}
function rampColour(colours, place) {
  const i = 3 * Math.round(Math.min(1, Math.max(0, place)) * (LEVELS - 1));
  return `#${[0, 1, 2].map((c) => colours[i + c].toString(16).padStart(2, "0")).join("")}`;
}
function inkOn(colour) {
  const [r, g, b] = channels(colour).map((c) => {
    const part = c / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}
function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}
function between(stops) {
  const bytes = new Uint8ClampedArray(3 * LEVELS);
  for (let level = 0; level < LEVELS; level++) {
    const place = level / (LEVELS - 1) * (stops.length - 1);
    const i = Math.min(stops.length - 2, Math.floor(place));
    for (let c = 0; c < 3; c++) {
      bytes[3 * level + c] = stops[i][c] + (place - i) * (stops[i + 1][c] - stops[i][c]);
    }
  }
  return bytes;
}

// src/reading.js
var REAL = "real";
var CARRIED = "carried";
var INITIAL = "initial";
var MISSING = "missing";
function lookAt(panel, n, lens, matrix) {
  const { direction = 1, history = 0, initial = true } = panel;
  const rows = Array.isArray(lens.at) ? new Map(lens.at.map((t, i) => [t, i])) : null;
  const count = rows === null ? n : lens.at.length;
  const width = matrix && count > 0 ? Math.round(matrix.length / count) : lens.sources.length;
  return { n, direction, history, initial, axis: lens.axis, sources: lens.sources, matrix, rows, width };
}
function stepOf(look, t) {
  return look.direction === 1 ? t : look.n - 1 - t;
}
function standing(look, t, lag) {
  const state = stepOf(look, t) - lag + look.history;
  if (state >= look.history) return REAL;
  if (state >= 0) return CARRIED;
  return state === -1 && look.initial ? INITIAL : MISSING;
}
function rowOf(look, t) {
  if (t < 0 || t >= look.n || !look.matrix) return -1;
  if (look.rows === null) return t;
  return look.rows.has(t) ? look.rows.get(t) : -1;
}
function unmeasured(look, t) {
  return look.rows !== null && !look.rows.has(t);
}
function weightAt(look, t, index) {
  const row = rowOf(look, t);
  return row < 0 || index >= look.width ? NaN : look.matrix[row * look.width + index];
}
function fullWindow(look, t) {
  if (look.axis === "feature") return true;
  return look.sources.every((lag) => standing(look, t, lag) === REAL);
}
function sourcesOf(look, t) {
  const row = rowOf(look, t);
  if (row < 0) return null;
  const found = [];
  look.sources.forEach((lag, index) => {
    const weight = weightAt(look, t, index);
    if (Number.isNaN(weight)) return;
    const kind = look.axis === "feature" ? REAL : standing(look, t, lag);
    if (weight === 0 && (kind === INITIAL || kind === MISSING)) return;
    const timestep = kind === REAL && look.axis !== "feature" ? t - look.direction * lag : -1;
    found.push({ index, lag, kind, timestep, weight });
  });
  return found;
}
function readersOf(look, t) {
  if (t < 0 || t >= look.n || look.axis === "feature" || !look.matrix) return [];
  const found = [];
  look.sources.forEach((lag, index) => {
    if (lag === 0) return;
    const timestep = t + look.direction * lag;
    const weight = weightAt(look, timestep, index);
    if (!Number.isNaN(weight)) found.push({ index, lag, kind: REAL, timestep, weight });
  });
  return found;
}
function byStrength(list) {
  return [...list].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}
function strongest(list, t) {
  const words = (list || []).filter((item2) => item2.timestep >= 0 && item2.timestep !== t);
  return byStrength(words)[0] || null;
}
function featureName({ kinds, sources }, index) {
  const kind = kinds?.[index];
  return kind === void 0 ? `feature ${sources[index]}` : `${kind} ${index - kinds.indexOf(kind)}`;
}
function nameOf(item2, words) {
  if (item2.timestep >= 0) return words[item2.timestep];
  return { carried: "carried in", initial: "initial state", missing: "before the first word" }[item2.kind];
}

// src/numbers.js
function digits(value, count = 4) {
  if (value === void 0 || value === null || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const written = size >= 1e-4 && size < 1e6 ? value.toPrecision(count) : value.toExponential(count - 1);
  return written.replace(/-/g, "−").replace("e+", "e");
}
function weighed(value, signed) {
  const size = Math.abs(value);
  const plain = size !== 0 && (size < 95e-5 || size >= 1e3) ? digits(value, 3) : minus(value.toFixed(4));
  return signed && value > 0 ? `+${plain}` : plain;
}
function general(value, count = 4) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa, power] = value.toExponential(count - 1).split("e");
  const trimmed = (text) => text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  const p = Number(power);
  if (p >= -4 && p < count) return trimmed(value.toFixed(Math.max(0, count - 1 - p)));
  return `${trimmed(mantissa)}e${p < 0 ? "-" : "+"}${String(Math.abs(p)).padStart(2, "0")}`;
}
function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5) return minus(String(Number(value.toPrecision(4))));
  const [mantissa, power] = value.toExponential(2).split("e");
  return minus(`${Number(mantissa)}e${Number(power)}`);
}
function minus(text) {
  return text.replace(/-/g, "−");
}
function ticks(low, high, wanted = 4) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999) || 10 * power;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * span; k++) {
    found.push(k === 0 ? 0 : Number((k * step).toPrecision(12)));
  }
  return found;
}
function shortWord(word, most = 24) {
  const plain = word.replace(/\s+/g, " ");
  const letters = Array.from(plain.length > 4 * most ? plain.slice(0, 4 * most) : plain);
  return letters.length <= most ? plain : `${letters.slice(0, most - 1).join("")}…`;
}

// src/scale.js
var HARDLY = 1.05;
function scaleOf(looks, options2 = {}) {
  const all = limits(looks, () => true);
  const full = limits(looks, fullWindow);
  const ends = none(full) || reach(all) <= HARDLY * reach(full) ? all : full;
  const scale = endsOf(none(ends) ? [0, 1] : ends, options2);
  const most = scale.signed && !scale.ratio ? reach(all) : all[1];
  return most > scale.high * (1 + 1e-6) ? { ...scale, most } : scale;
}
function beyondText(scale, strongest2) {
  if (scale.most === void 0) return "";
  const [end, most] = [scale.high, scale.most].map((value) => short(Number(value.toPrecision(2))));
  return `${strongest2}: ${end} and more (up to ${most} where less than a whole window lies behind)`;
}
function endsOf([low, high], { signed = false, ratio = false }) {
  if (ratio) {
    const most = Math.max(2, high, low > 0 ? 1 / Math.max(low, 1 / Math.max(high, 2)) : 2);
    return { low: 1 / most, high: most, signed: true, ratio: true };
  }
  if (signed || low < 0) {
    const most = reach([low, high]) || 1;
    return { low: -most, high: most, signed: true, ratio: false };
  }
  return { low: 0, high: high > 0 ? high : 1, signed: false, ratio: false };
}
function placeOf(scale, value) {
  if (Number.isNaN(value)) return NaN;
  const { low, high } = scale;
  const place = scale.ratio ? (Math.log(Math.max(value, 1e-30)) - Math.log(low)) / (Math.log(high) - Math.log(low)) : (value - low) / (high - low);
  return Math.min(1, Math.max(0, place));
}
function strengthOf(scale, value) {
  if (Number.isNaN(value)) return 0;
  const place = placeOf(scale, value);
  return scale.signed ? Math.abs(2 * place - 1) : place;
}
function scaleTicks(scale) {
  if (!scale.ratio) {
    return ticks(scale.low, scale.high).map((value) => ({
      place: placeOf(scale, value),
      text: short(value)
    }));
  }
  const top = Math.floor(Math.log2(scale.high) + 1e-9);
  const step = Math.max(1, Math.ceil(top / 2));
  const powers2 = [];
  for (let p = -step * Math.floor(top / step); p <= top; p += step) powers2.push(p);
  return powers2.map((p) => ({
    place: placeOf(scale, 2 ** p),
    text: p < 0 ? `1/${2 ** -p}` : String(2 ** p)
  }));
}
function none([low, high]) {
  return low > high;
}
function reach([low, high]) {
  return low > high ? 0 : Math.max(Math.abs(low), Math.abs(high));
}
function limits(looks, counts) {
  let [low, high] = [Infinity, -Infinity];
  for (const look of looks) {
    const wide = look.width;
    for (let t = 0; t < look.n; t++) {
      const row = rowOf(look, t);
      if (row < 0 || !counts(look, t)) continue;
      for (let i = row * wide; i < (row + 1) * wide; i++) {
        const value = look.matrix[i];
        if (value < low) low = value;
        if (value > high && value !== Infinity) high = value;
      }
    }
  }
  return [low === -Infinity ? 0 : low, high];
}

// src/grid.js
function binned(look, [first, last], order, most) {
  const columns = Math.max(1, Math.min(last - first, most.columns));
  const rows = Math.max(1, Math.min(order.length, most.rows));
  const values = new Float32Array(columns * rows).fill(NaN);
  const whole = columns === last - first && rows === order.length;
  for (let t = first; t < last; t++) {
    if (rowOf(look, t) < 0) continue;
    const column = whole ? t - first : Math.floor((t - first) * columns / (last - first));
    for (let i = 0; i < order.length; i++) {
      const value = weightAt(look, t, order[i]);
      if (value !== value) continue;
      const row = rows - 1 - Math.floor(i * rows / order.length);
      const at = row * columns + column;
      const there = values[at];
      if (there !== there || Math.abs(value) > Math.abs(there)) values[at] = value;
    }
  }
  return { columns, rows, values };
}
function coloured({ columns, rows, values }, scale, colours, bad) {
  const rgba = new Uint8ClampedArray(4 * columns * rows);
  const grey = channels(bad);
  const top = colours.length / 3 - 1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const known = value === value;
    const from = known ? 3 * Math.round(placeOf(scale, value) * top) : 0;
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = known ? colours[from + c] : grey[c];
    rgba[4 * i + 3] = 255;
  }
  return { columns, rows, rgba };
}
function hatching(x, y, width, height, spacing, both) {
  const lines = [];
  for (const sign of both ? [1, -1] : [1]) {
    const corners = [
      x * sign + y,
      (x + width) * sign + y,
      x * sign + y + height,
      (x + width) * sign + y + height
    ];
    const [low, high] = [Math.min(...corners), Math.max(...corners)];
    for (let k = Math.ceil(low / spacing); k * spacing <= high; k++) {
      const c = k * spacing;
      const ends = [x, x + width].map((at) => [at, c - at * sign]);
      const piece = cropped(ends, y, y + height);
      if (piece) lines.push(piece);
    }
  }
  return lines;
}
function cropped([[x1, y1], [x2, y2]], top, bottom) {
  if (Math.max(y1, y2) < top || Math.min(y1, y2) > bottom) return null;
  const at = (y) => [x1 + (y - y1) / (y2 - y1) * (x2 - x1), y];
  const ends = [
    [x1, y1],
    [x2, y2]
  ].map(([x, y]) => y < top ? at(top) : y > bottom ? at(bottom) : [x, y]);
  return Math.hypot(ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]) < 0.01 ? null : ends;
}

// src/map.js
var LABEL = 8.5;
var NAMED = 4;
var GROUP_GAP = 3;
var AWAITED = "no value yet: a word is measured when it is selected";
var NONE = "not measured for this text";
function groupsIn(strip) {
  const groups = strip.rows;
  const count = groups.reduce((sum, group) => sum + group.order.length, 0);
  const room = strip.height - GROUP_GAP * (groups.length - 1);
  let top = strip.top;
  return groups.map((group) => {
    const height = count === 0 ? room : room * group.order.length / count;
    const placed = { ...group, top, height };
    top += height + GROUP_GAP;
    return placed;
  });
}
function sourceAt(strip, y) {
  for (const group of groupsIn(strip)) {
    if (y < group.top || y >= group.top + group.height) continue;
    const row = Math.floor((group.top + group.height - y) / group.height * group.order.length);
    return group.order[Math.min(group.order.length - 1, Math.max(0, row))];
  }
  return -1;
}
function drawMap(painter, { view, layout, colours, dark, density }, strip) {
  const { look, scale } = view;
  const colour = ramp(scale.signed ? "signed" : "sources", dark);
  for (const group of groupsIn(strip)) {
    const { top, height } = group;
    if (nothingYet(look)) {
      drawNotice(painter, { layout, colours }, group, view.live ? AWAITED : NONE);
    } else if (look.matrix) {
      const most = {
        columns: Math.ceil(layout.inner * density),
        rows: Math.max(1, Math.ceil(height * density))
      };
      const bins = binned(look, [layout.first, layout.last], group.order, most);
      painter.cells(layout.left, top, layout.inner, height, coloured(bins, scale, colour, colours.bad));
      if (look.axis !== "feature") drawHatching(painter, { view, layout, colours }, group);
    } else {
      drawNotice(painter, { layout, colours }, group, "loading …");
    }
    painter.rect(layout.left, top, layout.inner, height, { stroke: colours.line, width: 1 });
    drawRowLabels(painter, { view, layout, colours }, group);
  }
  const axis = { lag: "lag (timesteps back)", age: "age (timesteps)", feature: "feature" }[look.axis];
  drawUpright(painter, axis, 10, strip, colours);
}
function nothingYet(look) {
  return look.sources.length === 0 || look.rows !== null && look.rows.size === 0;
}
function drawNotice(painter, { layout, colours }, { top, height }, words) {
  painter.rect(layout.left, top, layout.inner, height, { fill: colours.raised });
  const style = { size: 11, fill: colours.soft, align: "middle" };
  painter.text(words, layout.left + layout.inner / 2, top + height / 2 + 4, style);
}
function drawUpright(painter, words, x, strip, colours) {
  const style = { size: 9, fill: colours.soft, align: "middle", rotate: -90 };
  const fits = painter.measure(words, style) <= strip.height;
  painter.text(fits ? words : words.split(" ")[0], x, strip.top + strip.height / 2, style);
}
function drawRowLabels(painter, { view, layout, colours }, group) {
  const count = group.order.length;
  const row = group.height / count;
  const feature = view.look.axis === "feature";
  const place = (i) => group.top + group.height - (i + 0.5) * row + 3;
  const style = { size: 8.5, fill: colours.soft, align: "end" };
  if (feature) {
    drawUpright(painter, group.label, 24, group, colours);
    let free = group.top - 1;
    for (let n = 0, named2 = 0; n < count && named2 < NAMED; n++) {
      const base = Math.max(place(count - 1 - n), group.top + LABEL - 1);
      if (base - LABEL - 1 < free || base > group.top + group.height + 1) continue;
      const name2 = featureName(view.lens, group.order[count - 1 - n]).split(" ").pop();
      painter.text(name2, layout.left - 4, base, style);
      [free, named2] = [base, named2 + 1];
    }
    return;
  }
  const every = Math.max(1, Math.ceil(LABEL / row));
  for (let i = 0; i < count; i += every) {
    painter.text(short(Number(view.look.sources[group.order[i]])), layout.left - 4, place(i), style);
  }
}
function drawHatching(painter, { view, layout, colours }, group) {
  const row = group.height / group.order.length;
  const lines = { [INITIAL]: [], [MISSING]: [] };
  const veils = { [INITIAL]: 0.55, [MISSING]: 1 };
  const { look } = view;
  group.order.forEach((index, i) => {
    const y = group.top + group.height - (i + 1) * row;
    for (const [kind, first, last] of runs(look, look.sources[index], layout)) {
      const x = layout.left + (first - layout.first) * layout.column;
      const wide = (last - first) * layout.column;
      const above = kind === MISSING && i + 1 < group.order.length ? 0.5 : 0;
      painter.rect(x, y - above, wide, row + above, { fill: colours.paper, opacity: veils[kind] });
      lines[kind].push(...hatching(x, y, wide, row, 5, kind === INITIAL));
    }
  });
  for (const pieces2 of Object.values(lines)) {
    if (pieces2.length > 0) painter.path(pieces2, { stroke: colours.hatch, width: 0.6, opacity: 0.8 });
  }
}
function runs(look, lag, { first, last }) {
  const found = [];
  const reach2 = Number(lag) + 1;
  const [from, to] = look.direction === 1 ? [first, Math.min(last, reach2)] : [Math.max(first, look.n - reach2), last];
  for (let t = from; t < to; t++) {
    const kind = standing(look, t, lag);
    if (kind !== INITIAL && kind !== MISSING) continue;
    const open = found[found.length - 1];
    if (open && open[0] === kind && open[2] === t) open[2] = t + 1;
    else found.push([kind, t, t + 1]);
  }
  return found;
}
function marksOf(look) {
  if (!look || look.axis === "feature" || look.n === 0) return [];
  const start = look.direction === 1 ? 0 : look.n - 1;
  if (fullWindow(look, start)) return [];
  const kinds = new Set(look.sources.map((lag) => standing(look, start, lag)));
  const later = look.sources.some((lag) => lag >= 1 && look.initial && look.history === 0);
  return [INITIAL, MISSING].filter((kind) => kinds.has(kind) || kind === INITIAL && later);
}

// src/wording.js
var NO_NUMBER = "not a number";
function linksOf(view, t) {
  const { look, lens } = view;
  const found = sourcesOf(look, t);
  if (found === null) return [];
  const links = found.map((item2) => {
    const feature = look.axis === "feature" ? featureName(lens, item2.index) : null;
    return { ...item2, label: feature ?? nameOf(item2, view.words) };
  });
  for (const extra of view.extras) {
    const weight = extra.values[t];
    if (Number.isNaN(weight)) continue;
    links.push({ index: -1, lag: -1, kind: "extra", timestep: -1, weight, label: extra.label });
  }
  return byStrength(links);
}
function saidAloud(view, t, count = 3) {
  const { panel, lens, look, words } = view;
  const start = `${panel.key}, word ${t + 1} of ${words.length}: ${words[t]}. ${lens.label}`;
  const links = linksOf(view, t).slice(0, count);
  if (links.length === 0) return `${start}: nothing to read.`;
  const where = (link) => look.axis === "feature" || link.lag < 0 ? "" : ` at ${look.axis} ${link.lag}`;
  const told = links.map((link) => `${link.label}${where(link)}, ${general(link.weight)}`);
  return `${start}: ${told.join("; ")}.`;
}
function sharedLabel(labels) {
  const different = [...new Set(labels)];
  if (different.length < 2) return different[0] ?? "";
  const parts = different.map((label) => label.split(" "));
  let same2 = 0;
  while (parts.every((words) => words[same2] !== void 0 && words[same2] === parts[0][same2])) same2++;
  const [name2, rests] = [
    parts[0].slice(0, same2).join(" "),
    parts.map((words) => words.slice(same2).join(" "))
  ];
  if (name2 === "") return different.join(" / ");
  return rests.every((rest) => /^\S+$/.test(rest)) ? `${name2} ${rests.join(" / ")}` : name2;
}
function withUnit(label, unit) {
  return !unit || label.split(/[\s,]+/).includes(unit) ? label : `${label} (${unit})`;
}
function unitWord({ label, unit }) {
  if (/^1 = uniform/.test(unit || "")) {
    const symbol = label.split(" ").pop();
    return symbol.includes("·") ? symbol.replace(/_t$/, "") : "multiple";
  }
  if (/squared standard deviation/.test(unit || "")) return "variance";
  return shortWord((unit || "").split(/[,(]/)[0].trim() || "value", 10);
}
function announced(view, t) {
  if (!unmeasured(view.look, t)) return saidAloud(view, t);
  return `${view.panel.key}, word ${t + 1} of ${view.words.length}: ${view.words[t]}. ${notMeasured(view)}.`;
}
function notMeasured({ lens, live }) {
  return `${lens.label}: not measured for this word${live ? " yet" : ""}`;
}
function lensNotes({ lens, instead, empty, uneditedLens }) {
  if (uneditedLens) return [`${lens.label} was not measured under the edit: shown unedited.`];
  if (empty) return [`${empty.label} was not measured for this text: ${lens.label} is shown instead.`];
  return instead ? [`This cell has no such attention: ${lens.label} is shown instead.`] : [];
}
function predicted(probabilities, classes) {
  if (!probabilities || probabilities.length === 0) return null;
  if (!probabilities.every(Number.isFinite)) {
    return { index: -1, name: NO_NUMBER, p: NaN, text: NO_NUMBER };
  }
  let best = 0;
  probabilities.forEach((p, i) => {
    if (p > probabilities[best]) best = i;
  });
  return {
    index: best,
    name: className(classes, best),
    p: probabilities[best],
    text: probabilities[best].toFixed(2)
  };
}
function className(classes, index) {
  return classes?.[index] ?? `class ${index}`;
}
function difference(value) {
  if (Math.abs(value) < 5e-5)
    return value === 0 ? "±0" : `${value > 0 ? "+" : "−"}${Math.abs(value).toExponential(1).replace("-", "−")}`;
  return `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(Math.abs(value) < 0.01 ? 4 : 2)}`;
}

// src/bar.js
var BAR = 150;
var HIGH = 9;
var TOP = 3;
var BAR_HEIGHT = 30;
function barsOf(views) {
  const found = /* @__PURE__ */ new Map();
  for (const view of views) {
    if (!view.lens || !view.scale) continue;
    if (!found.has(view.lens.name))
      found.set(view.lens.name, { lens: view.lens, scale: view.scale, marks: /* @__PURE__ */ new Set(), labels: [] });
    const bar = found.get(view.lens.name);
    for (const kind of marksOf(view.look)) bar.marks.add(kind);
    bar.labels.push(view.lens.label);
  }
  const bars = [...found.values()].map(({ labels, ...bar }) => ({ ...bar, label: sharedLabel(labels) }));
  const first = bars.find((bar) => bar.lens.axis !== "feature");
  return bars.map((bar) => ({ ...bar, arcs: bar === first }));
}
function barText({ lens, label, scale }) {
  const ticks2 = scaleTicks(scale);
  const ends = ticks2.length > 0 ? `, from ${ticks2[0].text} to ${ticks2[ticks2.length - 1].text}` : "";
  const beyond = beyondText(scale, "; strongest");
  return `colours: ${withUnit(label, lens.unit)}${ends}${beyond}`;
}
function drawBar(painter, { lens, label, scale, marks, arcs }, { x, y, width, colours, dark }) {
  const colour = ramp(scale.signed ? "signed" : "sources", dark);
  const levels = colour.length / 3;
  const rgba = new Uint8ClampedArray(4 * levels);
  for (let i = 0; i < levels; i++)
    rgba.set([colour[3 * i], colour[3 * i + 1], colour[3 * i + 2], 255], 4 * i);
  painter.cells(x, y + TOP, BAR, HIGH, { columns: levels, rows: 1, rgba });
  painter.rect(x, y + TOP, BAR, HIGH, { stroke: colours.line, width: 1 });
  const small = { size: 8.5, fill: colours.soft };
  for (const { place, text } of scaleTicks(scale)) {
    const at = x + place * BAR;
    painter.line(at, y + TOP + HIGH, at, y + TOP + HIGH + 3, { stroke: colours.faint, width: 1 });
    painter.text(text, at, y + TOP + HIGH + 12, { ...small, align: "middle" });
  }
  const style = { size: 10.5, fill: colours.ink };
  let [left, top] = [x + BAR + 12, y];
  const put = (wide, draw) => {
    if (left + wide > x + width && left > x) [left, top] = [x, top + (top === y ? BAR_HEIGHT : 16)];
    draw(left, top);
    left += wide + 16;
  };
  const words = withUnit(label, lens.unit);
  put(painter.measure(words, style), (at, line) => painter.text(words, at, line + 12, style));
  const beyond = beyondText(scale, dark ? "brightest" : "darkest");
  if (beyond) {
    put(painter.measure(beyond, small), (at, line) => painter.text(beyond, at, line + 12, small));
  }
  for (const key of keysOf(scale, marks, { colours, dark, arcs })) {
    put(26 + painter.measure(key.text, small), (at, line) => {
      key.draw(painter, at, line + 4);
      painter.text(key.text, at + 24, line + 12, small);
    });
  }
  return top - y + (top === y ? BAR_HEIGHT : 18);
}
function keysOf(scale, marks, { colours, dark, arcs }) {
  const keys = [];
  if (arcs) {
    const line = (stroke, dash) => (painter, x, y) => painter.line(x, y + 4, x + 18, y + 4, { stroke, width: 2.5, dash });
    keys.push({ text: "read by the selected word", draw: line(colours.more) });
    keys.push({ text: "reads the selected word", draw: line(rampColour(ramp("readers", dark), 0.75)) });
    if (scale.signed) keys.push({ text: "below 0", draw: line(colours.less, [4, 2.5]) });
  }
  for (const kind of marks) {
    keys.push({
      text: kind === INITIAL ? "initial state" : "before the first word",
      draw(painter, x, y) {
        painter.rect(x, y, 18, 9, { stroke: colours.line, width: 1 });
        painter.path(hatching(x, y, 18, 9, 5, kind === INITIAL), { stroke: colours.hatch, width: 0.7 });
      }
    });
  }
  return keys;
}

// src/font.js
var FONT = '"DejaVu Sans", Verdana, "Helvetica Neue", Arial, sans-serif';

// src/canvas_painter.js
function canvasPainter(context) {
  return {
    rect(x, y, width, height, style) {
      styled(context, style);
      if (style.fill) context.fillRect(x, y, width, height);
      if (style.stroke) context.strokeRect(x, y, width, height);
    },
    line(x1, y1, x2, y2, style) {
      styled(context, style);
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
    },
    path(pieces2, style) {
      styled(context, style);
      context.beginPath();
      trace(context, pieces2);
      context.stroke();
    },
    area(pieces2, style) {
      styled(context, style);
      context.beginPath();
      trace(context, pieces2);
      context.fill();
    },
    curve([x1, y1, ax, ay, bx, by, x2, y2], style) {
      styled(context, style);
      context.beginPath();
      context.moveTo(x1, y1);
      context.bezierCurveTo(ax, ay, bx, by, x2, y2);
      context.stroke();
    },
    text(words, x, y, style) {
      styled(context, style);
      context.font = fontOf(style);
      context.textAlign = { middle: "center", end: "right" }[style.align] || "left";
      context.textBaseline = "alphabetic";
      context.direction = style.direction || "ltr";
      context.save();
      context.translate(x, y);
      if (style.rotate) context.rotate(style.rotate * Math.PI / 180);
      context.fillText(words, 0, 0);
      context.restore();
    },
    cells(x, y, width, height, grid) {
      context.imageSmoothingEnabled = false;
      context.globalAlpha = 1;
      context.drawImage(imageOf(grid), x, y, width, height);
    },
    clipped(x, y, width, height, draw) {
      context.save();
      context.beginPath();
      context.rect(x, y, width, height);
      context.clip();
      draw();
      context.restore();
    },
    group(name2, draw) {
      draw();
    },
    measure(words, style) {
      context.font = fontOf(style);
      return context.measureText(words).width;
    }
  };
}
function freshPainter(canvas, { width, height }, density) {
  const [w, h] = [Math.round(width * density), Math.round(height * density)];
  const context = canvas.getContext("2d");
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) {
    canvas.height = h;
    canvas.style.height = `${height}px`;
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, w, h);
  context.setTransform(density, 0, 0, density, 0, 0);
  return canvasPainter(context);
}
function imageOf({ columns, rows, rgba }) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  canvas.getContext("2d").putImageData(new ImageData(rgba, columns, rows), 0, 0);
  return canvas;
}
function fontOf({ size = 11, weight = "normal", slant = "normal" }) {
  return `${slant} ${weight} ${size}px ${FONT}`;
}
function styled(context, { fill, stroke, width = 1, opacity = 1, dash = [], cap = "butt" }) {
  context.globalAlpha = opacity;
  if (fill) context.fillStyle = fill;
  if (stroke) context.strokeStyle = stroke;
  context.lineWidth = width;
  context.lineCap = cap;
  context.lineJoin = "round";
  context.setLineDash(dash);
}
function trace(context, pieces2) {
  for (const points of pieces2) {
    points.forEach(([x, y], i) => i === 0 ? context.moveTo(x, y) : context.lineTo(x, y));
  }
}

// src/dom.js
function make(name2, attributes = {}, ...children) {
  const element2 = document.createElement(name2);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === void 0 || value === null || value === false) continue;
    if (key.startsWith("on")) element2.addEventListener(key.slice(2), value);
    else element2.setAttribute(key, value === true ? "" : String(value));
  }
  element2.append(...children.filter((child) => child !== null && child !== void 0));
  return element2;
}
function say(element2, text) {
  const only = element2.firstChild;
  if (only === null) {
    if (text !== "") element2.textContent = text;
  } else if (only === element2.lastChild && only.nodeType === Node.TEXT_NODE) {
    if (only.data !== text) only.data = text;
  } else {
    element2.textContent = text;
  }
}
function options(select, list, chosen) {
  const told = JSON.stringify(list);
  if (select.dataset.told !== told) {
    select.dataset.told = told;
    select.replaceChildren(...list.map(({ value, text }) => make("option", { value }, text)));
  }
  select.value = String(chosen);
}
function labelled(text, control, attributes = {}) {
  return make("label", { class: "av-field", ...attributes }, make("span", {}, text), control);
}
function button(text, label, onclick, attributes = {}) {
  return make("button", { type: "button", "aria-label": label, title: label, onclick, ...attributes }, text);
}

// src/layout.js
var GUTTER = 52;
var EDGE = 8;
var TITLE = 15;
var LINE = 12;
var LETTER = 5.5;
var GAP = 7;
var HEIGHTS = { lines: 46, log: 46, stack: 52 };
var ARCS = 62;
var NAMES = 15;
var AXIS = 16;
var LABELLED = 9.5;
var ordered = /* @__PURE__ */ new WeakMap();
function layoutOf(view, width) {
  const [first, last] = view.span;
  const left = GUTTER;
  const inner = Math.max(40, width - left - EDGE);
  const column = inner / Math.max(1, last - first);
  const strips = [];
  let top = 2;
  const add = (kind, height, more = {}) => {
    strips.push({ kind, top, height, ...more });
    top += height;
  };
  const arcs = view.look !== null && view.look.axis !== "feature";
  if (arcs) add("arcs", ARCS);
  if (column >= LABELLED) add("words", wordsHeight(view));
  else if (arcs) add("names", NAMES);
  if (view.look !== null) {
    top += 3;
    add("map", mapHeight(view), { rows: rowsOf(view) });
  }
  view.tracks.forEach((track, number) => {
    top += GAP;
    const legend = legendOf(track, inner);
    add("title", TITLE + LINE * (legend.lines - 1), { number, legend });
    add("track", HEIGHTS[track.kind] || HEIGHTS.lines, { number });
  });
  add("axis", AXIS);
  return { width, height: Math.ceil(top), left, inner, column, first, last, strips };
}
function legendOf(track, inner) {
  if (track.series.length < 2) return { entries: [], lines: 1, room: inner };
  const widths = track.series.map((one) => LETTER * one.label.length + 22);
  const whole = widths.reduce((a, b) => a + b, 0);
  const beside = whole + LETTER * track.label.length + 12 <= inner;
  let [x, line] = beside ? [inner - whole, 0] : [0, 1];
  const entries = track.series.map((one, i) => {
    if (x > 0 && x + widths[i] > inner + 8) [x, line] = [0, line + 1];
    const entry = { label: one.label, x, line };
    x += widths[i];
    return entry;
  });
  return { entries, lines: line + 1, room: beside ? inner - whole - 8 : inner };
}
function xOf(layout, t) {
  return layout.left + (t - layout.first + 0.5) * layout.column;
}
function timestepAt(layout, x) {
  return Math.floor((x - layout.left) / layout.column) + layout.first;
}
function stripAt(layout, y) {
  return layout.strips.find((strip) => y >= strip.top && y < strip.top + strip.height) || null;
}
function rowsOf(view) {
  if (!ordered.has(view.look)) ordered.set(view.look, groupsOf(view));
  return ordered.get(view.look);
}
function groupsOf({ look, lens }) {
  const all = look.sources.map((_, i) => i);
  if (look.axis !== "feature") return [{ label: look.axis, order: all }];
  const means = all.map((index) => mean(look, index));
  const kinds = [...new Set(lens.kinds || [])];
  const groups = kinds.length === 0 ? [null] : kinds.reverse();
  return groups.map((kind) => ({
    label: kind ?? "feature",
    order: all.filter((i) => kind === null || lens.kinds[i] === kind).sort((a, b) => means[a] - means[b])
  }));
}
function mean(look, index) {
  if (!look.matrix) return 0;
  let sum = 0;
  for (let i = index; i < look.matrix.length; i += look.width) sum += look.matrix[i] || 0;
  return sum;
}
function mapHeight(view) {
  const rows = view.look.sources.length;
  if (view.look.axis === "feature") return Math.min(190, Math.max(90, rows * 1.5));
  return Math.min(170, Math.max(40, rows * 11));
}
function wordsHeight(view) {
  const [first, last] = view.span;
  let longest = 0;
  for (let t = first; t < last; t++) longest = Math.max(longest, view.words[t].length);
  return Math.min(78, 12 + 5.9 * Math.min(longest, 12));
}

// src/textflow.js
var LINE2 = 17;
var SIZE = 11.5;
var UNREAD = 100;
var TEXT = { size: SIZE, line: LINE2 };
function setText(view, width, measure) {
  const pieces2 = [];
  let [x, line] = [0, 0];
  const feed = () => [x, line] = [0, line + 1];
  const put = (text2, t) => {
    let rest2 = text2;
    while (rest2 !== "") {
      const wide = measure(rest2);
      if (x + wide <= width) {
        pieces2.push({ text: rest2, t, x, line, width: wide });
        x += wide;
        return;
      }
      const part = x > 0 && wide <= width ? "" : fitting(rest2, width - x, measure);
      if (part === "" && x > 0) {
        feed();
        continue;
      }
      const taken = part || Array.from(rest2)[0];
      pieces2.push({ text: taken, t, x, line, width: measure(taken) });
      rest2 = rest2.slice(taken.length);
      if (rest2 !== "") feed();
    }
  };
  const between3 = (text2) => {
    for (const part of text2.split(/(\n|[^\S\n]+)/)) {
      if (part === "\n") feed();
      else if (part.trim() === "") x = x > 0 ? Math.min(width, x + measure(part)) : 0;
      else put(part, -1);
    }
  };
  const { text } = view.panel;
  const [first, last] = view.span;
  let end = first === 0 ? 0 : view.offsets[2 * first];
  if (first > 0) put("… ", -1);
  for (let t = first; t < last; t++) {
    const [from, to] = [view.offsets[2 * t], view.offsets[2 * t + 1]];
    const gap = text.slice(end, Math.max(end, from));
    between3(t === 0 && gap.length > 2 * UNREAD ? `… ${gap.slice(-UNREAD)}` : gap);
    put(text.slice(Math.max(from, end), to).replace(/\s+/g, " "), t);
    end = Math.max(end, to);
  }
  const rest = text.slice(end).trimEnd();
  between3(last < view.n ? " …" : rest.length > 2 * UNREAD ? `${rest.slice(0, UNREAD)} …` : rest);
  return { pieces: pieces2, lines: line + 1, leftwards: rightToLeft(text) };
}
function rightToLeft(text) {
  const found = /\p{L}/u.exec(text);
  return found !== null && /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(found[0]);
}
function fitting(text, room, measure) {
  const letters = Array.from(text);
  let [low, high] = [0, letters.length];
  while (low < high) {
    const middle = low + high + 1 >> 1;
    if (measure(letters.slice(0, middle).join("")) <= room) low = middle;
    else high = middle - 1;
  }
  return letters.slice(0, low).join("");
}

// src/arcs.js
var MOST = 60;
var FAINTEST = 0.02;
var NAMED2 = 4;
function arcsOf(view) {
  if (view.selected < 0 || !view.look?.matrix || view.look.axis === "feature") return [];
  const words = (list) => byStrength((list || []).filter((one) => one.timestep >= 0)).slice(0, MOST);
  const read = words(sourcesOf(view.look, view.selected)).map((one) => ({ ...one, read: true }));
  const readers = words(readersOf(view.look, view.selected)).map((one) => ({ ...one, read: false }));
  return byStrength([...read, ...readers]).reverse();
}
function drawArcs(painter, { view, layout, colours }, strip) {
  const arcs = arcsOf(view).filter((arc) => arc.timestep !== view.selected);
  const base = strip.top + strip.height - 1;
  painter.line(layout.left, base, layout.left + layout.inner, base, { stroke: colours.line, width: 1 });
  if (arcs.length === 0) return;
  const from = xOf(layout, view.selected);
  const farthest = Math.max(...arcs.map((arc) => arc.lag), 1);
  painter.clipped(layout.left, strip.top, layout.inner, strip.height, () => {
    for (const arc of arcs) {
      const strength = strengthOf(view.scale, arc.weight);
      if (strength < FAINTEST) continue;
      const to = xOf(layout, arc.timestep);
      const highest = Math.min(strip.height - 6, 8 + farthest * layout.column);
      const height = highest * (0.25 + 0.75 * Math.sqrt(arc.lag / farthest));
      const bend = [from, base, from, base - height * 1.3, to, base - height * 1.3, to, base];
      painter.curve(bend, {
        stroke: arcColour(arc, colours),
        width: 0.8 + 3.2 * strength,
        opacity: 0.25 + 0.7 * strength,
        dash: arc.weight < 0 ? [4, 2.5] : [],
        cap: arc.weight < 0 ? "butt" : "round"
      });
    }
  });
  const own = arcs.filter((arc) => arc.timestep >= layout.first && arc.timestep < layout.last);
  for (const arc of own) {
    const strength = strengthOf(view.scale, arc.weight);
    if (strength < FAINTEST) continue;
    const r = 1 + 1.4 * strength;
    const style = { fill: arcColour(arc, colours) };
    painter.rect(xOf(layout, arc.timestep) - r, base - r, 2 * r, 2 * r, style);
  }
}
function arcColour(arc, colours) {
  if (arc.weight < 0) return colours.less;
  return arc.read ? colours.more : colours.later;
}
function drawNames(painter, { view, layout, colours }, strip) {
  if (view.selected < 0) return;
  const arcs = arcsOf(view).reverse();
  const strong = (read) => arcs.filter((arc) => arc.read === read && arc.timestep !== view.selected);
  const wanted = [{ timestep: view.selected, colour: colours.ink, weight: "bold" }];
  for (const arc of [...strong(true).slice(0, NAMED2), ...strong(false).slice(0, NAMED2)]) {
    if (strengthOf(view.scale, arc.weight) < 0.05) continue;
    wanted.push({ timestep: arc.timestep, colour: arcColour(arc, colours), weight: "normal" });
  }
  const taken = [];
  for (const name2 of wanted) {
    if (name2.timestep < layout.first || name2.timestep >= layout.last) continue;
    const style = { size: 10, weight: name2.weight, fill: name2.colour };
    const word = shortWord(view.words[name2.timestep], 16);
    const wide = painter.measure(word, style);
    const middle = xOf(layout, name2.timestep);
    const right = layout.left + layout.inner;
    const x = Math.max(layout.left, Math.min(middle - wide / 2, right - wide));
    if (taken.some(([a, b]) => x < b + 5 && x + wide > a - 5)) continue;
    taken.push([x, x + wide]);
    painter.text(word, x, strip.top + 11, style);
  }
}

// src/tracks.js
function rangeOf(track) {
  const all = [...track.series, ...track.before || []].map((one) => one.values);
  if (Array.isArray(track.range)) return track.range;
  if (track.kind === "stack") return stackRange(track);
  let [low, high] = [Infinity, -Infinity];
  for (const values of all) {
    for (const value of values) {
      if (!Number.isFinite(value) || track.kind === "log" && value <= 0) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return track.kind === "log" ? [0.1, 1] : [0, 1];
  if (track.kind === "log") {
    const power = (value, round) => 10 ** round(Math.log10(value) + (round === Math.floor ? 1e-9 : -1e-9));
    const ends = [power(low, Math.floor), power(high, Math.ceil)];
    return ends[0] === ends[1] ? [ends[0] / 10, ends[1]] : ends;
  }
  return low === high ? [low - 0.5, high + 0.5] : [Math.min(low, 0), high];
}
function stackRange(track) {
  let [low, high] = [0, 1];
  const n = track.series[0]?.values.length ?? 0;
  for (let t = 0; t < n; t++) {
    let [up, down] = [0, 0];
    for (const { values } of track.series) {
      if (values[t] > 0) up += values[t];
      if (values[t] < 0) down += values[t];
    }
    [low, high] = [Math.min(low, down), Math.max(high, up)];
  }
  return [Math.max(low, -1.5), Math.min(high, 2.5)];
}
function drawTitle(painter, { view, layout, colours }, strip) {
  const track = view.tracks[strip.number];
  const y = strip.top + 10;
  const style = { size: 9.5, fill: colours.soft };
  const aside = track.before ? "; dashed: unedited" : "";
  const choices = [`${withUnit(track.label, track.unit)}${aside}`, `${track.label}${aside}`, track.label];
  painter.text(fitted(painter, choices, strip.legend.room, style), layout.left, y, style);
  const own = seriesColours(track.series, colours);
  strip.legend.entries.forEach(({ label, x, line }, i) => {
    const [left, base] = [layout.left + x, y + 12 * line];
    painter.rect(left, base - 6, 9, 5, { fill: own[i] });
    painter.text(label, left + 12, base, { ...style, fill: colours.ink });
  });
}
function fitted(painter, choices, room, style) {
  const found = choices.find((words) => painter.measure(words, style) <= room);
  return found ?? choices[choices.length - 1];
}
function drawTrack(painter, scene, strip) {
  const { view, layout, colours } = scene;
  const track = view.tracks[strip.number];
  const [low, high] = rangeOf(track);
  const place = placer(track.kind, low, high, strip);
  const own = seriesColours(track.series, colours);
  drawLevels(painter, scene, strip, { track, low, high, place });
  painter.clipped(layout.left, strip.top - 1, layout.inner, strip.height + 2, () => {
    if (track.kind === "stack") {
      drawStack(painter, scene, { track, place, own });
      return;
    }
    (track.before || []).forEach((one, i) => {
      const stroke = own[i];
      painter.path(pieces(one.values, layout, place), { stroke, width: 1, dash: [3, 2.5], opacity: 0.75 });
    });
    track.series.forEach((one, i) => {
      painter.path(pieces(one.values, layout, place), { stroke: own[i], width: 1.3 });
    });
  });
}
function placer(kind, low, high, strip) {
  const scaled = kind === "log" ? (value) => (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low)) : (value) => (value - low) / (high - low);
  return (value) => strip.top + strip.height * (1 - scaled(value));
}
function drawLevels(painter, { layout, colours }, strip, { track, low, high, place }) {
  const right = layout.left + layout.inner;
  painter.rect(layout.left, strip.top, layout.inner, strip.height, { stroke: colours.grid, width: 1 });
  const shown2 = track.kind === "log" ? powers(low, high) : ticks(low, high, 2);
  for (const value of shown2) {
    const y = place(value);
    painter.line(layout.left, y, right, y, { stroke: colours.grid, width: 1 });
    const at = Math.min(strip.top + strip.height, Math.max(strip.top + 6, y + 3));
    painter.text(short(value), layout.left - 4, at, { size: 8.5, fill: colours.soft, align: "end" });
  }
  if (track.name === "score" && low === 0 && high === 1) {
    painter.line(layout.left, place(0.5), right, place(0.5), {
      stroke: colours.faint,
      width: 0.8,
      dash: [2, 2]
    });
  }
}
function powers(low, high) {
  const [a, b] = [Math.round(Math.log10(low)), Math.round(Math.log10(high))];
  const step = Math.max(1, Math.ceil((b - a) / 3));
  const found = [];
  for (let p = b; p >= a; p -= step) found.push(10 ** p);
  return found;
}
function pieces(values, layout, place) {
  const found = [];
  let open = null;
  const [from, to] = [Math.max(0, layout.first - 1), Math.min(values.length, layout.last + 1)];
  for (let t = from; t < to; t++) {
    const y = place(values[t]);
    if (!Number.isFinite(y)) {
      open = null;
      continue;
    }
    if (open === null) found.push(open = []);
    open.push([xOf(layout, t), y]);
  }
  const half = Math.min(3, layout.column / 2);
  return found.map(
    (points) => points.length > 1 ? points : [-half, half].map((d) => [points[0][0] + d, points[0][1]])
  );
}
function drawStack(painter, { layout, colours }, { track, place, own }) {
  const count = layout.last - layout.first;
  const zero = new Float64Array(count);
  const [up, down] = [zero.slice(), zero.slice()];
  track.series.forEach(({ values }, i) => {
    const fill = own[i];
    for (const [base, sign] of [
      [up, 1],
      [down, -1]
    ]) {
      const before = base.slice();
      let any = false;
      for (let c = 0; c < count; c++) {
        const value = values[layout.first + c];
        if (value * sign > 0) [base[c], any] = [base[c] + value, true];
      }
      if (any) painter.area(steps(before, base, layout, place), { fill, opacity: 0.9 });
    }
  });
  painter.line(layout.left, place(0), layout.left + layout.inner, place(0), {
    stroke: colours.soft,
    width: 0.6
  });
}
function steps(below, above, layout, place) {
  const edge = (c) => layout.left + c * layout.column;
  const forth = [];
  const back = [];
  for (let c = 0; c < below.length; c++) {
    forth.push([edge(c), place(above[c])], [edge(c + 1), place(above[c])]);
    back.push([edge(c), place(below[c])], [edge(c + 1), place(below[c])]);
  }
  return [[...forth, ...back.reverse()]];
}

// src/timeline.js
var STILL = { map: drawMap, title: drawTitle, track: drawTrack, axis: drawAxis, words: drawWords };
var MOVING = { arcs: drawArcs, names: drawNames, words: drawChosenWords };
function drawStill(painter, scene) {
  for (const strip of scene.layout.strips) {
    if (STILL[strip.kind]) STILL[strip.kind](painter, scene, strip);
  }
}
function drawMoving(painter, scene) {
  const { view, layout, colours, hover } = scene;
  for (const strip of layout.strips) {
    if (MOVING[strip.kind]) MOVING[strip.kind](painter, scene, strip);
  }
  if (hover !== void 0 && hover >= 0 && hover !== view.selected) {
    drawUpright2(painter, scene, hover, { stroke: colours.faint, width: 1, dash: [2, 2] });
  }
  drawUpright2(painter, scene, view.selected, { stroke: colours.mark, width: 1 });
}
function drawUpright2(painter, { layout }, t, style) {
  if (t < layout.first || t >= layout.last) return;
  const strips = layout.strips.filter((strip) => strip.kind === "map" || strip.kind === "track");
  const x = xOf(layout, t);
  for (const { top, height } of strips) {
    if (layout.column >= 6) painter.rect(x - layout.column / 2, top, layout.column, height, style);
    else painter.line(x, top, x, top + height, style);
  }
}
function drawAxis(painter, { layout, colours }, strip) {
  const { left, inner, first, last } = layout;
  const style = { size: 8.5, fill: colours.soft, align: "middle" };
  const wanted = Math.max(2, Math.min(10, Math.floor(inner / 60)));
  const whole = ticks(first, last - 1, wanted).filter(Number.isInteger);
  for (const t of whole) {
    const x = xOf(layout, t);
    painter.line(x, strip.top, x, strip.top + 3, { stroke: colours.faint, width: 1 });
    painter.text(String(t), x, strip.top + 12, style);
  }
  painter.text("timestep", left - 10, strip.top + 12, { ...style, align: "end" });
}
function drawWords(painter, { view, layout, colours }, strip) {
  for (let t = layout.first; t < layout.last; t++)
    drawWord(painter, { view, layout }, strip, t, colours.soft);
}
function drawChosenWords(painter, { view, layout, colours }, strip) {
  const shown2 = (t) => t >= layout.first && t < layout.last;
  if (!shown2(view.selected)) return;
  const base = strip.top + strip.height;
  painter.rect(xOf(layout, view.selected) - layout.column / 2, strip.top, layout.column, base - strip.top, {
    fill: colours.raised,
    stroke: colours.mark,
    width: 1
  });
  drawWord(painter, { view, layout }, strip, view.selected, colours.ink, "bold");
}
function drawWord(painter, { view, layout }, strip, t, fill, weight) {
  const size = Math.min(10, layout.column - 0.5);
  const word = shortWord(view.words[t], 12);
  const x = xOf(layout, t) + size * 0.34;
  painter.text(word, x, strip.top + 4, { size, fill, weight, align: "end", rotate: -90 });
}

// src/verdict.js
function createVerdict() {
  const title = make("h3", { dir: "auto" });
  const layer = make("span", { class: "av-layer" });
  const facts = make("p", { class: "av-facts" });
  const element2 = make("header", {}, make("div", { class: "av-title" }, title, layer), facts);
  function show(view) {
    const { panel } = view;
    say(title, panel.title || panel.key);
    say(layer, [panel.cell, panel.layer, `${view.n} timesteps`].filter(Boolean).join(" · "));
    facts.replaceChildren(...factsOf(view).map(([text, kind]) => make("span", { class: kind }, text)));
  }
  return { element: element2, show };
}
function verdictText(view) {
  return factsOf(view).map(([text]) => text).join(" ");
}
function factsOf({ panel, edited, prediction = panel.prediction }) {
  const known = panel.label >= 0 && panel.label !== null;
  const found = known ? [[`true: ${className(panel.classes, panel.label)}`, ""]] : [];
  const before = predicted(prediction, panel.classes);
  if (!before) return found;
  if (known) found.push(["·", ""]);
  if (edited) return [...found, ...editFacts(panel, edited)];
  if (before.index < 0) return [...found, [`predicted: ${NO_NUMBER}`, "av-wrong"]];
  const wrong = known && before.index !== panel.label;
  found.push([`predicted: ${before.name} (${before.text})`, wrong ? "av-wrong" : ""]);
  if (wrong) found.push(["✗ wrong", "av-wrong"]);
  return found;
}
function editFacts({ prediction, classes }, edited) {
  const unedited2 = edited.unedited?.length > 0 ? edited.unedited : prediction;
  const [was, is] = [predicted(unedited2, classes), predicted(edited.prediction, classes)];
  const label = [edited.label, "av-edit"];
  if (!is) return [label];
  const shown2 = unedited2.length === 2 ? 1 : Math.max(was.index, 0);
  const [from, to] = [unedited2[shown2], edited.prediction[shown2]];
  const found = [[`${className(classes, shown2)}: ${rounded(from)} → ${rounded(to)}`, ""]];
  if (Number.isFinite(from) && Number.isFinite(to)) {
    const change = to - from;
    found.push([`(${difference(change)})`, change < 0 ? "av-change av-less" : "av-change av-more"]);
  }
  if (was.index !== is.index) found.push([`now ${is.name}`, "av-wrong"]);
  return [...found, label];
}
function rounded(probability) {
  return Number.isFinite(probability) ? probability.toFixed(2) : NO_NUMBER;
}

// src/figure.js
var MARGIN = 16;
var GAP2 = 24;
var HEAD = 44;
var DENSITY = 2;
function drawFigure(painter, views, { panelWidth, columns, notes }) {
  const colours = palette(false);
  const width = widthOf(columns, panelWidth);
  let top = MARGIN;
  for (const bar of barsOf(views)) {
    top += drawBar(painter, bar, { x: MARGIN, y: top, width: width - 2 * MARGIN, colours, dark: false });
  }
  top += barsOf(views).length > 0 ? 6 : 0;
  for (let first = 0; first < views.length; first += columns) {
    const row = views.slice(first, first + columns);
    const texts = row.map((view) => textIn(painter, view, panelWidth));
    const textHeight = Math.max(...texts.map((set) => set.lines)) * TEXT.line;
    const heights = row.map((view, column) => {
      const x = MARGIN + column * (panelWidth + GAP2);
      return drawOne(painter, view, {
        x,
        y: top,
        width: panelWidth,
        colours,
        set: texts[column],
        textHeight
      });
    });
    top += Math.max(...heights) + GAP2;
  }
  for (const note of notes) {
    painter.text(note, MARGIN, top - 8, { size: 8.5, fill: colours.soft });
    top += 12;
  }
  return Math.ceil(top);
}
function widthOf(columns, panelWidth) {
  return 2 * MARGIN + columns * panelWidth + (columns - 1) * GAP2;
}
function dryPainter(measure) {
  const nothing = () => {
  };
  return {
    rect: nothing,
    line: nothing,
    path: nothing,
    area: nothing,
    curve: nothing,
    text: nothing,
    cells: nothing,
    clipped: (x, y, w, h, draw) => draw(),
    group: (name2, draw) => draw(),
    measure
  };
}
function drawOne(painter, view, { x, y, width, colours, set, textHeight }) {
  let top = y;
  painter.group(view.panel.key, () => {
    painter.text(view.panel.title || view.panel.key, x, top + 13, {
      size: 13,
      weight: "bold",
      fill: colours.ink
    });
    const facts = [view.panel.cell, view.panel.layer, verdictText(view)].filter(Boolean).join(" · ");
    const small = { size: 9.5, fill: colours.soft };
    painter.text(cropped2(painter, facts, small, width), x, top + 29, small);
    top += HEAD;
    drawText(painter, view, set, { x, y: top, width, colours });
    top += textHeight + 8;
    const layout = layoutOf(view, width);
    const shifted = moved(painter, x, top);
    const scene = { view, layout, colours, dark: false, density: DENSITY, hover: -1 };
    drawStill(shifted, scene);
    drawMoving(shifted, scene);
    top += layout.height;
  });
  return top - y;
}
function cropped2(painter, words, style, width) {
  if (painter.measure(words, style) <= width) return words;
  const letters = Array.from(words);
  while (letters.length > 1 && painter.measure(`${letters.join("")}…`, style) > width) letters.pop();
  return `${letters.join("")}…`;
}
function textIn(painter, view, width) {
  return setText(view, width, (words) => painter.measure(words, { size: TEXT.size }));
}
function drawText(painter, view, set, { x, y, width, colours }) {
  const style = { size: TEXT.size };
  const marks = marksOfWords(view);
  for (const piece of set.pieces) {
    const left = set.leftwards ? x + width - piece.x - piece.width : x + piece.x;
    const base = y + piece.line * TEXT.line + 12;
    const mark = marks.get(piece.t) || {};
    if (mark.fill) painter.rect(left, base - 11, piece.width, 14.5, { fill: mark.fill });
    if (mark.under) {
      const dash = mark.dashed ? [3, 2] : [];
      painter.line(left, base + 3, left + piece.width, base + 3, {
        stroke: mark.under,
        width: mark.thick,
        dash
      });
    }
    if (piece.t >= 0 && piece.t === view.selected) {
      painter.rect(left - 1, base - 11.5, piece.width + 2, 15.5, { stroke: colours.mark, width: 1.2 });
    }
    const fill = piece.t < 0 ? colours.faint : mark.fill ? inkOn(mark.fill) : colours.ink;
    painter.text(piece.text, left, base, { ...style, fill });
  }
}
function marksOfWords(view) {
  const marks = /* @__PURE__ */ new Map();
  const { selected, look, scale } = view;
  if (selected < 0 || !look?.matrix || look.axis === "feature") return marks;
  for (const one of sourcesOf(look, selected) || []) {
    if (one.timestep < 0) continue;
    const colours = ramp(scale.signed ? "signed" : "sources", false);
    marks.set(one.timestep, { fill: rampColour(colours, placeOf(scale, one.weight)) });
  }
  for (const one of readersOf(look, selected)) {
    const strength = strengthOf(scale, one.weight);
    if (strength < 0.015) continue;
    const under = rampColour(ramp("readers", false), 0.25 + 0.75 * strength);
    const dashed = one.weight < 0;
    marks.set(one.timestep, { under: dashed ? palette(false).less : under, thick: 1 + 2 * strength, dashed });
  }
  return marks;
}
function moved(painter, dx, dy) {
  const shift = (pieces2) => pieces2.map((points) => points.map(([x, y]) => [x + dx, y + dy]));
  return {
    ...painter,
    rect: (x, y, w, h, style) => painter.rect(x + dx, y + dy, w, h, style),
    line: (x1, y1, x2, y2, style) => painter.line(x1 + dx, y1 + dy, x2 + dx, y2 + dy, style),
    path: (pieces2, style) => painter.path(shift(pieces2), style),
    area: (pieces2, style) => painter.area(shift(pieces2), style),
    curve: (numbers, style) => painter.curve(
      numbers.map((n, i) => n + (i % 2 === 0 ? dx : dy)),
      style
    ),
    text: (words, x, y, style) => painter.text(words, x + dx, y + dy, style),
    cells: (x, y, w, h, grid) => painter.cells(x + dx, y + dy, w, h, grid),
    clipped: (x, y, w, h, draw) => painter.clipped(x + dx, y + dy, w, h, draw)
  };
}

// src/bars.js
function createBars() {
  const canvas = make("canvas", { role: "img" });
  const says = make("p", { class: "av-says" });
  const element2 = make("div", { class: "av-bars" }, canvas, says);
  let [width, drawn2] = [0, ""];
  function measure() {
    width = element2.clientWidth;
  }
  function show(views, dark) {
    const bars = barsOf(views);
    element2.hidden = bars.length === 0;
    if (bars.length === 0) return;
    if (width === 0) measure();
    const density = window.devicePixelRatio || 1;
    const told = JSON.stringify([bars.map(shown), width, density, dark]);
    if (width === 0 || told === drawn2) return;
    drawn2 = told;
    const all = (onto) => bars.reduce(
      (y, bar) => y + drawBar(onto, bar, { x: 12, y, width: width - 16, colours: palette(dark), dark }),
      0
    );
    const height = all(dryPainter(canvasPainter(canvas.getContext("2d")).measure));
    all(freshPainter(canvas, { width, height }, density));
    canvas.setAttribute("aria-label", bars.map(barText).join("; "));
    const sentences = bars.map(
      ({ lens, label }) => lens.says && (bars.length > 1 ? `${label}: ${lens.says}` : lens.says)
    );
    says.replaceChildren(...sentences.filter(Boolean).map((text) => make("span", {}, text)));
  }
  return { element: element2, measure, forget: () => width = 0, show };
}
function shown({ lens, label, scale, marks, arcs }) {
  return [lens.name, lens.says, lens.unit, label, scale, [...marks], arcs];
}

// src/filtering.js
var NO_FILTERS = { label: null, right: null, shortest: null, longest: null, contains: "" };
function isRight(row) {
  const known = (value) => value !== null && value !== void 0 && value >= 0;
  if (!known(row.label) || !known(row.prediction)) return null;
  return row.label === row.prediction;
}
function passes(row, filters) {
  const f = { ...NO_FILTERS, ...filters };
  if (f.label !== null && row.label !== f.label) return false;
  if (f.right !== null && isRight(row) !== f.right) return false;
  if (f.shortest !== null && !(row.length >= f.shortest)) return false;
  if (f.longest !== null && !(row.length >= 0 && row.length <= f.longest)) return false;
  const sought = folded(f.contains || "");
  return sought === "" || folded(row.text === void 0 ? row.start : row.text).includes(sought);
}
function filtered(rows, filters) {
  const found = rows.filter((row) => passes(row, filters));
  return { total: rows.length, matching: found.length, rows: found };
}
function neighbour(rows, sequence, step) {
  const place = rows.findIndex((row) => row.sequence === sequence);
  if (place >= 0) return rows[place + step] || null;
  const beyond = rows.filter((row) => step > 0 ? row.sequence > sequence : row.sequence < sequence);
  return (step > 0 ? beyond[0] : beyond[beyond.length - 1]) || null;
}
function neighbours(known, sequence) {
  const rows = known?.rows || [];
  const listed = rows.some((row) => row.sequence === sequence);
  const beside = (step, told) => {
    const row = neighbour(rows, sequence, step);
    if (row && (listed || told === void 0)) return row.sequence;
    return told ?? null;
  };
  return { previous: beside(-1, known?.previous), next: beside(1, known?.next) };
}
function folded(text) {
  return text.toUpperCase().toLowerCase().replace(/ς/g, "σ");
}

// src/chooser.js
var MOST2 = 300;
var PREVIEW = 80;
var TYPING = 150;
var made2 = 0;
function createChooser(store, firstPanel) {
  const id = `attnviz-text-${Date.now().toString(36)}-${made2++}`;
  const go = (sequence) => sequence !== null && store.set({ sequence });
  const rows = () => store.get("rows")?.rows || [];
  const beside = () => neighbours(store.get("rows"), store.get("sequence"));
  const before = button("‹", "previous text", () => go(beside().previous));
  const after = button("›", "next text", () => go(beside().next));
  const name2 = make("span", { class: "av-name", dir: "auto" });
  const count = make("span", { class: "av-count" });
  const open = button("", "choose a text", () => toggle(), { class: "av-open", "aria-expanded": "false" });
  open.append(name2, make("span", { "aria-hidden": "true", class: "av-caret" }, "▾"));
  const filters = createFilters(store, firstPanel);
  const list = make("ul", { class: "av-rows", role: "listbox", tabindex: "0", "aria-label": "texts" });
  const more = make("p", { class: "av-hint" });
  const drawer = make("div", { class: "av-drawer", hidden: true }, filters.element, list, more);
  const element2 = make("div", { class: "av-chooser" }, before, after, open, count);
  let shown2 = {};
  function toggle(wanted = drawer.hidden) {
    drawer.hidden = !wanted;
    open.setAttribute("aria-expanded", String(wanted));
    if (wanted) update();
  }
  list.addEventListener("click", (event) => {
    const item2 = event.target.closest("[data-place]");
    if (item2) go(rows()[Number(item2.dataset.place)].sequence);
  });
  list.addEventListener("keydown", (event) => {
    const listed = rows().slice(0, MOST2);
    const steps2 = {
      ArrowDown: () => beside().next,
      ArrowUp: () => beside().previous,
      Home: () => listed[0]?.sequence ?? null,
      End: () => listed[listed.length - 1]?.sequence ?? null
    };
    if (event.key in steps2) go(steps2[event.key]());
    else if (event.key === "Enter") leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  for (const part of [element2, drawer]) {
    part.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing || !leave()) return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
  function leave() {
    if (drawer.hidden) return false;
    toggle(false);
    open.focus();
    return true;
  }
  function update() {
    const known = store.get("rows") || {};
    const all = rows();
    const sequence = store.get("sequence");
    const own = all.find((row) => row.sequence === sequence);
    if (own) shown2 = { sequence, name: nameOf2(own) };
    if (shown2.sequence !== sequence) shown2 = { sequence, name: `text ${sequence}` };
    say(name2, sequence < 0 ? "a sentence of your own" : shown2.name);
    const [total, matching] = [known.total ?? all.length, known.matching ?? all.length];
    say(count, countText(matching, total));
    element2.hidden = total === 0;
    const { previous, next } = beside();
    [before.disabled, after.disabled] = [previous === null, next === null];
    if (drawer.hidden) return;
    filters.update();
    const listed = all.slice(0, MOST2);
    list.replaceChildren(
      ...listed.map((row, place) => {
        const option = item(row, firstPanel(), row.sequence === sequence);
        option.id = `${id}-${row.sequence}`;
        option.dataset.place = place;
        return option;
      })
    );
    const chosen = list.querySelector('[aria-selected="true"]');
    if (chosen) list.setAttribute("aria-activedescendant", chosen.id);
    else list.removeAttribute("aria-activedescendant");
    chosen?.scrollIntoView?.({ block: "nearest" });
    say(more, matching > listed.length ? `The first ${listed.length} are listed: filter to see others.` : "");
    more.hidden = more.textContent === "";
  }
  return { element: element2, drawer, update, leave };
}
function countText(matching, total) {
  if (total > 0 && matching === 0) return "no text matches";
  if (matching < total) return `${matching} of ${total} match`;
  return total === 1 ? "1 text" : `${total} texts`;
}
function preview({ start: told, text }) {
  const start = told ?? "";
  const cut2 = text === void 0 ? Array.from(start).length >= PREVIEW : text.length > start.length;
  return cut2 ? `${start.trimEnd()}…` : start;
}
function nameOf2(row) {
  return row.id && row.id !== String(row.sequence) ? `${row.sequence} · ${row.id}` : `text ${row.sequence}`;
}
function verdictOf(row, panel) {
  const right = isRight(row);
  if (right === null) return "";
  const whose = panel ? `${panel.key}: ` : "";
  if (right) return `${whose}predicted rightly`;
  return `${whose}predicted wrongly, ${className(panel?.classes, row.prediction)}`;
}
function item(row, panel, chosen) {
  const right = isRight(row);
  const mark = right === null ? "" : right ? "✓" : "✗";
  const told = verdictOf(row, panel);
  const classes = panel?.classes;
  return make(
    "li",
    { role: "option", "aria-selected": String(chosen) },
    make("span", { class: "av-rowname" }, nameOf2(row)),
    make(
      "span",
      { class: "av-rowlabel" },
      row.label >= 0 && row.label !== null ? className(classes, row.label) : ""
    ),
    make(
      "span",
      { class: right === false ? "av-mark av-wrong" : "av-mark", title: told, "aria-label": told },
      mark
    ),
    make("span", { class: "av-number" }, row.length >= 0 ? String(row.length) : ""),
    make("span", { class: "av-start", dir: "auto" }, preview(row))
  );
}
function createFilters(store, firstPanel) {
  const change = (changes) => store.set({ filters: { ...NO_FILTERS, ...store.get("filters"), ...changes } });
  const label = make("select", {
    onchange: () => change({ label: label.value === "" ? null : Number(label.value) })
  });
  const right = make("select", {
    onchange: () => change({ right: { "": null, right: true, wrong: false }[right.value] })
  });
  const number = (field) => make("input", {
    type: "number",
    min: 1,
    inputmode: "numeric",
    onchange: (event) => change({ [field]: event.target.value === "" ? null : Math.max(0, Number(event.target.value)) })
  });
  const [shortest, longest] = [number("shortest"), number("longest")];
  let waiting = 0;
  const contains = make("input", {
    type: "search",
    placeholder: "words in the text",
    oninput() {
      clearTimeout(waiting);
      waiting = setTimeout(() => change({ contains: contains.value }), TYPING);
    }
  });
  options(
    right,
    [
      ["", "right or wrong"],
      ["right", "right"],
      ["wrong", "wrong"]
    ].map(([value, text]) => ({ value, text })),
    ""
  );
  const element2 = make(
    "div",
    { class: "av-filters", role: "group", "aria-label": "filters" },
    labelled("label", label),
    labelled("prediction", right),
    labelled("words, at least", shortest),
    labelled("at most", longest),
    labelled("contains", contains),
    button("clear", "clear all filters", () => store.set({ filters: { ...NO_FILTERS } }))
  );
  function update() {
    const now = { ...NO_FILTERS, ...store.get("filters") };
    const panel = firstPanel();
    right.title = panel ? `as ${panel.key} predicts` : "";
    const classes = (panel?.classes || []).map((text, value) => ({ value: String(value), text }));
    options(label, [{ value: "", text: "any" }, ...classes], now.label ?? "");
    right.value = now.right === null ? "" : now.right ? "right" : "wrong";
    const quiet = (input, value) => {
      if (input.getRootNode().activeElement !== input) input.value = value;
    };
    quiet(shortest, now.shortest ?? "");
    quiet(longest, now.longest ?? "");
    quiet(contains, now.contains);
  }
  return { element: element2, update };
}

// src/decode.js
var TYPES = { float32: Float32Array, int32: Int32Array };
function bytesOf(base64) {
  const raw = atob(base64.trim());
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}
function typed(source, type) {
  const Kind = TYPES[type];
  if (source instanceof Kind) return source;
  const buffer = ArrayBuffer.isView(source) ? source.buffer : source;
  const start = ArrayBuffer.isView(source) ? source.byteOffset : 0;
  const length = source.byteLength;
  if (length % 4 !== 0) throw new Error(`A buffer of ${type} holds ${length} bytes, no multiple of 4.`);
  if (start % 4 !== 0) return new Kind(buffer.slice(start, start + length));
  return new Kind(buffer, start, length / 4);
}
function unitOffsets(text, spans) {
  const offsets = new Int32Array(spans.length);
  if (!/[\uD800-\uDBFF]/.test(text)) {
    for (let i = 0; i < spans.length; i++) offsets[i] = Math.min(spans[i], text.length);
    return offsets;
  }
  const starts = new Int32Array(text.length + 1);
  let points = 0;
  for (let unit = 0; unit < text.length; points++) {
    starts[points] = unit;
    unit += text.codePointAt(unit) > 65535 ? 2 : 1;
  }
  starts[points] = text.length;
  for (let i = 0; i < spans.length; i++) offsets[i] = starts[Math.min(spans[i], points)];
  return offsets;
}

// src/store.js
var READ_ONLY = { panels: "_panels", rows: "_rows", status: "_status", abilities: "_abilities" };
var DEFAULTS = {
  sequence: 0,
  sentence: "",
  timestep: -1,
  cell: "",
  layer: "",
  lens: "",
  head: -1,
  edits: {},
  filters: {},
  window: [0, 0]
};
var ELSEWHERE = { timestep: -1, window: [0, 0] };
function modelStore(model) {
  const named2 = (name2) => READ_ONLY[name2] || name2;
  return {
    get: (name2) => model.get(named2(name2)),
    set(changes) {
      const real = Object.entries(changes).filter(([name2, value]) => !same(model.get(name2), value));
      if (real.length === 0) return;
      for (const [name2, value] of real) model.set(name2, value);
      model.save_changes();
    },
    on(name2, listener) {
      const event = `change:${named2(name2)}`;
      model.on(event, listener);
      return () => model.off(event, listener);
    },
    ask: (message) => model.send(message),
    hear(listener) {
      model.on("msg:custom", listener);
      return () => model.off("msg:custom", listener);
    },
    array: (buffer, type) => typed(buffer, type)
  };
}
function pageStore(payload, base64) {
  const state = { ...DEFAULTS, ...payload.state };
  const listeners = /* @__PURE__ */ new Map();
  const decoded = /* @__PURE__ */ new Map();
  const found = /* @__PURE__ */ new Map();
  function panels() {
    const key = JSON.stringify([state.sequence, state.edits]);
    if (!found.has(key)) {
      const all = (payload.panels || {})[String(state.sequence)] || [];
      found.set(
        key,
        all.map((panel) => withVariant(panel, state.edits))
      );
    }
    return found.get(key);
  }
  const derived = {
    panels,
    rows: () => filtered(payload.rows || [], state.filters),
    status: () => ({ busy: [], error: null }),
    abilities: () => ({ live: false, saved: true, layers: sharedLayers(panels()) })
  };
  const causes = { sequence: "panels", edits: "panels", filters: "rows" };
  function tell(name2) {
    for (const listener of [...listeners.get(name2) || []]) listener();
  }
  return {
    get: (name2) => name2 in derived ? derived[name2]() : state[name2],
    set(changes) {
      const moves = "sequence" in changes && changes.sequence !== state.sequence;
      const all = moves ? { ...ELSEWHERE, ...changes } : changes;
      const real = Object.entries(all).filter(([name2, value]) => !same(state[name2], value));
      for (const [name2, value] of real) state[name2] = value;
      const names = new Set(real.flatMap(([name2]) => name2 in causes ? [name2, causes[name2]] : [name2]));
      names.forEach(tell);
    },
    on(name2, listener) {
      if (!listeners.has(name2)) listeners.set(name2, /* @__PURE__ */ new Set());
      listeners.get(name2).add(listener);
      return () => listeners.get(name2).delete(listener);
    },
    ask() {
    },
    hear: () => () => {
    },
    array(buffer, type) {
      if (buffer === null || typeof buffer !== "object" || !("buffer" in buffer) || ArrayBuffer.isView(buffer)) {
        return typed(buffer, type);
      }
      const key = `${buffer.buffer} ${type}`;
      if (!decoded.has(key)) decoded.set(key, typed(bytesOf(base64(buffer.buffer)), type));
      return decoded.get(key);
    }
  };
}
function same(a, b) {
  return a === b || JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}
function cleanEdits(edits) {
  const numbers = (list) => [...new Set(list || [])].sort((a, b) => a - b);
  const { lags, heads, uniform } = edits || {};
  return { lags: numbers(lags), heads: numbers(heads), uniform: Boolean(uniform) };
}
function setEdits(edits) {
  return unedited(edits) ? {} : cleanEdits(edits);
}
function unedited(edits) {
  return same(cleanEdits(edits), cleanEdits({}));
}
function sharedLayers(panels) {
  const keys = [...new Set(panels.map((panel) => panel.key))];
  const has = (key, layer) => panels.some((panel) => panel.key === key && panel.layer === layer);
  const layers = [...new Set(panels.map((panel) => panel.layer))];
  return layers.filter((layer) => keys.every((key) => has(key, layer)));
}
function withVariant(panel, edits) {
  if (unedited(edits)) return panel;
  const wanted = cleanEdits(edits);
  const variant = (panel.variants || []).find((one) => same(cleanEdits(one.edits), wanted));
  return variant ? { ...panel, edited: { label: variant.label, ...variant.edited } } : panel;
}
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value).sort().map((key) => [key, sorted(value[key])])
  );
}

// src/edits_menu.js
function switchesOf(panels) {
  const known = panels.map((panel) => panel.switches).filter(Boolean);
  if (known.length === 0) return null;
  return {
    lags: [...new Set(known.flatMap((one) => one.lags))].sort((a, b) => a - b),
    heads: Math.max(...known.map((one) => one.lags.length > 0 ? one.heads : 0)),
    uniform: known.some((one) => one.uniform)
  };
}
function variantsOf(panels) {
  const found = [];
  for (const variant of panels.flatMap((panel) => panel.variants || [])) {
    if (!found.some((one) => same(cleanEdits(one.edits), cleanEdits(variant.edits)))) found.push(variant);
  }
  return found;
}
function createEditsMenu(store, plain) {
  const select = make("select", {
    onchange: () => store.set({ edits: choices[Number(select.value)] || {} })
  });
  const field = labelled("edit", select);
  const switches = make("div", {
    class: "av-switches",
    role: "group",
    "aria-label": "what attention may read"
  });
  const summary = make("summary", {}, "edits");
  const details = make("details", { class: "av-edits" }, summary, switches);
  const showPlain = make("input", { type: "checkbox", onchange: () => plain(showPlain.checked) });
  const plainField = make("label", { class: "av-check" }, showPlain, "show unedited");
  const element2 = make("div", { class: "av-editing" }, field, details, plainField);
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
    element2.hidden = details.hidden && field.hidden;
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
      String(Math.max(0, place))
    );
  }
  function showSwitches(known, edits) {
    if (told !== JSON.stringify(known)) {
      told = JSON.stringify(known);
      switches.replaceChildren(...boxes(known));
    }
    const now = cleanEdits(edits);
    for (const box2 of switches.querySelectorAll("input")) {
      const { field: name2, number } = box2.dataset;
      box2.checked = name2 === "uniform" ? now.uniform : !now[name2].includes(Number(number));
    }
    const count = now.lags.length + now.heads.length + (now.uniform ? 1 : 0);
    summary.textContent = count === 0 ? "edits" : `edits (${count})`;
    details.classList.toggle("av-active", !unedited(edits));
  }
  function boxes(known) {
    const group = (name2, legend, numbers) => numbers.length === 0 ? null : make(
      "fieldset",
      {},
      make("legend", {}, legend),
      ...numbers.map((number) => box(name2, number, String(number)))
    );
    const heads = known.heads > 1 ? [...Array(known.heads).keys()] : [];
    return [
      group("lags", "lags that are read", known.lags),
      group("heads", "heads that read", heads),
      known.uniform ? make("div", {}, box("uniform", 0, "uniform attention")) : null,
      button("reset", "take all edits back", () => store.set({ edits: {} }))
    ].filter(Boolean);
  }
  function box(name2, number, text) {
    const input = make("input", {
      type: "checkbox",
      "data-field": name2,
      "data-number": number,
      onchange: flip
    });
    return make("label", { class: "av-check" }, input, text);
  }
  function flip(event) {
    const { field: name2, number } = event.target.dataset;
    const now = cleanEdits(store.get("edits"));
    if (name2 === "uniform") now.uniform = event.target.checked;
    else if (event.target.checked) now[name2] = now[name2].filter((one) => one !== Number(number));
    else now[name2] = [...now[name2], Number(number)];
    store.set({ edits: setEdits(now) });
  }
  function leave(target) {
    if (details.open && !details.contains(target)) details.open = false;
  }
  return { element: element2, update, leave };
}

// src/controls.js
function createControls(store, actions) {
  const chooser = createChooser(store, () => (store.get("panels") || [])[0]);
  const own = createOwnSentence(store);
  const lens = make("select", { onchange: () => store.set({ lens: lens.value }) });
  const head = make("select", { onchange: () => store.set({ head: Number(head.value) }) });
  const layer = make("select", { onchange: () => store.set({ layer: layer.value }) });
  const [lensField, headField, layerField] = [
    labelled("shows", lens),
    labelled("head", head),
    labelled("layer", layer)
  ];
  const edits = createEditsMenu(store, actions.plain);
  const zoom = make(
    "div",
    { class: "av-group", role: "group", "aria-label": "zoom" },
    button("−", "zoom out (key -)", () => actions.zoom(0.5)),
    button("+", "zoom in (key +)", () => actions.zoom(2)),
    button("fit", "show all timesteps (key 0)", actions.fit)
  );
  const save = make(
    "div",
    { class: "av-group", role: "group", "aria-label": "save the view" },
    button("SVG", "save the view as SVG", () => actions.save("svg")),
    button("PNG", "save the view as PNG", () => actions.save("png"))
  );
  const help = button("?", "keys (key ?)", actions.help, { "aria-expanded": "false" });
  const busy = make("span", { class: "av-busy", role: "status" });
  const limits2 = make("p", { class: "av-hint av-limits" });
  const error = make("p", { class: "av-error", role: "alert" });
  let failure = null;
  const element2 = make(
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
      help
    ),
    limits2,
    error
  );
  function update(views) {
    const panels = store.get("panels") || [];
    chooser.update();
    own.update();
    const lenses = distinct(
      views.flatMap((view) => view.lenses),
      (one) => one.name
    );
    const wanted = store.get("lens");
    const chosen = lenses.some((one) => one.name === wanted) ? wanted : lenses[0]?.name;
    options(
      lens,
      lenses.map(({ name: name2 }) => ({ value: name2, text: sharedLabel(named(views, name2)) })),
      chosen ?? ""
    );
    lensField.hidden = lenses.length === 0;
    const heads = headsOf(views);
    options(
      head,
      heads.map((text, i) => ({ value: String(i - 1), text })),
      clamp(store.get("head"), heads)
    );
    headField.hidden = heads.length <= 1;
    const layers = store.get("abilities")?.layers || [];
    options(
      layer,
      layers.map((value) => ({ value, text: value })),
      views[0]?.panel.layer ?? ""
    );
    layerField.hidden = layers.length <= 1;
    edits.update(panels);
    say(limits2, limitsOf(store.get("abilities"), panels));
    limits2.hidden = limits2.textContent === "";
    showStatus();
  }
  function showStatus() {
    const { busy: doing, error: wrong } = store.get("status") || {};
    say(busy, doing && doing.length > 0 ? `working: ${doing.join(", ")} …` : "");
    const told = [wrong, failure].filter(Boolean).join("\n");
    say(error, told);
    error.hidden = told === "";
  }
  function fail(why) {
    failure = why;
    showStatus();
  }
  return { element: element2, update, showStatus, fail, helpButton: help, leave: edits.leave, close: chooser.leave };
}
function limitsOf(abilities, panels) {
  if (abilities?.live) return "";
  const where = abilities?.saved ? "saved view" : "view of a trace";
  const typed2 = `${where}: without a running model nothing can be typed`;
  if (variantsOf(panels).length > 0) return `${typed2}; edits are those made beforehand`;
  return panels.some((panel) => panel.switches) ? `${typed2} or switched off` : typed2;
}
function headsOf(views) {
  return views.map((view) => view.lens?.heads || []).reduce((a, b) => b.length > a.length ? b : a, []);
}
function clamp(head, heads) {
  return Math.max(-1, Math.min(heads.length - 2, head));
}
function named(views, name2) {
  return views.flatMap((view) => view.lenses.filter((one) => one.name === name2).map((one) => one.label));
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
    oninput: () => store.set({ sentence: box.value })
  });
  const element2 = make("div", { class: "av-own" }, box);
  function update() {
    element2.hidden = !store.get("abilities")?.live;
    const sentence = store.get("sentence") || "";
    if (box.getRootNode().activeElement !== box) box.value = sentence;
  }
  return { element: element2, update };
}

// src/svg_painter.js
var MOST_RECTS = 4e3;
function svgPainter({ measure, png }) {
  const parts = [];
  let clips = 0;
  const put = (name2, attributes, inside) => parts.push(element(name2, attributes, inside));
  return {
    rect: (x, y, width, height, style) => put("rect", { x, y, width, height, ...drawn(style) }),
    line: (x1, y1, x2, y2, style) => put("line", { x1, y1, x2, y2, ...drawn(style) }),
    path: (pieces2, style) => put("path", { d: outline(pieces2), ...drawn({ ...style, fill: void 0 }) }),
    area: (pieces2, style) => put("path", { d: `${outline(pieces2)}Z`, ...drawn(style) }),
    curve([x1, y1, ax, ay, bx, by, x2, y2], style) {
      const d = `M${num(x1)} ${num(y1)}C${[ax, ay, bx, by, x2, y2].map(num).join(" ")}`;
      put("path", { d, ...drawn({ ...style, fill: void 0 }) });
    },
    text(words, x, y, style) {
      const { size = 11, weight, slant, align, rotate, direction } = style;
      put(
        "text",
        {
          x,
          y,
          "font-size": size,
          "font-weight": weight,
          "font-style": slant,
          direction,
          "text-anchor": align,
          fill: style.fill,
          opacity: style.opacity,
          transform: rotate ? `rotate(${num(rotate)} ${num(x)} ${num(y)})` : void 0,
          "xml:space": "preserve"
        },
        escaped(words)
      );
    },
    cells(x, y, width, height, grid) {
      if (grid.columns * grid.rows > MOST_RECTS) {
        const style = "image-rendering:pixelated";
        put("image", { x, y, width, height, preserveAspectRatio: "none", style, href: png(grid) });
      } else {
        rects(grid, x, y, width / grid.columns, height / grid.rows, put);
      }
    },
    clipped(x, y, width, height, draw) {
      const id = `clip${clips++}`;
      parts.push(`<clipPath id="${id}">${element("rect", { x, y, width, height })}</clipPath>`);
      parts.push(`<g clip-path="url(#${id})">`);
      draw();
      parts.push("</g>");
    },
    group(name2, draw) {
      parts.push(`<g>${element("title", {}, escaped(name2))}`);
      draw();
      parts.push("</g>");
    },
    measure,
    /** The whole document. */
    document(width, height, { title, description }) {
      const size = `width="${num(width)}" height="${num(height)}" viewBox="0 0 ${num(width)} ${num(height)}"`;
      return [
        `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="${escaped(FONT)}">`,
        element("title", {}, escaped(title)),
        element("desc", {}, escaped(description)),
        ...parts,
        "</svg>",
        ""
      ].join("\n");
    }
  };
}
function escaped(text) {
  return String(text).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "�").replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "�").replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;").replace(/'/g, "&#39;");
}
function element(name2, attributes, inside) {
  const told = Object.entries(attributes).filter(([, value]) => value !== void 0 && value !== null).map(([key, value]) => ` ${key}="${typeof value === "number" ? num(value) : escaped(value)}"`).join("");
  return inside === void 0 ? `<${name2}${told}/>` : `<${name2}${told}>${inside}</${name2}>`;
}
function drawn({ fill, stroke, width, opacity, dash, cap }) {
  return {
    fill: fill || "none",
    stroke,
    "stroke-width": stroke ? width : void 0,
    "stroke-dasharray": dash && dash.length > 0 ? dash.join(" ") : void 0,
    "stroke-linecap": cap,
    "stroke-linejoin": stroke ? "round" : void 0,
    opacity: opacity === 1 ? void 0 : opacity
  };
}
function outline(pieces2) {
  return pieces2.filter((points) => points.length > 0).map((points) => `M${points.map(([x, y]) => `${num(x)} ${num(y)}`).join("L")}`).join("");
}
function rects({ columns, rows, rgba }, x, y, wide, high, put) {
  const colourAt = (row, column) => {
    const i = 4 * (row * columns + column);
    return `#${[0, 1, 2].map((c) => rgba[i + c].toString(16).padStart(2, "0")).join("")}`;
  };
  for (let row = 0; row < rows; row++) {
    for (let first = 0; first < columns; ) {
      const fill = colourAt(row, first);
      let last = first + 1;
      while (last < columns && colourAt(row, last) === fill) last++;
      const width = (last - first) * wide + (last < columns ? 0.2 : 0);
      const height = high + (row < rows - 1 ? 0.2 : 0);
      put("rect", { x: x + first * wide, y: y + row * high, width, height, fill });
      first = last;
    }
  }
}
function num(value) {
  return Number.isFinite(value) ? String(Math.round(value * 100) / 100) : "0";
}

// src/saving.js
var SHARPNESS = 2;
async function saveView(views, kind, options2) {
  const blob = kind === "svg" ? new Blob([svgOf(views, options2)], { type: "image/svg+xml" }) : await pngOf(views, options2);
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = `${options2.name}.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1e4);
}
function fileName(views, id) {
  const parts = [...views.map((view) => view.panel.key), id, views[0]?.lens?.name].filter(Boolean);
  const plain = parts.join("-").normalize("NFKD").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/-+/g, "-");
  return plain.replace(/^[-.]+|[-.]+$/g, "").slice(0, 120) || "attnviz";
}
function svgOf(views, options2) {
  const measure = measurer();
  const painter = svgPainter({ measure, png: (grid) => imageOf(grid).toDataURL("image/png") });
  const height = drawFigure(painter, views, options2);
  const title = views.map((view) => view.panel.title).join(", ");
  const description = `attnviz: ${views[0]?.lens?.label ?? "no lens"}; ${options2.name}`;
  return painter.document(widthOf(options2.columns, options2.panelWidth), height, { title, description });
}
function pngOf(views, options2) {
  const width = widthOf(options2.columns, options2.panelWidth);
  const height = drawFigure(dryPainter(measurer()), views, options2);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * SHARPNESS, height * SHARPNESS];
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.setTransform(SHARPNESS, 0, 0, SHARPNESS, 0, 0);
  drawFigure(canvasPainter(context), views, options2);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => blob ? resolve(blob) : reject(new Error("The picture is too large for a PNG.")),
      "image/png"
    );
  });
}
function measurer() {
  const context = document.createElement("canvas").getContext("2d");
  return canvasPainter(context).measure;
}

// src/span.js
var FEWEST = 8;
function shownSpan(span, n) {
  const [a, b] = (span || [0, 0]).map((end) => Math.round(Number(end) || 0));
  if (b <= a || n === 0) return [0, n];
  const first = Math.min(Math.max(0, a), Math.max(0, n - 1));
  return [first, Math.max(first + 1, Math.min(n, b))];
}
function zoomed(span, n, factor, centre) {
  const [a, b] = shownSpan(span, n);
  const about = Math.min(Math.max(centre, a), b);
  const wide = Math.min(n, Math.max(Math.min(FEWEST, n), Math.round((b - a) / factor)));
  if (wide >= n) return [0, 0];
  return settled(Math.round(about - (about - a) / (b - a) * wide), wide, n);
}
function moved2(span, n, by) {
  const [a, b] = shownSpan(span, n);
  return b - a >= n ? [0, 0] : settled(a + Math.round(by), b - a, n);
}
function showing(span, n, t) {
  const [a, b] = shownSpan(span, n);
  if (t < 0 || t >= a && t < b) return span;
  const margin = Math.floor((b - a) / 4);
  return t < a ? settled(t - margin, b - a, n) : settled(t + margin + 1 - (b - a), b - a, n);
}
function settled(first, wide, n) {
  const a = Math.min(Math.max(0, first), n - wide);
  return [a, a + wide];
}

// src/linking.js
function linked(from, to, t) {
  if (t < 0 || 2 * t + 1 >= from.length) return -1;
  if (sameWords(from, to)) return t;
  const start = from[2 * t];
  const end = from[2 * t + 1];
  let best = -1;
  let most = 0;
  for (let i = firstEndingAfter(to, start); 2 * i < to.length && to[2 * i] < end; i++) {
    const shared = Math.min(end, to[2 * i + 1]) - Math.max(start, to[2 * i]);
    if (shared > most) [best, most] = [i, shared];
  }
  return best;
}
function linkedSpan(from, to, span) {
  const [a, b] = span;
  const n = to.length / 2;
  if (b <= a || sameWords(from, to) || n === 0) return span;
  const first = Math.min(n - 1, firstEndingAfter(to, from[2 * a]));
  if (2 * b >= from.length) return [first, n];
  const end = from[2 * b - 1];
  let last = first;
  while (last < n && to[2 * last] < end) last++;
  return [first, Math.max(first + 1, last)];
}
var compared = /* @__PURE__ */ new WeakMap();
function sameWords(from, to) {
  if (from === to) return true;
  if (from.length !== to.length) return false;
  if (!compared.has(from)) compared.set(from, /* @__PURE__ */ new WeakMap());
  const known = compared.get(from);
  if (!known.has(to))
    known.set(
      to,
      from.every((offset, i) => offset === to[i])
    );
  return known.get(to);
}
function firstEndingAfter(offsets, position) {
  let [low, high] = [0, offsets.length / 2];
  while (low < high) {
    const middle = low + high >> 1;
    if (offsets[2 * middle + 1] > position) high = middle;
    else low = middle + 1;
  }
  return low;
}

// src/commands.js
function createCommands(explorer) {
  const { store } = explorer;
  const views = () => explorer.views();
  const focused = () => views().find((view) => view.focused) || views()[0];
  function choose(key2, t) {
    const view = views().find((one) => one.panel.key === key2);
    if (!view) return;
    const timestep = linked(view.offsets, views()[0].offsets, t);
    explorer.setAside(timestep < 0 ? { key: key2, t } : null);
    const changes = { cell: key2, timestep };
    if (t >= 0 && (t < view.span[0] || t >= view.span[1])) {
      changes.window = linkedSpan(view.offsets, views()[0].offsets, showing(view.span, view.n, t));
    }
    store.set(changes);
  }
  function setSpan(view, span) {
    store.set({ window: linkedSpan(view.offsets, views()[0].offsets, span) });
  }
  function zoom(factor, centre, view = views()[0]) {
    if (!view) return;
    const middle = view.selected >= 0 ? view.selected : (view.span[0] + view.span[1]) / 2;
    setSpan(view, zoomed(view.span, view.n, factor, centre ?? middle));
  }
  function focus(key2) {
    if (store.get("cell") !== key2) store.set({ cell: key2 });
  }
  const WALK = {
    before: (view, t) => t < 0 ? view.n - 1 : Math.max(0, t - 1),
    after: (view, t) => Math.min(view.n - 1, t + 1),
    first: () => 0,
    last: (view) => view.n - 1,
    up: (view, t) => explorer.panelOf(view.panel.key).words.lineFrom(Math.max(0, t), -1),
    down: (view, t) => explorer.panelOf(view.panel.key).words.lineFrom(Math.max(0, t), 1),
    source: (view, t) => t < 0 || !view.look ? -1 : strongest(sourcesOf(view.look, t), t)?.timestep ?? -1,
    reader: (view, t) => t < 0 || !view.look ? -1 : strongest(readersOf(view.look, t), t)?.timestep ?? -1
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
      if (count > 1) store.set({ head: (store.get("head") + 2) % count - 1 });
    },
    lens() {
      const names = [...new Set(views().flatMap((view) => view.lenses.map((lens) => lens.name)))];
      const place = names.indexOf(store.get("lens"));
      if (names.length > 0) store.set({ lens: names[(Math.max(0, place) + 1) % names.length] });
    }
  };
  function key(action) {
    explorer.settle();
    if (action in OTHER) return OTHER[action]();
    const view = focused();
    if (!view || view.n === 0) return void 0;
    const t = WALK[action](view, view.selected);
    if (t >= 0 && t !== view.selected) choose(view.panel.key, t);
    return void 0;
  }
  function save(kind) {
    const shown2 = views();
    if (shown2.length === 0) return;
    const own = (store.get("rows")?.rows || []).find((row) => row.sequence === store.get("sequence"));
    const id = own ? own.id : store.get("sequence") < 0 ? "own-sentence" : String(store.get("sequence"));
    const named2 = (view) => lensNotes(view).map((note) => `${view.panel.key}: ${note}`);
    const notes = [...new Set(shown2.flatMap((view) => [...view.panel.notes || [], ...named2(view)]))];
    const columns = Math.min(3, shown2.length);
    const name2 = fileName(shown2, id);
    explorer.fail(null);
    saveView(shown2, kind, { panelWidth: columns === 1 ? 720 : 440, columns, notes, name: name2 }).catch(
      (error) => explorer.fail(`The view was not saved: ${error.message}`)
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
      pan: (view, start, by) => setSpan(view, moved2([start.first, start.last], view.n, by)),
      tell: tip.show,
      hush: tip.hide,
      redraw: (panelKey) => explorer.panelOf(panelKey)?.draw(false)
    })
  };
}

// src/hover.js
var DIGITS = 6;
var NO_ROW = { true: "not measured yet", false: "not measured for this word" };
function toldAt(view, layout, x, y) {
  const t = timestepAt(layout, x);
  if (t < layout.first || t >= layout.last) return null;
  const lines = [[`timestep ${t}`, shortWord(view.words[t])]];
  const strip = stripAt(layout, y);
  if (strip?.kind === "map") lines.push(...toldOfMap(view, strip, t, y));
  if (strip?.kind === "track" || strip?.kind === "title")
    lines.push(...toldOfTrack(view.tracks[strip.number], t));
  if (strip?.kind === "arcs" && view.selected >= 0) lines.push(...toldOfArc(view, t));
  return lines;
}
function toldOfMap(view, strip, t, y) {
  const index = sourceAt(strip, y);
  const { look, lens } = view;
  if (index < 0 || !look.matrix) return [];
  const source = look.sources[index];
  const weight = weightAt(look, t, index);
  const value = Number.isNaN(weight) && unmeasured(look, t) ? NO_ROW[view.live] : digits(weight, DIGITS);
  if (look.axis === "feature") return [[featureName(lens, index), value]];
  const kind = standing(look, t, source);
  const item2 = { kind, timestep: kind === REAL ? t - look.direction * source : -1 };
  return [
    [`${look.axis} ${source}`, shortWord(nameOf(item2, view.words))],
    [lens.label, value]
  ];
}
function toldOfTrack(track, t) {
  return track.series.flatMap((one, i) => {
    const lines = [[one.label, digits(one.values[t], DIGITS)]];
    const before = track.before?.[i];
    if (before) lines.push(["unedited", digits(before.values[t], DIGITS)]);
    return lines;
  });
}
function toldOfArc(view, t) {
  const { look, selected } = view;
  const distance = (selected - t) * look.direction;
  const index = look.sources.findIndex((lag) => lag === Math.abs(distance));
  if (distance === 0 || index < 0) return [];
  const [reader, verb] = distance > 0 ? [selected, "read by the selected"] : [t, "reads the selected"];
  return [[verb, digits(weightAt(look, reader, index), DIGITS)]];
}
function createTip(root) {
  const element2 = make("div", { class: "av-tip", role: "tooltip", hidden: true });
  root.append(element2);
  function show(lines, clientX, clientY) {
    element2.replaceChildren(
      ...lines.map(
        ([name2, value]) => make("div", {}, make("span", {}, name2), make("b", { dir: "auto" }, value))
      )
    );
    element2.hidden = false;
    const box = root.getBoundingClientRect();
    const wide = element2.offsetWidth;
    const x = Math.min(clientX - box.left + 14, root.clientWidth - wide - 4);
    const fitsBelow = clientY + 18 + element2.offsetHeight < window.innerHeight;
    element2.style.left = `${Math.max(4, x)}px`;
    element2.style.top = `${clientY - box.top + (fitsBelow ? 16 : -10 - element2.offsetHeight)}px`;
  }
  return {
    show,
    hide: () => {
      element2.hidden = true;
    }
  };
}

// src/keys.js
var WALKING = {
  ArrowLeft: "before",
  ArrowRight: "after",
  ArrowUp: "up",
  ArrowDown: "down",
  Home: "first",
  End: "last",
  "[": "source",
  "]": "reader"
};
var ALWAYS = {
  h: "head",
  l: "lens",
  "+": "nearer",
  "=": "nearer",
  "-": "further",
  0: "fit",
  "?": "help",
  Escape: "none"
};
function actionOf(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  const target = event.target;
  if (target.closest?.(TYPED)) return null;
  if (target.closest?.(".av-words") && event.key in WALKING) return WALKING[event.key];
  return event.key in ALWAYS ? ALWAYS[event.key] : null;
}
var TYPED = 'input, textarea, select, [contenteditable="true"]';
var EDITING = /^([acvxyz]|Arrow.*|Home|End|Backspace|Delete)$/i;
function isOwnKey(event, typing) {
  if (event.getModifierState?.("AltGraph")) return typing;
  if (event.ctrlKey || event.metaKey || event.altKey) return typing && EDITING.test(event.key);
  if (/^F\d+$/.test(event.key)) return false;
  return typing || !(event.shiftKey && event.key === "Enter");
}
function keepKeys(root) {
  const mark = (own) => own ? root.setAttribute("data-lm-suppress-shortcuts", "true") : root.removeAttribute("data-lm-suppress-shortcuts");
  const decide = (event) => {
    const path = event.composedPath();
    if (path.includes(root)) mark(isOwnKey(event, Boolean(path[0].closest?.(TYPED))));
  };
  mark(true);
  window.addEventListener("keydown", decide, true);
  return () => window.removeEventListener("keydown", decide, true);
}
var HELP = [
  [["←", "→"], "a word back, a word on"],
  [["↑", "↓"], "a line up, a line down"],
  [["Home", "End"], "first word, last word"],
  [["["], "to the word that was read most"],
  [["]"], "to the word that reads this most"],
  [["h"], "next head"],
  [["l"], "next lens"],
  [["+", "−", "0"], "zoom in, zoom out, show all"],
  [["Esc"], "select nothing"],
  [["?"], "this help"]
];
function keyHelp() {
  const rows = HELP.map(
    ([keys, does]) => make("div", {}, make("dt", {}, ...keys.map((key) => make("kbd", {}, key))), make("dd", {}, does))
  );
  return make(
    "div",
    { class: "av-help", hidden: true, role: "region", "aria-label": "keys" },
    make("dl", {}, ...rows),
    make(
      "p",
      {},
      "The keys for words work while the text has the focus. On the time line: click a word, drag to move, turn the wheel with Ctrl or Shift to zoom."
    )
  );
}

// src/atword.js
var DIGITS2 = 6;
function numbersAt({ tracks, edited }, t) {
  return tracks.map(({ label, unit, series, before, carried }) => ({
    track: withUnit(label, unit),
    rows: series.map((one, i) => {
      const now = digits(one.values[t], DIGITS2);
      if (!edited) return { label: one.label, values: [now] };
      if (carried) return { label: one.label, values: [digits(NaN), now] };
      return { label: one.label, values: [now, digits(before?.[i]?.values[t], DIGITS2)] };
    })
  }));
}
function createAtWord() {
  const caption = make("caption", {});
  const table = make("table", {}, caption);
  const attributes = { class: "av-scroll av-atword", role: "region", "aria-label": "numbers at this word" };
  const element2 = make("div", attributes, table);
  let [built, cells] = ["", []];
  function show(view) {
    const t = view.selected;
    element2.hidden = t < 0 || view.tracks.length === 0;
    if (element2.hidden) return;
    const groups = numbersAt(view, t);
    say(caption, `at this word: “${shortWord(view.words[t])}”`);
    const shape = JSON.stringify([
      Boolean(view.edited),
      groups.map(({ track, rows }) => [track, rows.map((row) => row.label)])
    ]);
    if (shape !== built) build(groups, Boolean(view.edited));
    built = shape;
    const told = groups.flatMap(({ rows }) => rows.flatMap((row) => row.values));
    cells.forEach((cell, i) => say(cell, told[i]));
  }
  function build(groups, edited) {
    cells = [];
    const names = edited ? ["edited", "unedited"] : ["value"];
    const number = (name2) => make("th", { scope: "col", class: "av-number" }, name2);
    const head = make(
      "thead",
      {},
      make("tr", {}, make("th", { scope: "col" }, "track"), ...names.map(number))
    );
    const bodies = groups.map(({ track, rows }) => {
      const title = make("th", { scope: "rowgroup", colspan: names.length + 1 }, track);
      return make("tbody", {}, make("tr", {}, title), ...rows.map((row) => line(row, names.length)));
    });
    table.replaceChildren(caption, head, ...bodies);
  }
  function line({ label }, count) {
    const own = Array.from({ length: count }, () => make("td", { class: "av-number" }));
    cells.push(...own);
    return make("tr", {}, make("th", { scope: "row", dir: "auto" }, label), ...own);
  }
  return { element: element2, show };
}

// src/table.js
var FEW = 12;
var MOST3 = 500;
function createTable(title, label, choose) {
  const caption = make("caption", {}, title);
  const what = make("th", { scope: "col" }, "word");
  const distance = make("th", { scope: "col", class: "av-number av-distance" }, "lag");
  const weight = make("th", { scope: "col", class: "av-number av-weight" }, "weight");
  const body = make("tbody");
  const none2 = make("p", { class: "av-none" }, "nothing");
  const more = make("button", { type: "button", class: "av-all", onclick: () => showAll(!all) });
  const head = make("thead", {}, make("tr", {}, what, distance, weight));
  const attributes = { class: "av-scroll", role: "region", "aria-label": label };
  const element2 = make("div", attributes, make("table", {}, caption, head, body), none2, more);
  const rows = [];
  let scrolled = false;
  element2.addEventListener("scroll", () => scrolled = true, { passive: true });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("[data-go]");
    if (row) choose(Number(row.dataset.go));
  });
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all2 = [...body.querySelectorAll(".av-go:not([hidden])")];
    all2[all2.indexOf(event.target) + step]?.focus();
    event.preventDefault();
    event.stopPropagation();
  });
  let [all, last] = [false, null];
  function showAll(wanted) {
    all = wanted;
    if (last) fill(...last);
  }
  function fill(links, view, dark, sources) {
    last = [links, view, dark, sources];
    const few = links.length > FEW + 1;
    const shown2 = links.slice(0, few && !all ? FEW : MOST3);
    more.hidden = !few;
    say(more, all ? "fewer" : `all ${Math.min(links.length, MOST3)}`);
    while (rows.length < shown2.length) rows.push(createRow());
    shown2.forEach((link, i) => rows[i].fill(link, view, swatchColour(link, view.scale, dark, sources)));
    if (body.childElementCount !== shown2.length) {
      body.replaceChildren(...rows.slice(0, shown2.length).map((row) => row.element));
    }
    const first = shown2.findIndex((link) => link.timestep >= 0);
    rows.forEach((row, i) => row.reachable(i === first));
    none2.hidden = shown2.length > 0;
    if (scrolled) element2.scrollTop = 0;
    scrolled = false;
  }
  return {
    element: element2,
    fill,
    caption: (text) => say(caption, text),
    columns(name2, lag, unit) {
      say(what, name2);
      say(distance, lag);
      say(weight, unit);
    }
  };
}
function createRow() {
  const swatch = make("i", { class: "av-swatch", "aria-hidden": "true" });
  const go = make("button", { type: "button", class: "av-go", dir: "auto", tabindex: "-1" });
  const noword = make("span", { class: "av-noword" });
  const lag = make("td", { class: "av-number" });
  const weight = make("td", { class: "av-number" });
  const name2 = make("td", {}, swatch, go, noword);
  const element2 = make("tr", {}, name2, lag, weight);
  let [word, place, shade, tab] = [null, null, null, false];
  function fill(link, view, colour) {
    const isWord = link.timestep >= 0;
    if (word !== isWord) {
      word = isWord;
      [go.hidden, noword.hidden] = [!isWord, isWord];
      element2.classList.toggle("av-clickable", isWord);
    }
    if (place !== link.timestep) {
      place = link.timestep;
      if (isWord) element2.dataset.go = place;
      else delete element2.dataset.go;
    }
    say(isWord ? go : noword, shortWord(link.label, 48));
    if (shade !== colour) swatch.style.backgroundColor = colour;
    shade = colour;
    const extra = link.kind === "extra";
    if (swatch.hidden !== extra) [swatch.hidden, lag.hidden, name2.colSpan] = [extra, extra, extra ? 2 : 1];
    say(lag, link.lag < 0 || view.look.axis === "feature" ? "" : String(link.lag));
    say(weight, weighed(link.weight, view.lens.signed));
  }
  function reachable(yes) {
    if (yes !== tab) go.tabIndex = yes ? 0 : -1;
    tab = yes;
  }
  return { element: element2, fill, reachable };
}
function swatchColour(link, scale, dark, sources) {
  if (sources || link.weight < 0) {
    return rampColour(ramp(scale.signed ? "signed" : "sources", dark), placeOf(scale, link.weight));
  }
  return rampColour(ramp("readers", dark), 0.15 + 0.85 * strengthOf(scale, link.weight));
}

// src/lists.js
function createLists(choose) {
  const element2 = make("div", { class: "av-lists" });
  const here = createAtWord();
  const heading = make("p", { class: "av-hint" });
  const read = createTable("read", "what the selected word read", choose);
  const readers = createTable("was read by", "later words that read the selected word", choose);
  element2.append(heading, read.element, readers.element, here.element);
  function show(view, dark) {
    here.show(view);
    const t = view.selected;
    const { look, lens } = view;
    const chosen = t >= 0 && look !== null;
    const feature = look?.axis === "feature";
    say(heading, hintFor(view));
    heading.hidden = heading.textContent === "";
    read.element.hidden = !chosen || !look.matrix;
    readers.element.hidden = read.element.hidden || feature;
    if (read.element.hidden) return;
    read.element.hidden = unmeasured(look, t);
    read.caption(feature ? "strongest features" : `“${shortWord(view.words[t])}” read`);
    read.columns(feature ? "feature" : "word", feature ? "" : lens.axis, unitWord(lens));
    readers.columns("word", lens.axis, unitWord(lens));
    readers.caption(`“${shortWord(view.words[t])}” was read by`);
    read.fill(linksOf(view, t), view, dark, true);
    const later = byStrength(readersOf(look, t)).map((one) => ({ ...one, label: view.words[one.timestep] }));
    readers.fill(later, view, dark, false);
  }
  return { element: element2, show };
}
function hintFor(view) {
  if (view.look === null) return "Nothing was recorded of what this cell looks back at.";
  if (view.selected < 0) {
    return view.elsewhere ? "This model did not read the selected word." : "Click a word, or walk with ← and →.";
  }
  if (!view.look.matrix) return "loading …";
  return unmeasured(view.look, view.selected) ? notMeasured(view) : "";
}

// src/pointing.js
var SLACK = 4;
function pointAt(canvas, layout, actions) {
  let drag = null;
  const placeOf2 = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const inside = (t) => t >= layout().first && t < layout().last;
  const listeners = {
    pointerdown(event) {
      if (event.button !== 0) return;
      drag = { x: event.clientX, moved: false, layout: layout() };
      canvas.setPointerCapture(event.pointerId);
    },
    pointermove(event) {
      const [x, y] = placeOf2(event);
      if (drag && Math.abs(event.clientX - drag.x) > SLACK) drag.moved = true;
      if (drag?.moved) {
        actions.pan(drag.layout, (drag.x - event.clientX) / drag.layout.column);
        actions.leave();
      } else {
        actions.hover(x, y, event);
      }
    },
    pointerup(event) {
      const t = timestepAt(layout(), placeOf2(event)[0]);
      if (drag && !drag.moved && inside(t)) actions.choose(t);
      drag = null;
    },
    pointercancel() {
      drag = null;
    },
    pointerleave() {
      actions.leave();
    },
    wheel(event) {
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      const turned = event.deltaY || event.deltaX;
      if (turned === 0) return;
      actions.zoom(turned < 0 ? 1.25 : 0.8, timestepAt(layout(), placeOf2(event)[0]));
    }
  };
  for (const [name2, listener] of Object.entries(listeners)) {
    canvas.addEventListener(name2, listener, name2 === "wheel" ? { passive: false } : void 0);
  }
  return () => {
    for (const [name2, listener] of Object.entries(listeners)) canvas.removeEventListener(name2, listener);
  };
}

// src/words.js
var FAINTEST2 = 0.015;
var MARGIN2 = 38;
function createWords(name2, choose) {
  const list = make("div", {
    class: "av-words",
    role: "listbox",
    tabindex: "0",
    dir: "auto",
    "aria-label": "the words of the text"
  });
  let pieces2 = [];
  let spans = [];
  let built = null;
  let touched = [];
  list.addEventListener("click", (event) => {
    const t = timestepOf(event.target);
    if (t >= 0) choose(t);
  });
  function build(view) {
    const { text } = view.panel;
    if (built && built.text === text && sameWords(built.offsets, view.offsets)) return;
    built = { text, offsets: view.offsets };
    const before = pieces2;
    pieces2 = piecesOf(text, view).map((piece, i) => {
      const old = before[i];
      return old?.t === piece.t && old.words === piece.words ? old : { ...piece, node: nodeOf(piece) };
    });
    pieces2.forEach(({ node }, i) => {
      if (i >= before.length) list.append(node);
      else if (before[i].node !== node) before[i].node.replaceWith(node);
    });
    for (const { node } of before.slice(pieces2.length)) node.remove();
    spans = pieces2.filter(({ t }) => t >= 0).map(({ node }) => node);
  }
  function nodeOf({ t, words }) {
    if (t < 0) return between2(words);
    return make("span", { class: "av-word", role: "option", id: name2(t), "data-t": t }, words);
  }
  function paint(view, dark) {
    for (const span of touched) {
      span.removeAttribute("style");
      span.classList.remove("av-source", "av-reader", "av-chosen");
      span.removeAttribute("aria-selected");
    }
    touched = [];
    const t = view.selected;
    const chosen = spans[t];
    if (!chosen) {
      list.removeAttribute("aria-activedescendant");
      return;
    }
    if (view.look?.matrix && view.look.axis !== "feature") {
      for (const one of sourcesOf(view.look, t) || []) tint(one, view, dark);
      for (const one of readersOf(view.look, t)) underline(one, view, dark);
    }
    chosen.classList.add("av-chosen");
    chosen.setAttribute("aria-selected", "true");
    list.setAttribute("aria-activedescendant", chosen.id);
    touched.push(chosen);
  }
  function tint(source, view, dark) {
    const span = spans[source.timestep];
    if (!span || strengthOf(view.scale, source.weight) < FAINTEST2) return;
    const colours = ramp(view.scale.signed ? "signed" : "sources", dark);
    const fill = rampColour(colours, placeOf(view.scale, source.weight));
    span.style.backgroundColor = fill;
    span.style.color = inkOn(fill);
    span.classList.add("av-source");
    touched.push(span);
  }
  function underline(reader, view, dark) {
    const span = spans[reader.timestep];
    const strength = strengthOf(view.scale, reader.weight);
    if (!span || strength < FAINTEST2) return;
    const below = reader.weight < 0;
    const colours = ramp(below ? "signed" : "readers", dark);
    const place = below ? 0.42 - 0.42 * strength : 0.25 + 0.75 * strength;
    const colour = rampColour(colours, place);
    const line = below ? `repeating-linear-gradient(90deg, ${colour} 0 4px, transparent 4px 7px)` : `linear-gradient(${colour}, ${colour})`;
    span.style.backgroundImage = line;
    span.style.backgroundSize = `100% ${(1.5 + 2.5 * strength).toFixed(1)}px`;
    span.classList.add("av-reader");
    touched.push(span);
  }
  function reveal(t) {
    const span = spans[t];
    if (!span) return;
    const [box, word] = [list.getBoundingClientRect(), span.getBoundingClientRect()];
    if (word.top < box.top + 4) list.scrollTop -= box.top - word.top + MARGIN2;
    else if (word.bottom > box.bottom - 4) list.scrollTop += word.bottom - box.bottom + MARGIN2;
  }
  function lineFrom(t, step) {
    if (!spans[t]) return -1;
    const middle = (span) => span.offsetLeft + span.offsetWidth / 2;
    const here = spans[t].offsetTop;
    let i = t + step;
    while (spans[i] && sameLine(spans[i].offsetTop, here)) i += step;
    if (!spans[i]) return -1;
    const line = spans[i].offsetTop;
    let best = i;
    for (; spans[i] && sameLine(spans[i].offsetTop, line); i += step) {
      if (Math.abs(middle(spans[i]) - middle(spans[t])) < Math.abs(middle(spans[best]) - middle(spans[t])))
        best = i;
    }
    return best;
  }
  return { element: list, build, paint, reveal, lineFrom };
}
function timestepOf(target) {
  const word = target.closest?.("[data-t]");
  return word ? Number(word.dataset.t) : -1;
}
function sameLine(a, b) {
  return Math.abs(a - b) < 4;
}
function piecesOf(text, { n, offsets }) {
  const found = [];
  let end = 0;
  for (let t = 0; t < n; t++) {
    const [from, to] = [offsets[2 * t], offsets[2 * t + 1]];
    if (from > end) found.push({ t: -1, words: text.slice(end, from) });
    found.push({ t, words: text.slice(Math.max(from, end), to) });
    end = Math.max(end, to);
  }
  if (end < text.length) found.push({ t: -1, words: text.slice(end) });
  return found;
}
function between2(text) {
  return text.trim() === "" ? document.createTextNode(text) : make("span", { class: "av-unread" }, text);
}

// src/panel.js
function createPanel(key, name2, actions) {
  const verdict = createVerdict();
  const notes = make("ul", { class: "av-notes" });
  const words = createWords(
    (t) => `${name2}-${t}`,
    (t) => actions.choose(key, t)
  );
  const still = make("canvas", { role: "img" });
  const moving = make("canvas", { class: "av-moving", "aria-hidden": "true" });
  const chart = make("div", { class: "av-chart" }, still, moving);
  const lists = createLists((t) => actions.choose(key, t));
  const element2 = make(
    "section",
    { class: "av-panel", "aria-label": key },
    verdict.element,
    notes,
    words.element,
    chart,
    lists.element
  );
  let [view, layout, dark, hover, revealed] = [null, null, false, -1, -1];
  let width = 0;
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
    }
  });
  element2.addEventListener("focusin", () => actions.focus(key));
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
  function update(next, what, isDark2) {
    [view, dark] = [next, isDark2];
    if (what.text) {
      verdict.show(view);
      const told = [...view.panel.notes || [], ...lensNotes(view)];
      notes.replaceChildren(...told.map((note) => make("li", {}, note)));
      notes.hidden = notes.childElementCount === 0;
      words.build(view);
      words.element.setAttribute("aria-label", `${view.panel.title}: the words of the text`);
      still.setAttribute("aria-label", chartLabel(view));
    }
    element2.classList.toggle("av-focused", view.focused);
    words.paint(view, dark);
    lists.show(view, dark);
    draw(what.map || what.text || what.printing, what.printing);
  }
  function reveal() {
    if (view.selected !== revealed) words.reveal(view.selected);
    revealed = view.selected;
  }
  function measure() {
    const before = width;
    width = chart.clientWidth;
    return width !== before;
  }
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
    element: element2,
    update,
    measure,
    forget: () => width = 0,
    draw,
    reveal,
    words,
    view: () => view,
    stop: stopPointing
  };
}
function chartLabel({ panel, lens, tracks, n }) {
  const parts = [...lens ? [lens.label] : [], ...tracks.map((track) => track.label)];
  const shown2 = `${panel.title}: ${parts.join(", ")} over ${n} timesteps`;
  return `${shown2}; the numbers of the selected word are below.`;
}

// src/slices.js
function sliceKeeper(store, arrived) {
  const kept = /* @__PURE__ */ new WeakMap();
  const numbers = /* @__PURE__ */ new WeakMap();
  let count = 0;
  const view = crypto.getRandomValues(new Uint32Array(2)).join("-");
  const stop = store.hear((message, buffers) => {
    if (!message || message.kind !== "slice" || message.view !== view) return;
    const panel = (store.get("panels") || []).find((one) => numbers.get(one) === message.generation);
    if (!panel || panel.key !== message.key || panel.layer !== message.layer) return;
    if (!buffers || buffers.length === 0) return;
    const key = name(message.lens, message.head + 1, message.edited);
    if (shelf(panel).get(key) !== null) return;
    shelf(panel).set(key, store.array(buffers[0], "float32"));
    arrived();
  });
  function shelf(panel) {
    if (!kept.has(panel)) {
      kept.set(panel, /* @__PURE__ */ new Map());
      numbers.set(panel, ++count);
    }
    return kept.get(panel);
  }
  function values(panel, lens, head, edited) {
    const buffer = lens.values[head];
    if (buffer !== null && buffer !== void 0) return store.array(buffer, "float32");
    const key = name(lens.name, head, edited);
    const own = shelf(panel);
    if (!own.has(key)) {
      own.set(key, null);
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

// src/theme.js
var LETTERS = [
  "paper",
  "raised",
  "ink",
  "soft",
  "faint",
  "line",
  "grid",
  "more",
  "less",
  "later",
  "wrong",
  "mark"
];
function isDark() {
  const body = document.body;
  const told = body.getAttribute("data-jp-theme-light");
  if (told !== null) return told === "false";
  const kind = body.getAttribute("data-vscode-theme-kind");
  if (kind !== null) return !kind.includes("light");
  const theme = document.documentElement.getAttribute("theme") || document.documentElement.dataset.theme;
  if (theme === "dark" || theme === "light") return theme === "dark";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}
function followTheme(root, changed) {
  let [dark, printing] = [null, false];
  const apply = (onPaper) => {
    const wanted = isDark() && !onPaper;
    if (wanted === dark && onPaper === printing) return;
    [dark, printing] = [wanted, onPaper];
    const colours = palette(dark);
    for (const name2 of LETTERS) root.style.setProperty(`--av-${name2}`, colours[name2]);
    root.style.setProperty("color-scheme", dark ? "dark" : "light");
    root.classList.toggle("av-dark", dark);
    changed(dark, printing);
  };
  const update = () => apply(printing);
  const before = () => apply(true);
  const after = () => apply(false);
  const paper = window.matchMedia("print");
  const turned = () => apply(paper.matches);
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const watcher = new MutationObserver(update);
  const attributes = { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"] };
  watcher.observe(document.body, attributes);
  watcher.observe(document.documentElement, { attributes: true, attributeFilter: ["theme", "data-theme"] });
  system.addEventListener("change", update);
  window.addEventListener("beforeprint", before);
  window.addEventListener("afterprint", after);
  paper.addEventListener("change", turned);
  update();
  return () => {
    watcher.disconnect();
    system.removeEventListener("change", update);
    window.removeEventListener("beforeprint", before);
    window.removeEventListener("afterprint", after);
    paper.removeEventListener("change", turned);
  };
}

// src/views.js
var cut = /* @__PURE__ */ new WeakMap();
function wordsOf(panel, store) {
  if (!cut.has(panel)) {
    const offsets = unitOffsets(panel.text, store.array(panel.spans, "int32"));
    const words = [];
    for (let i = 0; i < offsets.length; i += 2) words.push(panel.text.slice(offsets[i], offsets[i + 1]));
    cut.set(panel, { offsets, words });
  }
  return cut.get(panel);
}
function shownPanels(panels, layer) {
  const keys = [...new Set(panels.map((panel) => panel.key))];
  return keys.map((key) => {
    const own = panels.filter((panel) => panel.key === key);
    return own.find((panel) => panel.layer === layer) || own[0];
  });
}
function viewsOf(store, slices, plain) {
  const panels = shownPanels(store.get("panels") || [], store.get("layer"));
  const live = Boolean(store.get("abilities")?.live);
  const empty = live ? /* @__PURE__ */ new Set() : unmeasuredIn(panels);
  const views = panels.map((panel) => viewOf(panel, store, slices, { plain, live, empty }));
  shareScales(views);
  return views;
}
function unmeasuredIn(panels) {
  const all = panels.flatMap((panel) => [...panel.lenses, ...panel.edited?.lenses || []]);
  const some = new Set(all.filter((lens) => lens.at?.length !== 0).map((lens) => lens.name));
  return new Set(all.map((lens) => lens.name).filter((name2) => !some.has(name2)));
}
function placeViews(views, store, aside) {
  const focused = views.find((view) => view.panel.key === store.get("cell")) || views[0];
  const other = aside && views.find((view) => view.panel.key === aside.key);
  const [home, timestep] = other ? [other, aside.t] : [views[0], store.get("timestep")];
  for (const view of views) {
    view.focused = view === focused;
    view.selected = linked(home.offsets, view.offsets, timestep);
    view.elsewhere = timestep >= 0 && view.selected < 0;
    view.span = shownSpan(linkedSpan(views[0].offsets, view.offsets, store.get("window")), view.n);
  }
}
function runsOf(panel, plain) {
  const edited = panel.edited && !plain ? panel.edited : null;
  const { lenses, tracks } = panel.edited?.before || {};
  const unedited2 = { lenses: overlaid(panel.lenses, lenses), tracks: overlaid(panel.tracks, tracks) };
  return { edited, unedited: unedited2 };
}
function overlaid(own, others) {
  const named2 = new Map([...own, ...others || []].map((one) => [one.name, one]));
  return [...named2.values()];
}
function viewOf(panel, store, slices, { plain, live, empty }) {
  const { offsets, words } = wordsOf(panel, store);
  const runs2 = runsOf(panel, plain);
  const { edited, unedited: unedited2 } = runs2;
  const lenses = overlaid(unedited2.lenses, edited?.lenses).filter((one) => !empty.has(one.name));
  const wanted = store.get("lens");
  const lens = lenses.find((one) => one.name === wanted) || lenses[0] || null;
  const view = {
    panel,
    offsets,
    words,
    edited,
    lens,
    lenses,
    live,
    n: words.length,
    tracks: tracksOf(runs2, store),
    prediction: predictionOf(panel, plain),
    // An edit need not have been measured in every lens: then the unedited one is shown, and says so.
    uneditedLens: Boolean(edited && lens && !edited.lenses.includes(lens)),
    instead: Boolean(lens && wanted && lens.name !== wanted),
    empty: empty.has(wanted) ? panel.lenses.find((one) => one.name === wanted) || null : null
  };
  return { ...view, ...lookOf(view, runs2, store, slices) };
}
function predictionOf({ prediction, edited }, plain) {
  return plain && edited?.unedited?.length > 0 ? edited.unedited : prediction;
}
function lookOf({ panel, n, lens, edited, uneditedLens }, runs2, store, slices) {
  if (lens === null) return { look: null, others: [], extras: [], head: 0 };
  const head = headIndex(lens, store.get("head"));
  const under = Boolean(edited) && !uneditedLens;
  const held = under ? lens : heldBy(panel, lens, head);
  const look = lookAt(panel, n, held, slices.values(panel, held, head, under));
  const others = [];
  const before = under ? runs2.unedited.lenses.find((one) => one.name === lens.name) : null;
  const place = Math.min(head, (before?.values.length ?? 1) - 1);
  const known = before ? heldBy(panel, before, place) : null;
  const values = known?.values[place];
  if (values) others.push(lookAt(panel, n, known, store.array(values, "float32")));
  const extras = (lens.extras || []).map((extra) => ({
    label: extra.label,
    values: store.array(extra.values, "float32")
  }));
  return { look, others, extras, head };
}
function heldBy(panel, lens, head) {
  if (lens.values[head]) return lens;
  return panel.lenses.find((one) => one.name === lens.name) || lens;
}
function headIndex(lens, head) {
  const place = head + 1;
  return place > 0 && place < lens.heads.length ? place : 0;
}
function tracksOf({ edited, unedited: unedited2 }, store) {
  const numbers = (track) => track.series.map((one) => ({
    label: one.label,
    values: store.array(one.values, "float32")
  }));
  return overlaid(unedited2.tracks, edited?.tracks).map((track) => {
    const before = unedited2.tracks.find((one) => one.name === track.name);
    const carried = Boolean(edited) && !edited.tracks.includes(track);
    return {
      ...track,
      label: carried ? `${track.label}, unedited` : track.label,
      carried,
      series: numbers(track),
      before: edited && before && !carried ? numbers(before) : null
    };
  });
}
function isRatio(lens) {
  return /^1 = uniform/.test(lens.unit || "");
}
function shareScales(views) {
  const names = [...new Set(views.filter((view) => view.lens).map((view) => view.lens.name))];
  for (const name2 of names) {
    const sharing = views.filter((view) => view.lens?.name === name2);
    const looks = sharing.flatMap((view) => [view.look, ...view.others]).filter((look) => look.matrix);
    const options2 = { signed: sharing.some((v) => v.lens.signed), ratio: isRatio(sharing[0].lens) };
    const scale = scaleOf(looks, options2);
    for (const view of sharing) view.scale = scale;
  }
}

// src/view.js
var CAUSES = {
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
  abilities: "controls"
};
var made3 = 0;
function createExplorer(host, store, { alone = false } = {}) {
  const name2 = `attnviz-${Date.now().toString(36)}-${made3++}`;
  const dirty = /* @__PURE__ */ new Set(["text", "controls"]);
  let [views, panels, frame] = [[], [], 0];
  let [dark, printing, plain, spoken] = [false, false, false, false];
  let waiting = alone;
  let aside = null;
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
    }
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
  function showHelp(shown2 = help.hidden) {
    help.hidden = !shown2;
    controls.helpButton.setAttribute("aria-expanded", String(shown2));
  }
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
    panels = keys.map((key, i) => ({ key, ...createPanel(key, `${name2}-${i}`, commands.panel(tip)) }));
    grid.replaceChildren(...panels.map((panel) => panel.element));
    for (const panel of panels) sizes.observe(panel.element);
  }
  function announce() {
    const view = views.find((one) => one.focused);
    const words = view && view.selected >= 0 && view.look?.matrix ? announced(view, view.selected) : "";
    if (spoken || words === "") say(live, words);
    spoken = true;
  }
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
  stops.push(store.on("panels", () => queueMicrotask(explorer.settle)));
  for (const trait of ["sequence", "sentence"]) stops.push(store.on(trait, () => aside = null));
  stops.push(keepKeys(root));
  stops.push(
    followTheme(root, (isDark2, onPaper) => {
      [dark, printing] = [isDark2, onPaper];
      for (const one of [bars, ...panels]) one.forget();
      touch("text");
      if (printing) explorer.settle();
    })
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

// src/explorer.js
function render({ model, el }) {
  return createExplorer(el, modelStore(model));
}
function mount(element2, root = document) {
  const header = root.querySelector("script[data-header]");
  if (!header) {
    element2.textContent = "The explorer needs its data in a script element with data-header, but the page has none.";
    return () => {
    };
  }
  const payload = JSON.parse(header.textContent);
  const base64 = (number) => {
    const held = root.querySelector(`script[data-buffer="${Number(number)}"]`);
    if (!held) throw new Error(`The page has no buffer ${number}: it was not saved whole.`);
    return held.textContent;
  };
  return createExplorer(element2, pageStore(payload, base64), { alone: isAlone(element2) });
}
function isAlone(element2) {
  const others = [...document.body.children].filter((one) => one !== element2 && one.localName !== "script");
  return window.parent === window && element2.parentNode === document.body && others.length === 0;
}
var explorer_default = { render };
export {
  explorer_default as default,
  mount
};
