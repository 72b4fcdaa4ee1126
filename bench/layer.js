// A layer of shapes.json with all that follows from it: sizes, data, and the truth about its output.

/** One forward of it is hardly more than the call. */
export const smallLayer = { name: 'small.16x16', N: 1, Cin: 16, Cout: 16, k: 3, s: 1, p: 1, d: 1, g: 1, L: 128 };

/**
 * Adds the derived figures to a row of shapes.json.
 * @param {typeof smallLayer} shape
 */
export function describeLayer(shape) {
  const { N, Cin, Cout, k, s, p, d, g, L } = shape;
  const Lout = Math.floor((L + 2 * p - d * (k - 1) - 1) / s) + 1;
  const sums = (k * Cin) / g; // products in one output
  const outputs = N * Cout * Lout;
  const sourceBytes = 4 * (N * Cin * L + Cout * sums + Cout);
  return { ...shape, Lout, sums, flops: 2 * outputs * sums, sourceBytes, outputBytes: 4 * outputs };
}

/** Of the kind where arithmetic, not memory, sets the limit. */
export const isDense = ({ Cin, Cout, g }) => Cin / g >= 32 && Cout / g >= 32;

/** Numbers in [-1, 1], the same ones each time; multiples of 2^-10, so that float16 has them too. */
export function randoms(length, seed) {
  let state = seed * 2654435761 + 1;
  return Float32Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.round(state / 2 ** 21) / 2 ** 10;
  });
}

/** Input (N, Cin, L), weight (Cout, Cin / g, k), bias (Cout). */
export function makeData({ N, Cin, Cout, k, g, L }) {
  return {
    input: randoms(N * Cin * L, 1),
    weight: randoms((Cout * Cin * k) / g, 2),
    bias: randoms(Cout, 3),
  };
}

/** (a, b, c) to (a, c, b): channels last, as some peers want them, and back. */
export function swapLast(data, a, b, c) {
  const swapped = new Float32Array(data.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      for (let l = 0; l < c; l++) swapped[(i * c + l) * b + j] = data[(i * b + j) * c + l];
    }
  }
  return swapped;
}

/** Input (N, L + 2 p, Cin): channels last, the padding in place. */
export function paddedChannelsLast({ N, Cin, L, p }, input) {
  const rows = swapLast(input, N, Cin, L);
  const padded = new Float32Array(N * (L + 2 * p) * Cin);
  for (let n = 0; n < N; n++) padded.set(rows.subarray(n * L * Cin, (n + 1) * L * Cin), (n * (L + 2 * p) + p) * Cin);
  return padded;
}

const sampledOutputs = 1500;
const halfUlp = { float32: 2 ** -24, float16: 2 ** -11 };

/** One output in float64, and the sum of its terms' magnitudes. */
function reference({ Cin, Cout, k, s, p, d, g, L }, { input, weight, bias }, n, oc, t) {
  const groupIn = Cin / g;
  const firstIn = Math.floor(oc / (Cout / g)) * groupIn;
  let sum = bias[oc];
  let magnitude = Math.abs(sum);
  for (let ic = 0; ic < groupIn; ic++) {
    for (let tap = 0; tap < k; tap++) {
      const at = t * s + tap * d - p;
      if (at < 0 || at >= L) continue;
      const product = weight[(oc * groupIn + ic) * k + tap] * input[(n * Cin + firstIn + ic) * L + at];
      sum += product;
      magnitude += Math.abs(product);
    }
  }
  return { sum, magnitude };
}

/**
 * Throws unless `output` (N, Cout, Lout) is the layer's: looks at both ends and at places spread over the whole, each to within
 * the error that a float32 sum of so many terms, whatever its order, can have.
 */
export function checkOutput(layer, data, output, dtype = 'float32') {
  const { N, Cout, Lout, sums } = layer;
  const size = N * Cout * Lout;
  if (output.length !== size) throw new Error(`${output.length} outputs instead of ${size}`);
  // Coprime to any size that has no such prime, so that all residues come up.
  const step = Math.max(1, Math.floor(size / sampledOutputs)) | 1;
  const edge = Math.min(size, 64);
  const places = [];
  for (let i = 0; i < edge; i++) places.push(i, size - 1 - i);
  for (let i = 0; i < size; i += step) places.push(i);
  for (const place of places) {
    const t = place % Lout;
    const oc = Math.floor(place / Lout) % Cout;
    const n = Math.floor(place / Lout / Cout);
    const { sum, magnitude } = reference(layer, data, n, oc, t);
    const allowed =
      (sums + 2) * halfUlp.float32 * magnitude + (dtype === 'float16' ? halfUlp.float16 * Math.abs(sum) : 0);
    if (!(Math.abs(output[place] - sum) <= allowed)) {
      throw new Error(`output (${n}, ${oc}, ${t}) is ${output[place]} instead of ${sum}`);
    }
  }
}
