import type { GlueFactory } from './core.js';

/** What differs between web pages and Node. */
export interface Platform {
  /** Processors that this process may use. */
  hardwareThreads(): number;
  /** Why workers can not be started here, or null. */
  whyNoWorkers(): string | null;
  /** The glue of the threaded builds. */
  loadThreadsGlue(): Promise<GlueFactory>;
  /** Fetches and compiles. Throws Conv1dError ERR_WASM_LOAD. */
  compile(url: URL): Promise<WebAssembly.Module>;
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
