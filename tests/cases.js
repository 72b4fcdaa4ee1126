// Reads the fixture cases and judges outputs against them. Plain ECMAScript: Jest and the browser pages both use it.

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {Record<string, any>} options  of `Conv1d`
 * @property {'float32' | 'float16'} dtype
 * @property {number[]} inputShape
 * @property {number[]} outputShape
 * @property {number[]} weightShape  as `Conv1d` gives it: 4-D when grouped
 * @property {Float32Array | Uint16Array} input  bit patterns when float16
 * @property {Float32Array | Uint16Array} weight
 * @property {Float32Array | Uint16Array | null} bias
 * @property {Float64Array} expected
 * @property {Float32Array} bound  of each output: sum |w||x| + |b|
 * @property {number} steepest  the activation's Lipschitz constant
 */

/**
 * @param {any[]} json  the parsed conv1d.json: byte offsets into the .bin
 * @param {ArrayBuffer} buffer  the .bin
 * @param {import('conv1d-wasm').Runtime['activations']} activations
 * @returns {Case[]}
 */
export function readCases(json, buffer, activations) {
  return json.map((entry) => {
    const { name, options, inputShape, outputShape } = entry;
    const { inChannels, outChannels, kernelSize, groups = 1, dtype = 'float32' } = options;
    const weightShape =
      groups === 1
        ? [outChannels, inChannels, kernelSize]
        : [groups, outChannels / groups, inChannels / groups, kernelSize];
    const Stored = dtype === 'float16' ? Uint16Array : Float32Array;
    return {
      name,
      options,
      dtype,
      inputShape,
      outputShape,
      weightShape,
      input: take(buffer, Stored, entry.input, product(inputShape)),
      weight: take(buffer, Stored, entry.weight, product(weightShape)),
      bias: entry.biasAt === null ? null : take(buffer, Stored, entry.biasAt, outChannels),
      expected: take(buffer, Float64Array, entry.expected, product(outputShape)),
      bound: take(buffer, Float32Array, entry.bound, product(outputShape)),
      steepest: lipschitz(options.activation, activations),
    };
  });
}

/**
 * @typedef {object} OperatorCase
 * @property {string} name
 * @property {string} operator  a method of `NetworkValue`
 * @property {any[]} arguments  as tests/fixtures/README.md has them
 * @property {number} [part]  which of several values is expected
 * @property {'float32' | 'float16'} dtype
 * @property {Stored[]} inputs
 * @property {Record<string, Stored>} parameters
 * @property {number[]} outputShape
 * @property {Float64Array} expected
 * @property {Float32Array} tolerance  how far each output may lie from `expected`
 * @property {number} [largestSum]  what errors of the transforms are relative to
 *
 * @typedef {{ shape: number[], data: Float32Array | Uint16Array }} Stored  bit patterns when float16
 */

/**
 * @param {any[]} json  the parsed operators.json: byte offsets into the .bin
 * @param {ArrayBuffer} buffer  the .bin
 * @returns {OperatorCase[]}
 */
export function readOperatorCases(json, buffer) {
  return json.map((entry) => {
    const Numbers = entry.dtype === 'float16' ? Uint16Array : Float32Array;
    const stored = ({ shape, at }) => ({ shape, data: take(buffer, Numbers, at, product(shape)) });
    const count = product(entry.outputShape);
    return {
      ...entry,
      inputs: entry.inputs.map(stored),
      parameters: Object.fromEntries(Object.entries(entry.parameters).map(([name, value]) => [name, stored(value)])),
      expected: take(buffer, Float64Array, entry.expected, count),
      tolerance: take(buffer, Float32Array, entry.tolerance, count),
    };
  });
}

/**
 * @typedef {object} GradientCase
 * @property {string} name
 * @property {'Conv1d' | 'ConvTranspose1d'} layer
 * @property {Record<string, any>} options  of the layer
 * @property {'float32' | 'float16'} dtype
 * @property {Stored} input
 * @property {Stored} weight
 * @property {Stored | null} bias
 * @property {Stored} gradOutput
 * @property {Record<'input' | 'weight' | 'bias', ExpectedGradient>} gradients
 *
 * @typedef {{ expected: Float64Array, tolerance: Float32Array, largestSum: number, bySums: number }} ExpectedGradient  the
 *   last two are what errors of the transforms are multiplied by: of the gradient itself, and of the layer's sums before it
 */

