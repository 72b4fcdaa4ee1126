import { processorFile } from '../addresses.js';
import { asError, type ErrorMessage } from '../background/messages.js';
import type { NetworkCopy } from '../background/network-copy.js';
import { Conv1dError, optionError, pickOptions, reading, show } from '../common/errors.js';
import { Conv1d } from '../layer/conv1d.js';
import { Network } from '../network/network.js';
import type { Conv1dStream } from '../network/stream.js';
import { compileModule } from '../runtime/load.js';
import { requireSingleBuild } from '../runtime/stamp.js';
import { version } from '../version.js';
import { type ImpulseResponse, networkOfResponse, responseOptions } from './impulse-response.js';

/** What a convolver plays: a layer, several one after the other, or a network. */
export type ConvolverSource = Conv1d | readonly Conv1d[] | Network;

/** How to make a convolver of layers. */
export interface LayerConvolverOptions extends ConvolverNodeOptions {
  /**
   * float32 layers with stride 1 and zero padding that keep the signal's length, at most dilation * (kernelSize - 1) of
   * it on the left: `'causal'` ones add no delay. Their channels are those of the node's input and output.
   */
  source: ConvolverSource;
}

/** How to make a convolver of an impulse response: what Web Audio's ConvolverNode plays, without a call of `init()`. */
export interface ResponseConvolverOptions extends ConvolverNodeOptions, ImpulseResponse {
  /**
   * Channels of the input: 2 (default), to which a mono input is copied, or 1, for half the work. The output has two, and
   * one where `channelCount` and the response have one. ConvolverNode's has one also where a mono response meets a mono
   * input; then both are the same here.
   */
  channelCount?: 1 | 2;
}

/** How to make a convolver. */
export type ConvolverOptions = LayerConvolverOptions | ResponseConvolverOptions;

/** What all convolvers take. */
export interface ConvolverNodeOptions {
  /** The compiled build, to share one among nodes. Default: `compileModule()`. */
  wasmModule?: WebAssembly.Module;
  /** Where convolver-processor.js lies, if not beside this module. */
  processorUrl?: string | URL;
  /** Is told, about four times in a second of sound, how the audio thread keeps up. */
  onLoad?: (load: ConvolverLoad) => void;
}

/** How the audio thread kept up since the last report. */
export interface ConvolverLoad {
  /**
   * Time spent convolving, of the time that the sound lasts: at 1 none is left. Chromium's audio thread has a clock of
   * 5 microseconds, 100 where the page is not isolated. Others have whole milliseconds, so that many reports have to be
   * averaged, and a sound card that keeps step with the clock deceives it.
   */
  share: number;
  /**
   * How often sound came so late, compared with the earliest, that what is kept in store must have run out: by twice the
   * context's baseLatency, 20 ms at least, or by 100 ms where the browser tells none. A second or more counts as a pause
   * made on purpose.
   */
  dropouts: number;
}

/**
 * An AudioWorkletNode that convolves. It plays on when its input ends or is disconnected, so that the tail is heard, and
 * until it is disposed.
 */
export interface ConvolverNode extends AudioWorkletNode {
  /** Samples by which its output comes late: 0 for causal layers. */
  readonly latency: number;
  /**
   * Plays other layers, or another impulse response, with the same channels from the next quantum on, or the same layers
   * with their present weights. Layers that differ in their weights alone keep their history, so that nothing clicks but
   * the change itself. Resolves when the audio thread has them; with a fade, when that is over, for which the context has
   * to run.
   *
   * @param options `fade`: seconds, 0 to 60, in which the sound goes over from the old layers to the new, so that nothing
   *   clicks. Before, the new ones listen for that time or their receptive field, whichever is shorter; both are computed
   *   meanwhile. Of the updates that come during a fade, the last is played after it; the others resolve without having
   *   been, so that every move of a slider may be an update. Default 0.
   * @throws Conv1dError (rejects) as createConvolverNode, and what went wrong in the audio thread; ERR_DISPOSED when the
   *   node is disposed or the context closed.
   */
  update(source: ConvolverSource | ImpulseResponse, options?: { fade?: number }): Promise<void>;
  /** Disconnects the node and frees its memory in the audio thread. May be called twice. */
  dispose(): void;
}

