/* An animated GIF (version 89a) from pictures of one size. */

const CODES = 4096;

/* frames: ImageData of one size; delays in hundredths of a second. Gives a Uint8Array. */
export function encodeGif(frames, delays) {
  const { width, height } = frames[0];
  const palette = paletteOf(frames);
  const out = new Bytes();
  out.text("GIF89a");
  out.word(width);
  out.word(height);
  out.bytes([0xf7, 0, 0]);
  for (let k = 0; k < 256; k++) out.bytes(palette.colours[k] ?? [0, 0, 0]);
  out.bytes([0x21, 0xff, 11]);
  out.text("NETSCAPE2.0");
  out.bytes([3, 1, 0, 0, 0]);
  frames.forEach((frame, k) => writeFrame(out, palette.indices(frame), width, height, delays[k]));
  out.bytes([0x3b]);
  return out.all();
}

function writeFrame(out, indices, width, height, delay) {
  out.bytes([0x21, 0xf9, 4, 4]);
  out.word(delay);
  out.bytes([0, 0, 0x2c]);
  for (const value of [0, 0, width, height]) out.word(value);
  out.bytes([0, 8]);
  const packed = compressed(indices);
  for (let start = 0; start < packed.length; start += 255) {
    const block = packed.subarray(start, start + 255);
    out.bytes([block.length]);
    out.bytes(block);
  }
  out.bytes([0]);
}

/* The 256 commonest colours, those alike in five bits a channel as one; others take the nearest. */
function paletteOf(frames) {
  const counts = new Map(), exact = new Map();
  const chosen = new Set([0, Math.floor(frames.length / 2), frames.length - 1]);
  for (const k of chosen) {
    const { data } = frames[k];
    for (let i = 0; i < data.length; i += 4) {
      const key = packed15(data, i);
      counts.set(key, (counts.get(key) ?? 0) + 1);
      if (!exact.has(key)) exact.set(key, [data[i], data[i + 1], data[i + 2]]);
    }
  }
  const kept = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 256).map(([key]) => key);
  const colours = kept.map((key) => exact.get(key));
  const nearest = new Map(kept.map((key, k) => [key, k]));
  const indices = ({ data }) => {
    const found = new Uint8Array(data.length / 4);
    for (let i = 0; i < found.length; i++) {
      const key = packed15(data, 4 * i);
      if (!nearest.has(key)) nearest.set(key, nearestTo(colours, data, 4 * i));
      found[i] = nearest.get(key);
    }
    return found;
  };
  return { colours, indices };
}

function packed15(data, i) {
  return ((data[i] >> 3) << 10) | ((data[i + 1] >> 3) << 5) | (data[i + 2] >> 3);
}

function nearestTo(colours, data, i) {
  let best = 0, least = Infinity;
  colours.forEach((colour, k) => {
    const away = colour.reduce((sum, n, channel) => sum + (n - data[i + channel]) ** 2, 0);
    if (away < least) [best, least] = [k, away];
  });
  return best;
}

/* LZW with codes of 9 to 12 bits, as GIF has it. */
function compressed(indices) {
  const out = new Bytes(), CLEAR = 256, END = 257;
  let bits = 0, held = 0, size = 9, next = 258, table = new Map();
  const put = (code) => {
    bits |= code << held;
    held += size;
    for (; held >= 8; held -= 8, bits >>>= 8) out.bytes([bits & 255]);
  };
  put(CLEAR);
  let prefix = indices[0];
  for (let i = 1; i < indices.length; i++) {
    const key = (prefix << 8) | indices[i], known = table.get(key);
    if (known !== undefined) {
      prefix = known;
      continue;
    }
    put(prefix);
    if (next < CODES) {
      if (next === 1 << size) size++;
      table.set(key, next++);
    } else {
      put(CLEAR);
      [size, next, table] = [9, 258, new Map()];
    }
    prefix = indices[i];
  }
  put(prefix);
  if (next === 1 << size && size < 12) size++;
  put(END);
  if (held > 0) out.bytes([bits & 255]);
  return out.all();
}

class Bytes {
  constructor() {
    this.array = new Uint8Array(1 << 12);
    this.length = 0;
  }

  bytes(values) {
    if (this.length + values.length > this.array.length) {
      const larger = new Uint8Array(2 * (this.length + values.length));
      larger.set(this.array);
      this.array = larger;
    }
    this.array.set(values, this.length);
    this.length += values.length;
  }

  word(value) { this.bytes([value & 255, value >> 8]); }

  text(characters) { this.bytes([...characters].map((c) => c.charCodeAt(0))); }

  all() { return this.array.slice(0, this.length); }
}
