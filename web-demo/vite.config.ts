import { fileURLToPath } from 'node:url';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { defineConfig, type Plugin } from 'vite';

// Cross-origin isolation: with these two headers a page gets SharedArrayBuffer, and the library its threads.
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Where a host lets nobody set headers, a service worker sets them. It must lie beside the page, as a file of its own that is
 * also a classic script of the page: it registers itself. `?single` in the address does without it.
 */
function isolateByServiceWorker(): Plugin {
  const fileName = 'coi-serviceworker.js';
  const settings = `window.coi = { quiet: true, shouldRegister: () => !new URLSearchParams(location.search).has('single') };`;
  return {
    name: 'isolate-by-service-worker',
    apply: 'build',
    async generateBundle() {
      const file = createRequire(import.meta.url).resolve('coi-serviceworker/coi-serviceworker.min.js');
      this.emitFile({ type: 'asset', fileName, source: await readFile(file) });
    },
    transformIndexHtml: () => [
      { tag: 'script', children: settings, injectTo: 'head' },
      { tag: 'script', attrs: { src: `./${fileName}` }, injectTo: 'head' },
    ],
  };
}

/** Those who show cards of links want the picture's whole address: SITE_URL, where the page will be, with a slash at its end. */
function socialCard(): Plugin {
  const site = process.env.SITE_URL;
  return {
    name: 'social-card',
    apply: 'build',
    transformIndexHtml: (html) => (site ? html.replace('"og:image" content="', (before) => before + site) : html),
  };
}

export default defineConfig({
  plugins: [isolateByServiceWorker(), socialCard()],
  root: here('.'),
  // The built page may lie under any path of a static host.
  base: './',
  // The pages of `npm run docs`.
  publicDir: here('../build/public'),
  build: {
    outDir: here('../build/demo'),
    emptyOutDir: true,
    // The library's own baseline: engines with WebAssembly SIMD.
    target: 'es2022',
  },
  // The library starts its threads as module workers. tfjs-backend-wasm makes its threads of a function's own text, which works as
  // long as nobody leaves out the checks for what is only there in its first place.
  worker: { format: 'es', rolldownOptions: { output: { minify: { compress: false } } } },
  // In development: these are known beforehand, for to find them in the midst of a race is to load the page anew.
  optimizeDeps: {
    include: ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-wasm', '@litertjs/core', 'flatbuffers'],
    exclude: ['onnxruntime-web'],
  },
  // Without WebGPU, as bench/importmap.js has it.
  resolve: { alias: [{ find: /^onnxruntime-web$/, replacement: 'onnxruntime-web/wasm' }] },
  server: {
    headers,
    // The library's files lie beside this folder, not inside it.
    fs: { allow: [here('..')] },
  },
  preview: { headers },
});
