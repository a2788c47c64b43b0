// What the pointer is over, in exact numbers. The words are made apart from where they are shown.

import { make } from "./dom.js";
import { stripAt, timestepAt } from "./layout.js";
import { sourceAt } from "./map.js";
import { digits, shortWord } from "./numbers.js";
import { featureName, nameOf, REAL, standing, unmeasured, weightAt } from "./reading.js";

const DIGITS = 6;
const NO_ROW = { true: "not measured yet", false: "not measured for this word" };

/** The lines of the tooltip at a place of the time line: `[[name, value], ...]`; null for none. */
export function toldAt(view, layout, x, y) {
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
  const item = { kind, timestep: kind === REAL ? t - look.direction * source : -1 };
  return [
    [`${look.axis} ${source}`, shortWord(nameOf(item, view.words))],
    [lens.label, value],
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

/** The tooltip of an explorer. */
export function createTip(root) {
  const element = make("div", { class: "av-tip", role: "tooltip", hidden: true });
  root.append(element);

  function show(lines, clientX, clientY) {
    element.replaceChildren(
      ...lines.map(([name, value]) =>
        make("div", {}, make("span", {}, name), make("b", { dir: "auto" }, value)),
      ),
    );
    element.hidden = false;
    const box = root.getBoundingClientRect();
    const wide = element.offsetWidth;
    const x = Math.min(clientX - box.left + 14, root.clientWidth - wide - 4);
    const fitsBelow = clientY + 18 + element.offsetHeight < window.innerHeight;
    element.style.left = `${Math.max(4, x)}px`;
    element.style.top = `${clientY - box.top + (fitsBelow ? 16 : -10 - element.offsetHeight)}px`;
  }

  return {
    show,
    hide: () => {
      element.hidden = true;
    },
  };
}
