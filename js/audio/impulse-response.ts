// Impulse responses, whose first sample comes first, as weights of a layer, whose last tap meets the newest sample.
import type { NetworkCopy } from '../background/network-copy.js';
import { Conv1dError, optionError, show } from '../common/errors.js';
import { Tensor, typedArrayTag } from '../layer/tensor.js';
import { layerStep } from '../network/parts.js';
import { resample } from './resample.js';

/** What a convolver plays as Web Audio's ConvolverNode plays its buffer. */
export interface ImpulseResponse {
  /**
   * Channels of one length, finite numbers in the order of time: one (each input channel gets it), two (left and right),
   * or four (true stereo: left to left, left to right, right to left, right to right). What `decodeAudioData` gives, or the
   * samples. A copy is taken.
   */
  impulseResponse: AudioBuffer | readonly Float32Array[];
  /**
   * The samples' rate in hertz, 3000 to 768000. Default: the context's; an AudioBuffer has its own. A response of another
   * rate is converted to the context's, where ConvolverNode throws, with the gain that it has at its own rate: flat to 0.9
   * of half the lower rate, -100 dB from half of it on. What a band-limited response has before its first sample is left
   * out, so that nothing is delayed.
   */
  sampleRate?: number;
  /**
   * Whether the response is scaled as ConvolverNode's `normalize` scales it, after any conversion of its rate. The factor
   * is 0.00125 / max(r, 0.000125) * 44100 / (the context's sample rate), where r is the root mean square of all samples of
   * all channels; with four channels half of that. It is `calculateNormalizationScale` of the Web Audio API,
   * https://www.w3.org/TR/webaudio/#dom-convolvernode-normalize; Chromium has 10^(-58 / 20), which is 0.06 dB more, for
   * 0.00125. Default true.
   */
  normalize?: boolean;
}

/** The names of its options. */
export const responseOptions = ['impulseResponse', 'sampleRate', 'normalize'] as const;

/**
 * The taps in the opposite order of time, as a copy: an impulse response made a kernel, or back. Layers correlate, as in
 * every deep-learning framework, so that a response used as a kernel plays backwards. Reversed, and with
 * `padding: 'causal'`, it plays as it is.
 *
 * @param taps a response (K), or a tensor whose last dimension is time, such as a layer's `weight`. A tensor's copy is in a
 *   JavaScript array.
 * @throws Conv1dError ERR_DTYPE, ERR_SHAPE (a tensor without dimensions), ERR_DISPOSED.
 */
export function reverseTaps(taps: Float32Array): Float32Array;
export function reverseTaps(taps: Tensor): Tensor;
export function reverseTaps(taps: Float32Array | Tensor): Float32Array | Tensor {
  if (!(taps instanceof Tensor)) {
    if (typedArrayTag(taps) === 'Float32Array') return taps.slice().reverse();
    throw new Conv1dError('ERR_DTYPE', 'taps', `taps must be a Tensor or a Float32Array, got ${show(taps)}`, taps);
  }
  const { shape, dtype, size } = taps;
  const length = shape.at(-1);
  if (length === undefined)
    throw new Conv1dError('ERR_SHAPE', 'taps', 'taps must have a dimension, got shape []', shape);
  const buffer = taps.copyBuffer();
  const elements = dtype === 'float32' ? new Float32Array(buffer) : new Uint16Array(buffer);
  for (let at = 0; at < size; at += length) elements.subarray(at, at + length).reverse();
  return Tensor.fromBuffer(buffer, shape, dtype);
}

function responseError(rule: string, got: unknown): Conv1dError {
  return optionError('impulseResponse', rule, got);
}

function isAudioBuffer(response: unknown): response is AudioBuffer {
  return typeof (response as Partial<AudioBuffer> | null | undefined)?.getChannelData === 'function';
}

