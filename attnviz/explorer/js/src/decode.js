// Buffers to typed arrays, and character offsets as Python counts them to those of JavaScript.

const TYPES = { float32: Float32Array, int32: Int32Array };

/** The bytes of a base64 text. */
export function bytesOf(base64) {
  const raw = atob(base64.trim());
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/** A typed array over a DataView, an ArrayBuffer or another array's bytes. */
export function typed(source, type) {
  const Kind = TYPES[type];
  if (source instanceof Kind) return source;
  const buffer = ArrayBuffer.isView(source) ? source.buffer : source;
  const start = ArrayBuffer.isView(source) ? source.byteOffset : 0;
  const length = source.byteLength;
  if (length % 4 !== 0) throw new Error(`A buffer of ${type} holds ${length} bytes, no multiple of 4.`);
  // A view must start at a multiple of 4; comm messages do not promise that.
  if (start % 4 !== 0) return new Kind(buffer.slice(start, start + length));
  return new Kind(buffer, start, length / 4);
}

/** Where each timestep's word starts and ends in UTF-16 units, two numbers a timestep.
 *
 * Python counts code points, JavaScript counts units of 16 bits: those differ after an emoji. */
export function unitOffsets(text, spans) {
  const offsets = new Int32Array(spans.length);
  if (!/[\uD800-\uDBFF]/.test(text)) {
    for (let i = 0; i < spans.length; i++) offsets[i] = Math.min(spans[i], text.length);
    return offsets;
  }
  const starts = new Int32Array(text.length + 1);
  let points = 0;
  for (let unit = 0; unit < text.length; points++) {
    starts[points] = unit;
    unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
  }
  starts[points] = text.length;
  for (let i = 0; i < spans.length; i++) offsets[i] = starts[Math.min(spans[i], points)];
  return offsets;
}
