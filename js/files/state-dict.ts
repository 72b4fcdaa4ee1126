// From a dictionary of tensors, as a framework saved it, to the weight and bias of one layer. Sums are float64.
import { Conv1dError, optionError, pickOptions, show, stateDictError } from '../common/errors.js';
import type { DType } from '../layer/dtype.js';
import { checkFit, Tensor } from '../layer/tensor.js';
import { positions } from './elements.js';

export type ParameterName = 'weight' | 'bias';

/** A BatchNorm1d, in eval mode, that follows the layer and becomes part of it. */
export interface BatchNormOptions {
  /** What its names in the dictionary start with, such as `'encoder.1.'`. */
  prefix: string;
  /** Added to its variances, >= 0. Default 1e-5, as PyTorch's; with layout 'tensorflow' 1e-3, as Keras's. */
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
  /**
   * Whose names and order of dimensions the dictionary has. Default 'pytorch', which is MegEngine's too. 'tensorflow' is
   * that of Keras, TensorFlow.js and Flax: `kernel` (or `weight`) is (kernelSize, inChannels / groups, outChannels), or
   * (kernelSize, inChannels, outChannels / inChannels) of a DepthwiseConv1D, and a batch norm has `gamma`, `beta`,
   * `moving_mean` and `moving_variance`. It is never guessed from a shape.
   */
  layout?: 'pytorch' | 'tensorflow';
}

/** What a layer takes. */
export interface LayerParameters {
  names: readonly ParameterName[];
  inChannels: number;
  outChannels: number;
  dtype: DType;
  groups: number;
  /** Its weight is (inChannels, outChannels / groups, kernelSize). */
  isTransposed: boolean;
  shapesOf(name: ParameterName): readonly (readonly number[])[];
}

/** Numbers not yet rounded to a dtype. */
interface Exact {
  numbers: Float64Array;
  shape: readonly number[];
}

