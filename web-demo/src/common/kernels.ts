import { normal } from './random';

export const mostTaps = 1000;

export interface Parameter {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
}

export interface Preset {
  label: string;
  /** How many taps it starts with. */
  size: number;
  parameters: readonly Parameter[];
  make: (size: number, parameters: readonly number[]) => number[];
}

const range = (size: number, tap: (k: number) => number) => Array.from({ length: size }, (_, k) => tap(k));
const sum = (taps: readonly number[]) => taps.reduce((a, b) => a + b, 0);
/** Distance of tap `k` from the middle. */
const offset = (k: number, size: number) => k - (size - 1) / 2;

function scaled(taps: readonly number[], total: number): number[] {
  return total === 0 ? [...taps] : taps.map((tap) => tap / total);
}

/** Windowed sinc (Hamming) that passes frequencies below `cutoff`, in cycles per sample. */
function lowPass(size: number, cutoff: number): number[] {
  const taps = range(size, (k) => {
    const x = offset(k, size);
    const sinc = x === 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * x) / (Math.PI * x);
    return sinc * (size === 1 ? 1 : 0.54 - 0.46 * Math.cos((2 * Math.PI * k) / (size - 1)));
  });
  return scaled(taps, sum(taps));
}

// The gain of `taps` at a frequency, relative to their middle.
function gain(taps: readonly number[], frequency: number): number {
  return sum(taps.map((tap, k) => tap * Math.cos(2 * Math.PI * frequency * offset(k, taps.length))));
}

function bandPass(size: number, low: number, high: number): number[] {
  const centre = (low + high) / 2;
  const half = lowPass(size, Math.abs(high - low) / 2);
  const taps = half.map((tap, k) => 2 * tap * Math.cos(2 * Math.PI * centre * offset(k, size)));
  return scaled(taps, gain(taps, centre));
}

/** A low-pass moved up to the highest frequency there is. */
function highPass(size: number, cutoff: number): number[] {
  const middle = Math.floor((size - 1) / 2);
  return lowPass(size, 0.5 - cutoff).map((tap, k) => ((k - middle) % 2 === 0 ? tap : -tap));
}

const width: Parameter = { label: 'Width (samples)', value: 4, min: 0.2, max: 200, step: 0.5 };
const cutoff = (label: string, value: number): Parameter => ({ label, value, min: 0.005, max: 0.495, step: 0.01 });

export const presets = {
  gaussian: {
    label: 'Gaussian',
    size: 25,
    parameters: [width],
    make: (size, [sigma = 1]) => {
      const taps = range(size, (k) => Math.exp(-((offset(k, size) / sigma) ** 2) / 2));
      return scaled(taps, sum(taps));
    },
  },
  average: {
    label: 'Moving average',
    size: 15,
    parameters: [],
    make: (size) => range(size, () => 1 / size),
  },
  derivative: {
    label: 'Derivative',
    size: 7,
    parameters: [],
    // The slope of the line that fits best.
    make: (size) => {
      const taps = range(size, (k) => offset(k, size));
      return scaled(taps, sum(taps.map((tap) => tap * tap)));
    },
  },
  ricker: {
    label: 'Ricker wavelet',
    size: 41,
    parameters: [{ ...width, value: 5 }],
    make: (size, [sigma = 1]) => {
      const taps = range(size, (k) => {
        const x = (offset(k, size) / sigma) ** 2;
        return (1 - x) * Math.exp(-x / 2);
      });
      return scaled(taps, sum(taps.map(Math.abs)) / 2);
    },
  },
  lowpass: {
    label: 'Low-pass',
    size: 41,
    parameters: [cutoff('Cutoff (cycles/sample)', 0.05)],
    make: (size, [frequency = 0.1]) => lowPass(size, frequency),
  },
  bandpass: {
    label: 'Band-pass',
    size: 61,
    parameters: [cutoff('From (cycles/sample)', 0.03), cutoff('To (cycles/sample)', 0.08)],
    make: (size, [low = 0.03, high = 0.08]) => bandPass(size, low, high),
  },
  highpass: {
    label: 'High-pass',
    size: 41,
    parameters: [cutoff('Cutoff (cycles/sample)', 0.1)],
    make: (size, [frequency = 0.1]) => highPass(size, frequency),
  },
  echo: {
    label: 'Echo',
    size: 81,
    parameters: [
      { label: 'Delay (samples)', value: 20, min: 1, max: 500, step: 1 },
      { label: 'Decay', value: 0.6, min: 0, max: 1, step: 0.05 },
    ],
    // The last tap meets the newest sample.
    make: (size, [delay = 20, decay = 0.6]) =>
      range(size, (k) => {
        const back = size - 1 - k;
        return back % Math.max(1, Math.round(delay)) === 0 ? decay ** (back / Math.max(1, Math.round(delay))) : 0;
      }),
  },
  random: {
    label: 'Random',
    size: 15,
    parameters: [{ label: 'Seed', value: 1, min: 0, max: 9999, step: 1 }],
    make: (size, [seed = 1]) => {
      const next = normal(seed);
      return range(size, () => next() / Math.sqrt(size));
    },
  },
  identity: {
    label: 'Identity',
    size: 3,
    parameters: [],
    make: (size) => range(size, (k) => (k === Math.floor((size - 1) / 2) ? 1 : 0)),
  },
} satisfies Record<string, Preset>;

