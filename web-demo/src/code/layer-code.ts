import type { KernelBank } from '../common/kernels';
import { inputsOf } from '../common/kernels';
import { resolvePadding, type LayerConfig } from '../playground/layer';

/** A layer with its numbers, as code in any language needs it. */
export interface LayerCode {
  config: LayerConfig;
  /** Samples of the input. */
  length: number;
  padding: readonly [left: number, right: number];
  /** One kernel that all pairs of channels share, or all of them in one row. Null stands for numbers that are left out. */
  taps: readonly number[] | null;
  tapCount: number;
  /** How often the taps are repeated. */
  repeats: number;
  /** The input, channel after channel. Null stands for somebody's own. */
  samples: readonly number[] | null;
}

const mostTaps = 128;

/** `whole` asks for all numbers, however many there are. */
export function layerCode(
  config: LayerConfig,
  bank: KernelBank,
  signal: readonly Float32Array[],
  whole: boolean,
): LayerCode {
  const { inChannels, outChannels, groups } = config;
  const kernels = Array.from({ length: outChannels }, (_, o) =>
    inputsOf(o, inChannels, outChannels, groups).map((c) => bank.get({ o, c })),
  ).flat();
  const [first = []] = kernels;
  const isShared = kernels.every((taps) => taps.every((tap, k) => tap === first[k]));
  const taps = isShared ? first : kernels.flat();
  const length = signal[0]?.length ?? 0;
  return {
    config,
    length,
    padding: resolvePadding(config, length),
    taps: whole || taps.length <= mostTaps ? taps : null,
    tapCount: taps.length,
    repeats: isShared ? kernels.length : 1,
    samples: whole ? signal.flatMap((channel) => Array.from(channel, single)) : null,
  };
}

/** The shape of the weight in PyTorch, which this library takes as well. */
export function weightShape({ inChannels, outChannels, groups, kernelSize }: LayerConfig): number[] {
  return [outChannels, inChannels / groups, kernelSize];
}

/** The shortest decimal that is the same float32, or nearly so. */
const single = (value: number) => Number(value.toPrecision(9));

const width = 64;

/** `[1, 2, 3]`, over as many lines as it takes, each after `indent`. */
export function list(numbers: readonly number[], indent: string): string {
  const flat = `[${numbers.join(', ')}]`;
  if (flat.length <= width - 16) return flat;
  const lines: string[] = [];
  let line = '';
  for (const word of numbers.map((number) => `${number},`)) {
    if (line && indent.length + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line ? `${line} ${word}` : word;
    }
  }
  return `[\n${[...lines, line].map((text) => `${indent}${text}\n`).join('')}]`;
}

export const leftOut = ({ tapCount }: LayerCode) => `put the ${tapCount} taps here, or tick “All numbers” for them`;
