import { Conv1dError } from '../common/errors.js';
import { type BackgroundWorker, currentPlatform } from '../runtime/platform.js';
import type { RuntimeOptions } from '../runtime/runtime-options.js';
import { asError, type FromWorker, type RunMessage } from './messages.js';
import type { NetworkCopy } from './network-copy.js';

/** Options of one call, besides what is computed. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

interface Call {
  resolve(output: ArrayBuffer): void;
  reject(reason: unknown): void;
  /** Stops listening for an abort. */
  release(): void;
  readonly onProgress: ((fraction: number) => void) | undefined;
}

/** A layer or a network with its weights of one moment, in the worker. */
export class GraphCopy {
  constructor(
    readonly background: Background,
    readonly graph: number,
  ) {}

  /** Takes effect after the calls that were made before. */
  free(): void {
    this.background.free(this.graph);
  }
}

/** What scripts of workers need. */
export const workerRule =
  'location' in globalThis
    ? "it must come from the page's own origin and be allowed by worker-src in its Content-Security-Policy; if the page has " +
      'a Cross-Origin-Embedder-Policy header, the script needs it too (for WebKit even with status 304)'
    : 'with --permission, Node needs --allow-worker';

function loadError(cause: unknown): Conv1dError {
  const url = import.meta.url; // in these words, for bundlers that put something else in its place
  const detail = cause instanceof Error || (typeof cause === 'string' && cause !== '') ? ` (${String(cause)})` : '';
  return new Conv1dError(
    'ERR_WASM_LOAD',
    'worker',
    `the worker script beside ${url} does not load or came down${detail}; ${workerRule}`,
    url,
    cause,
  );
}

/** The seconds after which a worker that gives no sign is given up: many times what loading a script takes. */
const patience = 30;

/** The worker of a runtime, as the thread that uses it sees it: takes calls, answers them in order. */
export class Background {
  readonly #worker: BackgroundWorker;
  readonly #watch: ReturnType<typeof setInterval>;
  readonly #calls = new Map<number, Call>();
  #graphs = 0;
  #lastCall = 0;
  #ended = false;

  /** Throws Conv1dError ERR_UNSUPPORTED, ERR_WASM_LOAD. */
  constructor(options: RuntimeOptions) {
    const platform = currentPlatform();
    const reason = platform.whyNoWorkers();
    if (reason !== null) throw new Conv1dError('ERR_UNSUPPORTED', 'runtime', `forwardAsync needs a worker: ${reason}`);
    try {
      this.#worker = platform.startWorker(
        (message) => this.#receive(message),
        (cause) => this.end(loadError(cause)),
      );
      this.#worker.keepAlive(false);
      this.#worker.post({ type: 'start', options }, []);
      // Counts turns, not time: while this thread is busy itself, no sign reaches it.
      let seconds = 0;
      this.#watch = setInterval(() => {
        if (++seconds === patience) this.end(loadError(`no sign of it in ${String(patience)} s`));
      }, 1000);
      (this.#watch as { unref?(): void }).unref?.(); // a page's is a number
    } catch (error) {
      throw loadError(error);
    }
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Sends one; the arrays of its layers are transferred. */
  addGraph(copy: NetworkCopy): GraphCopy {
    const graph = ++this.#graphs;
    const arrays = copy.layers.flatMap((layer) => {
      if ('weights' in layer) return [layer.weights];
      return layer.bias ? [layer.weight, layer.bias] : [layer.weight];
    });
    this.#worker.post({ type: 'graph', graph, ...copy }, arrays);
    return new GraphCopy(this, graph);
  }

  free(graph: number): void {
    this.#worker.post({ type: 'free', graph }, []);
  }

  /** Runs a graph that was added; the input's array is transferred. */
  run(work: Omit<RunMessage, 'type' | 'call' | 'progress'>, { signal, onProgress }: CallOptions): Promise<ArrayBuffer> {
    const call = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      const abort = () => this.#drop(call, signal?.reason);
      const release = () => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort);
      this.#worker.post({ type: 'run', call, ...work, progress: onProgress !== undefined }, [work.input]);
      this.#calls.set(call, { resolve, reject, release, onProgress });
      this.#worker.keepAlive(true);
    });
  }

  /** Ends the worker; calls that are pending reject with `reason`. */
  end(reason: Conv1dError): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#watch);
    this.#worker.terminate();
    for (const id of [...this.#calls.keys()]) this.#settle(id)?.reject(reason);
  }

  /** A call that is over for this side, or nothing if it was already. */
  #settle(id: number): Call | undefined {
    const call = this.#calls.get(id);
    call?.release();
    this.#calls.delete(id);
    if (this.#calls.size === 0) this.#worker.keepAlive(false);
    return call;
  }

  /** Rejects a call, and stops the work on it. */
  #drop(id: number, reason: unknown): void {
    this.#worker.post({ type: 'abort', call: id }, []);
    this.#settle(id)?.reject(reason);
  }

  /** Tells a caller how far its call is. What it throws is the call's failure. */
  #report(id: number, fraction: number): void {
    try {
      this.#calls.get(id)?.onProgress?.(fraction);
    } catch (error) {
      this.#drop(id, error);
    }
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'here':
        clearInterval(this.#watch);
        break;
      case 'progress':
        this.#report(message.call, message.fraction);
        break;
      case 'output':
        this.#report(message.call, 1);
        this.#settle(message.call)?.resolve(message.output);
        break;
      case 'error':
        this.#settle(message.call)?.reject(asError(message.error));
        break;
      case 'down':
        this.end(asError(message.error));
    }
  }
}
