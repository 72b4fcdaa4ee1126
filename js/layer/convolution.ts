import type { NetworkCopy } from '../background/network-copy.js';
import { whenCollected } from '../common/collected.js';
import type { LoadStateDictOptions, ParameterName } from '../files/state-dict.js';
import { layerStep } from '../network/parts.js';
import { Conv1dStream, type StreamOptions } from '../network/stream.js';
import type { CoreOptions, Explanation } from '../runtime/core.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import type { ForwardAsyncOptions } from './async-options.js';
import { describe } from './config.js';
import { forward, forwardAsync, outputShape, prepareFor } from './forward.js';
import { backward, type BackwardOptions, type Gradients } from './gradient.js';
import type { ForwardOptions } from './output.js';
import {
  copyPlan,
  drawParameters,
  loadParameters,
  readParameter,
  type ResetOptions,
  updateParameter,
  writeBias,
  writeWeight,
} from './parameters.js';
import { Plan, type Shapes } from './plan.js';
import { elementCount, Tensor } from './tensor.js';
import type { TrainedParameter } from './trained-parameter.js';

// Frees what is collected without having been disposed.
const registry = whenCollected<Plan>((plan) => {
  plan.free();
});

/** What a layer is made of beside its options. */
export interface GivenParameters {
  /** The weights, of one of the layer's shapes. Default: random ones, see `resetParameters`. */
  weight?: Tensor;
  /** Whether there is a learned bias, default true; a tensor is one with these values. */
  bias?: boolean | Tensor;
}

/** The parameters that a constructor was given, and what they say about the options. */
export function splitParameters<Options extends GivenParameters>(
  given: Options,
): [Omit<Options, 'weight' | 'bias'> & { bias?: boolean }, GivenParameters] {
  const { weight, bias, ...options } = given;
  const isTensor = Tensor.owns(bias);
  return [
    { ...options, ...(bias === undefined ? {} : { bias: isTensor ? true : bias }) },
    { weight, bias },
  ];
}

/** What `Conv1d`, `ConvTranspose1d` and `Linear` have in common. */
export abstract class Convolution {
  readonly #plan: Plan;

