// What PyTorch and MegEngine have in common.
import type { LayerConfig } from '../playground/layer';
import type { LayerCode } from './layer-code';

/** How the layer's padding is said. */
export interface PythonPadding {
  /** The layer's own argument; 0 where the input is padded before. */
  argument: string;
  /** What is to be padded before the layer; null where the layer does it. */
  before: readonly [left: number, right: number] | null;
  remark: string | null;
}

/** `own` are the rules that the framework's layer knows by name. */
export function pythonPadding(
  { config, padding: [left, right], length }: LayerCode,
  own: readonly string[],
): PythonPadding {
  const { padding, stride } = config;
  if (padding === 'same' && stride === 1 && own.includes('same'))
    return { argument: "'same'", before: null, remark: null };
  const named = typeof padding === 'string' && padding !== 'valid' ? `'${padding}'` : null;
  const remark = padding === 'same' && stride > 1 ? `what 'same' is for ${length} samples` : named;
  if (left === right) return { argument: String(left), before: null, remark: left > 0 ? remark : null };
  return { argument: '0', before: [left, right], remark: `${remark ? `${remark}; ` : ''}a layer pads both ends alike` };
}

/** Keyword arguments, those with the framework's defaults left out. */
export function pythonArguments(config: LayerConfig, padding: string, more: readonly string[]): string {
  const { inChannels, outChannels, kernelSize, stride, dilation, groups, bias } = config;
  const given = [`${inChannels}`, `${outChannels}`, `kernel_size=${kernelSize}`];
  if (stride !== 1) given.push(`stride=${stride}`);
  if (padding !== '0') given.push(`padding=${padding}`);
  if (dilation !== 1) given.push(`dilation=${dilation}`);
  if (groups !== 1) given.push(`groups=${groups}`);
  if (!bias) given.push('bias=False');
  return [...given, ...more].join(', ');
}

/** A comment after a line, two spaces away. */
export const remarked = (line: string, remark: string | null) => (remark ? `${line}  # ${remark}` : line);

export const activationName = ({ activation }: LayerConfig) =>
  typeof activation === 'string' ? activation : activation.type;

export const slopeOf = ({ activation }: LayerConfig) =>
  typeof activation === 'object' && 'slope' in activation && typeof activation.slope === 'number'
    ? activation.slope
    : 0.01;