/** What the processor is made of. */
export interface ConvolverSetup {
  module: WebAssembly.Module;
  network: NetworkCopy;
  /** Samples of one call of `process`. */
  quantum: number;
  /** For a report of the load: seconds by which sound may come late before it counts as a dropout. */
  slack: number | null;
}

/** What the node tells its processor. */
export type ConvolverMessage = ConvolverUpdate | { type: 'end' };

/** Other layers or weights. */
export interface ConvolverUpdate {
  type: 'update';
  update: number;
  network: NetworkCopy;
  /** In samples. */
  fade: number;
}

/** The answer to an update, of which number 0 is what the processor is made of, or what the load is. */
export type ConvolverReply = { update: number; error: ErrorMessage | null } | ConvolverLoad;

/** What the audio thread is to play, and by how many samples it comes late. */
interface Filter {
  network: NetworkCopy;
  latency: number;
}

function sourceError(rule: string, got: unknown): Conv1dError {
  return new Conv1dError('ERR_OPTION', 'source', `source must ${rule}, got ${show(got)}`, got);
}

/** How many samples it gives for `samples` in the middle of a sound. */
function settledCount(stream: Conv1dStream, samples: number): number {
  stream.settle();
  return stream.outputCount(samples);
}

/** Throws what is wrong with the source. */
function filterOfSource(source: unknown, quantum: number): Filter {
  const playable = Array.isArray(source) ? new Network(source as Conv1d[]) : source;
  if (!(playable instanceof Conv1d || playable instanceof Network)) {
    throw sourceError('be a Conv1d, a list of them or a Network, or impulseResponse be given', source);
  }
  const network = playable.copyNetwork();
  if (network.dtype !== 'float32') throw sourceError('have dtype float32', network.dtype);
  for (const layer of network.layers) {
    if ('weights' in layer) continue;
    const { stride = 1, padLeft = 0, padRight = 0, paddingRule = '', paddingMode } = layer.options;
    if (stride !== 1) throw sourceError('have stride 1', stride);
    const pads = padLeft + padRight > 0 || ['same', 'causal'].includes(paddingRule);
    if (pads && paddingMode !== 'zeros') throw sourceError("have paddingMode 'zeros'", paddingMode);
  }
  const stream = playable.stream({ maxChunk: quantum });
  const { latency } = stream;
  const isEven = Number.isFinite(latency) && settledCount(stream, quantum) === quantum;
  stream.dispose();
  if (!isEven) throw sourceError('give as many samples as it gets', playable.toString());
  if (latency < 0) throw sourceError('pad no more than dilation * (kernelSize - 1) on the left', playable.toString());
  return { network, latency };
}

function isResponse(given: unknown): given is ImpulseResponse {
  return (given as Partial<ImpulseResponse> | null | undefined)?.impulseResponse !== undefined;
}

function filterOfResponse(response: ImpulseResponse, inChannels: 1 | 2, context: BaseAudioContext): Filter {
  return { network: networkOfResponse(response, inChannels, context.sampleRate), latency: 0 };
}

const nodeOptions = ['wasmModule', 'processorUrl', 'onLoad'] as const;

/** Throws ERR_OPTION for a name that does not belong there. */
function readOptions(options: ConvolverOptions): ConvolverOptions {
  if (isResponse(options)) return pickOptions(options, [...responseOptions, 'channelCount', ...nodeOptions]);
  const given: LayerConvolverOptions & Partial<ImpulseResponse> = options;
  return pickOptions(given, ['source', 'impulseResponse', ...nodeOptions]);
}

/** What the options say is to be played. Throws ERR_OPTION. */
function filterOfOptions(options: ConvolverOptions, context: BaseAudioContext, quantum: number): Filter {
  if (!isResponse(options)) return filterOfSource(options.source, quantum);
  const { channelCount = 2 } = options;
  if (channelCount === 1 || channelCount === 2) return filterOfResponse(options, channelCount, context);
  throw optionError('channelCount', '1 or 2', channelCount);
}

