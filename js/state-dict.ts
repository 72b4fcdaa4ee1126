// From a dictionary of tensors, as a framework saved it, to the weight and bias of one layer. Sums are float64.
import { Conv1dError, pickOptions, show, stateDictError } from './errors.js';
import { checkFit, type DType, Tensor } from './tensor.js';

export type ParameterName = 'weight' | 'bias';

/** A BatchNorm1d, in eval mode, that follows the layer and becomes part of it. */
export interface BatchNormOptions {
  /** What its names in the dictionary start with, such as `'encoder.1.'`. */
  prefix: string;
  /** Added to its variances, >= 0. Default 1e-5, as PyTorch's. */
  eps?: number;
}

/** Options of `loadStateDict`. */
export interface LoadStateDictOptions {
  /** Whether a missing or an unknown name is an error. Default true. */
  strict?: boolean;
  /** What the layer's names start with. Default none. */
  prefix?: string;
  /** Folds a BatchNorm1d into weight and bias. Default none. */
  batchNorm?: BatchNormOptions;
}

/** What a layer takes. */
export interface LayerParameters {
  names: readonly ParameterName[];
  outChannels: number;
  dtype: DType;
  shapesOf(name: ParameterName): readonly (readonly number[])[];
}

/** Numbers not yet rounded to a dtype. */
interface Exact {
  numbers: Float64Array;
  shape: readonly number[];
}

// The names of a weight that was split into magnitude and direction: torch.nn.utils.weight_norm, then
// torch.nn.utils.parametrizations.weight_norm.
const weightNormNames: readonly (readonly [g: string, v: string])[] = [
  ['weight_g', 'weight_v'],
  ['parametrizations.weight.original0', 'parametrizations.weight.original1'],
];

/** A dictionary that remembers what was read from it. */
class Reader {
  readonly #dict: Readonly<Record<string, unknown>>;
  readonly #read = new Set<string>();

  constructor(dict: unknown) {
    if (typeof dict !== 'object' || dict === null) {
      throw stateDictError('dict', `dict must be an object of tensors, got ${show(dict)}`, dict);
    }
    this.#dict = dict as Record<string, unknown>;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#dict, key);
  }

  skip(key: string): void {
    this.#read.add(key);
  }

