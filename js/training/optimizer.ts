import { Conv1dError, Network, Tensor } from '../api.js';
import { classError, dtypeError, reading, shapeError, show, stateDictError } from '../common/errors.js';
import type { Core, Optimize } from '../runtime/core.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import { checkNotNegative, checkTensor } from './checks.js';

/** Gradients by the names of the parameters, as `Recording.backward` gives them. */
export type NamedGradients = Readonly<Record<string, Tensor>>;

/** What an optimiser remembers of one parameter. */
interface ParameterState {
  /** Steps that were made. */
  steps: number;
  /** One for each of `stateNames`. */
  readonly arrays: readonly (Tensor | null)[];
}

/** The bytes of the longest rule, and to spare. */
const ruleBytes = 64;

/** @internal Checks all but shapes. */
export function readGradients(gradients: NamedGradients): [string, Tensor][] {
  return reading('ERR_OPTION', 'gradients', gradients, () => {
    if (typeof gradients !== 'object' || (gradients as unknown) === null || Tensor.owns(gradients)) {
      throw classError('ERR_OPTION', 'gradients', 'Record of tensors', gradients);
    }
    return Object.entries(gradients).map(([name, value]) => {
      const { dtype } = checkTensor(`gradients[${show(name)}]`, value);
      if (dtype === 'float32') return [name, value];
      throw dtypeError('gradients', `the gradient of ${show(name)} must be float32, got ${dtype}`, dtype);
    });
  });
}

/** @internal The parameters of a network that can be trained, and whose memory they lie in. */
export function checkTrainable(network: unknown): ReturnType<Network['trained']> {
  if (!Network.owns(network)) throw classError('ERR_OPTION', 'network', 'Network', network);
  if (network.dtype !== 'float32') {
    const text = 'float16 networks cannot be trained: train in float32, then load its stateDict() into float16 layers';
    throw new Conv1dError('ERR_UNSUPPORTED', 'network', text, network.dtype);
  }
  const trained = network.trained();
  if (trained.parameters.size > 0) return trained;
  const text = 'no layer of this network has a name: make it with Network.sequential, or with the option layers';
  throw new Conv1dError('ERR_OPTION', 'network', text);
}

function checkFinite(name: string, gradient: Tensor): void {
  const { data } = gradient;
  for (let i = 0; i < data.length; ++i) {
    if (Number.isFinite(data[i])) continue;
    const text = `the gradient of ${show(name)} must be finite, got ${String(data[i])} in element ${String(i)}`;
    throw new Conv1dError('ERR_NOT_FINITE', name, text, data[i]);
  }
}

/** What `Sgd`, `Adam`, `AdamW` and `RmsProp` have in common. It serves the parameters of one network. */
export abstract class Optimizer {
  #learningRate: number;
  readonly #states = new Map<string, ParameterState>();

  /** @internal */
  protected constructor(learningRate: number) {
    this.#learningRate = checkNotNegative('learningRate', learningRate);
  }

  /** >= 0; may be changed between steps. */
  get learningRate(): number {
    return this.#learningRate;
  }

  set learningRate(value: number) {
    this.#learningRate = checkNotNegative('learningRate', value);
  }

  /** @internal PyTorch's names of what it keeps for each number of a parameter, in the order of C++. Null is none. */
  protected abstract readonly stateNames: readonly (string | null)[];
  /** @internal Whether PyTorch keeps the number of steps. */
  protected abstract readonly countsSteps: boolean;
  /** @internal That of C++. */
  protected abstract readonly coreFunction: keyof {
    [Name in keyof Core as Core[Name] extends Optimize ? Name : never]: 1;
  };
  /** @internal The floats that C++ takes for step `step`, from 1 on. */
  protected abstract rule(step: number): readonly number[];

