import type { GlueFactory } from './core.js';
import { Conv1dError } from './errors.js';
import type { FromWorker } from './messages.js';
import type { Platform } from './platform.js';

function loadError(url: URL, what: string, cause?: unknown): Conv1dError {
  return new Conv1dError('ERR_WASM_LOAD', 'wasmUrl', `can not load ${url.href}: ${what}`, url.href, cause);
}

/** Fetches `url` and compiles what comes, or throws ERR_WASM_LOAD that says what came instead. */
export async function compileFetched(url: URL): Promise<WebAssembly.Module> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw loadError(url, `the request failed (${String(error)})`, error);
  }
  if (!response.ok) {
    throw loadError(url, `the server answered ${String(response.status)}; pass wasmUrl if the file lies elsewhere`);
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (!(bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d)) {
    const start = new TextDecoder().decode(bytes.subarray(0, 200)).trimStart();
    throw loadError(
      url,
      start.startsWith('<')
        ? 'an HTML page came back instead of the .wasm file; the file is missing there and the server rewrites to a page'
        : 'what came back is not WebAssembly',
    );
  }
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw loadError(url, String(error), error);
  }
}

export const webPlatform: Platform = {
  hardwareThreads: () => navigator.hardwareConcurrency,
  whyNoWorkers: () => (typeof Worker === 'undefined' ? 'this context can not start workers' : null),
  loadGlue: async (threaded) =>
    (threaded ? await import('./wasm/threads.web.mjs') : await import('./wasm/single.mjs')).default as GlueFactory,
  // Written out, as all such addresses here: bundlers find the file by reading this.
  threadScript: () => new URL('./wasm/threads.web.mjs', import.meta.url).href,
  compile: compileFetched,
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
