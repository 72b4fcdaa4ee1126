// The definition of a 1-D convolution in plain loops and float64, independent of the library and of the demo page.

/** What index `i` of a signal of `length` samples reads in each padding mode: an index inside, or -1 for a zero. */
const padding = {
  zeros: () => -1,
  replicate: (i, length) => Math.min(Math.max(i, 0), length - 1),
  reflect: (i, length) => (i < 0 ? -i : 2 * (length - 1) - i),
  circular: (i, length) => (i + length) % length,
};

const activations = {
  none: (x) => x,
  relu: (x) => Math.max(0, x),
  leaky_relu: (x, slope) => (x < 0 ? slope * x : x),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  elu: (x) => (x < 0 ? Math.expm1(x) : x),
  mish: (x) => x * Math.tanh(Math.log1p(Math.exp(x))),
  hardtanh: (x) => Math.min(Math.max(x, -1), 1),
  snake: (x) => x + Math.sin(x) ** 2,
};

/**
 * @param {number[][]} input  one list for each channel
 * @param {(o: number, c: number) => number[]} kernel  the taps from input channel `c` to output channel `o`
 * @returns {{ output: number[][], tolerance: number[][] }}  the tolerance is what float32 sums may be off
 */
export function convolve(input, kernel, options = {}) {
  const { outChannels = 1, groups = 1, stride = 1, dilation = 1, left = 0, right = 0, mode = 'zeros' } = options;
  const { bias = 0, activation = 'none', slope = 0.01, half = false } = options;
  const store = half ? roundToHalf : Math.fround;
  const length = input[0].length;
  const samples = input.map((channel) => channel.map(store));
  const perGroup = { in: input.length / groups, out: outChannels / groups };
  const taps = kernel(0, 0).length;
  const outLength = Math.floor((length + left + right - dilation * (taps - 1) - 1) / stride) + 1;
  const read = (c, i) => {
    const inside = i >= 0 && i < length ? i : padding[mode](i, length);
    return inside < 0 ? 0 : samples[c][inside];
  };
  const output = [];
  const tolerance = [];
  for (let o = 0; o < outChannels; ++o) {
    const first = Math.floor(o / perGroup.out) * perGroup.in;
    output.push([]);
    tolerance.push([]);
    for (let t = 0; t < outLength; ++t) {
      let sum = store(bias);
      let size = Math.abs(sum);
      for (let c = first; c < first + perGroup.in; ++c) {
        const weight = kernel(o, c);
        for (let k = 0; k < taps; ++k) {
          const product = store(weight[k]) * read(c, t * stride + k * dilation - left);
          sum += product;
          size += Math.abs(product);
        }
      }
      const result = activations[activation](sum, Math.fround(slope));
      output[o].push(result);
      // The sum's own error, through a function that is nowhere steeper than 2; then the function's and the storage's.
      const sumError = (taps * perGroup.in + 2) * 2 ** -24 * size;
      const stored = Math.abs(result) * (half ? 2 ** -11 : 2 ** -21) + (half ? 2 ** -25 : 2 ** -149);
      tolerance[o].push(2 * sumError + (half || activation !== 'none' ? stored : 0));
    }
  }
  return { output, tolerance };
}

/** To binary16, ties to even. */
function roundToHalf(value) {
  if (value === 0) return 0;
  const unit = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value)))) - 10);
  const units = value / unit;
  const down = Math.floor(units);
  const rest = units - down;
  return (rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down) * unit;
}
