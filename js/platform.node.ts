import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { GlueFactory } from './core.js';
import { Conv1dError } from './errors.js';
import type { Platform } from './platform.js';
import { compileFetched } from './platform.web.js';

export const nodePlatform: Platform = {
  hardwareThreads: availableParallelism,
  whyNoWorkers: () => null,
  loadThreadsGlue: async () => (await import('./wasm/threads.node.mjs')).default as GlueFactory,
  async compile(url) {
    if (url.protocol !== 'file:') return compileFetched(url);
    try {
      return await WebAssembly.compile(await readFile(url));
    } catch (error) {
      throw new Conv1dError('ERR_WASM_LOAD', 'wasmUrl', `can not load ${url.href}: ${String(error)}`, url.href, error);
    }
  },
};
