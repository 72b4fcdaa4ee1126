// What the panel plays: each effect is layers of the library or an impulse response, for two channels.
import { Conv1d, type ConvolverSource, type ImpulseResponse, Network, Tensor } from 'conv1d-wasm';
import { plural, short } from '../common/format';
import { normal } from '../common/random';

export interface Settings {
  /** Gains of the equaliser's bands, in dB, and where the middle one lies, in Hz. */
  low: number;
  peakHz: number;
  peak: number;
  high: number;
  /** Seconds until the reverberation has fallen by 60 dB. */
  seconds: number;
  /** In dB. */
  drive: number;
}

/** An effect for one context. */
export interface MadeEffect {
  filter: { source: ConvolverSource } | ImpulseResponse;
  dispose(): void;
  /** Samples by which it delays what it lets pass. */
  delay: number;
  /** Samples that an output depends on. */
  receptiveField: number;
  /** What it is, and what more there is to say. */
  name: string;
  note: string;
}

interface Effect {
  label: string;
  lead: string;
  /** How much of it, from 0 to 1, sounds well. */
  mix: number;
  make(settings: Settings, sampleRate: number): MadeEffect;
}

/** One response for both channels, or one for each. */
function responding(impulseResponse: Float32Array[], delay: number, note: string): MadeEffect {
  const taps = impulseResponse[0]?.length ?? 0;
  const filter = { impulseResponse, normalize: false };
  return { filter, dispose: () => undefined, delay, receptiveField: taps, name: `2 × ${plural(taps, 'tap')}`, note };
}

export const equaliserTaps = 511;
const shelves = { low: 250, high: 3500 };
const gridSize = 4096;

/** The gain in dB that the equaliser is to have at a frequency. */
export function wantedGain({ low, peakHz, peak, high }: Settings, hertz: number): number {
  const octaves = Math.log2(Math.max(hertz, 1) / peakHz);
  return (
    low / (1 + (hertz / shelves.low) ** 2) +
    peak * Math.exp(-2 * octaves ** 2) +
    high / (1 + (shelves.high / Math.max(hertz, 1)) ** 2)
  );
}

/** A linear-phase filter by the window method: the wanted response's impulse response, cut off by a Hann window. */
function equaliserKernel(settings: Settings, sampleRate: number): Float32Array {
  const middle = (equaliserTaps - 1) / 2;
  const cosines = Float64Array.from({ length: gridSize }, (_, i) => Math.cos((2 * Math.PI * i) / gridSize));
  const gains = Float64Array.from({ length: gridSize / 2 + 1 }, (_, k) => {
    const gain = 10 ** (wantedGain(settings, (k * sampleRate) / gridSize) / 20);
    return k === 0 || k === gridSize / 2 ? gain / gridSize : (2 * gain) / gridSize;
  });
  const kernel = new Float32Array(equaliserTaps);
  for (let n = 0; n <= middle; ++n) {
    let sum = 0;
    for (let k = 0; k < gains.length; ++k) sum += (gains[k] ?? 0) * (cosines[(k * n) % gridSize] ?? 0);
    const hann = 0.5 + 0.5 * Math.cos((Math.PI * n) / (middle + 1));
    kernel[middle - n] = kernel[middle + n] = hann * sum;
  }
  return kernel;
}

/** A room's answer to a clap: a few echoes off its walls, then noise that decays, the high tones faster. */
function roomResponse(seconds: number, sampleRate: number, seed: number): Float32Array {
  const noise = normal(seed);
  const length = Math.round(seconds * sampleRate);
  const response = new Float32Array(length);
  const decay = Math.log(1000) / (seconds * sampleRate);
  let low = 0;
  for (let i = 0; i < length; ++i) {
    const brightness = 0.15 + 0.75 * Math.exp((-4 * i) / length);
    low += brightness * (noise() - low);
    const onset = Math.min(1, i / (0.02 * sampleRate));
    response[i] = onset * Math.exp(-decay * i) * low;
  }
  for (let echo = 0; echo < 8; ++echo) {
    const at = Math.round((0.007 + 0.009 * echo + 0.002 * Math.abs(noise())) * sampleRate);
    response[at] = (response[at] ?? 0) + (echo % 2 === 0 ? 6 : -6) * 0.75 ** echo;
  }
  const energy = response.reduce((sum, value) => sum + value * value, 0);
  return response.map((value) => value / Math.sqrt(energy));
}

const ampChannels = 16;
const ampDilations = [1, 2, 4, 8, 16, 32];

