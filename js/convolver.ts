import { Conv1d } from './conv1d.js';
import { Conv1dError, pickOptions, show } from './errors.js';
import { compileModule } from './load.js';
import { Network } from './network.js';
import type { NetworkCopy } from './plan-copy.js';
import { version } from './version.js';

/** What a convolver plays: a layer, several one after the other, or a network. */
export type ConvolverSource = Conv1d | readonly Conv1d[] | Network;

/** How to make a convolver. */
export interface ConvolverOptions {
  /**
   * float32 layers with stride 1 and zero padding that keep the signal's length, at most dilation * (kernelSize - 1) of
   * it on the left: `'causal'` ones add no delay. Their channels are those of the node's input and output.
   */
  source: ConvolverSource;
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

/** An AudioWorkletNode that convolves. */
export interface ConvolverNode extends AudioWorkletNode {
  /** Samples by which its output comes late: 0 for causal layers. */
  readonly latency: number;
  /**
   * Plays other layers with the same channels from the next quantum on, or the same with their present weights. Layers
   * that differ in their weights alone keep their history, so that nothing clicks but the change itself. Resolves when
   * the audio thread plays them, which a context that does not run never does.
   *
   * @param options `fade`: seconds in which the sound goes over from the old layers to the new, so that nothing clicks.
   *   Before, the new ones listen for that time or their receptive field, whichever is shorter; both are computed
   *   meanwhile. Of the updates that come during a fade, the last is played after it; the others resolve without having
   *   been, so that every move of a slider may be an update. Default 0.
   * @throws Conv1dError (rejects) as createConvolverNode.
   */
  update(source: ConvolverSource, options?: { fade?: number }): Promise<void>;
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

/** The answer to an update, or what the load is. */
export type ConvolverReply = { update: number; error: string | null } | ConvolverLoad;

function sourceError(rule: string, got: unknown): Conv1dError {
  return new Conv1dError('ERR_OPTION', 'source', `source must ${rule}, got ${show(got)}`, got);
}

/** The source as it goes to the audio thread, and its latency. Throws what is wrong with it. */
function takeSource(source: unknown, quantum: number): { network: NetworkCopy; latency: number } {
  const playable = Array.isArray(source) ? new Network(source as Conv1d[]) : source;
  if (!(playable instanceof Conv1d || playable instanceof Network)) {
    throw sourceError('be a Conv1d, a list of them or a Network', source);
  }
  const network = playable.copyNetwork();
  if (network.dtype !== 'float32') throw sourceError('have dtype float32', network.dtype);
  for (const { options } of network.layers) {
    if (options.stride !== 1) throw sourceError('have stride 1', options.stride);
    const pads = options.padLeft + options.padRight > 0 || ['same', 'causal'].includes(options.paddingRule);
    if (pads && options.paddingMode !== 'zeros') throw sourceError("have paddingMode 'zeros'", options.paddingMode);
  }
  const stream = playable.stream({ maxChunk: quantum });
  const { latency } = stream;
  stream.dispose();
  if (latency < 0) throw sourceError('pad no more than dilation * (kernelSize - 1) on the left', playable.toString());
  return { network, latency };
}

function takeFade(options: { fade?: number }, sampleRate: number): number {
  const { fade = 0 } = pickOptions(options, ['fade']);
  if (typeof fade === 'number' && fade >= 0 && fade < Infinity) return Math.round(fade * sampleRate);
  throw new Conv1dError('ERR_OPTION', 'fade', `fade must be a number of seconds >= 0, got ${show(fade)}`, fade);
}

/** How late sound may come. Asking for outputLatency hangs Firefox's page at times. */
function slackOf(context: BaseAudioContext): number {
  const { baseLatency = 0 } = context as Partial<AudioContext>;
  return baseLatency > 0 ? Math.max(0.02, 2 * baseLatency) : 0.1;
}

/**
 * Makes a Web Audio node that convolves in the audio thread: `input.connect(node).connect(context.destination)`. Neither
 * shared memory nor cross-origin isolation is needed. `process` allocates
 * nothing, but for the clock that `onLoad` needs.
 *
 * @throws Conv1dError ERR_OPTION; ERR_UNSUPPORTED where there are no AudioWorklets; ERR_WASM_LOAD.
 */
export async function createConvolverNode(
  context: BaseAudioContext,
  options: ConvolverOptions,
): Promise<ConvolverNode> {
  const { source, wasmModule, processorUrl, onLoad } = pickOptions(options, [
    'source',
    'wasmModule',
    'processorUrl',
    'onLoad',
  ]);
  // Contexts may have quanta of other lengths one day.
  const { renderQuantumSize: quantum = 128 } = context as BaseAudioContext & { renderQuantumSize?: number };
  if (onLoad !== undefined && typeof onLoad !== 'function') {
    throw new Conv1dError('ERR_OPTION', 'onLoad', `onLoad must be a function, got ${show(onLoad)}`, onLoad);
  }
  const first = takeSource(source, quantum);
  const { inChannels, outChannels } = first.network;
  if (!(context as { audioWorklet?: AudioWorklet } | undefined)?.audioWorklet) {
    const text = 'this context has no audioWorklet; a page has one if it comes by HTTPS or from localhost';
    throw new Conv1dError('ERR_UNSUPPORTED', 'context', text, context);
  }
  // Written out: bundlers find the file by reading this.
  const url = processorUrl ?? new URL('./convolver-processor.js', import.meta.url);
  const module = wasmModule ?? (await compileModule());
  try {
    await context.audioWorklet.addModule(url);
  } catch (error) {
    const text = `can not load the processor from ${String(url)}: ${String(error)}; pass processorUrl if it lies elsewhere`;
    throw new Conv1dError('ERR_WASM_LOAD', 'processorUrl', text, String(url), error);
  }
  const setup: ConvolverSetup = { module, network: first.network, quantum, slack: onLoad ? slackOf(context) : null };
  const node = new AudioWorkletNode(context, `conv1d-wasm ${version}`, {
    numberOfInputs: 1,
    numberOfOutputs: 1,
    outputChannelCount: [outChannels],
    channelCount: inChannels,
    channelCountMode: 'explicit',
    channelInterpretation: inChannels > 2 ? 'discrete' : 'speakers',
    processorOptions: setup,
  });

  const waiting = new Map<number, { resolve: () => void; reject: (reason: Conv1dError) => void }>();
  node.port.onmessage = ({ data }: MessageEvent<ConvolverReply>) => {
    if ('share' in data) {
      if (!disposed) onLoad?.(data);
      return;
    }
    const { update, error } = data;
    const call = waiting.get(update);
    waiting.delete(update);
    if (error === null) call?.resolve();
    else call?.reject(new Conv1dError('ERR_OUT_OF_MEMORY', 'source', error));
  };
  const tell = (message: ConvolverMessage) => {
    node.port.postMessage(message);
  };
  let { latency } = first;
  let updates = 0;
  let disposed = false;
  return Object.defineProperties(node, {
    latency: { get: () => latency },
    update: {
      value: async (next: ConvolverSource, updateOptions: { fade?: number } = {}) => {
        if (disposed) throw new Conv1dError('ERR_DISPOSED', 'node', 'this node is disposed');
        const taken = takeSource(next, quantum);
        const fade = takeFade(updateOptions, context.sampleRate);
        const { network } = taken;
        if (network.inChannels !== inChannels || network.outChannels !== outChannels) {
          const channels = [network.inChannels, network.outChannels];
          throw sourceError(`have ${String(inChannels)} channels in and ${String(outChannels)} out`, channels);
        }
        const update = ++updates;
        const answered = new Promise<void>((resolve, reject) => waiting.set(update, { resolve, reject }));
        tell({ type: 'update', update, network, fade });
        await answered;
        ({ latency } = taken);
      },
    },
    dispose: {
      value: () => {
        if (disposed) return;
        disposed = true;
        node.disconnect();
        tell({ type: 'end' });
        for (const { reject } of waiting.values()) {
          reject(new Conv1dError('ERR_DISPOSED', 'node', 'this node was disposed'));
        }
        waiting.clear();
      },
    },
  }) as ConvolverNode;
}
