// The same words in panels that are cut differently: linked by their characters. Pure.
//
// `offsets` holds start and end of each timestep's word, two numbers a timestep, in the same text.

/** The timestep of `to` that shares most characters with timestep t of `from`; -1 if none does. */
export function linked(from, to, t) {
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

/** The window of `to` that shows the same characters; [0, 0] stays all. */
export function linkedSpan(from, to, span) {
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

const compared = new WeakMap();

/** Whether two panels are cut alike. */
export function sameWords(from, to) {
  if (from === to) return true;
  if (from.length !== to.length) return false;
  if (!compared.has(from)) compared.set(from, new WeakMap());
  const known = compared.get(from);
  if (!known.has(to))
    known.set(
      to,
      from.every((offset, i) => offset === to[i]),
    );
  return known.get(to);
}

function firstEndingAfter(offsets, position) {
  let [low, high] = [0, offsets.length / 2];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[2 * middle + 1] > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
