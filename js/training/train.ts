import { Conv1dError, type Network, Tensor } from '../api.js';
import { optionError, pickOptions, show } from '../common/errors.js';
import { nextTurn } from '../common/next-turn.js';
import { drawSeed, makeRandom } from '../common/random.js';
import { checkCallback, checkSignal } from '../layer/async-options.js';
import { checkCount, checkFlag, checkPositive } from './checks.js';
import { clipGradNorm } from './clip.js';
import {
  type Batch,
  batchesOf,
  type BatchSource,
  checkSet,
  checkSource,
  imagesOf,
  inOrder,
  noBatch,
  shuffle,
  type TrainingSet,
} from './data.js';
import type { Loss } from './losses/loss.js';
import { checkTrainable, type Optimizer } from './optimizer.js';

/** What `train` is told. */
export interface TrainOptions {
  /** What to learn: a set, or a function that gives the batches of an epoch. */
  data: TrainingSet | BatchSource;
  /** Of this package or of your own. */
  loss: Loss;
  /** Whose learning rate is multiplied by `schedule`, and as before in the end. */
  optimizer: Pick<Optimizer, 'learningRate' | 'step'>;
  /** How often to go through the data, >= 1. */
  epochs: number;
  /** Inputs of a step, >= 1; the last step of an epoch has those that are left. Default 16. */
  batchSize?: number;
  /** What tells how good the weights are, after each epoch. Default: the losses in training do. */
  validation?: TrainingSet;
  /** The factor of the learning rate in a step, from 0 on, of an epoch, from 0 on. Default 1. */
  schedule?: (step: number, epoch: number) => number;
  /** The largest norm of the gradients, > 0, see `clipGradNorm`. Default: any. */
  clipNorm?: number;
  /** Whether each epoch takes a set in another order. Default true. */
  shuffle?: boolean;
  /**
   * Integer from 0 to 2^32 - 1 that makes order and dropout repeatable, and with them all bits, on any number of threads.
   * Default: another one each time.
   */
  seed?: number;
  /** Its abort ends the training, with the best weights so far. */
  signal?: AbortSignal;
  /** Called after each step, and once more at the end of each epoch. What it throws ends the training. */
  onProgress?: (progress: TrainProgress) => void;
}

/** How far a training is. */
export interface TrainProgress {
  /** The one that runs, from 1 on. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps that were made, of all epochs. */
  readonly step: number;
  /** Steps of all epochs; null in the first epoch of a function's data. */
  readonly steps: number | null;
  /** The mean over the inputs of this epoch so far. */
  readonly loss: number;
  /** After the latest epoch that has ended; null before that, and without `validation`. */
  readonly validationLoss: number | null;
  /** At the speed so far; null where `steps` is. */
  readonly secondsLeft: number | null;
  /** Whether the epoch has ended. */
  readonly epochEnded: boolean;
}

/** What a training came to. */
export interface TrainResult {
  /** After how many epochs the weights were the best: the network has them. */
  readonly epoch: number;
  /** The loss that they were chosen by: that of the validation, where there is one. */
  readonly loss: number;
  /** Steps that were made. */
  readonly steps: number;
}

/** The mean of losses, each weighed by its inputs. */
class Mean {
  #sum = 0;
  #count = 0;

  add(loss: number, count: number): void {
    this.#sum += loss * count;
    this.#count += count;
  }

  get count(): number {
    return this.#count;
  }

  get value(): number {
    return this.#sum / this.#count;
  }
}

/** Something that a loss is made of: what an error calls it, and its field there. */
interface Part {
  readonly field: string;
  readonly what: string;
  readonly tensor: Tensor;
}

const partsOf = (what: string, tensors: Readonly<Record<string, Tensor>>): Part[] =>
  Object.entries(tensors).map(([name, tensor]) => ({ field: name, what: `${what} ${show(name)}`, tensor }));

