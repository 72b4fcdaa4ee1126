import { normal, uniform } from './random';

/** What the input is made of. */
export interface SignalSpec {
  shape: SignalName;
  /** Samples. */
  length: number;
  /** How often the shape repeats over the whole length. */
  cycles: number;
  /** Standard deviation of the white noise that is added. */
  noise: number;
  seed: number;
}

export const mostSamples = 100_000;
export const mostCycles = 500;

interface Shape {
  label: string;
  /** Whether `cycles` means something. */
  repeats: boolean;
  /** The samples of one channel. */
  make: (length: number, cycles: number, seed: number) => (index: number) => number;
}

const turn = 2 * Math.PI;
const bump = (x: number, centre: number, width: number) => Math.exp(-(((x - centre) / width) ** 2) / 2);
const fraction = (x: number) => x - Math.floor(x);

// One heart beat over a phase of 0 to 1: the P, Q, R, S and T waves.
const beat = (phase: number) =>
  0.14 * bump(phase, 0.2, 0.025) -
  0.12 * bump(phase, 0.355, 0.01) +
  1.1 * bump(phase, 0.38, 0.012) -
  0.25 * bump(phase, 0.407, 0.011) +
  0.3 * bump(phase, 0.62, 0.04);

export const shapes = {
  sines: {
    label: 'Sines',
    repeats: true,
    make: (length, cycles) => {
      const step = (turn * cycles) / length;
      return (i) =>
        0.7 * Math.sin(step * i) + 0.25 * Math.sin(3.7 * step * i + 1) + 0.12 * Math.sin(9.3 * step * i + 2);
    },
  },
  chirp: {
    label: 'Chirp',
    repeats: true,
    // From nearly nothing to twice `cycles`, so that `cycles` pass in all.
    make: (length, cycles) => (i) => Math.sin(turn * cycles * (i / length) ** 2),
  },
  square: {
    label: 'Square',
    repeats: true,
    make: (length, cycles) => (i) => (fraction((cycles * (i + 0.5)) / length) < 0.5 ? 0.8 : -0.8),
  },
  step: {
    label: 'Step',
    repeats: false,
    make: (length) => (i) => (i < length / 2 ? 0 : 1),
  },
  impulse: {
    label: 'Impulses',
    repeats: true,
    make: (length, cycles) => {
      const period = length / cycles;
      return (i) => (Math.floor(i / period + 0.5) !== Math.floor((i - 1) / period + 0.5) ? 1 : 0);
    },
  },
  noise: {
    label: 'White noise',
    repeats: false,
    make: (_length, _cycles, seed) => {
      const next = normal(seed + 77);
      return () => 0.4 * next();
    },
  },
  ecg: {
    label: 'ECG-like',
    repeats: true,
    make: (length, cycles) => (i) => {
      const x = (cycles * i) / length;
      return beat(fraction(x)) + 0.06 * Math.sin(0.31 * turn * x);
    },
  },
  speech: {
    label: 'Speech-like',
    repeats: true,
    make: (length, cycles, seed) => speech(length, cycles, seed),
  },
} satisfies Record<string, Shape>;

export type SignalName = keyof typeof shapes;

// `syllables` of voiced sound: a glottal pulse train through two decaying resonances whose pitch and timbre glide, with a
// little breath between.
function speech(length: number, syllables: number, seed: number): (index: number) => number {
  const random = uniform(seed + 5);
  const breath = normal(seed + 6);
  const vowels = Array.from(
    { length: Math.ceil(syllables) + 1 },
    () => [2.5 + 3 * random(), 7 + 8 * random()] as const,
  );
  const pulsesPerSyllable = 11;
  return (i) => {
    const x = (syllables * i) / length;
    const within = fraction(x);
    const [low, high] = vowels[Math.floor(x)] ?? [3, 9];
    const loudness = Math.max(0, Math.sin(Math.PI * Math.min(1, within / 0.82))) ** 0.7;
    const phase = fraction(pulsesPerSyllable * (x + 0.02 * Math.sin(turn * x)));
    const voice =
      Math.exp(-3 * phase) * Math.sin(turn * low * phase) + 0.5 * Math.exp(-5 * phase) * Math.sin(turn * high * phase);
    return 0.9 * loudness * voice + 0.03 * (1.1 - loudness) * breath();
  };
}

const noises = new Map<number, Float32Array>();

/** White noise of standard deviation 1; kept, as it takes longer to make than the shapes. */
function unitNoise(length: number, seed: number): Float32Array {
  let noise = noises.get(seed);
  if (!noise || noise.length < length) {
    const next = normal(seed);
    noise = Float32Array.from({ length }, next);
    noises.set(seed, noise);
  }
  return noise;
}

/**
 * One channel: `sample` with white noise. Channels have noise of their own, and those of a shape that does not repeat are
 * of different height, as they would look the same else.
 */
export function makeChannel(
  sample: (index: number) => number,
  { length, noise, seed }: Pick<SignalSpec, 'length' | 'noise' | 'seed'>,
  c: number,
  gain = 1 - 0.2 * c,
): Float32Array {
  const added = noise > 0 ? unitNoise(length, channelSeed(seed, c)) : null;
  return Float32Array.from({ length }, (_, i) => gain * sample(i) + (added ? noise * (added[i] ?? 0) : 0));
}

const channelSeed = (seed: number, c: number) => seed * 101 + c * 13;

/** Each channel is a little faster than the one before. */
export function makeSignal(spec: SignalSpec, channels: number): Float32Array[] {
  const { repeats, make } = shapes[spec.shape] as Shape;
  return Array.from({ length: channels }, (_, c) => {
    const sample = make(spec.length, spec.cycles * (1 + c / 2), channelSeed(spec.seed, c));
    return makeChannel(sample, spec, c, repeats ? 1 : undefined);
  });
}
