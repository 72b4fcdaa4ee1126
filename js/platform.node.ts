import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { GlueFactory } from './core.js';
import { Conv1dError } from './errors.js';
import type { Platform } from './platform.js';
import { compileFetched } from './platform.web.js';

export const nodePlatform: Platform = {
  hardwareThreads: availableParallelism,
  whyNoWorkers: () => null,
  loadGlue: async (threaded) =>
    (threaded ? await import('./wasm/threads.node.mjs') : await import('./wasm/single.mjs')).default as GlueFactory,
  threadScript: () => fileURLToPath(new URL('./wasm/threads.node.mjs', import.meta.url)),
  async compile(url) {
    if (url.protocol !== 'file:') return compileFetched(url);
    try {
      return await WebAssembly.compile(await readFile(url));
    } catch (error) {
      throw new Conv1dError('ERR_WASM_LOAD', 'wasmUrl', `can not load ${url.href}: ${String(error)}`, url.href, error);
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
