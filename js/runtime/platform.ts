import type { FromWorker, ToWorker } from '../background/messages.js';
import type { GlueFactory } from './core.js';

/** A worker that runs serve.ts. Once it is ended, nothing here does anything. */
export interface BackgroundWorker {
  post(message: ToWorker, transfer: ArrayBuffer[]): void;
  /** Whether a process that has nothing else to do waits for it. */
  keepAlive(on: boolean): void;
  terminate(): void;
}

/** What differs between web pages and Node. */
export interface Platform {
  /** Processors that this process may use. */
  hardwareThreads(): number;
  /** Why workers cannot be started here, or null. */
  whyNoWorkers(): string | null;
  loadGlue(threaded: boolean): Promise<GlueFactory>;
  /** Where the glue of the threaded build lies, as `new Worker` takes it: its threads run it as well. */
  threadScript(): string;
  /** The bytes at `url`. Throws Conv1dError ERR_WASM_LOAD. */
  read(url: URL): Promise<BufferSource>;
  /** Starts the worker of this package; `onDown` is told when it does not load, or ends. Throws what `Worker` throws. */
  startWorker(onMessage: (message: FromWorker) => void, onDown: (cause: unknown) => void): BackgroundWorker;
}

let platform: Platform | undefined;

/** Called once by each entry of the package. */
export function usePlatform(chosen: Platform): void {
  platform = chosen;
}

export function currentPlatform(): Platform {
  if (!platform) throw new Error('import conv1d-wasm through its package entry');
  return platform;
}