  /**
   * Changes the parameters of a network by their gradients; those without a gradient stay as they are. All are changed or,
   * on an error, none.
   *
   * @param gradients by the parameters' names, float32, in their shapes.
   * @throws Conv1dError ERR_NOT_FINITE for a NaN or an infinity in a gradient, `field` being the parameter's name; ERR_OPTION
   *   (no such parameter, no gradients), ERR_SHAPE, ERR_DTYPE, ERR_DISPOSED, ERR_OUT_OF_MEMORY; ERR_STATE_DICT where a state
   *   that was loaded does not fit; ERR_UNSUPPORTED for float16 networks: train in float32 and load its `stateDict()`
   *   into float16 layers.
   */
  step(network: Network, gradients: NamedGradients): void {
    const { runtime, parameters } = checkTrainable(network);
    const updates = readGradients(gradients).map(([name, gradient]) => {
      const parameter = parameters.get(name);
      if (!parameter) {
        const text = `the network has no parameter ${show(name)} to train; there are ${show([...parameters.keys()])}`;
        throw new Conv1dError('ERR_OPTION', 'gradients', text, name);
      }
      if (show(gradient.shape) !== show(parameter.shape)) {
        const text = `the gradient of ${show(name)} must have shape ${show(parameter.shape)}, got ${show(gradient.shape)}`;
        throw shapeError('gradients', text, gradient.shape);
      }
      checkFinite(name, gradient);
      return { name, gradient, parameter, pointer: gradient.pointerIn(runtime, `gradients[${show(name)}]`) };
    });
    if (updates.length === 0) {
      throw new Conv1dError('ERR_OPTION', 'gradients', 'there are no gradients');
    }
    const made: Tensor[] = [];
    try {
      const states = updates.map(({ name, gradient }) => this.#stateFor(name, gradient, runtime, made));
      const most = Math.max(...updates.map(({ gradient }) => gradient.size));
      runtime.staged(ruleBytes + 8 * most, (ruleAt) => {
        const [gradientAt, scratch] = [ruleAt + ruleBytes, ruleAt + ruleBytes + 4 * most];
        updates.forEach(({ name, gradient, parameter, pointer }, i) => {
          const state = states[i] ?? { steps: 0, arrays: [] };
          if (pointer === null) gradient.copyTo(runtime, gradientAt);
          runtime.floats.set(this.rule(++state.steps), ruleAt / 4);
          const [first = 0, second = 0, third = 0] = state.arrays.map(
            (tensor) => tensor?.pointerIn(runtime, name) ?? 0,
          );
          parameter.update((address) => {
            runtime.guard((core) => {
              core[this.coreFunction](ruleAt, gradient.size, address, pointer ?? gradientAt, first, second, third);
            });
          }, scratch);
          this.#states.set(name, state);
        });
      });
    } catch (error) {
      for (const tensor of made) tensor.dispose();
      throw error;
    }
  }

  /** The state of a parameter with this gradient in the memory of `runtime`; what is made for it is put into `made`. */
  #stateFor(name: string, { shape, size }: Tensor, runtime: LoadedRuntime, made: Tensor[]): ParameterState {
    const state = this.#states.get(name);
    const arrays = this.stateNames.map((own, i) => {
      if (own === null) return null;
      const tensor = state?.arrays[i] ?? new Tensor(new Float32Array(size), shape);
      if (show(tensor.shape) !== show(shape)) {
        const key = `${name}.${own}`;
        const text = `the state ${show(key)} has shape ${show(tensor.shape)}, the parameter ${show(shape)}`;
        throw stateDictError(key, text, tensor.shape);
      }
      if (tensor.pointerIn(runtime, name) !== null) return tensor;
      const copy = tensor.toWasm(runtime);
      made.push(copy);
      return copy;
    });
    return { steps: state?.steps ?? 0, arrays };
  }

  /**
   * Copies of what the optimiser remembers, by names such as `'0.weight.exp_avg'`: a parameter's, a dot and PyTorch's.
   * `step` is the number of steps, of shape []; SGD has none. Before the first step there is nothing.
   *
   * @throws Conv1dError ERR_DISPOSED (the runtime).
   */
  stateDict(): Record<string, Tensor> {
    const dict: Record<string, Tensor> = {};
    for (const [name, { steps, arrays }] of this.#states) {
      if (this.countsSteps) dict[`${name}.step`] = new Tensor(steps);
      arrays.forEach((tensor, i) => {
        if (tensor) dict[`${name}.${this.stateNames[i] ?? ''}`] = tensor.toJs();
      });
    }
    return dict;
  }

  /**
   * Takes what `stateDict` gave, of an optimiser of the same kind, in place of what there is. The learning rate and the other
   * options stay. All or nothing is loaded.
   *
   * @throws Conv1dError ERR_STATE_DICT, ERR_DTYPE, ERR_DISPOSED.
   */
  loadStateDict(dict: Readonly<Record<string, Tensor>>): void {
    const loaded = reading('ERR_STATE_DICT', 'dict', dict, () => this.#read(dict));
    this.dispose();
    for (const [name, state] of loaded) this.#states.set(name, state);
  }

  #read(dict: Readonly<Record<string, Tensor>>): Map<string, ParameterState> {
    if (typeof dict !== 'object' || (dict as unknown) === null) {
      throw stateDictError('dict', `dict must be an object of tensors, got ${show(dict)}`, dict);
    }
    const own = [this.countsSteps ? 'step' : null, ...this.stateNames].filter((state) => state !== null);
    const keys = Object.keys(dict);
    const names = keys.map((key) => {
      const end = key.lastIndexOf('.');
      if (end > 0 && own.includes(key.slice(end + 1))) return key.slice(0, end);
      const rule =
        own.length === 0
          ? 'this optimiser keeps nothing'
          : `each name ends in one of ${show(own.map((state) => `.${state}`))}`;
      throw stateDictError(key, `${show(key)} is no state of this optimiser: ${rule}`, key);
    });
    return new Map(
      [...new Set(names)].map((name) => {
        const read = (state: string): Tensor => {
          const key = `${name}.${state}`;
          if (Object.hasOwn(dict, key)) return checkTensor(key, dict[key]);
          throw stateDictError(key, `${show(key)} is missing; there are ${show(keys)}`, dict);
        };
        const [steps = 0] = this.countsSteps ? read('step').numbers() : [1];
        if (!(Number.isSafeInteger(steps) && steps >= 0)) {
          throw stateDictError(
            `${name}.step`,
            `${show(`${name}.step`)} must be an integer >= 0, got ${show(steps)}`,
            steps,
          );
        }
        const arrays = this.stateNames.map((state) => {
          const tensor = state === null ? null : read(state);
          return tensor && new Tensor(new Float32Array(tensor.numbers()), tensor.shape);
        });
        return [name, { steps, arrays }];
      }),
    );
  }

  /** Forgets what it remembers, and frees its memory. It may be used again, as a new one. */
  dispose(): void {
    for (const { arrays } of this.#states.values()) for (const tensor of arrays) tensor?.dispose();
    this.#states.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
