import type { Background, CallOptions, LayerCopy } from '../background/background.js';
import type { NetworkCopy, PlanCopy } from '../background/plan-copy.js';
import { whenCollected } from '../common/collected.js';
import { Conv1dError, optionError, pickOptions, reading, show } from '../common/errors.js';
import {
  type LayerParameters,
  type LoadStateDictOptions,
  type ParameterName,
  readStateDict,
} from '../files/state-dict.js';
import { Conv1dStream, stepRecord, type StreamOptions } from '../network/stream.js';
import type { CoreOptions, Explanation } from '../runtime/core.js';
import { requireRuntime } from '../runtime/default.js';
import type { LoadedRuntime, Runtime } from '../runtime/runtime.js';
import { configOf, type Conv1dConfig, optionsOf, paddingOf } from './config.js';
import { bytesPerElement, type DType } from './dtype.js';
import { type Conv1dOptions, coreOptionsOf, otherOptions, tensorOptions } from './options.js';
import { checkFit, checkOut, checkShape, checkTensor, elementCount, splitShape, takeOut, Tensor } from './tensor.js';

/** Options of one `forward`. */
export interface ForwardOptions {
  /** Takes the output: a tensor of its shape, dtype and placement that is not the input. */
  out?: Tensor;
}

/** Options of one `forwardAsync`. */
export interface ForwardAsyncOptions {
  /** Its abort rejects the call with `signal.reason`, and stops the work. */
  signal?: AbortSignal;
  /**
   * Called with the fraction that is done, in (0, 1], some 30 times a second in a long call, and last with 1. What it
   * throws rejects the call.
   */
  onProgress?: (fraction: number) => void;
}

/** How `resetParameters` draws weights. */
export interface ResetOptions {
  /**
   * `'megengine'` (default): weight normal with std sqrt(1 / (kernelSize * inChannels)), bias 0. `'pytorch'`: both
   * uniform in +-1 / sqrt(kernelSize * inChannels / groups).
   */
  scheme?: 'megengine' | 'pytorch';
  /** Integer from 0 to 2^53 - 1 that makes the draw repeatable. Default: another one each time. */
  seed?: number;
}

const isSignal = (value: Partial<AbortSignal> | null): boolean =>
  typeof value?.aborted === 'boolean' &&
  typeof value.addEventListener === 'function' &&
  typeof value.removeEventListener === 'function';

function takeAsyncOptions(given: ForwardAsyncOptions): CallOptions {
  const { signal, onProgress } = pickOptions(given, ['signal', 'onProgress']);
  // No instanceof: it may come from another realm.
  if (signal !== undefined && !reading('ERR_OPTION', 'signal', signal, () => isSignal(signal))) {
    throw optionError('signal', 'an AbortSignal', signal);
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw optionError('onProgress', 'a function', onProgress);
  }
  return { signal, onProgress };
}

/** What goes with a layer. */
interface Owned {
  readonly runtime: LoadedRuntime;
  /** 0 when it is disposed. */
  plan: number;
  /** The layer in the runtime's worker, if its weights of now were sent there. */
  copy: LayerCopy | null;
}

const forgotten = whenCollected<Owned>(destroy);

function destroy({ runtime, plan, copy }: Owned): void {
  copy?.free();
  runtime.free((core) => {
    core.destroyPlan(plan);
  });
}

/** A 1-D convolution layer. Weights start random (MegEngine's rule), see `resetParameters`. */
export class Conv1d {
  readonly #runtime: LoadedRuntime;
  readonly #options: CoreOptions;
  readonly #owned: Owned;
  // The input shape that the plan is prepared for.
  #batch = -1;
  #length = -1;
  #outLength = 0;

  /**
   * @throws Conv1dError ERR_OPTION, ERR_UNSUPPORTED (see `algorithm`), ERR_NOT_INITIALIZED, ERR_OUT_OF_MEMORY.
   */
  constructor(options: Conv1dOptions & { runtime?: Runtime }) {
    const { runtime, ...given } = pickOptions(options, [...tensorOptions, ...otherOptions]);
    this.#runtime = requireRuntime(runtime);
    this.#options = coreOptionsOf(
      given,
      this.#runtime.guard((core) => core.defaultOptions()),
    );
    const plan = this.#runtime.guard((core) => core.createPlan(this.#planOptions));
    if (plan === 0) throw this.#failure(given);
    this.#owned = { runtime: this.#runtime, plan, copy: null };
    forgotten.register(this, this.#owned, this);
    this.resetParameters();
  }