/**
 * @param {any[]} json  the parsed gradients.json: byte offsets into the .bin
 * @param {ArrayBuffer} buffer  the .bin
 * @param {Case[]} cases  of conv1d.json, which most are named after
 * @returns {GradientCase[]}
 */
export function readGradientCases(json, buffer, cases) {
  const byName = new Map(cases.map((testCase) => [testCase.name, testCase]));
  return json.map((entry) => {
    const known = byName.get(entry.name);
    const { name, layer = 'Conv1d', options, inputShape, outputShape } = { ...known, ...entry };
    const { dtype = 'float32', inChannels, outChannels, kernelSize, groups = 1 } = options;
    const Numbers = dtype === 'float16' ? Uint16Array : Float32Array;
    const stored = (at, shape) => ({ shape, data: take(buffer, Numbers, at, product(shape)) });
    const weightShape = known?.weightShape ?? [inChannels, outChannels / groups, kernelSize];
    const gradients = {};
    for (const [what, key, shape] of [
      ['input', 'ofInput', inputShape],
      ['weight', 'ofWeight', weightShape],
      ['bias', 'ofBias', [outChannels]],
    ]) {
      if (!entry[key]) continue;
      const { expected, tolerance, largestSum, bySums } = entry[key];
      gradients[what] = {
        expected: take(buffer, Float64Array, expected, product(shape)),
        tolerance: take(buffer, Float32Array, tolerance, product(shape)),
        largestSum,
        bySums,
      };
    }
    const bias = entry.biasAt === null ? null : stored(entry.biasAt, [outChannels]);
    return {
      name,
      layer,
      options,
      dtype,
      input: known ? { shape: inputShape, data: known.input } : stored(entry.input, inputShape),
      weight: known ? { shape: weightShape, data: known.weight } : stored(entry.weight, weightShape),
      bias: known ? known.bias && { shape: [outChannels], data: known.bias } : bias,
      gradOutput: stored(entry.gradOutput, outputShape),
      gradients,
    };
  });
}

/**
 * The gradients of operators' cases: of the joined input and of each parameter.
 *
 * @param {any[]} json  the parsed operator_gradients.json: byte offsets into the .bin
 * @param {ArrayBuffer} buffer  the .bin
 * @returns {{ name: string, gradOutput: Stored,
 *   gradients: Record<string, { expected: Float64Array, tolerance: Float32Array }> }[]}
 */
export function readOperatorGradients(json, buffer) {
  return json.map(({ name, gradOutput, gradients }) => ({
    name,
    gradOutput: { shape: gradOutput.shape, data: take(buffer, Float32Array, gradOutput.at, product(gradOutput.shape)) },
    gradients: Object.fromEntries(
      Object.entries(gradients).map(([key, { size, expected, tolerance }]) => [
        key,
        {
          expected: take(buffer, Float64Array, expected, size),
          tolerance: take(buffer, Float32Array, tolerance, size),
        },
      ]),
    ),
  }));
}

/** A copy, so that an offset need not be a multiple of the element size. */
function take(buffer, Type, at, length) {
  return new Type(buffer.slice(at, at + length * Type.BYTES_PER_ELEMENT));
}

/** Errors of the transforms, relative to the largest bound: those of an output depend on its neighbours. */
export const relativeErrors = { toom_cook: 2 ** -19, fft: 2 ** -21 * Math.log2(2048) };

/**
 * How far each output may lie from the float64 value: a sum of K products and a bias rounds K + 2 times, the activation
 * stretches that error by at most its Lipschitz constant and is itself good to 4 ulp, and float16 rounds once more.
 * @param {Case} testCase
 * @param {'direct' | 'toom_cook' | 'fft'} algorithm
 * @returns {Float64Array}
 */
export function tolerance({ options, dtype, expected, bound, steepest = 1 }, algorithm = 'direct') {
  const { inChannels, kernelSize, groups = 1 } = options;
  const K = (kernelSize * inChannels) / groups;
  const ordinary = bound.filter((value) => value < 1e30); // the others are of outputs that see what stands out
  const least = (relativeErrors[algorithm] ?? 0) * ordinary.reduce((most, value) => Math.max(most, value), 0);
  return Float64Array.from(expected, (value, i) => {
    // where a NaN or an infinity is in the window, the definition says exactly what comes out
    let result = Number.isFinite(bound[i]) ? Math.max(least, (K + 2) * 2 ** -24 * bound[i]) * steepest : 0;
    if ((options.activation ?? 'none') !== 'none') result += 4 * ulp(Math.abs(value) + result, kFloat32);
    if (dtype === 'float16') result += 0.5 * ulp(Math.abs(value) + result, kFloat16);
    return result;
  });
}

