import { count } from '../common/format';
import type { Recording } from '../common/samples';
import { makeChannel, makeSignal, mostCycles, mostSamples, shapes, type SignalName } from '../common/signals';
import type { Problem } from './layer';

/** What the input can be beside the synthesised shapes. */
export const otherSources = { drawn: 'Drawn by hand', own: 'File or recording' } as const;

export type SourceName = SignalName | keyof typeof otherSources;

/** What the input is made of. */
export interface SourceSpec {
  shape: SourceName;
  /** Samples. */
  length: number;
  /** How often the shape repeats over the whole length. */
  cycles: number;
  /** Standard deviation of the white noise that is added. */
  noise: number;
  /** The first sample that is taken of a file or recording. */
  start: number;
  /** What was drawn, spread over the whole length. */
  drawn: readonly number[];
}

const seed = 1;

/** Somebody's own signal, which no address can hold. */
let recording: Recording | null = null;

export const ownRecording = () => recording;

export function keepRecording(own: Recording): void {
  recording = own;
}

export const repeats = (shape: SourceName) => shape in shapes && shapes[shape as SignalName].repeats;

/** What is wrong with a signal. */
export function sourceProblem({ shape, length, cycles, start }: SourceSpec): Problem | null {
  const say = (field: string, sentence: string): Problem => ({ field, sentence, detail: '' });
  if (!(Number.isInteger(length) && length >= 1 && length <= mostSamples)) {
    return say('length', `The length is a whole number from 1 to ${count(mostSamples)}.`);
  }
  if (!(cycles > 0 && cycles <= mostCycles)) {
    return say('cycles', `The shape repeats more than 0 and up to ${mostCycles} times.`);
  }
  if (shape !== 'own') return null;
  const own = recording?.channels[0]?.length ?? 0;
  if (own === 0) return say('shape', 'There is no file or recording yet; an address does not hold one.');
  if (!(Number.isInteger(start) && start >= 0)) return say('start', 'The first sample is a whole number from 0.');
  if (start + length <= own) return null;
  return say('length', `From sample ${count(start)} there are ${count(Math.max(0, own - start))} samples.`);
}

/** The input's channels. */
export function makeSource(spec: SourceSpec, channels: number): Float32Array[] {
  const each = (make: (c: number) => Float32Array) => Array.from({ length: channels }, (_, c) => make(c));
  if (spec.shape === 'drawn') {
    const line = stretched(spec.drawn, spec.length);
    return each((c) => makeChannel(line, { ...spec, seed }, c));
  }
  if (spec.shape === 'own') {
    const own = recording?.channels ?? [];
    // A mono file feeds every channel.
    return each((c) => makeChannel((i) => own[c % own.length]?.[spec.start + i] ?? 0, { ...spec, seed }, c, 1));
  }
  return makeSignal({ ...spec, shape: spec.shape, seed }, channels);
}

// ---- drawing

const mostPoints = 1000;
// Drawn values are hundredths, as an address holds them.
const unit = 100;
const mostDrawn = 9.99;

/** A drawing that begins as this signal. */
export function drawingOf(signal: Float32Array): number[] {
  const count = Math.min(mostPoints, signal.length);
  const step = count > 1 ? (signal.length - 1) / (count - 1) : 0;
  return Array.from({ length: count }, (_, p) => toUnit(signal[Math.round(p * step)] ?? 0));
}

/** A place on the plot. */
export interface Spot {
  sample: number;
  value: number;
}

/** The drawing with a line from one spot to another. */
export function drawLine(drawn: readonly number[], length: number, from: Spot, to: Spot): number[] {
  const scale = length > 1 ? (drawn.length - 1) / (length - 1) : 0;
  const [a, b] = [from, to].map(({ sample }) => Math.round(sample * scale)) as [number, number];
  return drawn.map((old, p) => {
    if (p < Math.min(a, b) || p > Math.max(a, b)) return old;
    const part = a === b ? 1 : (p - a) / (b - a);
    return toUnit(from.value + (to.value - from.value) * part);
  });
}

const toUnit = (value: number) => Math.round(Math.max(-mostDrawn, Math.min(mostDrawn, value)) * unit) / unit;

export const writeDrawing = (drawn: readonly number[]) => drawn.map((value) => Math.round(value * unit)).join(',');

export function parseDrawing(text: string): number[] {
  const values = text.split(',').map((word) => toUnit(Number(word) / unit));
  return values.length <= mostPoints && values.every(Number.isFinite) ? values : [0];
}

/** Reads a drawing as if it had `length` samples. */
function stretched(drawn: readonly number[], length: number): (index: number) => number {
  const scale = length > 1 ? (drawn.length - 1) / (length - 1) : 0;
  return (i) => {
    const x = i * scale;
    const p = Math.floor(x);
    const left = drawn[p] ?? 0;
    return left + ((drawn[p + 1] ?? left) - left) * (x - p);
  };
}
