// A stack of layers: its text in the address, what can be said of it by counting, and what the library says.
import { Conv1d, Network, Tensor } from 'conv1d-wasm';
import { count } from '../common/format';

export interface StackLayer {
  kernelSize: number;
  stride: number;
  dilation: number;
  channels: number;
}

export interface Stack {
  inChannels: number;
  causal: boolean;
  layers: readonly StackLayer[];
}

export const layerFields = ['kernelSize', 'stride', 'dilation', 'channels'] as const;
export type LayerField = (typeof layerFields)[number];

export const mostLayers = 32;
export const limits: Record<LayerField, number> = {
  kernelSize: 4096,
  stride: 1024,
  dilation: 1_000_000,
  channels: 65_536,
};
const names: Record<LayerField, string> = {
  kernelSize: 'Kernel',
  stride: 'Stride',
  dilation: 'Dilation',
  channels: 'Channels',
};
const longestField = 4_000_000;

/** A problem of one field of one layer, or of the whole stack. */
export interface StackProblem {
  sentence: string;
  layer?: number;
  field?: LayerField;
}

const isCount = (value: number, most: number) => Number.isInteger(value) && value >= 1 && value <= most;

export function problemOf({ layers }: Stack): StackProblem | null {
  for (const [i, layer] of layers.entries()) {
    for (const field of layerFields) {
      if (isCount(layer[field], limits[field])) continue;
      const sentence = `${names[field]} of layer ${i + 1} must be a whole number from 1 to ${count(limits[field])}.`;
      return { sentence, layer: i, field };
    }
  }
  const field = 1 - offsetsOf({ layers, causal: true, inChannels: 1 }).first;
  if (field <= longestField) return null;
  return { sentence: `One output would look at ${count(field)} samples; ${count(longestField)} is the most here.` };
}

export function formatLayers(layers: readonly StackLayer[]): string {
  return layers.map((layer) => layerFields.map((field) => layer[field]).join(',')).join(';');
}

/** The layers that a text means; null when it means none. */
export function parseLayers(text: string): StackLayer[] | null {
  const layers = text.split(';').map((part) => {
    const [kernelSize = 0, stride = 0, dilation = 0, channels = 0] = part.split(',').map(Number);
    return { kernelSize, stride, dilation, channels };
  });
  const isRight =
    layers.length <= mostLayers && layers.every((l) => layerFields.every((f) => isCount(l[f], limits[f])));
  return isRight ? layers : null;
}

const reach = ({ dilation, kernelSize }: StackLayer) => dilation * (kernelSize - 1);

export function padLeft(layer: StackLayer, causal: boolean): number {
  return causal ? reach(layer) : Math.floor(reach(layer) / 2);
}

/** Input samples from one position of each layer's output to the next; the input's own, which is 1, comes first. */
export function jumps(layers: readonly StackLayer[]): number[] {
  const all = [1];
  for (const { stride } of layers) all.push((all.at(-1) ?? 1) * stride);
  return all;
}

/** Where the first and the last input lie that an output looks at, from that at its own position. */
export function offsetsOf({ layers, causal }: Stack): { first: number; last: number } {
  const jump = jumps(layers);
  let [first, last] = [0, 0];
  layers.forEach((layer, i) => {
    const left = padLeft(layer, causal);
    first -= left * (jump[i] ?? 1);
    last += (reach(layer) - left) * (jump[i] ?? 1);
  });
  return { first, last };
}

export interface Costs {
  parameters: number;
  /** Operations for one second of input at a sample rate of 1. */
  flopsPerSample: number;
}

/** Multiplications and additions count as one operation each, as in the library's own `explain`. */
export function costsOf({ inChannels, layers }: Stack): Costs {
  const jump = jumps(layers);
  let parameters = 0;
  let flopsPerSample = 0;
  layers.forEach(({ kernelSize, channels }, i) => {
    const weights = channels * kernelSize * (layers[i - 1]?.channels ?? inChannels);
    parameters += weights + channels;
    flopsPerSample += (2 * weights) / (jump[i + 1] ?? 1);
  });
  return { parameters, flopsPerSample };
}

/** The same stack in one channel, with every weight 1: what reaches what does not depend on the channels. */
function oneChannel({ layers, causal }: Stack): Conv1d[] {
  return layers.map((layer) => {
    const { kernelSize, stride, dilation } = layer;
    const left = padLeft(layer, causal);
    const conv = new Conv1d({
      inChannels: 1,
      outChannels: 1,
      kernelSize,
      stride,
      dilation,
      padding: [left, reach(layer) - left],
      bias: false,
      algorithm: 'direct',
    });
    conv.weight = new Tensor(new Float32Array(kernelSize).fill(1), [1, 1, kernelSize]);
    return conv;
  });
}

function withNetwork<Result>(stack: Stack, use: (network: Network) => Result): Result {
  const layers = oneChannel(stack);
  try {
    return use(new Network(layers));
  } finally {
    for (const layer of layers) layer.dispose();
  }
}

export interface Reach {
  receptiveField: number;
  /** Samples after its own position that an output waits for. */
  latency: number;
}

/** What the library's stream says of the stack. */
export function reachOf(stack: Stack): Reach {
  return withNetwork(stack, (network) => {
    const stream = network.stream({ maxChunk: 1 });
    const { receptiveField, latency } = stream;
    stream.dispose();
    return { receptiveField, latency };
  });
}

// What is computed within a few frames.
const mostImpulseSamples = 2_000_000;
const mostProducts = 200_000_000;

/**
 * The number of ways from each input to one output, from the first input to the last that it looks at, as the library
 * computes it: an impulse at every place within a stride, through the stack. Null where that takes too much.
 */
export function pathsOf(stack: Stack): Float32Array | null {
  const { first, last } = offsetsOf(stack);
  const jump = jumps(stack.layers);
  const stride = jump.at(-1) ?? 1;
  const field = last - first + 1;
  // A multiple of the stride, far enough from the ends for every output that an impulse reaches.
  const base = Math.ceil(field / stride) * stride;
  const length = 2 * base + stride;
  const products = stack.layers.reduce(
    (sum, { kernelSize }, i) => sum + (kernelSize * stride * length) / (jump[i + 1] ?? 1),
    0,
  );
  if (stride * length > mostImpulseSamples || products > mostProducts) return null;
  const impulses = new Float32Array(stride * length);
  for (let row = 0; row < stride; ++row) impulses[row * length + base + row] = 1;
  const output = withNetwork(stack, (network) => network.forward(new Tensor(impulses, [stride, 1, length])));
  const outLength = output.shape[2] ?? 0;
  const paths = new Float32Array(field);
  for (let row = 0; row < stride; ++row) {
    for (let position = 0; position < outLength; ++position) {
      const offset = base + row - position * stride;
      const value = output.data[row * outLength + position] ?? 0;
      if (value !== 0) paths[offset - first] = value;
    }
  }
  return paths;
}
