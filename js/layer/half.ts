// binary16 <-> number for single values, where the engine has no Float16Array. Arrays that a layer computes with are
// converted in C++.
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The number that a binary16 bit pattern stands for. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** The binary16 bit pattern nearest to `value`, ties to even. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  float[0] = magnitude;
  const exponent = Math.max(-14, ((bits[0] ?? 0) >> 23) - 127);
  // In units of the last place the result is below 2048, so adding it to the exponent field carries as it must.
  const units = magnitude / 2 ** (exponent - 10);
  const down = Math.floor(units);
  const rest = units - down;
  const rounded = rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
  return sign | (((exponent + 14) << 10) + rounded);
}