export type PresetName = keyof typeof presets;

/** As the text field shows a tap; kernels hold nothing finer, so what is seen is what is computed. */
export const rounded = (tap: number) => Number(tap.toPrecision(5));

/** A preset's taps; its own numbers stand for those that are missing, the nearest that it can take for others. */
export function presetTaps(name: PresetName, size: number, values: readonly number[]): number[] {
  const preset: Preset = presets[name];
  const parameters = preset.parameters.map(({ min, max, value: standard }, i) => {
    const value = values[i] ?? NaN;
    return Number.isNaN(value) ? standard : clamped(value, min, max);
  });
  return preset.make(Math.round(clamped(size, 1, mostTaps)), parameters).map(rounded);
}

const clamped = (value: number, min: number, max: number) => Math.min(max, Math.max(min, value));

/** Scales taps so that they sum to 1, or their magnitudes do where the sum is nothing. */
export function normalised(taps: readonly number[]): number[] {
  const total = sum(taps);
  const size = sum(taps.map(Math.abs));
  return scaled(taps, Math.abs(total) > 1e-3 * size ? total : size).map(rounded);
}

/** Zeros added, or taps taken away, at both ends. */
export function resized(taps: readonly number[], size: number): number[] {
  const shift = Math.floor((taps.length - size) / 2);
  return range(size, (k) => taps[k + shift] ?? 0);
}

export const writeTaps = (taps: readonly number[]) => taps.join(', ');

/** The numbers in `text`, or a sentence on what is wrong with it. */
export function parseTaps(text: string): number[] | string {
  const words = text.split(/[\s,;[\]()]+/).filter(Boolean);
  if (words.length === 0) return 'Type at least one number.';
  if (words.length > mostTaps) return `This page takes up to ${mostTaps} taps, here are ${words.length}.`;
  const taps = words.map(Number);
  const wrong = taps.findIndex((tap) => !Number.isFinite(tap));
  return wrong < 0 ? taps : `“${words[wrong]?.slice(0, 20)}” is not a number.`;
}

/** Which kernel an edit goes to: all of them, or that from one input channel to one output channel. */
export type Selection = 'all' | { o: number; c: number };

/** The kernels of every pair of channels that the page can show, whether the layer has that pair now or not. */
export class KernelBank {
  #kernels: number[][][];
  #kept: number[][][];

  constructor(
    readonly mostChannels: number,
    taps: readonly number[],
  ) {
    this.#kernels = this.#kept = range2(mostChannels, () => [...taps]);
  }

  get size(): number {
    return this.get('all').length;
  }

  get(selection: Selection): readonly number[] {
    const { o, c } = selection === 'all' ? { o: 0, c: 0 } : selection;
    return this.#kernels[o]?.[c] ?? [];
  }

  /** All kernels have one size: the others follow. */
  set(selection: Selection, taps: readonly number[]): void {
    for (const [o, row] of this.#kernels.entries()) {
      for (const [c, old] of row.entries()) {
        const chosen = selection === 'all' || (selection.o === o && selection.c === c);
        row[c] = chosen ? [...taps] : resized(old, taps.length);
      }
    }
  }

  /** Remembers all kernels, for `restore`. */
  keep(): void {
    this.#kept = structuredClone(this.#kernels);
  }

  restore(): void {
    this.#kernels = structuredClone(this.#kept);
  }

  /** The weight of a layer, (groups, outChannels / groups, inChannels / groups, kernelSize) in one row. */
  weight(inChannels: number, outChannels: number, groups: number): Float32Array {
    const taps: number[] = [];
    for (let o = 0; o < outChannels; ++o) {
      for (const c of inputsOf(o, inChannels, outChannels, groups)) taps.push(...this.get({ o, c }));
    }
    return Float32Array.from(taps);
  }
}

/** The bank in one line: the first kernel, then `o.c:taps` for each that differs, with semicolons between. */
export function writeBank(bank: KernelBank): string {
  const first = bank.get('all').join();
  const parts = [first];
  for (let o = 0; o < bank.mostChannels; ++o) {
    for (let c = 0; c < bank.mostChannels; ++c) {
      const taps = bank.get({ o, c }).join();
      if (taps !== first) parts.push(`${o}.${c}:${taps}`);
    }
  }
  return parts.join(';');
}

/** What `writeBank` wrote; what is wrong is left out. */
export function readBank(text: string, mostChannels: number): KernelBank {
  const [first = '', ...others] = text.split(';');
  const taps = parseTaps(first);
  const bank = new KernelBank(mostChannels, typeof taps === 'string' ? [1] : taps);
  for (const other of others) {
    const [, o, c, list = ''] = /^(\d)\.(\d):(.*)$/.exec(other) ?? [];
    const own = parseTaps(list);
    if (typeof own !== 'string' && own.length === bank.size) bank.set({ o: Number(o), c: Number(c) }, own);
  }
  return bank;
}

/** The input channels that output channel `o` is computed from. */
export function inputsOf(o: number, inChannels: number, outChannels: number, groups: number): number[] {
  const inputs = inChannels / groups;
  const first = Math.floor(o / (outChannels / groups)) * inputs;
  return Array.from({ length: inputs }, (_, i) => first + i);
}

function range2<T>(size: number, make: () => T): T[][] {
  return Array.from({ length: size }, () => Array.from({ length: size }, make));
}
