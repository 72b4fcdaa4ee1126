import { whenCollected } from '../common/collected.js';
import { Conv1dError, optionError, pickOptions, reading, show } from '../common/errors.js';
import { bytesPerElement } from '../layer/dtype.js';
import { computeOutput, type ForwardOptions, readOut } from '../layer/output.js';
import { checkTensor, splitShape, Tensor, typedArrayTag } from '../layer/tensor.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import type { GraphParts } from './parts.js';
import { describeGraph } from './steps.js';

/** How a stream is fed. */
export interface StreamOptions {
  /** Signals side by side, >= 1. Default 1. */
  batch?: number;
  /** Most samples of one push, >= 1. */
  maxChunk: number;
  /**
   * `'flush'` (default): samples of magnitude below 2^-100 (-602 dB) that a layer meets count as 0, for CPUs take some
   * hundred times longer over the denormal numbers that come of them, and the tails of sounds are full of them.
   * `'keep'`: the same as `forward` for these samples too.
   */
  denormals?: 'flush' | 'keep';
}

/** What a stream runs: a handle of C++ steps, with what the face needs to know. */
export interface StreamSource extends GraphParts {
  readonly runtime: LoadedRuntime;
  readonly outChannels: number;
}

interface OwnedStream {
  runtime: LoadedRuntime;
  stream: number;
}

function destroyStream({ runtime, stream }: OwnedStream): void {
  runtime.free((core) => {
    core.destroyStream(stream);
  });
}

// Frees what is collected without having been disposed.
const registry = whenCollected<OwnedStream>(destroyStream);

function checkNumber(field: string, value: unknown): number {
  if (typeof value === 'number') return value;
  throw optionError(field, 'a number', value);
}

/**
 * A layer or network fed piece by piece. The outputs of all pushes and of the flush, put together, are the same bits
 * however the signal is cut. A push copies its chunk once and allocates nothing in wasm memory; its cost does not depend on
 * how long the history is. It runs on the calling thread.
 *
 * Layers with `algorithm: 'direct'` or `'toom_cook'`, and with `'auto'` those with a stride, a dilation or fewer than
 * some hundred taps (some dozen where pushes are of few samples), give the bits that `forward` of the whole signal
 * gives with `algorithm: 'direct'`. Longer kernels with `'auto'`, and those of more than 16 taps with `'fft'`, are
 * convolved by FFT in partitions of B samples, of which the first is done directly: the latency is the same, and the
 * error of an output at most (2^-21 * log2(2 B) + 2^-24 * (B + K / B) * C) * (sum over C input channels of |w| |x| +
 * |b|), with Euclidean norms of the channel's K taps and of the samples that they reach. B, from 16 to 8192, follows
 * from the layer and `maxChunk`.
 * Samples that stand out reach exactly the outputs whose window holds them.
 *
 * It keeps what it needs of its layers: their new weights count from the next push on, and they may be disposed.
 */
export class Conv1dStream {
  /** Most samples of one push. */
  readonly maxChunk: number;
  /** Signals side by side. */
  readonly batch: number;
  /**
   * Input samples after its own position that an output waits for: dilation * (kernelSize - 1) - padLeft for a layer; 0
   * when it is causal, negative where padding runs ahead of the signal.
   */
  readonly latency: number;
  /** Input samples from the first to the last that one output depends on. */
  readonly receptiveField: number;
  readonly #source: StreamSource;
  readonly #options: StreamOptions;
  #stream: number;
  #flushed = false;
  // How the chunks come, and so the outputs of the flush.
  #batched = true;
  #placement: 'js' | 'wasm' = 'js';

