// Sets the words of a text into lines, for figures. Pure but for the measuring it is given.

const LINE = 17;
const SIZE = 11.5;
const UNREAD = 100; // characters of what was not read, before and after
export const TEXT = { size: SIZE, line: LINE };

/** Where each piece of the shown text stands: `{text, t, x, line, width}`, t = -1 for what was not read.
 *
 * Words longer than a line are broken. In a text from right to left, x counts from the right. */
export function setText(view, width, measure) {
  const pieces = [];
  let [x, line] = [0, 0];
  const feed = () => ([x, line] = [0, line + 1]);
  const put = (text, t) => {
    let rest = text;
    while (rest !== "") {
      const wide = measure(rest);
      if (x + wide <= width) {
        pieces.push({ text: rest, t, x, line, width: wide });
        x += wide;
        return;
      }
      const part = x > 0 && wide <= width ? "" : fitting(rest, width - x, measure);
      if (part === "" && x > 0) {
        feed();
        continue;
      }
      const taken = part || Array.from(rest)[0];
      pieces.push({ text: taken, t, x, line, width: measure(taken) });
      rest = rest.slice(taken.length);
      if (rest !== "") feed();
    }
  };
  const between = (text) => {
    for (const part of text.split(/(\n|[^\S\n]+)/)) {
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
    between(t === 0 && gap.length > 2 * UNREAD ? `… ${gap.slice(-UNREAD)}` : gap);
    put(text.slice(Math.max(from, end), to).replace(/\s+/g, " "), t);
    end = Math.max(end, to);
  }
  const rest = text.slice(end).trimEnd();
  between(last < view.n ? " …" : rest.length > 2 * UNREAD ? `${rest.slice(0, UNREAD)} …` : rest);
  return { pieces, lines: line + 1, leftwards: rightToLeft(text) };
}

/** Whether the first letter that has a direction is of a script from right to left. */
export function rightToLeft(text) {
  const found = /\p{L}/u.exec(text);
  return found !== null && /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(found[0]);
}

function fitting(text, room, measure) {
  const letters = Array.from(text);
  let [low, high] = [0, letters.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(letters.slice(0, middle).join("")) <= room) low = middle;
    else high = middle - 1;
  }
  return letters.slice(0, low).join("");
}
