// Numbers to colours. Pure.
//
// What a word read is orange, who read it later is blue; where weights have a sign, purple is below 0.
// Orange and purple, orange and blue can be told apart by the colour-blind.

const LIGHT = {
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
    "#44339a",
  ],
};
const DARK = {
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
    "#a394ff",
  ],
};
const RAMPS = {
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
      "#6b2600",
    ],
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
      "#ffe0b8",
    ],
  },
};
const LEVELS = 257; // odd, so that 0 has the middle colour exactly
const made = new Map();

/** The colours of the page: of lines, letters and series. */
export function palette(dark) {
  return dark ? DARK : LIGHT;
}

// A route or a gate has one colour in every cell: numbers of the series' colours. What goes on unchanged
// is blue, what comes from outside grey, what candidates make orange.
const OWN = new Map(
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
    "at the input": 6,
  }),
);

/** The colours of a track's series: by name where the name is known, else of those that are left. */
export function seriesColours(series, { series: all }) {
  const known = series.map(({ label }) => OWN.get(label) ?? -1);
  const free = all.map((_, i) => i).filter((i) => !known.includes(i));
  const rest = free.length > 0 ? free : all.map((_, i) => i);
  let next = 0;
  return known.map((place) => all[place >= 0 ? place : rest[next++ % rest.length]]);
}

/** Colours as bytes (red, green, blue, ...), from a few in between. */
export function ramp(name, dark) {
  const key = `${name} ${dark}`;
  if (!made.has(key)) made.set(key, between(RAMPS[dark ? "dark" : "light"][name].map(channels)));
  return made.get(key);
}

/** One colour of a ramp, at 0 to 1, for CSS and SVG. */
export function rampColour(colours, place) {
  const i = 3 * Math.round(Math.min(1, Math.max(0, place)) * (LEVELS - 1));
  return `#${[0, 1, 2].map((c) => colours[i + c].toString(16).padStart(2, "0")).join("")}`;
}

/** Black or white, whichever is easier to read on a colour. */
export function inkOn(colour) {
  const [r, g, b] = channels(colour).map((c) => {
    const part = c / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}

/** Red, green and blue of #rrggbb. */
export function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

function between(stops) {
  const bytes = new Uint8ClampedArray(3 * LEVELS);
  for (let level = 0; level < LEVELS; level++) {
    const place = (level / (LEVELS - 1)) * (stops.length - 1);
    const i = Math.min(stops.length - 2, Math.floor(place));
    for (let c = 0; c < 3; c++) {
      bytes[3 * level + c] = stops[i][c] + (place - i) * (stops[i + 1][c] - stops[i][c]);
    }
  }
  return bytes;
}
