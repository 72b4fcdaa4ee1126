import type { FromWorker } from './background/messages.js';
import { importGlue, whenMissing, wasmError } from './runtime/compile.js';
import type { Platform } from './runtime/platform.js';

/** What the server has at `url`. Throws ERR_WASM_LOAD. */
export async function readFetched(url: URL): Promise<ArrayBuffer> {
  const failed = (error: unknown): never => {
    const rule = "the page's connect-src must allow it, and another origin must send CORS headers";
    throw wasmError(url, `the request failed (${String(error)}); ${rule}`, error);
  };
  const response = await fetch(url).catch(failed);
  if (!response.ok) throw wasmError(url, `the server answered ${String(response.status)}; ${whenMissing}`);
  return response.arrayBuffer().catch(failed);
}

export const webPlatform: Platform = {
  hardwareThreads: () => navigator.hardwareConcurrency,
  whyNoWorkers: () => (typeof Worker === 'undefined' ? 'this context cannot start workers' : null),
  loadGlue: (threaded) =>
    threaded
      ? importGlue(
          () => import('./wasm/threads.web.js'),
          () => new URL('./wasm/threads.web.js', import.meta.url),
        )
      : importGlue(
          () => import('./wasm/single.js'),
          () => new URL('./wasm/single.js', import.meta.url),
        ),
  // Written out, as all such addresses here: bundlers find the file by reading this.
  threadScript: () => new URL('./wasm/threads.web.js', import.meta.url).href,
  read: readFetched,
  startWorker(onMessage, onDown) {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => onMessage(data);
    worker.onerror = (event) => {
      event.preventDefault(); // it is handled
      onDown(event.message);
    };
    return {
      post: (message, transfer) => worker.postMessage(message, transfer),
      keepAlive: () => undefined,
      terminate: () => worker.terminate(),
    };
  },
};