  /** @internal */
  protected constructor(
    runtime: LoadedRuntime,
    options: CoreOptions,
    shapes: Shapes,
    given: object,
    { weight, bias }: GivenParameters,
  ) {
    this.#plan = new Plan(runtime, options, shapes, given);
    registry.register(this, this.#plan, this);
    try {
      if (weight === undefined || (options.bias && !Tensor.owns(bias))) this.resetParameters();
      if (weight !== undefined) this.weight = weight;
      if (Tensor.owns(bias)) this.bias = bias;
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** @internal Whether `value` is one, not a proxy of one. */
  static owns(value: unknown): value is Convolution {
    return typeof value === 'object' && value !== null && #plan in value;
  }

  /**
   * The layer's output for `input` (N, inChannels, L) or (inChannels, L): (N, outChannels, Lout) or
   * (outChannels, Lout), living where the input lives.
   *
   * @throws Conv1dError ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_UNSUPPORTED (see `algorithm`), ERR_DISPOSED,
   *   ERR_OUT_OF_MEMORY.
   */
  forward(input: Tensor, options?: ForwardOptions): Tensor {
    return forward(this.#plan, input, options);
  }

  /**
   * As `forward`, but in a worker: this thread stays free, and the bits are the same. The input and the weights are
   * those of the time of the call. Calls on one runtime are computed, and resolved, in the order in which they were made.
   *
   * The runtime's worker starts with the first call; it has as many threads, and as much memory, again.
   *
   * @throws Conv1dError (rejects) as `forward` does; ERR_WASM_LOAD when the worker does not load, ERR_UNSUPPORTED where
   *   there are no workers, ERR_DISPOSED when the runtime is disposed meanwhile.
   */
  async forwardAsync(input: Tensor, options: ForwardAsyncOptions = {}): Promise<Tensor> {
    this.#plan.requireLive();
    return forwardAsync(this.#plan, input, options, this.#plan.version, () => this.copyNetwork());
  }

  /**
   * The gradients of a loss with respect to the input and the parameters, given those with respect to the output: what
   * PyTorch's autograd computes for the layer. They live where the input lives. The layer's activation counts; what its
   * derivative needs is computed again. float16 layers compute in float32 and round once. A float32 layer keeps the memory
   * that this takes for the next input of the same shape, until it is disposed or collected.
   *
   * ```js
   * const output = conv.forward(input);
   * const gradients = conv.backward(gradOutput, { input });
   * ```
   *
   * @param gradOutput of the output's shape.
   * @param options `input`: that of the forward. `needs`: which gradients to compute; default all.
   * @returns gradients in the shapes of `input`, `weight` and `bias`; null for those that were not asked for, and for
   *   the bias of a layer without.
   * @throws Conv1dError as `forward` does, naming `gradOutput`, `input` or `needs`.
   */
  backward(gradOutput: Tensor, options: BackwardOptions): Gradients {
    this.#plan.requireLive();
    return backward(this.#plan, gradOutput, options);
  }

  /**
   * The layer's weights: (outChannels, inChannels, kernelSize) of a Conv1d, or (groups, outChannels / groups,
   * inChannels / groups, kernelSize) when there are groups; (inChannels, outChannels / groups, kernelSize) of a
   * ConvTranspose1d; (outFeatures, inFeatures) of a Linear. Reading gives a copy. Writing also takes PyTorch's 3-D
   * grouped shape.
   *
   * @throws Conv1dError ERR_DISPOSED; written to, ERR_SHAPE, ERR_DTYPE.
   */
  get weight(): Tensor {
    return readParameter('weight', this.#plan);
  }

  set weight(value: Tensor) {
    writeWeight(this.#plan, value);
  }

  /**
   * (1, outChannels, 1), or (outFeatures) of a Linear: a copy, or null without bias. Writing also takes (outChannels).
   *
   * @throws Conv1dError ERR_DISPOSED; written to, ERR_SHAPE, ERR_DTYPE, ERR_OPTION (a bias for a layer without, or null).
   */
  get bias(): Tensor | null {
    this.#plan.requireLive();
    return this.#plan.options.bias ? readParameter('bias', this.#plan) : null;
  }

  set bias(value: Tensor | null) {
    writeBias(this.#plan, value);
  }

  /**
   * Copies of `weight` and, if there is one, `bias`.
   *
   * @throws Conv1dError ERR_DISPOSED.
   */
  stateDict(): Record<string, Tensor> {
    const { weight, bias } = this;
    return bias ? { weight, bias } : { weight };
  }

  /**
   * Takes `weight` and `bias` from `dict`, under names that start with `prefix` (default none), and rounds them to the
   * layer's dtype. PyTorch's `weight_norm` over any dimension and `spectral_norm`, each under the names of
   * `torch.nn.utils` (`weight_g`, `weight_v`; `weight_orig`, `weight_u`, `weight_v`) or of its `parametrizations`, are
   * folded into `weight`. Keras's dictionaries are read with `layout: 'tensorflow'`. A weight may have a last dimension
   * of 1 more, as that of a Conv2d, and one of kernel size 1 may lack its last.
   *
   * `batchNorm` folds the BatchNorm1d that follows the layer, as it is in eval mode, into both: `weight` and `bias`
   * (unless it was made with affine=False), `running_mean` and `running_var` under a prefix of its own. The layer must
   * have a bias; one that `dict` does not have counts as 0. What is folded must be there in full, strict or not.
   *
   * With `strict` (default true) a missing name, or another one that starts with a prefix or stands in a dictionary
   * read without one, is an error. All or nothing is loaded.
   *
   * @throws Conv1dError ERR_STATE_DICT, ERR_OPTION, ERR_DISPOSED.
   */
  loadStateDict(dict: Record<string, Tensor>, options: LoadStateDictOptions = {}): void {
    this.#plan.requireLive();
    loadParameters(this.#plan, dict, options);
  }

  /**
   * Draws new weights.
   *
   * @throws Conv1dError ERR_OPTION, ERR_DISPOSED.
   */
  resetParameters(options: ResetOptions = {}): void {
    drawParameters(this.#plan, options);
  }

  /**
   * The shape that `forward` gives for an input of `inputShape`.
   *
   * @throws Conv1dError ERR_SHAPE, ERR_DISPOSED.
   */
  outputShape(inputShape: readonly number[]): number[] {
    return outputShape(this.#plan, inputShape);
  }

  /**
   * How an input of `inputShape` is computed, and what that takes.
   *
   * @throws Conv1dError ERR_SHAPE, ERR_UNSUPPORTED (see `algorithm`), ERR_OUT_OF_MEMORY, ERR_DISPOSED.
   */
  explain(inputShape: readonly number[]): Explanation {
    prepareFor(this.#plan, inputShape);
    return this.#plan.explain();
  }

  /** @internal What streams and networks are made of. */
  get parts() {
    const { handle, runtime, spec, version } = this.#plan;
    const { dtype, inChannels, outChannels } = spec;
    return { kind: 'convolution', plan: handle, version, runtime, dtype, inChannels, outChannels } as const;
  }

  /** @internal What training changes, in the order in which C++ has it. */
  get trained(): readonly TrainedParameter[] {
    const { shapes, options } = this.#plan;
    const [weight = [], bias = []] = [shapes.weight[0], shapes.bias[0]];
    const first = { name: 'weight', shape: weight, at: 0 };
    return options.bias ? [first, { name: 'bias', shape: bias, at: elementCount(weight) }] : [first];
  }

  /** @internal Lets `change` write a parameter at its address. */
  updateTrained({ name }: TrainedParameter, change: (address: number) => void): void {
    updateParameter(name as ParameterName, this.#plan, change);
  }

  /** @internal */
  get isTransposed(): boolean {
    return this.#plan.options.transposed;
  }

  /** @internal The options as C++ has them. */
  protected get coreOptions(): CoreOptions {
    this.#plan.requireLive();
    return this.#plan.options;
  }

  /** @internal Throws ERR_DISPOSED. */
  requireLive(): void {
    this.#plan.requireLive();
  }

  /** @internal As a network of one step, for another thread. */
  copyNetwork(): NetworkCopy {
    const { dtype, inChannels, outChannels } = this.parts;
    return { dtype, inChannels, outChannels, steps: [layerStep(0)], layers: [copyPlan(this.#plan)] };
  }

  /**
   * The layer fed piece by piece.
   *
   * @throws Conv1dError ERR_OPTION; ERR_UNSUPPORTED for padding that depends on the signal's end: `'circular'`, and `'same'`
   *   with a stride; ERR_DISPOSED, ERR_OUT_OF_MEMORY.
   */
  stream(options: StreamOptions): Conv1dStream {
    const { plan, runtime, dtype, inChannels, outChannels } = this.parts;
    return new Conv1dStream({ runtime, dtype, inChannels, outChannels, steps: [layerStep(plan)] }, options);
  }

  /** Frees the layer's memory at once; calls of `forwardAsync` that are pending finish. May be called twice. */
  dispose(): void {
    registry.unregister(this);
    this.#plan.free();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The layer in one line, as PyTorch prints it. */
  toString(): string {
    return describe(this.#plan.options);
  }
}