  /** The tensor at `prefix + name`, which must be there and have one of `shapes`. */
  take(prefix: string, name: string, shapes: readonly (readonly number[])[]): Tensor {
    const key = prefix + name;
    const value = this.#dict[key];
    if (!this.has(key)) {
      throw stateDictError(key, `${show(key)} is missing; there are ${show(Object.keys(this.#dict))}`, this.#dict);
    }
    this.skip(key);
    try {
      return checkFit(name, value, shapes);
    } catch (error) {
      throw stateDictError(key, `${key}: ${(error as Error).message}`, value, error);
    }
  }

  /** A name with one of `prefixes` that nothing was read from. */
  unread(prefixes: readonly string[]): string | undefined {
    return Object.keys(this.#dict).find(
      (key) => !this.#read.has(key) && prefixes.some((prefix) => key.startsWith(prefix)),
    );
  }
}

const exact = (value: Tensor | Exact): Exact =>
  value instanceof Tensor ? { numbers: value.numbers(), shape: value.shape } : value;

/** `value` as a tensor of `dtype`; no finite number may become infinite. */
function round(key: string, value: Tensor | Exact, dtype: DType): Tensor {
  if (value instanceof Tensor && value.dtype === dtype) return value;
  const { numbers, shape } = exact(value);
  const tensor = new Tensor(numbers, shape, dtype);
  const rounded = tensor.numbers();
  const lost = numbers.findIndex((number, i) => Number.isFinite(number) && !Number.isFinite(rounded[i]));
  if (lost < 0) return tensor;
  throw stateDictError(key, `${key}: ${show(numbers[lost])} is too large for ${dtype}`, numbers[lost]);
}

/** g * v / |v|, the norm over each row of v, or over all of v where g is one number: PyTorch's `weight_norm`. */
function joinWeightNorm(g: Float64Array, v: Exact): Exact {
  const rowLength = v.numbers.length / g.length;
  const numbers = new Float64Array(v.numbers.length);
  g.forEach((magnitude, row) => {
    const start = row * rowLength;
    const direction = v.numbers.subarray(start, start + rowLength);
    const norm = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
    direction.forEach((value, i) => (numbers[start + i] = (magnitude * value) / norm));
  });
  return { numbers, shape: v.shape };
}

/** The names of the parts into which the weight was split, if it was. */
const splitNames = (reader: Reader, prefix: string): readonly [g: string, v: string] | undefined =>
  weightNormNames.find((names) => names.some((name) => reader.has(prefix + name)));

const hasWeight = (reader: Reader, prefix: string): boolean =>
  reader.has(`${prefix}weight`) || splitNames(reader, prefix) !== undefined;

/** The weight in whichever form there is. */
function takeWeight(reader: Reader, prefix: string, layer: LayerParameters): Tensor | Exact {
  const shapes = layer.shapesOf('weight');
  const split = splitNames(reader, prefix);
  if (reader.has(`${prefix}weight`) || !split) return reader.take(prefix, 'weight', shapes);
  const [g, v] = split;
  const magnitudes = reader.take(prefix, g, [[layer.outChannels, 1, 1], []]);
  return joinWeightNorm(magnitudes.numbers(), exact(reader.take(prefix, v, shapes)));
}

function checkBatchNorm(given: BatchNormOptions, layer: LayerParameters): Required<BatchNormOptions> {
  const { prefix, eps = 1e-5 } = pickOptions(given, ['prefix', 'eps'], 'batchNorm');
  const fail = (rule: string, got: unknown) => new Conv1dError('ERR_OPTION', 'batchNorm', rule, got);
  if (typeof prefix !== 'string') throw fail(`batchNorm's prefix must be a string, got ${show(prefix)}`, prefix);
  if (!(Number.isFinite(eps) && eps >= 0)) throw fail(`batchNorm's eps must be a number >= 0, got ${show(eps)}`, eps);
  if (!layer.names.includes('bias')) {
    throw fail('batchNorm needs a bias to fold into, and the layer was made with bias: false', given);
  }
  return { prefix, eps };
}

/**
 * Folds the BatchNorm1d at `prefix`, as it is in eval mode: weight * scale and (bias - running_mean) * scale + shift,
 * with scale = gamma / sqrt(running_var + eps) for each output channel.
 */
function foldBatchNorm(
  reader: Reader,
  { prefix, eps }: Required<BatchNormOptions>,
  weight: Exact,
  bias: Exact,
): Record<ParameterName, Exact> {
  const channels = bias.numbers.length;
  const take = (name: string) => reader.take(prefix, name, [[channels]]).numbers();
  const [mean, variance] = [take('running_mean'), take('running_var')];
  // Neither is there with affine=False.
  const affine = reader.has(`${prefix}weight`) || reader.has(`${prefix}bias`);
  const gamma = affine ? take('weight') : new Float64Array(channels).fill(1);
  const shift = affine ? take('bias') : new Float64Array(channels);
  reader.skip(`${prefix}num_batches_tracked`);
  const scale = gamma.map((value, o) => {
    const spread = (variance[o] ?? 0) + eps;
    if (spread > 0) return value / Math.sqrt(spread);
    const key = `${prefix}running_var`;
    throw stateDictError(key, `${key}[${o}] + eps must be > 0, got ${spread}`, variance[o]);
  });
  const rowLength = weight.numbers.length / channels;
  const scaled = weight.numbers.map((value, i) => value * (scale[Math.floor(i / rowLength)] ?? 0));
  const shifted = bias.numbers.map((value, o) => (value - (mean[o] ?? 0)) * (scale[o] ?? 0) + (shift[o] ?? 0));
  return { weight: { numbers: scaled, shape: weight.shape }, bias: { numbers: shifted, shape: bias.shape } };
}

/**
 * The parameters of a layer that `dict` holds, ready to be written: of right shapes and of the layer's dtype.
 *
 * @throws Conv1dError ERR_STATE_DICT, ERR_OPTION.
 */
export function readStateDict(
  dict: unknown,
  layer: LayerParameters,
  options: LoadStateDictOptions,
): Map<ParameterName, Tensor> {
  const { strict = true, prefix = '', batchNorm } = pickOptions(options, ['strict', 'prefix', 'batchNorm']);
  const norm = batchNorm === undefined ? undefined : checkBatchNorm(batchNorm, layer);
  const reader = new Reader(dict);
  const hasBias = reader.has(`${prefix}bias`);
  const takeBias = () => reader.take(prefix, 'bias', layer.shapesOf('bias'));

  let found: Partial<Record<ParameterName, Tensor | Exact>> = {};
  if (norm) {
    // A layer in front of a BatchNorm1d mostly goes without a bias.
    const bias = hasBias
      ? exact(takeBias())
      : { numbers: new Float64Array(layer.outChannels), shape: [layer.outChannels] };
    found = foldBatchNorm(reader, norm, exact(takeWeight(reader, prefix, layer)), bias);
  } else {
    if (strict || hasWeight(reader, prefix)) found.weight = takeWeight(reader, prefix, layer);
    if (layer.names.includes('bias') && (strict || hasBias)) found.bias = takeBias();
  }

  const unknown = strict ? reader.unread(norm ? [prefix, norm.prefix] : [prefix]) : undefined;
  if (unknown !== undefined) {
    const text = `${show(unknown)} is not a parameter of this layer, which has ${layer.names.join(' and ')}`;
    throw stateDictError(unknown, text, unknown);
  }
  return new Map(
    layer.names.flatMap((name) => {
      const value = found[name];
      return value ? [[name, round(prefix + name, value, layer.dtype)]] : [];
    }),
  );
}