/** The channels of a response, which are good. */
function channelsOf(response: unknown): Float32Array[] {
  const channels: unknown = isAudioBuffer(response)
    ? Array.from({ length: response.numberOfChannels }, (_, c) => response.getChannelData(c))
    : response;
  if (!Array.isArray(channels) || !channels.every((channel) => typedArrayTag(channel) === 'Float32Array')) {
    throw responseError('an AudioBuffer or a list of Float32Arrays', response);
  }
  const arrays = channels as Float32Array[];
  if (![1, 2, 4].includes(arrays.length)) throw responseError('1, 2 or 4 channels', arrays.length);
  const lengths = arrays.map(({ length }) => length);
  if (lengths.some((length) => length === 0 || length !== lengths[0])) {
    throw responseError('channels of one length >= 1', lengths);
  }
  for (const channel of arrays) {
    const strange = channel.find((sample) => !Number.isFinite(sample));
    if (strange !== undefined) throw responseError('finite numbers', strange);
  }
  return arrays;
}

function rateOf({ impulseResponse, sampleRate }: ImpulseResponse, contextRate: number): number {
  if (isAudioBuffer(impulseResponse)) {
    if (sampleRate === undefined) return impulseResponse.sampleRate;
    throw optionError('sampleRate', 'missing: an AudioBuffer has its own', sampleRate);
  }
  if (sampleRate === undefined) return contextRate;
  if (typeof sampleRate === 'number' && sampleRate >= 3000 && sampleRate <= 768_000) return sampleRate;
  throw optionError('sampleRate', 'a number of hertz from 3000 to 768000', sampleRate);
}

function normalizationScale(channels: readonly Float32Array[], sampleRate: number): number {
  let energy = 0;
  let samples = 0;
  for (const channel of channels) {
    for (const sample of channel) energy += sample * sample;
    samples += channel.length;
  }
  const scale = ((0.00125 / Math.max(Math.sqrt(energy / samples), 0.000125)) * 44100) / sampleRate;
  return channels.length === 4 ? scale / 2 : scale;
}

/**
 * The channels of a response as kernels of a layer. Configurations:
 * https://www.w3.org/TR/webaudio/#Convolution-channel-configurations.
 */
function kernelsOf(
  channels: readonly Float32Array[],
  inChannels: 1 | 2,
): { kernels: readonly Float32Array[]; outChannels: number; groups: number } {
  const [first = new Float32Array(), second = first, third, fourth] = channels;
  const isTrueStereo = third !== undefined && fourth !== undefined;
  if (inChannels === 2) {
    const kernels = isTrueStereo ? [first, third, second, fourth] : [first, second];
    return { kernels, outChannels: 2, groups: isTrueStereo ? 1 : 2 };
  }
  // A mono input is left and right alike.
  const sum = (a: Float32Array, b: Float32Array) => a.map((sample, i) => sample + (b[i] ?? 0));
  const kernels = isTrueStereo ? [sum(first, third), sum(second, fourth)] : channels;
  return { kernels, outChannels: kernels.length, groups: 1 };
}

/** A causal layer that plays the response. Throws ERR_OPTION. */
export function networkOfResponse(given: ImpulseResponse, inChannels: 1 | 2, contextRate: number): NetworkCopy {
  const { impulseResponse, normalize = true } = given;
  if (typeof normalize !== 'boolean') throw optionError('normalize', 'a boolean', normalize);
  const samples = channelsOf(impulseResponse);
  const rate = rateOf(given, contextRate);
  const channels = rate === contextRate ? samples : resample(samples, rate, contextRate);
  // More samples a second add up to more.
  const scale = normalize ? normalizationScale(channels, contextRate) : rate / contextRate;
  const { kernels, outChannels, groups } = kernelsOf(channels, inChannels);
  const kernelSize = kernels[0]?.length ?? 0;
  const weight = new Float32Array(kernels.length * kernelSize);
  kernels.forEach((kernel, i) => {
    weight.set(kernel.map((sample) => scale * sample).reverse(), i * kernelSize);
  });
  const options = { inChannels, outChannels, kernelSize, groups, bias: false, paddingRule: 'causal' };
  return {
    dtype: 'float32',
    inChannels,
    outChannels,
    steps: [layerStep(0)],
    layers: [{ options, weight: weight.buffer, bias: null }],
  };
}
