/* Weights out of text: base64 of float16 or float32 numbers, least significant byte first. */

/* {name: {shape, data: Float32Array}} from {tensors: [[name, shape]], dtype, data}. */
export function readWeights({ tensors, dtype, data }) {
  const octets = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const numbers = dtype === "float16" ? fromHalves(octets) : new Float32Array(octets.buffer);
  const found = {};
  let start = 0;
  for (const [name, shape] of tensors) {
    const count = shape.reduce((product, side) => product * side, 1);
    found[name] = { shape, data: numbers.subarray(start, start + count) };
    start += count;
  }
  return found;
}

function fromHalves(octets) {
  const halves = new Uint16Array(octets.buffer);
  return Float32Array.from(halves, (half) => {
    const sign = half >> 15 ? -1 : 1, power = (half >> 10) & 31, part = half & 1023;
    return power === 0 ? sign * part * 2 ** -24 : sign * (1 + part / 1024) * 2 ** (power - 15);
  });
}
