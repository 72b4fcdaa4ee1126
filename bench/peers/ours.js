// conv1d-wasm itself: each build, its tensors in wasm memory and in JavaScript arrays; float16 for comparison.
import { Conv1d, createRuntime, Tensor } from 'conv1d-wasm';
import { isDense } from '../layer.js';

export const name = 'conv1d-wasm';

/** One for each build that was loaded. */
export const runtimes = [];

/** The options of `layer`, as this library names them. */
export function layerOptions({ Cin, Cout, k, s, p, d, g }) {
  return { inChannels: Cin, outChannels: Cout, kernelSize: k, stride: s, padding: p, dilation: d, groups: g };
}

// Ways to call forward. 'wasm': tensors that stay in wasm memory. 'js': an array in, a new array out, as peers have it.
// 'js-out': an array in, and out into an array that is there already.
function placements(conv, given, runtime) {
  return {
    wasm() {
      const input = given.toWasm(runtime);
      const out = conv.forward(input);
      return { run: () => void conv.forward(input, { out }), output: () => out, own: [input, out] };
    },
    js() {
      let out;
      const run = () => {
        out = conv.forward(given);
      };
      return { run, output: () => out, own: [] };
    },
    'js-out'() {
      const out = conv.forward(given);
      return { run: () => void conv.forward(given, { out }), output: () => out, own: [] };
    },
  };
}

function contender(runtime, placement, dtype = 'float32') {
  return {
    name,
    variant: runtime.variant,
    placement,
    dtype,
    prepare(layer, data) {
      if (dtype === 'float16' && !isDense(layer)) return null;
      const { N, Cin, Cout, k, g, L } = layer;
      // A tensor converts plain numbers to float16, which not every engine has an array of.
      const tensor = (numbers, shape) => new Tensor(dtype === 'float16' ? Array.from(numbers) : numbers, shape, dtype);
      const conv = new Conv1d({ ...layerOptions(layer), dtype, runtime });
      conv.weight = tensor(data.weight, [Cout, Cin / g, k]);
      conv.bias = tensor(data.bias, [Cout]);
      const { run, output, own } = placements(conv, tensor(data.input, [N, Cin, L]), runtime)[placement]();
      const { algorithm, kernel, bytes, scratchBytes, threads } = conv.explain([N, Cin, L]);
      return {
        explanation: { algorithm, kernel, bytes, scratchBytes, threads },
        run,
        output: () => Float32Array.from(output().toArray().flat(2)),
        dispose() {
          for (const owned of [conv, ...own]) owned.dispose();
        },
      };
    },
  };
}

export async function load({ threads, variants }) {
  const contenders = [];
  for (const variant of variants) {
    const runtime = await createRuntime({ threads, variant }).catch((error) => {
      if (error.code !== 'ERR_UNSUPPORTED') throw error;
      return null; // not every engine has relaxed SIMD
    });
    if (!runtime) continue;
    if (runtime.threads !== threads) throw new Error(runtime.threadsReason);
    runtimes.push(runtime);
    contenders.push(...['wasm', 'js', 'js-out'].map((placement) => contender(runtime, placement)));
    contenders.push(contender(runtime, 'wasm', 'float16'));
  }
  if (contenders.length === 0) throw new Error(`this engine has none of our builds: ${variants.join(', ')}`);
  return contenders;
}
