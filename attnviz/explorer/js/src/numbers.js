// How numbers are written: with a true minus, and not longer than they need to be.

/** A number of so many significant digits. */
export function digits(value, count = 4) {
  if (value === undefined || value === null || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const written = size >= 1e-4 && size < 1e6 ? value.toPrecision(count) : value.toExponential(count - 1);
  return written.replace(/-/g, "−").replace("e+", "e");
}

/** A weight in a table: four decimals, unless it is too small for them; a plus where signs matter. */
export function weighed(value, signed) {
  const size = Math.abs(value);
  const plain = size !== 0 && (size < 0.00095 || size >= 1000) ? digits(value, 3) : minus(value.toFixed(4));
  return signed && value > 0 ? `+${plain}` : plain;
}

/** As Python writes f"{value:.4g}". */
export function general(value, count = 4) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa, power] = value.toExponential(count - 1).split("e");
  const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  const p = Number(power);
  if (p >= -4 && p < count) return trimmed(value.toFixed(Math.max(0, count - 1 - p)));
  return `${trimmed(mantissa)}e${p < 0 ? "-" : "+"}${String(Math.abs(p)).padStart(2, "0")}`;
}

/** The shortest writing of a tick. */
export function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5) return minus(String(Number(value.toPrecision(4))));
  const [mantissa, power] = value.toExponential(2).split("e");
  return minus(`${Number(mantissa)}e${Number(power)}`);
}

/** A hyphen to a minus. */
export function minus(text) {
  return text.replace(/-/g, "−");
}

/** Round values in a range, three to six of them. */
export function ticks(low, high, wanted = 4) {
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

/** A word for a table or a label: without line breaks, and not too long. */
export function shortWord(word, most = 24) {
  const plain = word.replace(/\s+/g, " ");
  const letters = Array.from(plain.length > 4 * most ? plain.slice(0, 4 * most) : plain);
  return letters.length <= most ? plain : `${letters.slice(0, most - 1).join("")}…`;
}
