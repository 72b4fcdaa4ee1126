// Bare imports in pages without a bundler. A classic script, to run before any module.
'use strict';

(() => {
  const modules = '/node_modules';
  const nothing = 'data:text/javascript,export default {}'; // Node's own modules, which a page never asks for
  const imports = {
    'conv1d-wasm': '/dist/index.js',
    'conv1d-wasm/models': '/dist/models.js',
    'conv1d-wasm/train': '/dist/train.js',
    'onnxruntime-web': `${modules}/onnxruntime-web/dist/ort.wasm.bundle.min.mjs`,
    '@tensorflow/tfjs-core': `${modules}/@tensorflow/tfjs-core/dist/tf-core.fesm.min.js`,
    '@tensorflow/tfjs-backend-cpu': `${modules}/@tensorflow/tfjs-backend-cpu/dist/tf-backend-cpu.fesm.min.js`,
    seedrandom: nothing, // of tfjs-backend-cpu, for operations that draw
    '@tensorflow/tfjs-backend-wasm': `${modules}/@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.fesm.min.js`,
    '@tensorflow/tfjs-layers': `${modules}/@tensorflow/tfjs-layers/dist/tf-layers.fesm.min.js`,
    '@litertjs/core': `${modules}/@litertjs/core/dist/index.js`,
    '@litertjs/wasm-utils': `${modules}/@litertjs/wasm-utils/dist/index.js`,
    // The one file of it that writes: onnxruntime-web's first result would wait for all the others.
    '@bufbuild/protobuf/wire': `${modules}/@bufbuild/protobuf/dist/esm/wire/binary-encoding.js`,
    '@opendaw/nam-wasm': `${modules}/@opendaw/nam-wasm/dist/index.js`,
    '@jax-js/jax': `${modules}/@jax-js/jax/dist/index.js`,
    flatbuffers: `${modules}/flatbuffers/mjs/flatbuffers.js`,
  };
  for (const name of ['fs', 'path', 'os', 'worker_threads', 'perf_hooks', 'util', 'crypto']) imports[name] = nothing;
  const map = document.createElement('script');
  map.type = 'importmap';
  map.text = JSON.stringify({ imports });
  document.head.append(map);

  /** Where peers find the files that they fetch. */
  window.assets = {
    tfjs: `${modules}/@tensorflow/tfjs-backend-wasm/dist/`,
    litert: `${modules}/@litertjs/core/wasm/`,
  };
})();
