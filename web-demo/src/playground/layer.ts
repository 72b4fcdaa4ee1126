import { Conv1d, Conv1dError, Tensor, type Conv1dOptions, type Explanation, type Runtime } from 'conv1d-wasm';
import { activationNames } from '../common/activations';
import { count, plural } from '../common/format';

type Choice<Key extends keyof Conv1dOptions> = Extract<Conv1dOptions[Key], string>;

/** What each select offers; TypeScript checks the names against the library. */
export const choices = {
  paddingMode: ['zeros', 'reflect', 'replicate', 'circular'] satisfies Choice<'paddingMode'>[],
  activation: activationNames,
  dtype: ['float32', 'float16'] satisfies Choice<'dtype'>[],
  computeMode: ['default', 'float32'] satisfies Choice<'computeMode'>[],
  algorithm: ['auto', 'direct'] satisfies Choice<'algorithm'>[],
  // The library refuses the second and says how to get it.
  convMode: ['cross_correlation', 'convolution'],
  padding: ['same', 'valid', 'causal', 'both ends', 'left, right'],
} as const;

/** Every option of the layer, and its bias as one number for all output channels. */
export type LayerConfig = Required<Conv1dOptions> & { biasValue: number };

export const mostChannels = 4;

// What this page can draw is less than what the library computes.
const limits = {
  inChannels: [mostChannels, 'channels'],
  outChannels: [mostChannels, 'channels'],
  dilation: [1000, 'samples between taps'],
} as const;
const mostPadding = 10_000;

/** A sentence for people about something that cannot be computed, and the field it is about. */
export interface Problem {
  field: string;
  sentence: string;
  /** The library's own words. */
  detail: string;
}

/** What is beyond this page, though not beyond the library. */
export function beyondPage(config: LayerConfig): Problem | null {
  for (const [field, [most, what]] of Object.entries(limits)) {
    const value = config[field as keyof typeof limits];
    if (value > most) return { field, sentence: `This page shows up to ${most} ${what}, not ${value}.`, detail: '' };
  }
  if (typeof config.padding !== 'string') {
    const [left, right] = resolvePadding(config, 0);
    const field = left > mostPadding ? 'padLeft' : 'padRight';
    const sentence = `This page pads by up to ${count(mostPadding)} samples.`;
    if (Math.max(left, right) > mostPadding) return { field, sentence, detail: '' };
  }
  if (config.bias && !Number.isFinite(config.biasValue)) {
    return { field: 'biasValue', sentence: 'Type a number here.', detail: '' };
  }
  return null;
}

/** Groups that cannot be, said as the library would, for those who have no library yet. */
export function splitProblem({ inChannels, outChannels, groups }: LayerConfig): Problem | null {
  const isWhole = [inChannels, outChannels, groups].every((n) => Number.isInteger(n) && n >= 1);
  if (isWhole && inChannels % groups === 0 && outChannels % groups === 0) return null;
  return { field: 'groups', sentence: 'The groups do not divide the channels.', detail: '' };
}

/** The samples added at each end. */
export function resolvePadding(config: LayerConfig, length: number): [left: number, right: number] {
  const { padding, stride, dilation, kernelSize } = config;
  const reach = dilation * (kernelSize - 1);
  if (padding === 'valid') return [0, 0];
  if (padding === 'causal') return [reach, 0];
  if (padding === 'same') {
    const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + reach + 1 - length);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  }
  return typeof padding === 'number' ? [padding, padding] : [padding[0], padding[1]];
}

