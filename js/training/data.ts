// What a network learns from, batch by batch.
import { Conv1dError, Tensor } from '../api.js';
import { dtypeError, optionError, pickOptions, shapeError, show } from '../common/errors.js';
import { checkTensor } from './checks.js';

/** Inputs and what a network should make of each. */
export interface TrainingSet {
  /** (N, C, L), float32. */
  readonly inputs: Tensor;
  /** What the loss compares outputs with, float32: (N, ...), one for each input. */
  readonly targets: Tensor;
}

/** Inputs, and their targets, for one step. */
export interface Batch {
  readonly input: Tensor;
  readonly target: Tensor;
}

/**
 * Gives the batches of an epoch, the first being 1. What it draws from `random`, which gives numbers in [0, 1), is
 * repeatable. The tensors remain whose they are.
 */
export type BatchSource = (epoch: number, random: () => number) => Iterable<Batch> | AsyncIterable<Batch>;

/** Checks a set, given as `field`. */
export function checkSet(field: string, given: TrainingSet): TrainingSet {
  const { inputs, targets } = pickOptions(given, ['inputs', 'targets'], field);
  for (const [name, value] of Object.entries({ inputs, targets })) {
    const { dtype } = checkTensor(`${field}.${name}`, value);
    if (dtype !== 'float32') throw dtypeError(field, `${field}.${name} must be float32, got ${dtype}`, dtype);
  }
  const [images, ...rest] = inputs.shape;
  if (rest.length !== 2 || inputs.size === 0) {
    const text = `${field}.inputs must be (N, C, L) with at least one element, got shape ${show(inputs.shape)}`;
    throw shapeError(field, text, inputs.shape);
  }
  if (targets.shape[0] !== images) {
    const text = `${field}.targets must have ${String(images)} in front, one for each input, got shape ${show(targets.shape)}`;
    throw shapeError(field, text, targets.shape);
  }
  return { inputs, targets };
}

/** As many integers, from 0 on. */
export const inOrder = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i);

/** In place, each order as probable as the others (Fisher and Yates). */
export function shuffle(order: Uint32Array, random: () => number): void {
  for (let last = order.length - 1; last > 0; --last) {
    const other = Math.floor(random() * (last + 1));
    const kept = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = kept;
  }
}

function take(tensor: Tensor, places: Uint32Array): Tensor {
  const [images = 0, ...rest] = tensor.shape;
  const size = tensor.size / images;
  const data = tensor.data as Float32Array;
  const taken = new Float32Array(places.length * size);
  places.forEach((place, i) => {
    taken.set(data.subarray(place * size, (place + 1) * size), i * size);
  });
  return new Tensor(taken, [places.length, ...rest]);
}

/** The set in batches; the last may be smaller. */
export function* batchesOf({ inputs, targets }: TrainingSet, order: Uint32Array, batchSize: number): Iterable<Batch> {
  for (let begin = 0; begin < order.length; begin += batchSize) {
    const places = order.subarray(begin, begin + batchSize);
    yield { input: take(inputs, places), target: take(targets, places) };
  }
}

/** How many images an input has. */
export const imagesOf = ({ shape }: Tensor): number => (shape.length === 2 ? 1 : (shape[0] ?? 0));

/** Checks what a source gives. */
export function checkSource(batches: unknown): Iterable<Batch> | AsyncIterable<Batch> {
  const given = batches as Partial<Iterable<Batch> & AsyncIterable<Batch>> | null | undefined;
  if (typeof given?.[Symbol.iterator] === 'function' || typeof given?.[Symbol.asyncIterator] === 'function') {
    return batches as Iterable<Batch>;
  }
  throw optionError('data', 'a function that gives batches one after the other', batches);
}

export function noBatch(epoch: number): Conv1dError {
  return new Conv1dError('ERR_OPTION', 'data', `data gave no batch in epoch ${String(epoch)}`, epoch);
}