  /** @internal See `Conv1d.stream` and `Network.stream`; a copy of `original` where there is one. */
  constructor(source: StreamSource, options: StreamOptions, original?: Conv1dStream) {
    const { runtime } = source;
    const given = pickOptions(options, ['batch', 'maxChunk', 'denormals']);
    const { batch = 1, maxChunk, denormals = 'flush' } = given;
    this.batch = checkNumber('batch', batch);
    this.maxChunk = checkNumber('maxChunk', maxChunk);
    if (denormals !== 'flush' && denormals !== 'keep') throw optionError('denormals', "'flush' or 'keep'", denormals);
    this.#source = source;
    this.#options = given;
    this.#stream = original
      ? runtime.guard((core) => core.cloneStream(original.#stream))
      : this.#create(denormals === 'flush');
    if (this.#stream === 0) throw runtime.lastError(given);
    registry.register(this, { runtime, stream: this.#stream }, this);
    this.latency = runtime.guard((core) => core.streamLatency(this.#stream));
    this.receptiveField = runtime.guard((core) => core.streamReceptiveField(this.#stream));
  }

  #create(flushTiny: boolean): number {
    const { runtime } = this.#source;
    describeGraph(runtime, this.#source);
    return runtime.guard((core) => core.createStream(this.batch, this.maxChunk, flushTiny));
  }

  /** @internal Whether it is one, not a proxy of one. */
  static owns(value: unknown): value is Conv1dStream {
    return typeof value === 'object' && value !== null && #source in value;
  }

  #live(): number {
    if (this.#stream === 0) throw new Conv1dError('ERR_DISPOSED', 'stream', 'this stream is disposed');
    this.#source.runtime.requireLive();
    return this.#stream;
  }

  #checkFlushed(): void {
    if (!this.#flushed) return;
    throw new Conv1dError('ERR_OPTION', 'stream', 'this stream was flushed: call reset() to begin another signal');
  }

  #checkSamples(samples: number): number {
    if (Number.isInteger(samples) && samples >= 0 && samples <= this.maxChunk) return samples;
    throw new Conv1dError(
      'ERR_SHAPE',
      'chunk',
      `a chunk must have from 0 to maxChunk (${String(this.maxChunk)}) samples, got ${show(samples)}`,
      samples,
    );
  }

  /**
   * How many outputs a push of `samples` would give now; it changes from push to push when a stride is not 1.
   *
   * @throws Conv1dError ERR_SHAPE, ERR_OPTION (flushed), ERR_DISPOSED.
   */
  outputCount(samples: number): number {
    const stream = this.#live();
    this.#checkFlushed();
    this.#checkSamples(samples);
    return this.#source.runtime.guard((core) => core.streamOutputCount(stream, samples));
  }

  /**
   * Takes the next samples and gives all outputs that they determine: (N, outChannels, n) or (outChannels, n), n being
   * `outputCount(T)`, living where the chunk lives.
   *
   * @param chunk (N, inChannels, T), or (inChannels, T) of a stream with batch 1; T from 0 to maxChunk.
   * @param options `out` takes the outputs: a tensor of their shape, dtype and placement.
   * @throws Conv1dError ERR_SHAPE, ERR_DTYPE, ERR_OPTION (flushed), ERR_DISPOSED, ERR_OUT_OF_MEMORY; the stream is then
   *   as it was.
   */
  push(chunk: Tensor, options?: ForwardOptions): Tensor {
    const stream = this.#live();
    const { runtime, dtype, inChannels } = this.#source;
    this.#checkFlushed();
    checkTensor('chunk', chunk, dtype);
    const pointer = chunk.pointerIn(runtime, 'chunk');
    const [batch, samples] = splitShape('chunk', chunk.shape, inChannels, 'stream');
    if (batch !== this.batch) {
      const text = `chunk has batch ${String(batch)} (shape ${show(chunk.shape)}), the stream has ${String(this.batch)}`;
      throw new Conv1dError('ERR_SHAPE', 'chunk', text, chunk.shape);
    }
    this.#checkSamples(samples);
    const count = runtime.guard((core) => core.streamOutputCount(stream, samples));
    const batched = chunk.shape.length === 3;
    const output = this.#output(count, batched, chunk.placement, chunk, options, (outputAt, chunkAt) => {
      if (pointer === null) chunk.copyTo(runtime, chunkAt);
      runtime.guard((core) => {
        core.pushStream(stream, pointer ?? chunkAt, samples, outputAt);
      });
    });
    this.#batched = batched;
    this.#placement = chunk.placement;
    return output;
  }

  /** @internal One push from address to address, unchecked and without an object made; how many outputs it gave. */
  pushAt(chunk: number, samples: number, output: number): number {
    const core = this.#source.runtime.requireLive();
    const count = core.streamOutputCount(this.#stream, samples);
    core.pushStream(this.#stream, chunk, samples, output);
    return count;
  }

  /**
   * Ends the signal and gives the outputs that its right padding adds, possibly none: (N, outChannels, n), or
   * (outChannels, n) when the last chunk had no batch axis, living where that lived. Then only `reset` and
   * `dispose` are allowed.
   *
   * @throws Conv1dError ERR_SHAPE when the signal is too short for its 'reflect' padding, and as `push`.
   */
  flush(options?: ForwardOptions): Tensor {
    const stream = this.#live();
    const { runtime } = this.#source;
    this.#checkFlushed();
    const count = runtime.guard((core) => core.streamEndCount(stream));
    if (count < 0) throw runtime.lastError(undefined);
    const output = this.#output(count, this.#batched, this.#placement, undefined, options, (outputAt) => {
      runtime.guard((core) => {
        core.endStream(stream, outputAt);
      });
    });
    this.#flushed = true;
    return output;
  }

  /** `count` outputs, computed by `run`, given their address and that of room for a chunk. */
  #output(
    count: number,
    batched: boolean,
    placement: 'js' | 'wasm',
    chunk: Tensor | undefined,
    options: ForwardOptions | undefined,
    run: (outputAt: number, chunkAt: number) => void,
  ): Tensor {
    const { runtime, dtype, inChannels, outChannels } = this.#source;
    const shape = batched ? [this.batch, outChannels, count] : [outChannels, count];
    const spec = { shape, dtype, placement };
    const out = readOut(options, spec, chunk);
    const chunkBytes = this.batch * inChannels * this.maxChunk * bytesPerElement[dtype];
    return computeOutput(runtime, spec, out, chunkBytes, run);
  }

  /**
   * Back to before the first sample; weights and options stay.
   *
   * @throws Conv1dError ERR_DISPOSED.
   */
  reset(): void {
    const stream = this.#live();
    this.#source.runtime.guard((core) => {
      core.resetStream(stream);
    });
    this.#flushed = false;
  }

  /**
   * Goes to the middle of an endless signal of `value`, as if that had been pushed forever: a sound that starts there
   * makes no pop, for nothing is cut off and no padding is in it. From then on each push of a stream without strides
   * gives as many outputs as it has samples, the first `latency` of which lie before its first sample; with strides,
   * outputs are as far from the next sample as those of a stream after `reset` are from the first.
   *
   * It takes the time of one output and of filling the histories, however long the receptive field is. While `value`
   * goes on all outputs are the same bits; those of a partitioned kernel (see above) within its error.
   *
   * @param value a finite number, or a list of one for each input channel. Default 0: silence.
   * @throws Conv1dError ERR_OPTION, ERR_DISPOSED, ERR_OUT_OF_MEMORY; the stream is then as it was.
   */
  settle(value: number | readonly number[] = 0): void {
    const stream = this.#live();
    const { runtime, dtype, inChannels } = this.#source;
    const levels: unknown[] = Array.isArray(value)
      ? Array.from(value)
      : Array.from({ length: inChannels }, () => value);
    const isFit = levels.length === inChannels && levels.every((level) => typeof level === 'number');
    const all = Array.from({ length: this.batch }, () => levels as number[]).flat();
    const sample = isFit ? new Tensor(all, [this.batch, inChannels, 1], dtype) : undefined;
    if (!sample?.numbers().every(Number.isFinite)) {
      const rule = `a number that is finite in ${dtype}, or a list of one for each of ${String(inChannels)} input channels`;
      throw new Conv1dError('ERR_OPTION', 'value', `value must be ${rule}, got ${show(value)}`, value);
    }
    this.#output(1, true, 'js', undefined, undefined, (outputAt, chunkAt) => {
      sample.copyTo(runtime, chunkAt);
      if (!runtime.guard((core) => core.settleStream(stream, chunkAt, outputAt))) throw runtime.lastError(value);
    });
    this.#flushed = false;
  }

  /**
   * All that later outputs depend on beside the weights, to go on from there with `restore`: in this stream, in another,
   * after the page was loaded anew. The bytes are the latest samples that each layer keeps, float32, and a description
   * of the stream.
   *
   * @throws Conv1dError ERR_OPTION (flushed), ERR_DISPOSED, ERR_OUT_OF_MEMORY.
   */
  state(): Uint8Array<ArrayBuffer> {
    const stream = this.#live();
    this.#checkFlushed();
    const { runtime } = this.#source;
    const bytes = runtime.guard((core) => core.streamStateBytes(stream));
    return runtime.staged(bytes, (stateAt) => {
      runtime.guard((core) => {
        core.saveStream(stream, stateAt);
      });
      return new Uint8Array(runtime.floats.buffer, stateAt, bytes).slice();
    });
  }

  /**
   * Goes on where the stream was that gave `state`: outputs are the bits that they would be there. That one had layers
   * of the same options in the same places, the same batch and `denormals`; its weights may be others, and its `maxChunk`
   * too, but then outputs of partitioned kernels (see above) may differ within their error. Works on a flushed stream, as
   * `reset` does.
   *
   * @param state what `state()` gave.
   * @throws Conv1dError ERR_STREAM_STATE (bytes of another stream or version, or none at all), ERR_DISPOSED,
   *   ERR_OUT_OF_MEMORY; the stream is then as it was.
   */
  restore(state: Uint8Array): void {
    const stream = this.#live();
    if (typedArrayTag(state) !== 'Uint8Array') {
      throw new Conv1dError('ERR_STREAM_STATE', 'state', `state must be a Uint8Array, got ${show(state)}`, state);
    }
    const { runtime } = this.#source;
    const most = runtime.guard((core) => core.streamStateBytes(stream));
    // In an array of this class, whatever class the given one has.
    const read = reading('ERR_STREAM_STATE', 'state', state, () => new Uint8Array(state).subarray(0, most));
    const restored = runtime.staged(read.length, (stateAt) => {
      new Uint8Array(runtime.floats.buffer, stateAt, read.length).set(read);
      return runtime.guard((core) => core.restoreStream(stream, stateAt, state.length));
    });
    if (!restored) throw runtime.lastError(state);
    this.#flushed = false;
  }

  /**
   * Another stream of the same layers, with their weights, in the same state.
   *
   * @throws Conv1dError ERR_OPTION (flushed), ERR_DISPOSED, ERR_OUT_OF_MEMORY.
   */
  clone(): Conv1dStream {
    this.#live();
    this.#checkFlushed();
    const copy = new Conv1dStream(this.#source, this.#options, this);
    copy.#batched = this.#batched;
    copy.#placement = this.#placement;
    return copy;
  }

  /** Frees the stream's memory at once. May be called twice. */
  dispose(): void {
    if (this.#stream === 0) return;
    registry.unregister(this);
    destroyStream({ runtime: this.#source.runtime, stream: this.#stream });
    this.#stream = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