/** A mistaken unit makes a fade that nobody waits for. */
const longestFade = 60;

/** In samples. */
function readFade(options: { fade?: number }, sampleRate: number): number {
  const { fade = 0 } = pickOptions(options, ['fade']);
  if (typeof fade === 'number' && fade >= 0 && fade <= longestFade) return Math.round(fade * sampleRate);
  throw optionError('fade', `a number of seconds from 0 to ${String(longestFade)}`, fade);
}

/** How late sound may come. Asking for outputLatency hangs Firefox's page at times. */
function slackOf(context: BaseAudioContext): number {
  const { baseLatency = 0 } = context as Partial<AudioContext>;
  return baseLatency > 0 ? Math.max(0.02, 2 * baseLatency) : 0.1;
}

function closedError(): Conv1dError {
  return new Conv1dError('ERR_DISPOSED', 'context', 'this context is closed');
}

/** Throws ERR_OPTION, ERR_UNSUPPORTED, ERR_DISPOSED. */
function checkContext(context: unknown): void {
  const { audioWorklet, state } = (context ?? {}) as Partial<BaseAudioContext>;
  if (state === 'closed') throw closedError();
  if (audioWorklet) return;
  const text = 'this context has no audioWorklet; a page has one if it comes by HTTPS or from localhost';
  throw new Conv1dError('ERR_UNSUPPORTED', 'context', text, context);
}

/** Throws ERR_WASM_LOAD. */
async function addProcessor(context: BaseAudioContext, processorUrl: string | URL | undefined): Promise<void> {
  const url = processorUrl ?? processorFile();
  try {
    await context.audioWorklet.addModule(url);
  } catch (error) {
    const text = `cannot load the processor from ${String(url)}: ${String(error)}; pass processorUrl if it lies elsewhere`;
    throw new Conv1dError('ERR_WASM_LOAD', 'processorUrl', text, String(url), error);
  }
}

/** Throws ERR_UNSUPPORTED. */
function makeNode(context: BaseAudioContext, setup: ConvolverSetup): AudioWorkletNode {
  const { inChannels, outChannels } = setup.network;
  try {
    return new AudioWorkletNode(context, `conv1d-wasm ${version}`, {
      outputChannelCount: [outChannels],
      channelCount: inChannels,
      channelCountMode: 'explicit',
      channelInterpretation: inChannels > 2 ? 'discrete' : 'speakers',
      processorOptions: setup,
    });
  } catch (error) {
    const channels = `${String(inChannels)} channels in and ${String(outChannels)} out`;
    const text = `this context makes no AudioWorkletNode with ${channels}: ${String(error)}`;
    throw new Conv1dError('ERR_UNSUPPORTED', 'context', text, context, error);
  }
}

/** Milliseconds that answers may be on their way when a context is closed. */
const closingTime = 1000;

/** The page's side of a processor: what it was told, and who waits for its answers. */
class Controller {
  latency: number;
  /** Settles when the processor is made. */
  readonly made: Promise<void>;
  readonly #node: AudioWorkletNode;
  readonly #setup: ConvolverSetup;
  readonly #waiting = new Map<number, { resolve: () => void; reject: (reason: Conv1dError) => void }>();
  #updates = 0;
  /** Why nothing is played any more. */
  #end: Conv1dError | null = null;

  constructor(node: AudioWorkletNode, setup: ConvolverSetup, latency: number, onLoad: ConvolverNodeOptions['onLoad']) {
    this.#node = node;
    this.#setup = setup;
    this.latency = latency;
    const { context, port } = node;
    port.onmessage = ({ data }: MessageEvent<ConvolverReply>) => {
      if ('update' in data) this.#settle(data.update, data.error);
      else if (!this.#end) onLoad?.(data);
    };
    node.addEventListener('processorerror', (event) => {
      const text = `the processor came down: ${(event as Partial<ErrorEvent>).message ?? ''}`;
      this.#stop(new Conv1dError('ERR_WASM_LOAD', 'node', text));
    });
    context.addEventListener('statechange', () => {
      if (context.state === 'closed') setTimeout(() => this.#stop(closedError()), closingTime);
    });
    this.made = this.#answerTo(0);
  }

  #answerTo(update: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.set(update, { resolve, reject }));
  }

  #settle(update: number, error: ErrorMessage | null): void {
    const call = this.#waiting.get(update);
    this.#waiting.delete(update);
    if (error === null) call?.resolve();
    else call?.reject(asError(error));
  }

