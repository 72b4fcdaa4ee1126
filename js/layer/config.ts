// A layer's options by the names that PyTorch and MegEngine give them.
import { pickOptions, reading, show } from '../common/errors.js';
import type { CoreOptions } from '../runtime/core.js';
import { type ActivationInfo, activationOption } from './activation.js';
import type { Conv1dOptions } from './options.js';

/**
 * The arguments of PyTorch's and MegEngine's `Conv1d`, and this library's own in the same spelling. Values and defaults
 * are those of `Conv1dOptions`; differences are noted below.
 */
export interface Conv1dConfig {
  in_channels: number;
  out_channels: number;
  /** A number, or a list of one, as wherever PyTorch takes a tuple. */
  kernel_size: number | readonly [number];
  stride?: number | readonly [number];
  padding?: Conv1dOptions['padding'] | readonly [number];
  dilation?: number | readonly [number];
  groups?: number;
  bias?: boolean;
  /** In lower or upper case, as are the other modes. */
  padding_mode?: string;
  conv_mode?: string;
  compute_mode?: string;
  /** `'float32'` or `'float16'`, with or without `torch.` in front; also `'float'`, `'half'`; null is the default. */
  dtype?: string | null;
  /** Ignored. */
  device?: unknown;
  activation?: Conv1dOptions['activation'];
  algorithm?: Conv1dOptions['algorithm'];
}

type Convert = (value: unknown) => unknown;

const same: Convert = (value) => value;
const single: Convert = (value) => (Array.isArray(value) && value.length === 1 ? (value[0] as unknown) : value);
const lowerCase: Convert = (value) => (typeof value === 'string' ? value.toLowerCase() : value);

const dtypeAliases = new Map([
  ['float', 'float32'],
  ['half', 'float16'],
]);

const dtypeName: Convert = (value) => {
  if (typeof value !== 'string') return value ?? undefined;
  const name = value.replace(/^torch\./, '');
  return dtypeAliases.get(name) ?? name;
};

const options: Readonly<Record<Exclude<keyof Conv1dConfig, 'device'>, readonly [keyof Conv1dOptions, Convert]>> = {
  in_channels: ['inChannels', same],
  out_channels: ['outChannels', same],
  kernel_size: ['kernelSize', single],
  stride: ['stride', single],
  padding: ['padding', single],
  dilation: ['dilation', single],
  groups: ['groups', same],
  bias: ['bias', same],
  padding_mode: ['paddingMode', lowerCase],
  conv_mode: ['convMode', lowerCase],
  compute_mode: ['computeMode', lowerCase],
  dtype: ['dtype', dtypeName],
  activation: ['activation', same],
  algorithm: ['algorithm', same],
};

/** The options that `config` stands for. Their values are for the layer to check. */
export function optionsOf(config: Conv1dConfig): Conv1dOptions {
  const values: Record<string, unknown> = {};
  const keys = Object.keys(options) as (keyof typeof options)[];
  const given = pickOptions(config, [...keys, 'device'], 'config');
  for (const key of keys) {
    const [option, convert] = options[key];
    values[option] = reading('ERR_OPTION', option, given[key], () => convert(given[key]));
  }
  return values as unknown as Conv1dOptions;
}

/** The padding as a caller gives it. */
export function paddingOf({ paddingRule, padLeft, padRight }: CoreOptions): NonNullable<Conv1dOptions['padding']> {
  if (paddingRule !== 'explicit') return paddingRule as 'valid' | 'same' | 'causal';
  return padLeft === padRight ? padLeft : [padLeft, padRight];
}

/** The config that `o` stands for. */
export function configOf(o: CoreOptions, activations: readonly ActivationInfo[]): Conv1dConfig {
  const config: Conv1dConfig = {
    in_channels: o.inChannels,
    out_channels: o.outChannels,
    kernel_size: o.kernelSize,
    stride: o.stride,
    padding: paddingOf(o),
    dilation: o.dilation,
    groups: o.groups,
    bias: o.bias,
    padding_mode: o.paddingMode,
  };
  if (o.computeMode !== 'default') config.compute_mode = o.computeMode;
  if (o.dtype !== 'float32') config.dtype = o.dtype;
  if (o.activation !== 'none') config.activation = activationOption(o, activations);
  if (o.algorithm !== 'auto') config.algorithm = o.algorithm as 'direct';
  return config;
}

/** The layer with options `o` in one line, as PyTorch prints it. */
export function describe(o: CoreOptions): string {
  const padding = paddingOf(o);
  const parts = [
    `${String(o.inChannels)}, ${String(o.outChannels)}, kernelSize=${String(o.kernelSize)}, stride=${String(o.stride)}`,
  ];
  if (padding !== 0) parts.push(`padding=${show(padding)}`);
  if (o.dilation !== 1) parts.push(`dilation=${String(o.dilation)}`);
  if (o.outputPadding !== 0) parts.push(`outputPadding=${String(o.outputPadding)}`);
  if (o.groups !== 1) parts.push(`groups=${String(o.groups)}`);
  if (!o.bias) parts.push('bias=false');
  if (o.paddingMode !== 'zeros') parts.push(`paddingMode=${o.paddingMode}`);
  if (o.dtype !== 'float32') parts.push(`dtype=${o.dtype}`);
  if (o.activation !== 'none') parts.push(`activation=${o.activation}`);
  return `${o.transposed ? 'ConvTranspose1d' : 'Conv1d'}(${parts.join(', ')})`;
}
