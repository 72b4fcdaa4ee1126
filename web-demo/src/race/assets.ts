// Where the peers' own files lie in the built page.
import compatJs from '@litertjs/core/wasm/litert_wasm_compat_internal.js?url&no-inline';
import compatWasm from '@litertjs/core/wasm/litert_wasm_compat_internal.wasm?url&no-inline';
import singleJs from '@litertjs/core/wasm/litert_wasm_internal.js?url&no-inline';
import singleWasm from '@litertjs/core/wasm/litert_wasm_internal.wasm?url&no-inline';
import threadedJs from '@litertjs/core/wasm/litert_wasm_threaded_internal.js?url&no-inline';
import threadedWasm from '@litertjs/core/wasm/litert_wasm_threaded_internal.wasm?url&no-inline';
import tfjsPlain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url&no-inline';
import tfjsSimd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url&no-inline';
import tfjsThreaded from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url&no-inline';

export const tfjsFiles = {
  'tfjs-backend-wasm.wasm': tfjsPlain,
  'tfjs-backend-wasm-simd.wasm': tfjsSimd,
  'tfjs-backend-wasm-threaded-simd.wasm': tfjsThreaded,
};

const litertFiles: Record<string, string> = {
  'litert_wasm_internal.js': singleJs,
  'litert_wasm_internal.wasm': singleWasm,
  'litert_wasm_threaded_internal.js': threadedJs,
  'litert_wasm_threaded_internal.wasm': threadedWasm,
  'litert_wasm_compat_internal.js': compatJs,
  'litert_wasm_compat_internal.wasm': compatWasm,
};

/** A folder in name only: it is how LiteRT.js is asked to choose among its builds. */
export const litertFolder = 'litert/';

function locate(path: string): string {
  const url = litertFiles[path.slice(path.lastIndexOf('/') + 1)];
  if (url === undefined) throw new Error(`LiteRT.js asks for ${path}, which is not among its files here`);
  return new URL(url, import.meta.url).href;
}

/**
 * Gives LiteRT.js, in a module worker, what it expects of a page or a classic worker: a way to run its script there and then,
 * and a word on where its files are, which it would look for beside the worker's own script. What it logs, such as that there
 * is no GPU, is not the visitor's concern; what fails, it throws.
 */
export function welcomeLiteRt(): void {
  const silent = () => undefined;
  console.warn = silent;
  Object.assign(globalThis, {
    importScripts(path: string) {
      const request = new XMLHttpRequest();
      request.open('GET', locate(path), false);
      request.send();
      if (request.status !== 200) throw new Error(`${path} could not be loaded: status ${request.status}`);
      (0, eval)(request.responseText);
    },
    Module: {
      locateFile: locate,
      mainScriptUrlOrBlob: locate('litert_wasm_threaded_internal.js'),
      print: silent,
      printErr: silent,
    },
  });
}
