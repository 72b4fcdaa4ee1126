// What the playground is set to, as its fields and the page's address hold it, and what that means. Keys are the fields' ids.
import * as kernels from '../common/kernels';
import { shapes } from '../common/signals';
import { choices, mostChannels, type LayerConfig } from './layer';
import { otherSources, parseDrawing, type SourceName, type SourceSpec } from './source';

export const custom = 'custom';

/** Stands for the number that a preset comes with. */
const presetsOwn = -1;

/** The first visit. */
export const defaults = {
  shape: 'sines',
  length: 600,
  cycles: 3,
  noise: 25,
  start: 0,
  preset: 'gaussian',
  'tap-count': presetsOwn,
  'parameter-0': presetsOwn,
  'parameter-1': presetsOwn,
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

/** What each select offers. */
export const offers: Record<string, readonly string[]> = {
  shape: [...Object.keys(shapes), ...Object.keys(otherSources)],
  preset: [...Object.keys(kernels.presets), custom],
  ...choices,
};

/** What an address says, with defaults in place of what is not on offer. */
export function understood(settings: Settings): Settings {
  const wrong = Object.entries(offers).filter(([id, values]) => !values.includes(settings[id as 'shape']));
  return filled({ ...settings, ...Object.fromEntries(wrong.map(([id]) => [id, allDefaults[id as 'shape']])) });
}

export const parametersOf = (fields: Fields) => [fields['parameter-0'], fields['parameter-1']];

type PresetNumbers = Pick<Fields, 'tap-count' | 'parameter-0' | 'parameter-1'>;

function numbersOf(name: string): PresetNumbers | null {
  if (name === custom) return null;
  const { size, parameters }: kernels.Preset = kernels.presets[name as kernels.PresetName];
  const [first, second] = parameters.map(({ value }) => value);
  return { 'tap-count': size, 'parameter-0': first ?? presetsOwn, 'parameter-1': second ?? presetsOwn };
}

/** With a preset's own numbers where an address leaves them out. */
function filled<T extends Fields>(fields: T): T {
  const own = Object.entries(numbersOf(fields.preset) ?? {});
  return { ...fields, ...Object.fromEntries(own.filter(([id]) => fields[id as keyof PresetNumbers] === presetsOwn)) };
}

/** Without them, as an address has it. */
export function shortened<T extends Fields>(fields: T): T {
  const own = numbersOf(fields.preset);
  const isOwn = (id: keyof PresetNumbers) => !own || fields[id] === own[id];
  const ids = (['tap-count', 'parameter-0', 'parameter-1'] as const).filter(isOwn);
  return { ...fields, ...Object.fromEntries(ids.map((id) => [id, presetsOwn])) };
}

export function bankOf(settings: Settings): kernels.KernelBank {
  if (settings.preset === custom) return kernels.readBank(settings.kernels, mostChannels);
  const all = filled(settings);
  const taps = kernels.presetTaps(all.preset as kernels.PresetName, all['tap-count'], parametersOf(all));
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