  #stop(reason: Conv1dError): void {
    this.#end ??= reason;
    for (const { reject } of this.#waiting.values()) reject(this.#end);
    this.#waiting.clear();
  }

  #post(message: ConvolverMessage): void {
    this.#node.port.postMessage(message);
  }

  async update(source: ConvolverSource | ImpulseResponse, options: { fade?: number } = {}): Promise<void> {
    if (this.#end) throw this.#end;
    const { context } = this.#node;
    if (context.state === 'closed') throw closedError();
    const { inChannels, outChannels } = this.#setup.network;
    const { network, latency } = isResponse(source)
      ? filterOfResponse(pickOptions(source, responseOptions), inChannels === 1 ? 1 : 2, context)
      : filterOfSource(source, this.#setup.quantum);
    const fade = readFade(options, context.sampleRate);
    if (network.inChannels !== inChannels || network.outChannels !== outChannels) {
      const channels = [network.inChannels, network.outChannels];
      throw sourceError(`have ${String(inChannels)} channels in and ${String(outChannels)} out`, channels);
    }
    const update = ++this.#updates;
    const answered = this.#answerTo(update);
    this.#post({ type: 'update', update, network, fade });
    await answered;
    this.latency = latency;
  }

  dispose(): void {
    this.#node.disconnect();
    this.#post({ type: 'end' });
    this.#stop(new Conv1dError('ERR_DISPOSED', 'node', 'this node is disposed'));
  }
}

/**
 * Makes a Web Audio node that convolves in the audio thread: `input.connect(node).connect(context.destination)`. It plays
 * layers (`source`), or an impulse response as ConvolverNode does. Neither shared memory nor cross-origin isolation is
 * needed. `process` allocates nothing, but for the clock that `onLoad` needs.
 *
 * ```js
 * const buffer = await context.decodeAudioData(file);
 * const reverb = await createConvolverNode(context, { impulseResponse: buffer });
 * ```
 *
 * @throws Conv1dError ERR_OPTION; ERR_UNSUPPORTED where there are no AudioWorklets; ERR_DISPOSED when the context is closed;
 *   ERR_WASM_LOAD; ERR_OUT_OF_MEMORY.
 */
export async function createConvolverNode(context: BaseAudioContext, given: ConvolverOptions): Promise<ConvolverNode> {
  const options = reading('ERR_OPTION', 'options', given, () => readOptions(given));
  const quantum = reading('ERR_OPTION', 'context', context, () => {
    checkContext(context);
    // Contexts may have quanta of other lengths one day.
    return (context as BaseAudioContext & { renderQuantumSize?: number }).renderQuantumSize ?? 128;
  });
  const { network, latency } = filterOfOptions(options, context, quantum);
  const { wasmModule, processorUrl, onLoad } = options;
  if (onLoad !== undefined && typeof onLoad !== 'function') throw optionError('onLoad', 'a function', onLoad);
  if (wasmModule !== undefined) requireSingleBuild('wasmModule', wasmModule);
  const module = wasmModule ?? (await compileModule());
  await addProcessor(context, processorUrl);
  const setup: ConvolverSetup = { module, network, quantum, slack: onLoad ? slackOf(context) : null };
  const node = makeNode(context, setup);
  const controller = new Controller(node, setup, latency, onLoad);
  await controller.made;
  return Object.defineProperties(node, {
    latency: { get: () => controller.latency },
    update: { value: controller.update.bind(controller) },
    dispose: { value: controller.dispose.bind(controller) },
  }) as ConvolverNode;
}
