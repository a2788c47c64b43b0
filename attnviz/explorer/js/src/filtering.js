// Which rows of the shelf are offered. Pure; the page uses it, a live explorer asks Python.

export const NO_FILTERS = { label: null, right: null, shortest: null, longest: null, contains: "" };

/** Whether the prediction of a row is its label: null where either is not known. */
export function isRight(row) {
  const known = (value) => value !== null && value !== undefined && value >= 0;
  if (!known(row.label) || !known(row.prediction)) return null;
  return row.label === row.prediction;
}

/** Whether one row passes. */
export function passes(row, filters) {
  const f = { ...NO_FILTERS, ...filters };
  if (f.label !== null && row.label !== f.label) return false;
  if (f.right !== null && isRight(row) !== f.right) return false;
  if (f.shortest !== null && !(row.length >= f.shortest)) return false;
  if (f.longest !== null && !(row.length >= 0 && row.length <= f.longest)) return false;
  const sought = folded(f.contains || "");
  return sought === "" || folded(row.text === undefined ? row.start : row.text).includes(sought);
}

/** The rows that pass, and how many there are. */
export function filtered(rows, filters) {
  const found = rows.filter((row) => passes(row, filters));
  return { total: rows.length, matching: found.length, rows: found };
}

/** The row before or after; null where there is none. A row that is filtered out counts by its number. */
export function neighbour(rows, sequence, step) {
  const place = rows.findIndex((row) => row.sequence === sequence);
  if (place >= 0) return rows[place + step] || null;
  const beyond = rows.filter((row) => (step > 0 ? row.sequence > sequence : row.sequence < sequence));
  return (step > 0 ? beyond[0] : beyond[beyond.length - 1]) || null;
}

/** The numbers of the texts before and after the one shown; null where there is none.
 *
 * A widget's rows are only the first of many: its `previous` and `next` know of all that match. Python
 * tells them a moment after another text was chosen, so a row that is there goes first. */
export function neighbours(known, sequence) {
  const rows = known?.rows || [];
  const listed = rows.some((row) => row.sequence === sequence);
  const beside = (step, told) => {
    const row = neighbour(rows, sequence, step);
    if (row && (listed || told === undefined)) return row.sequence;
    return told ?? null;
  };
  return { previous: beside(-1, known?.previous), next: beside(1, known?.next) };
}

/** Without case, as Python's casefold: ß is ss, and there is one small sigma. */
function folded(text) {
  return text.toUpperCase().toLowerCase().replace(/ς/g, "σ");
}