/** The error of a loss that is no number: it names the first that is none among what it was made of. */
function notFinite(
  { name }: Loss,
  value: number,
  network: Network,
  { input, target }: Batch,
  gradients: Record<string, Tensor>,
): Conv1dError {
  const parts = [
    { field: 'data', what: 'the input', tensor: input },
    { field: 'data', what: 'the target', tensor: target },
    ...partsOf('the parameter', network.stateDict()),
    ...partsOf('the gradient of', gradients),
  ];
  const odd = parts.find(({ tensor }) => Tensor.owns(tensor) && !tensor.numbers().every(Number.isFinite));
  const reason = odd ? `${odd.what} is not finite` : 'all that it is made of is finite';
  return new Conv1dError(
    'ERR_NOT_FINITE',
    odd?.field ?? 'loss',
    `the loss (${name}) is ${String(value)}: ${reason}`,
    value,
  );
}

/** Options that can be trusted. */
function readOptions(given: TrainOptions) {
  const names = [
    ...(['data', 'loss', 'optimizer', 'epochs', 'batchSize', 'validation', 'schedule', 'clipNorm', 'shuffle'] as const),
    ...(['seed', 'signal', 'onProgress'] as const),
  ];
  const options = pickOptions(given, names);
  const { data, loss, optimizer, validation, schedule = () => 1, clipNorm, signal, onProgress } = options;
  if (typeof loss?.of !== 'function') throw optionError('loss', 'a loss, such as mse()', loss);
  if (typeof optimizer?.step !== 'function') {
    throw optionError('optimizer', 'an optimiser, such as new Adam()', optimizer);
  }
  checkSignal(signal);
  checkCallback('onProgress', onProgress);
  checkCallback('schedule', schedule);
  return {
    ...{ loss, optimizer, schedule, signal, onProgress },
    data: typeof data === 'function' ? data : checkSet('data', data),
    epochs: checkCount('epochs', options.epochs),
    batchSize: checkCount('batchSize', options.batchSize ?? 16),
    validation: validation === undefined ? null : checkSet('validation', validation),
    clipNorm: clipNorm === undefined ? null : checkPositive('clipNorm', clipNorm),
    shuffled: checkFlag('shuffle', options.shuffle ?? true),
    random: makeRandom(options.seed ?? drawSeed()),
  };
}

type ReadOptions = ReturnType<typeof readOptions>;

/** One step: changes the weights by what the batch tells. Returns the loss before it. */
function makeStep(network: Network, batch: Batch, { loss, optimizer, clipNorm, random }: ReadOptions): number {
  const recording = network.record(batch.input, { seed: Math.floor(random() * 2 ** 32) });
  const made: Tensor[] = [recording.output];
  try {
    const { value, gradient } = loss.of(recording.output, batch.target);
    made.push(gradient);
    const { parameters } = recording.backward(gradient, { needs: ['parameters'] });
    made.push(...Object.values(parameters));
    if (!Number.isFinite(value)) throw notFinite(loss, value, network, batch, parameters);
    if (clipNorm !== null) clipGradNorm(parameters, clipNorm);
    optimizer.step(network, parameters);
    return value;
  } finally {
    recording.dispose();
    for (const tensor of made) tensor?.dispose();
  }
}

/** Lets the event loop turn, and throws what the signal was aborted with. */
async function pause({ signal }: ReadOptions): Promise<void> {
  await nextTurn();
  if (signal?.aborted) throw signal.reason;
}

/** The mean loss of a set. */
async function measure(network: Network, set: TrainingSet, options: ReadOptions): Promise<number> {
  const mean = new Mean();
  for (const batch of batchesOf(set, inOrder(imagesOf(set.inputs)), options.batchSize)) {
    const { value } = options.loss.of(network.forward(batch.input), batch.target);
    if (!Number.isFinite(value)) throw notFinite(options.loss, value, network, batch, {});
    mean.add(value, imagesOf(batch.input));
    await pause(options);
  }
  return mean.value;
}