/**
 * @param {Case} testCase
 * @param {ArrayLike<number>} output  a Uint16Array holds float16 bit patterns
 * @param {'direct' | 'toom_cook' | 'fft'} algorithm
 * @returns {string | null}  null: within the tolerance. Else the worst element, in words
 */
export function checkCase(testCase, output, algorithm = 'direct') {
  return checkOutput(testCase, output, tolerance(testCase, algorithm));
}

/**
 * @param {{ dtype: string, expected: ArrayLike<number>, outputShape: number[] }} right
 * @param {ArrayLike<number>} output  a Uint16Array holds float16 bit patterns
 * @param {ArrayLike<number>} allowed  how far each value may be off
 * @returns {string | null}  as checkCase()
 */
export function checkOutput({ dtype, expected, outputShape }, output, allowed) {
  if (output.length !== expected.length) return `${output.length} values, expected ${expected.length}`;
  const bits = Object.prototype.toString.call(output) === '[object Uint16Array]';
  const overflow = dtype === 'float16' ? kFloat16.overflow : kFloat32.overflow;
  let wrong = 0;
  let worst = -1;
  let worstRatio = 0;
  for (let i = 0; i < expected.length; ++i) {
    const got = bits ? halfToNumber(output[i]) : output[i];
    if (Object.is(got, expected[i]) || got === expected[i]) continue;
    let error = Math.abs(got - expected[i]); // NaN when either is, infinite when one is
    // a finite value that the dtype cannot hold is stored as an infinity of its sign
    if (Math.abs(got) === Infinity && Math.abs(expected[i]) + allowed[i] >= overflow && got * expected[i] > 0)
      error = 0;
    if (error <= allowed[i]) continue;
    ++wrong;
    const ratio = Number.isFinite(error) ? error / allowed[i] : Infinity;
    if (worst < 0 || ratio > worstRatio) {
      worst = i;
      worstRatio = ratio;
    }
  }
  if (wrong === 0) return null;
  const got = bits ? halfToNumber(output[worst]) : output[worst];
  const at = position(worst, outputShape).join(', ');
  return (
    `${wrong} of ${expected.length} values differ; the worst is [${at}]: got ${got}, expected ${expected[worst]} ` +
    `+- ${allowed[worst].toExponential(2)} (off by ${Math.abs(got - expected[worst]).toExponential(2)})`
  );
}

/** @param {number} bits  of a binary16 */
export function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

// `bits` of significand, the smallest exponent of a normal number, and from where rounding to nearest gives an infinity
const kFloat32 = { bits: 24, minExponent: -126, overflow: 2 ** 128 - 2 ** 103 };
const kFloat16 = { bits: 11, minExponent: -14, overflow: 2 ** 16 - 2 ** 4 };

/** The distance between neighbouring numbers of a format at `magnitude`. */
function ulp(magnitude, { bits, minExponent }) {
  if (!Number.isFinite(magnitude)) return 0;
  let exponent = magnitude === 0 ? minExponent : Math.max(minExponent, Math.floor(Math.log2(magnitude)));
  if (2 ** exponent > magnitude && exponent > minExponent) --exponent; // log2 may round up just below a power of two
  return 2 ** (exponent - bits + 1);
}

/** The greatest slope of an activation, by the table of a runtime. */
function lipschitz(activation = 'none', activations) {
  const type = activation.type ?? activation;
  const info = activations.find(({ name }) => name === type);
  const [parameter] = info.parameters;
  const own = info.orParameter ? Math.abs(activation[parameter.name] ?? parameter.default) : 0;
  return Math.max(info.lipschitz, own);
}

function product(shape) {
  return shape.reduce((size, extent) => size * extent, 1);
}

/** The indices of an element that lies `index` from the start of a dense array. */
function position(index, shape) {
  const indices = [];
  for (const extent of shape.toReversed()) {
    indices.unshift(index % extent);
    index = Math.floor(index / extent);
  }
  return indices;
}
