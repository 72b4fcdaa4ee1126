import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { readFetched } from './platform.web.js';
import { importGlue, whenMissing, wasmError } from './runtime/compile.js';
import type { Platform } from './runtime/platform.js';

export const nodePlatform: Platform = {
  hardwareThreads: availableParallelism,
  whyNoWorkers: () => null,
  loadGlue: (threaded) =>
    threaded
      ? importGlue(
          () => import('./wasm/threads.node.js'),
          () => new URL('./wasm/threads.node.js', import.meta.url),
        )
      : importGlue(
          () => import('./wasm/single.js'),
          () => new URL('./wasm/single.js', import.meta.url),
        ),
  threadScript: () => fileURLToPath(new URL('./wasm/threads.node.js', import.meta.url)),
  async read(url) {
    if (url.protocol !== 'file:') return readFetched(url);
    try {
      return await readFile(url);
    } catch (error) {
      throw wasmError(url, `${String(error)}; ${whenMissing}`, error);
    }
  },
  startWorker(onMessage, onDown) {
    // A worker refuses some flags that Node itself may have been started with (--input-type, say), and needs none.
    const worker = new Worker(new URL('./worker.node.js', import.meta.url), { execArgv: [] });
    worker.on('message', onMessage).on('error', onDown).on('exit', onDown);
    return {
      post: (message, transfer) => worker.postMessage(message, transfer),
      keepAlive: (on) => (on ? worker.ref() : worker.unref()),
      terminate: () => void worker.terminate(),
    };
  },
};