  /**
   * A layer of the options that PyTorch's or MegEngine's constructor takes, by their own names, such as those of a
   * model's JSON; see `Conv1dConfig`.
   *
   * @throws Conv1dError as the constructor; ERR_OPTION for an unknown key.
   */
  static fromConfig(config: Conv1dConfig, options: { runtime?: Runtime } = {}): Conv1d {
    return new Conv1d({ ...optionsOf(config), runtime: pickOptions(options, ['runtime']).runtime });
  }

  /** @internal Whether `value` is one, not a proxy of one. */
  static owns(value: unknown): value is Conv1d {
    return typeof value === 'object' && value !== null && #owned in value;
  }

  get #planOptions(): CoreOptions {
    const options = this.#options;
    return this.#runtime.deterministic && options.algorithm === 'auto' ? { ...options, algorithm: 'direct' } : options;
  }

  /** What C++ refused, with the caller's value of the field at fault. */
  #failure(given: object): Conv1dError {
    const error = this.#runtime.lastError(undefined);
    const got = (given as Record<string, unknown>)[error.field];
    return new Conv1dError(error.code, error.field, error.message, got);
  }

  /** The plan, if the layer is not disposed. */
  #live(): number {
    const { plan } = this.#owned;
    if (plan === 0) throw new Conv1dError('ERR_DISPOSED', 'layer', 'this layer is disposed');
    this.#runtime.requireLive();
    return plan;
  }

  get #dtype(): DType {
    return this.#options.dtype as DType;
  }

  /** Makes the plan ready for (batch, inChannels, length). On failure what was prepared stays. */
  #prepare(batch: number, length: number, shape: readonly number[]): void {
    if (batch === this.#batch && length === this.#length) return;
    const outLength = this.#runtime.guard((core) => core.prepare(this.#live(), batch, length));
    if (outLength === 0) throw this.#runtime.lastError(shape);
    this.#batch = batch;
    this.#length = length;
    this.#outLength = outLength;
  }

  #splitShape(shape: readonly number[]): [batch: number, length: number] {
    return splitShape('input', shape, this.#options.inChannels, 'layer');
  }

  #joinShape(inputShape: readonly number[], batch: number, outLength: number): number[] {
    const { outChannels } = this.#options;
    return inputShape.length === 2 ? [outChannels, outLength] : [batch, outChannels, outLength];
  }

  /**
   * The layer's output for `input` (N, inChannels, L) or (inChannels, L): (N, outChannels, Lout) or
   * (outChannels, Lout), living where the input lives.
   *
   * @throws Conv1dError ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_UNSUPPORTED (see `algorithm`), ERR_DISPOSED,
   *   ERR_OUT_OF_MEMORY.
   */
  forward(input: Tensor, options?: ForwardOptions): Tensor {
    const plan = this.#live();
    const runtime = this.#runtime;
    checkTensor('input', input, this.#dtype);
    const inputPointer = input.pointerIn(runtime, 'input');
    const [batch, length] = this.#splitShape(input.shape);
    this.#prepare(batch, length, input.shape);
    const outShape = this.#joinShape(input.shape, batch, this.#outLength);
    const out = takeOut(options);
    if (out !== undefined) checkOut(out, outShape, this.#dtype, input.placement, input);

    if (inputPointer !== null) {
      const output = out ?? Tensor.allocate(runtime, outShape, this.#dtype);
      const outputPointer = output.pointerIn(runtime, 'out');
      if (outputPointer !== null && output.size > 0)
        runtime.guard((core) => {
          core.run(plan, inputPointer, outputPointer);
        });
      return output;
    }
    const bytes = this.#dtype === 'float32' ? 4 : 2;
    const outputOffset = Math.ceil((input.size * bytes) / 16) * 16;
    const outSize = elementCount(outShape);
    return runtime.staged(outputOffset + outSize * bytes, (staging) => {
      input.copyTo(runtime, staging);
      if (outSize > 0)
        runtime.guard((core) => {
          core.run(plan, staging, staging + outputOffset);
        });
      return Tensor.copyFrom(runtime, staging + outputOffset, outShape, this.#dtype, out);
    });
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
    const { runtime, dtype } = this.parts;
    const { placement } = checkTensor('input', input, dtype);
    input.pointerIn(runtime, 'input'); // refuses the memory of another runtime
    const outShape = this.outputShape(input.shape);
    const callOptions = takeAsyncOptions(options);
    if (callOptions.signal?.aborted) throw callOptions.signal.reason;

    const { background } = runtime;
    const [batch, length] = this.#splitShape(input.shape);
    const { layer } = this.#copyIn(background);
    const outputBytes = elementCount(outShape) * bytesPerElement[this.#dtype];
    const work = { layer, input: input.copyBuffer(), batch, length, outputBytes };
    const output = Tensor.fromBuffer(await background.run(work, callOptions), outShape, this.#dtype);
    return placement === 'wasm' ? output.toWasm(runtime) : output;
  }

  /** The layer in the worker, sent there unless it is there. */
  #copyIn(background: Background): LayerCopy {
    if (this.#owned.copy?.background !== background) {
      this.#owned.copy = background.addLayer(this.#copyPlan());
    }
    return this.#owned.copy;
  }

  #copyPlan(): PlanCopy {
    const { weight, bias } = this;
    // Both are copies, which may be given away.
    const bufferOf = ({ data }: Tensor) => data.buffer as ArrayBuffer;
    return { options: this.#planOptions, weight: bufferOf(weight), bias: bias && bufferOf(bias) };
  }

  /** To be called when weights change: the worker has others. */
  #forgetCopy(): void {
    this.#owned.copy?.free();
    this.#owned.copy = null;
  }

  get #weightShape(): number[] {
    const { groups, outChannels, inChannels, kernelSize } = this.#options;
    if (groups === 1) return [outChannels, inChannels, kernelSize];
    return [groups, outChannels / groups, inChannels / groups, kernelSize];
  }

  /** Shapes that may be written: the layer's own first, then PyTorch's. */
  #shapesOf(name: ParameterName): number[][] {
    const { groups, outChannels, inChannels, kernelSize } = this.#options;
    if (name === 'bias') return [[1, outChannels, 1], [outChannels]];
    return groups === 1 ? [this.#weightShape] : [this.#weightShape, [outChannels, inChannels / groups, kernelSize]];
  }

  #checkParameter(name: ParameterName, value: unknown): Tensor {
    return checkFit(name, checkTensor(name, value, this.#dtype), this.#shapesOf(name));
  }

  #pointerOf(name: ParameterName): number {
    return this.#runtime.guard((core) => core[name](this.#live()));
  }

  #write(name: ParameterName, tensor: Tensor): void {
    this.#forgetCopy();
    const pointer = this.#pointerOf(name);
    tensor.copyTo(this.#runtime, pointer);
    this.#runtime.guard((core) => {
      core.weightsChanged(this.#live());
    });
  }

  #read(name: ParameterName): Tensor {
    return Tensor.copyFrom(this.#runtime, this.#pointerOf(name), this.#shapesOf(name)[0] ?? [], this.#dtype);
  }

  /**
   * The kernels: (outChannels, inChannels, kernelSize), or (groups, outChannels / groups, inChannels / groups,
   * kernelSize) when there are groups. Reading gives a copy. Writing also takes PyTorch's 3-D grouped shape.
   */
  get weight(): Tensor {
    return this.#read('weight');
  }

  set weight(value: Tensor) {
    this.#write('weight', this.#checkParameter('weight', value));
  }

  /** (1, outChannels, 1), a copy, or null without bias. Writing also takes (outChannels). */
  get bias(): Tensor | null {
    this.#live();
    return this.#options.bias ? this.#read('bias') : null;
  }

  set bias(value: Tensor | null) {
    if (this.#options.bias === (value === null)) {
      throw new Conv1dError(
        'ERR_OPTION',
        'bias',
        value === null ? 'bias must be a Tensor: the layer was made with bias' : 'the layer was made with bias: false',
        value,
      );
    }
    if (value !== null) this.#write('bias', this.#checkParameter('bias', value));
  }

  /** Copies of `weight` and, if there is one, `bias`. */
  stateDict(): Record<string, Tensor> {
    const { weight, bias } = this;
    return bias ? { weight, bias } : { weight };
  }

  /**
   * Takes `weight` and `bias` from `dict`, under names that start with `prefix` (default none), and rounds them to the
   * layer's dtype. PyTorch's `weight_norm` over any dimension and `spectral_norm`, each under the names of
   * `torch.nn.utils` (`weight_g`, `weight_v`; `weight_orig`, `weight_u`, `weight_v`) or of its `parametrizations`, are
   * folded into `weight`. Keras's dictionaries are read with `layout: 'tensorflow'`.
   *
   * `batchNorm` folds the BatchNorm1d that follows the layer, as it is in eval mode, into both: `weight` and `bias`
   * (unless it was made with affine=False), `running_mean` and `running_var` under a prefix of its own. The layer must
   * have a bias; one that `dict` does not have counts as 0. What is folded must be there in full, strict or not.
   *
   * With `strict` (default true) a missing name, or another one that starts with a prefix or stands in a dictionary
   * read without one, is an error. All or nothing is loaded.
   *
   * @throws Conv1dError ERR_STATE_DICT, ERR_OPTION.
   */
  loadStateDict(dict: Record<string, Tensor>, options: LoadStateDictOptions = {}): void {
    this.#live();
    const { inChannels, outChannels, bias } = this.#options;
    const layer: LayerParameters = {
      names: bias ? ['weight', 'bias'] : ['weight'],
      inChannels,
      outChannels,
      dtype: this.#dtype,
      shapesOf: (name) => this.#shapesOf(name),
    };
    const taken = reading('ERR_STATE_DICT', 'dict', dict, () => readStateDict(dict, layer, options));
    for (const [name, tensor] of taken) this.#write(name, tensor);
  }

  /** Draws new weights. */
  resetParameters(options: ResetOptions = {}): void {
    const given = pickOptions(options, ['scheme', 'seed']);
    const { scheme = 'megengine', seed = Math.floor(Math.random() * 2 ** 53) } = given;
    if (typeof scheme !== 'string') throw optionError('scheme', 'a string', scheme);
    if (typeof seed !== 'number') throw optionError('seed', 'a number', seed);
    if (!this.#runtime.guard((core) => core.initialize(this.#live(), scheme, seed))) throw this.#failure(given);
    this.#forgetCopy();
  }

  /**
   * The shape that `forward` gives for an input of `inputShape`.
   *
   * @throws Conv1dError ERR_SHAPE.
   */
  outputShape(inputShape: readonly number[]): number[] {
    const shape = checkShape('input', inputShape);
    const [batch, length] = this.#splitShape(shape);
    const outLength = this.#runtime.guard((core) => core.outputLength(this.#live(), batch, length));
    if (outLength === 0) throw this.#runtime.lastError(shape);
    return this.#joinShape(shape, batch, outLength);
  }

  /** How an input of `inputShape` is computed, and what that takes. */
  explain(inputShape: readonly number[]): Explanation {
    const shape = checkShape('input', inputShape);
    const [batch, length] = this.#splitShape(shape);
    this.#prepare(batch, length, shape);
    return this.#runtime.guard((core) => core.explain(this.#live()));
  }

  /** @internal What streams and networks are made of. */
  get parts() {
    const { inChannels, outChannels } = this.#options;
    return { plan: this.#live(), runtime: this.#runtime, dtype: this.#dtype, inChannels, outChannels };
  }

  /** @internal As a network of one step, for another thread. */
  copyNetwork(): NetworkCopy {
    const { dtype, inChannels, outChannels } = this.parts;
    return { dtype, inChannels, outChannels, records: [stepRecord({ input: 0, plan: 1 })], layers: [this.#copyPlan()] };
  }

  /**
   * The layer fed piece by piece.
   *
   * @throws Conv1dError ERR_OPTION; ERR_UNSUPPORTED for padding that depends on the signal's end: `'circular'`, and `'same'`
   *   with a stride; ERR_DISPOSED, ERR_OUT_OF_MEMORY.
   */
  stream(options: StreamOptions): Conv1dStream {
    const { plan, ...source } = this.parts;
    return new Conv1dStream({ ...source, records: [stepRecord({ input: 0, plan })] }, options);
  }

  /** Frees the layer's memory at once; calls of `forwardAsync` that are pending finish. May be called twice. */
  dispose(): void {
    if (this.#owned.plan === 0) return;
    forgotten.unregister(this);
    destroy(this.#owned);
    this.#owned.plan = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * What `fromConfig` makes such a layer of, without the weights: PyTorch's arguments, and others only where they differ
   * from their default. Fit for JSON.
   */
  toConfig(): Conv1dConfig {
    this.#live();
    return configOf(this.#options);
  }

  /** The layer in one line, as PyTorch prints it. */
  toString(): string {
    const o = this.#options;
    const padding = paddingOf(o);
    const parts = [
      `${String(o.inChannels)}, ${String(o.outChannels)}, kernelSize=${String(o.kernelSize)}, stride=${String(o.stride)}`,
    ];
    if (padding !== 0) parts.push(`padding=${show(padding)}`);
    if (o.dilation !== 1) parts.push(`dilation=${String(o.dilation)}`);
    if (o.groups !== 1) parts.push(`groups=${String(o.groups)}`);
    if (!o.bias) parts.push('bias=false');
    if (o.paddingMode !== 'zeros') parts.push(`paddingMode=${o.paddingMode}`);
    if (o.dtype !== 'float32') parts.push(`dtype=${o.dtype}`);
    if (o.activation !== 'none') parts.push(`activation=${o.activation}`);
    return `Conv1d(${parts.join(', ')})`;
  }
}