/** A dictionary that remembers what was read from it. */
class Reader {
  readonly #dict: Readonly<Record<string, unknown>>;
  readonly #used = new Set<string>();

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
    this.#used.add(key);
  }

  /** The tensor at `prefix + name`, which must be there and have one of `shapes`. */
  read(prefix: string, name: string, shapes: readonly (readonly number[])[]): Tensor {
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
      (key) => !this.#used.has(key) && prefixes.some((prefix) => key.startsWith(prefix)),
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

type Shapes = readonly (readonly number[])[];
type ReadPart = (name: string, shapes: Shapes) => Tensor;

/** A weight that training keeps in parts. */
interface SplitWeight {
  /** Of its parts; either of the first two tells that it is split so. */
  names: readonly string[];
  join(read: ReadPart, layer: LayerParameters): Exact;
}

/** (outChannels, inChannels / groups, kernelSize), the order in which every shape of a weight has its elements. */
const plainShape = (layer: LayerParameters): readonly number[] => layer.shapesOf('weight').at(-1) ?? [];

/** g * v / |v|, the norm over all elements of v that share one of g: PyTorch's `weight_norm`, over any dimension. */
const weightNorm = (gName: string, vName: string): SplitWeight => ({
  names: [gName, vName],
  join(read, layer) {
    const shape = plainShape(layer);
    const only = (dimension: number) => shape.map((extent, d) => (d === dimension ? extent : 1));
    const g = read(gName, [only(0), only(1), only(2), []]);
    const v = exact(read(vName, layer.shapesOf('weight')));
    const strides = shape.map((_, d) => ((g.shape[d] ?? 1) > 1 ? 1 : 0));
    const owners = Uint32Array.from(v.numbers, positions(shape, strides));
    const squares = new Float64Array(g.size);
    owners.forEach((owner, i) => (squares[owner] = (squares[owner] ?? 0) + (v.numbers[i] ?? 0) ** 2));
    const scales = g.numbers().map((magnitude, i) => magnitude / Math.sqrt(squares[i] ?? 0));
    return { numbers: v.numbers.map((value, i) => value * (scales[owners[i] ?? 0] ?? 0)), shape: v.shape };
  },
});

/** The output channel that element `i` of a weight belongs to. */
function outputOf(layer: LayerParameters, weightSize: number): (i: number) => number {
  const { groups, inChannels, outChannels, isTransposed } = layer;
  if (!isTransposed) return (i) => Math.floor((i * outChannels) / weightSize);
  const groupOut = outChannels / groups;
  const kernelSize = weightSize / inChannels / groupOut;
  return (i) => {
    const row = Math.floor(i / kernelSize);
    const group = Math.floor((Math.floor(row / groupOut) * groups) / inChannels);
    return group * groupOut + (row % groupOut);
  };
}

/**
 * W / (u . W v), W a row for each output channel, or for each of a group of a transposed layer: PyTorch's `spectral_norm`
 * in eval mode.
 */
const spectralNorm = (weightName: string, uName: string, vName: string): SplitWeight => ({
  names: [weightName, uName, vName],
  join(read, layer) {
    const weight = exact(read(weightName, layer.shapesOf('weight')));
    const rows = layer.isTransposed ? layer.outChannels / layer.groups : layer.outChannels;
    const rowLength = weight.numbers.length / rows;
    const u = read(uName, [[rows]]).numbers();
    const v = read(vName, [[rowLength]]).numbers();
    // Of a transposed layer the second dimension comes first in W.
    const kernelSize = rowLength / layer.inChannels;
    const [rowOf, columnOf] = layer.isTransposed
      ? [
          (i: number) => Math.floor(i / kernelSize) % rows,
          (i: number) => Math.floor(i / kernelSize / rows) * kernelSize + (i % kernelSize),
        ]
      : [(i: number) => Math.floor(i / rowLength), (i: number) => i % rowLength];
    const along = (value: number, i: number) => value * (u[rowOf(i)] ?? 0) * (v[columnOf(i)] ?? 0);
    const sigma = weight.numbers.reduce((sum, value, i) => sum + along(value, i), 0);
    return { numbers: weight.numbers.map((value) => value / sigma), shape: weight.shape };
  },
});

interface Layout {
  /** Of a weight in one piece, the first one usual. */
  weightNames: readonly [string, ...string[]];
  splitWeights: readonly SplitWeight[];
  weightShapes(layer: LayerParameters): Shapes;
  /** A weight of those shapes in the layer's order. */
  order(weight: Tensor, layer: LayerParameters): Tensor | Exact;
  batchNorm: {
    names: Readonly<Record<'gamma' | 'beta' | 'mean' | 'variance', string>>;
    eps: number;
    /** Whether it has both gamma and beta or neither. */
    paired: boolean;
  };
}

const layouts: Readonly<Record<NonNullable<LoadStateDictOptions['layout']>, Layout>> = {
  pytorch: {
    weightNames: ['weight'],
    // Each as torch.nn.utils names its parts, then as torch.nn.utils.parametrizations does.
    splitWeights: [
      spectralNorm('weight_orig', 'weight_u', 'weight_v'),
      spectralNorm('parametrizations.weight.original', 'parametrizations.weight.0._u', 'parametrizations.weight.0._v'),
      weightNorm('weight_g', 'weight_v'),
      weightNorm('parametrizations.weight.original0', 'parametrizations.weight.original1'),
    ],
    weightShapes(layer) {
      const shape = plainShape(layer);
      // Of a Conv2d whose kernels are one wide, and of a Linear.
      const others = [[...shape, 1], ...(shape.at(-1) === 1 ? [shape.slice(0, -1)] : [])];
      return [...layer.shapesOf('weight'), ...others];
    },
    order: (weight) => weight,
    batchNorm: {
      names: { gamma: 'weight', beta: 'bias', mean: 'running_mean', variance: 'running_var' },
      eps: 1e-5,
      paired: true,
    },
  },
  tensorflow: {
    weightNames: ['kernel', 'weight'],
    splitWeights: [],
    weightShapes(layer) {
      const [outChannels = 0, inChannels = 0, kernelSize = 0] = plainShape(layer);
      const shape = [kernelSize, inChannels, outChannels];
      const depthwise = [kernelSize, layer.inChannels, outChannels / layer.inChannels];
      return inChannels === 1 && layer.inChannels > 1 ? [shape, depthwise] : [shape];
    },
    order(weight, layer) {
      const shape = plainShape(layer);
      const [outChannels = 0, inChannels = 0] = shape;
      const numbers = weight.numbers();
      const next = positions(shape, [1, outChannels, outChannels * inChannels]);
      return { numbers: numbers.map(() => numbers[next()] ?? 0), shape };
    },
    batchNorm: {
      names: { gamma: 'gamma', beta: 'beta', mean: 'moving_mean', variance: 'moving_variance' },
      eps: 1e-3,
      paired: false,
    },
  },
};

function checkLayout(layout: NonNullable<LoadStateDictOptions['layout']>): Layout {
  if (Object.hasOwn(layouts, layout)) return layouts[layout];
  const text = `layout must be one of ${Object.keys(layouts).join(', ')}, got ${show(layout)}`;
  throw new Conv1dError('ERR_OPTION', 'layout', text, layout);
}

/** The weight in whichever form there is; `required`, it is an error that there is none. */
function readWeight(
  reader: Reader,
  prefix: string,
  layer: LayerParameters,
  layout: Layout,
  required: boolean,
): Tensor | Exact | undefined {
  const { weightNames, splitWeights } = layout;
  const has = (name: string) => reader.has(prefix + name);
  const name = weightNames.find(has);
  const split = splitWeights.find(({ names }) => names.slice(0, 2).some(has));
  if (name === undefined && split) return split.join((part, shapes) => reader.read(prefix, part, shapes), layer);
  if (name === undefined && !required) return undefined;
  return layout.order(reader.read(prefix, name ?? weightNames[0], layout.weightShapes(layer)), layer);
}

function checkBatchNorm(given: BatchNormOptions, layer: LayerParameters, layout: Layout): Required<BatchNormOptions> {
  const { prefix, eps = layout.batchNorm.eps } = pickOptions(given, ['prefix', 'eps'], 'batchNorm');
  const fail = (rule: string, got: unknown) => new Conv1dError('ERR_OPTION', 'batchNorm', rule, got);
  if (typeof prefix !== 'string') throw fail(`batchNorm's prefix must be a string, got ${show(prefix)}`, prefix);
  if (!(Number.isFinite(eps) && eps >= 0)) throw fail(`batchNorm's eps must be a number >= 0, got ${show(eps)}`, eps);
  if (!layer.names.includes('bias')) {
    throw fail('batchNorm needs a bias to fold into, and the layer was made with bias: false', given);
  }
  return { prefix, eps };
}

/**
 * Folds the BatchNorm1d at `prefix`, as it is in eval mode: weight * scale and (bias - mean) * scale + beta, with
 * scale = gamma / sqrt(variance + eps) for each output channel.
 */
function foldBatchNorm(
  reader: Reader,
  { prefix, eps }: Required<BatchNormOptions>,
  { names, paired }: Layout['batchNorm'],
  weight: Exact,
  bias: Exact,
  outputOf: (i: number) => number,
): Record<ParameterName, Exact> {
  const channels = bias.numbers.length;
  // PyTorch's shape, then those of MegEngine's versions.
  const shapes = [[channels], [1, channels, 1], [1, channels, 1, 1]];
  const read = (name: string) => reader.read(prefix, name, shapes).numbers();
  const [mean, variance] = [read(names.mean), read(names.variance)];
  const has = (name: string) => reader.has(prefix + name);
  const affine = [names.gamma, names.beta].some(has) && paired;
  const readOr = (name: string, value: number) =>
    affine || has(name) ? read(name) : new Float64Array(channels).fill(value);
  const [gamma, beta] = [readOr(names.gamma, 1), readOr(names.beta, 0)];
  reader.skip(`${prefix}num_batches_tracked`);
  const scale = gamma.map((value, o) => {
    const spread = (variance[o] ?? 0) + eps;
    if (spread > 0) return value / Math.sqrt(spread);
    const key = prefix + names.variance;
    throw stateDictError(key, `${key}[${o}] + eps must be > 0, got ${spread}`, variance[o]);
  });
  const scaled = weight.numbers.map((value, i) => value * (scale[outputOf(i)] ?? 0));
  const shifted = bias.numbers.map((value, o) => (value - (mean[o] ?? 0)) * (scale[o] ?? 0) + (beta[o] ?? 0));
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
  const given = pickOptions(options, ['strict', 'prefix', 'batchNorm', 'layout']);
  const { strict = true, prefix = '', batchNorm, layout: layoutName = 'pytorch' } = given;
  if (typeof prefix !== 'string') throw optionError('prefix', 'a string', prefix);
  const layout = checkLayout(layoutName);
  const norm = batchNorm === undefined ? undefined : checkBatchNorm(batchNorm, layer, layout);
  const reader = new Reader(dict);
  const hasBias = reader.has(`${prefix}bias`);
  const readBias = () => reader.read(prefix, 'bias', layer.shapesOf('bias'));

  const found: Partial<Record<ParameterName, Tensor | Exact>> = {};
  const weight = readWeight(reader, prefix, layer, layout, strict || norm !== undefined);
  if (norm && weight) {
    // A layer in front of a BatchNorm1d mostly goes without a bias.
    const bias = hasBias
      ? exact(readBias())
      : { numbers: new Float64Array(layer.outChannels), shape: [layer.outChannels] };
    const { numbers } = exact(weight);
    const ofOutput = outputOf(layer, numbers.length);
    Object.assign(found, foldBatchNorm(reader, norm, layout.batchNorm, exact(weight), bias, ofOutput));
  } else {
    if (weight) found.weight = weight;
    if (layer.names.includes('bias') && (strict || hasBias)) found.bias = readBias();
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
