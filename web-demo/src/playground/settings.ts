// What the playground is set to, as its fields and the page's address hold it, and what that means. Keys are the fields' ids.
import * as kernels from '../common/kernels';
import { mostChannels, type LayerConfig } from './layer';
import { parseDrawing, type SourceName, type SourceSpec } from './source';

export const custom = 'custom';

/** The first visit. */
export const defaults = {
  shape: 'sines',
  length: 600,
  cycles: 3,
  noise: 25,
  start: 0,
  preset: 'gaussian',
  'tap-count': 25,
  'parameter-0': 4,
  'parameter-1': 0,
  inChannels: 1,
  outChannels: 1,
  groups: 1,
  stride: 1,
  dilation: 1,
  padding: 'same',
  padLeft: 0,
  padRight: 0,
  paddingMode: 'zeros',
  bias: true,
  biasValue: 0,
  activation: 'none',
  slope: 0.01,
  dtype: 'float32',
  computeMode: 'default',
  algorithm: 'auto',
  convMode: 'cross_correlation',
};

export type Fields = typeof defaults;

/** What no field holds, besides: the drawing, and kernels that no preset gives. */
export const allDefaults = { ...defaults, drawn: '', kernels: '' };

export type Settings = typeof allDefaults;

export function sourceOf({ shape, length, cycles, noise, start, drawn }: Settings): SourceSpec {
  return { shape: shape as SourceName, length, cycles, noise: noise / 100, start, drawn: parseDrawing(drawn) };
}

export function parametersOf(fields: Fields): number[] {
  return [fields['parameter-0'], fields['parameter-1']];
}

export function bankOf(settings: Settings): kernels.KernelBank {
  const { preset } = settings;
  if (!(preset in kernels.presets)) return kernels.readBank(settings.kernels, mostChannels);
  const taps = kernels.presetTaps(preset as kernels.PresetName, settings['tap-count'], parametersOf(settings));
  return new kernels.KernelBank(mostChannels, taps);
}

/** How many of the two padding fields a choice of padding leaves free. */
export const freePaddings = (padding: string) => ({ 'both ends': 1, 'left, right': 2 })[padding] ?? 0;

export function layerOf(fields: Fields, kernelSize: number): LayerConfig {
  const { inChannels, outChannels, groups, stride, dilation, padLeft, padRight, bias, biasValue, slope } = fields;
  const free = freePaddings(fields.padding);
  // The selects offer what the library takes, and it looks at what it gets.
  return {
    inChannels,
    outChannels,
    kernelSize,
    stride,
    dilation,
    padding: free === 2 ? [padLeft, padRight] : free === 1 ? padLeft : (fields.padding as 'same'),
    groups,
    bias,
    biasValue,
    convMode: fields.convMode as 'cross_correlation',
    computeMode: fields.computeMode as 'default',
    paddingMode: fields.paddingMode as 'zeros',
    dtype: fields.dtype as 'float32',
    activation: fields.activation === 'leaky_relu' ? { type: 'leaky_relu', slope } : (fields.activation as 'none'),
    algorithm: fields.algorithm as 'auto',
  };
}