/** A layer whose weight is `weightAt(output, input, tap)` where both channels are of the same side, left or right. */
function sided(
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  dilation: number,
  weightAt: (out: number, input: number, tap: number) => number,
): Conv1d {
  const layer = new Conv1d({ inChannels, outChannels, kernelSize, dilation, padding: 'causal', bias: false });
  const weight = new Float32Array(outChannels * inChannels * kernelSize);
  for (let o = 0; o < outChannels; ++o) {
    for (let i = 0; i < inChannels; ++i) {
      if (o % 2 !== i % 2) continue;
      for (let k = 0; k < kernelSize; ++k) weight[(o * inChannels + i) * kernelSize + k] = weightAt(o, i, k);
    }
  }
  layer.weight = new Tensor(weight, [outChannels, inChannels, kernelSize]);
  return layer;
}

/** Gated dilated layers as in amplifier models: each saturates what it hears by what it heard before. */
function makeAmp({ drive }: Settings): MadeEffect {
  const random = normal(7);
  const gain = 10 ** (drive / 20);
  const first = sided(2, ampChannels, 1, 1, (o) => (o % 4 < 2 ? gain : -gain) * (0.4 + (0.6 * o) / ampChannels));
  const gated = ampDilations.map((dilation) =>
    sided(ampChannels, 2 * ampChannels, 3, dilation, (o, i, k) => {
      const direct = o === i && k === 2 ? 1 : 0;
      return direct + (o < ampChannels ? 0.08 : 0.15) * random();
    }),
  );
  const mixes = ampDilations.map(() => sided(ampChannels, ampChannels, 1, 1, () => 0.2 * random()));
  const last = sided(ampChannels, 2, 1, 1, (_o, i) => (i % 4 < 2 ? 1 : -1));
  const source = new Network(2, (x) => {
    let heard = x.conv(first);
    let sum: typeof heard | null = null;
    gated.forEach((layer, i) => {
      const gate = heard.conv(layer).gate();
      sum = sum ? sum.add(gate) : gate;
      const mix = mixes[i];
      if (mix && i + 1 < gated.length) heard = heard.add(gate.conv(mix));
    });
    return (sum ?? heard).conv(last);
  });
  const level = loudness(source);
  const { data, shape } = last.weight;
  last.weight = new Tensor(
    Array.from(data, (w) => w / level),
    shape,
  );
  const receptiveField = 1 + 2 * ampDilations.reduce((a, b) => a + b);
  return {
    filter: { source },
    dispose: () => {
      for (const layer of [first, ...gated, ...mixes, last]) layer.dispose();
    },
    delay: 0,
    receptiveField,
    name: plural(gated.length, 'gated layer'),
    note: `dilations 1 to ${ampDilations.at(-1) ?? 1}, ${ampChannels} channels`,
  };
}

/** How much louder the network makes noise as loud as music is. */
function loudness(network: Network): number {
  const length = 4096;
  const noise = normal(3);
  const input = Float32Array.from({ length: 2 * length }, () => 0.12 * noise());
  const output = network.forward(new Tensor(input, [2, length])).data;
  const power = (samples: ArrayLike<number>) => Array.from(samples).reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(power(output) / power(input));
}

export const effects = {
  bypass: {
    label: 'Bypass',
    lead: 'One tap of weight 1: the sound as it comes, through the same machinery.',
    mix: 1,
    make() {
      return responding([Float32Array.of(1)], 0, 'of weight 1');
    },
  },
  equaliser: {
    label: 'Equaliser',
    lead: 'A linear-phase filter, designed anew as you move a slider and faded in without a click.',
    mix: 1,
    make(settings, sampleRate) {
      return responding([equaliserKernel(settings, sampleRate)], (equaliserTaps - 1) / 2, 'of linear phase');
    },
  },
  reverb: {
    label: 'Reverb',
    lead: 'A room’s impulse response, left and right apart, of up to 96,000 taps each.',
    mix: 0.35,
    make({ seconds }, sampleRate) {
      const room = [11, 12].map((seed) => roomResponse(seconds, sampleRate, seed));
      return responding(room, 0, `${short(seconds)} s, left and right apart`);
    },
  },
  amp: {
    label: 'Dilated stack',
    lead: 'Gated dilated layers, as in models of guitar amplifiers; the weights are random.',
    mix: 1,
    make: makeAmp,
  },
} satisfies Record<string, Effect>;

export type EffectName = keyof typeof effects;
