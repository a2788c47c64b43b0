// The timesteps that the time axis shows: [first, one after the last); [0, 0] is all. Pure.

const FEWEST = 8;

/** The window as it is shown: whole numbers inside the sequence. */
export function shownSpan(span, n) {
  const [a, b] = (span || [0, 0]).map((end) => Math.round(Number(end) || 0));
  if (b <= a || n === 0) return [0, n];
  const first = Math.min(Math.max(0, a), Math.max(0, n - 1));
  return [first, Math.max(first + 1, Math.min(n, b))];
}

/** Nearer or further, so that the timestep `centre` stays where it is. */
export function zoomed(span, n, factor, centre) {
  const [a, b] = shownSpan(span, n);
  const about = Math.min(Math.max(centre, a), b);
  const wide = Math.min(n, Math.max(Math.min(FEWEST, n), Math.round((b - a) / factor)));
  if (wide >= n) return [0, 0];
  return settled(Math.round(about - ((about - a) / (b - a)) * wide), wide, n);
}

/** Moved by so many timesteps. */
export function moved(span, n, by) {
  const [a, b] = shownSpan(span, n);
  return b - a >= n ? [0, 0] : settled(a + Math.round(by), b - a, n);
}

/** Moved just so far that the timestep is shown with some of what is around it. */
export function showing(span, n, t) {
  const [a, b] = shownSpan(span, n);
  if (t < 0 || (t >= a && t < b)) return span;
  const margin = Math.floor((b - a) / 4);
  return t < a ? settled(t - margin, b - a, n) : settled(t + margin + 1 - (b - a), b - a, n);
}

function settled(first, wide, n) {
  const a = Math.min(Math.max(0, first), n - wide);
  return [a, a + wide];
}