/**
 * Trains the layers of a network that have names, on the calling thread; between steps it lets the event loop turn. Steps
 * that take long are better made in a worker of your own, which imports the package too.
 *
 * ```js
 * const { loss } = await train(network, { data: { inputs, targets }, loss: mse(), optimizer: new Adam(), epochs: 20 });
 * ```
 *
 * In the end the network has the best weights. With `validation` these are the ones after the epoch whose validation loss is
 * the least. Without, the weights at the beginning of each epoch are judged by the losses in it, and the last ones by one more
 * pass through the set, or where a function gives the data by the losses of the last epoch.
 *
 * Whatever ends it early leaves the network with the best weights so far. Where no epoch has ended, an abort, or what `data` or
 * `onProgress` threw, leaves the latest; a loss or a gradient that is not finite the first.
 *
 * @throws (rejects) `signal.reason` of an abort; what `data` or `onProgress` throws. Conv1dError ERR_NOT_FINITE for a loss or
 *   a gradient that is not finite, `field` being the parameter's name, or `'data'`; ERR_OPTION, ERR_SHAPE, ERR_DTYPE,
 *   ERR_UNSUPPORTED (float16), ERR_DISPOSED, ERR_OUT_OF_MEMORY.
 */
export async function train(network: Network, options: TrainOptions): Promise<TrainResult> {
  const given = readOptions(options);
  const { data, epochs, batchSize, validation, optimizer, schedule, signal, onProgress, shuffled, random } = given;
  checkTrainable(network);
  if (signal?.aborted) throw signal.reason;
  const isSet = typeof data !== 'function';
  const order = inOrder(isSet ? imagesOf(data.inputs) : 0);
  const { learningRate } = optimizer;
  const begin = Date.now();
  let steps = isSet ? epochs * Math.ceil(order.length / batchSize) : null;
  let step = 0;
  let ended = 0; // epochs
  let mean = new Mean();
  let lastLoss = NaN; // in the last epoch that has ended
  let validationLoss: number | null = null;
  let latest = network.stateDict(); // after the epochs that have ended
  let best = { epoch: 0, loss: Infinity, weights: latest };
  const judge = (loss: number): void => {
    if (loss <= best.loss) best = { epoch: ended, loss, weights: latest };
  };
  const report = (epoch: number): void => {
    const secondsLeft = steps === null ? null : ((Date.now() - begin) / 1000 / step) * (steps - step);
    const [loss, epochEnded] = [mean.value, epoch === ended];
    onProgress?.({ epoch, epochs, step, steps, loss, validationLoss, secondsLeft, epochEnded });
  };
  try {
    for (let epoch = 1; epoch <= epochs; ++epoch) {
      if (isSet && shuffled) shuffle(order, random);
      mean = new Mean();
      for await (const batch of isSet ? batchesOf(data, order, batchSize) : checkSource(data(epoch, random))) {
        optimizer.learningRate = learningRate * schedule(step, epoch - 1);
        mean.add(makeStep(network, batch, given), imagesOf(batch.input));
        ++step;
        report(epoch);
        await pause(given);
      }
      if (mean.count === 0) throw noBatch(epoch);
      steps ??= step * epochs;
      if (validation) validationLoss = await measure(network, validation, given);
      else judge(mean.value);
      latest = network.stateDict();
      ended = epoch;
      if (validationLoss !== null) judge(validationLoss);
      report(epoch);
      lastLoss = mean.value;
      mean = new Mean();
    }
    if (!validation) judge(isSet ? await measure(network, data, given) : lastLoss);
  } catch (error) {
    const isBroken = error instanceof Conv1dError && error.code === 'ERR_NOT_FINITE';
    if (!validation && mean.count > 0) judge(mean.value);
    if (ended > 0 || isBroken) network.loadStateDict(best.weights);
    throw error;
  } finally {
    optimizer.learningRate = learningRate;
  }
  network.loadStateDict(best.weights);
  return { epoch: best.epoch, loss: best.loss, steps: step };
}