/** The library's refusal as a sentence, with the numbers that matter. */
export function explainError(error: Conv1dError, config: LayerConfig, length: number): Problem {
  const detail = `${error.code}: ${error.message}`;
  const say = (sentence: string, field = error.field): Problem => ({ field, sentence, detail });
  const { groups, inChannels, outChannels, dilation, kernelSize } = config;
  const value = error.field === 'inChannels' ? inChannels : outChannels;
  if (/^(in|out)Channels$/.test(error.field) && Number.isInteger(groups) && value % groups !== 0) {
    const side = error.field === 'inChannels' ? 'input' : 'output';
    return say(`${plural(value, `${side} channel`)} cannot be split into ${groups} equal groups.`);
  }
  if (error.code === 'ERR_SHAPE' && error.field === 'input') {
    const [left, right] = resolvePadding(config, length);
    const span = dilation * (kernelSize - 1) + 1;
    if (config.paddingMode === 'reflect' && Math.max(left, right) > length - 1) {
      return say(
        `Reflection needs padding shorter than the signal: at most ${length - 1}, not ${Math.max(left, right)}.`,
      );
    }
    if (config.paddingMode === 'circular' && Math.max(left, right) > length) {
      return say(`Circular padding goes round once: at most ${length} samples, not ${Math.max(left, right)}.`);
    }
    if (span > length + left + right) {
      return say(
        `Nothing is left: the kernel spans ${plural(span, 'sample')}, the padded signal has ${length + left + right}.`,
      );
    }
  }
  if (
    Number.isNaN(error.got) ||
    (error.field === 'activation' && Object.values(config.activation).some(Number.isNaN))
  ) {
    return say('Type a number here.');
  }
  return say(`${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`);
}

export interface LayerResult {
  channels: Float32Array[];
  outLength: number;
  padding: [left: number, right: number];
  /** Of one `forward`: the mean of `calls`. */
  milliseconds: number;
  calls: number;
  explanation: Explanation;
  /** The layer in one line. */
  text: string;
}

/** One layer that is made anew only when an option changed. */
export class LayerRunner {
  #layer: Conv1d | null = null;
  #options = '';

  constructor(readonly runtime: Runtime) {}

  /**
   * @param weight called when the library has taken the options.
   * @throws Conv1dError; the layer of the last good call stays.
   */
  run(config: LayerConfig, weight: () => Float32Array, input: readonly Float32Array[]): LayerResult {
    const layer = this.#layerFor(config);
    const { inChannels, outChannels, groups, kernelSize, dtype } = config;
    layer.weight = new Tensor(Array.from(weight()), [outChannels, inChannels / groups, kernelSize], dtype);
    if (config.bias)
      layer.bias = new Tensor(Array(outChannels).fill(config.biasValue) as number[], [outChannels], dtype);

    const length = input[0]?.length ?? 0;
    const samples = new Float32Array(inChannels * length);
    input.forEach((channel, c) => {
      samples.set(channel, c * length);
    });
    const tensor = new Tensor(dtype === 'float32' ? samples : Array.from(samples), [inChannels, length], dtype);
    const { output, milliseconds, calls } = timed(() => layer.forward(tensor));
    return {
      channels: readChannels(output),
      outLength: output.shape[1] ?? 0,
      padding: resolvePadding(config, length),
      milliseconds,
      calls,
      explanation: layer.explain([inChannels, length]),
      text: layer.toString(),
    };
  }

  #layerFor({ biasValue: _, ...options }: LayerConfig): Conv1d {
    const key = JSON.stringify(options);
    if (this.#layer && key === this.#options) return this.#layer;
    const layer = new Conv1d({ ...options, runtime: this.runtime });
    this.#layer?.dispose();
    this.#layer = layer;
    this.#options = key;
    return layer;
  }
}

function readChannels(output: Tensor): Float32Array[] {
  const [channels = 0, length = 0] = output.shape;
  if (output.dtype === 'float16') return (output.toArray() as number[][]).map((row) => Float32Array.from(row));
  const data = output.data as Float32Array;
  return Array.from({ length: channels }, (_, o) => data.subarray(o * length, (o + 1) * length));
}

// A call may take less time than the clock can tell, and the first one finds everything cold: calls that are short are made
// a few times more. All of it must leave room for drawing in one frame.
const shortMilliseconds = 8;
const enoughMilliseconds = 1;
const mostCalls = 100;

function timed(forward: () => Tensor): { output: Tensor; milliseconds: number; calls: number } {
  const first = performance.now();
  const output = forward();
  const start = performance.now();
  if (start - first > shortMilliseconds) return { output, milliseconds: start - first, calls: 1 };
  let calls = 0;
  let spent = 0;
  while (spent < enoughMilliseconds && calls < mostCalls) {
    forward();
    ++calls;
    spent = performance.now() - start;
  }
  return { output, milliseconds: spent / calls, calls };
}
