// conv1d-wasm itself: each build, its tensors in wasm memory and in JavaScript arrays; float16 for comparison.
import { Conv1d, createRuntime, Tensor } from 'conv1d-wasm';
import { isDense } from '../layer.js';

export const name = 'conv1d-wasm';

/** The options of `layer`, as this library names them. */
export function layerOptions({ Cin, Cout, k, s, p, d, g }) {
  return { inChannels: Cin, outChannels: Cout, kernelSize: k, stride: s, padding: p, dilation: d, groups: g };
}

function float16(numbers) {
  // Not every engine has Float16Array; a tensor converts plain numbers by itself.
  return (shape) => new Tensor(Array.from(numbers), shape, 'float16');
}

const float32 = (numbers) => (shape) => new Tensor(numbers, shape);

function contender(runtime, placement, dtype) {
  const { variant } = runtime;
  return {
    name,
    variant,
    placement,
    dtype,
    prepare(layer, data) {
      if (dtype === 'float16' && !isDense(layer)) return null;
      const { N, Cin, Cout, k, g, L } = layer;
      const tensor = dtype === 'float16' ? float16 : float32;
      const conv = new Conv1d({ ...layerOptions(layer), dtype, runtime });
      conv.weight = tensor(data.weight)([Cout, Cin / g, k]);
      conv.bias = tensor(data.bias)([Cout]);
      const given = tensor(data.input)([N, Cin, L]);
      const input = placement === 'wasm' ? given.toWasm(runtime) : given;
      const kept = placement === 'wasm' ? conv.forward(input) : null;
      let output = kept;
      const { algorithm, kernel, bytes, scratchBytes, threads } = conv.explain(input.shape);
      return {
        explanation: { algorithm, kernel, bytes, scratchBytes, threads },
        run:
          placement === 'wasm'
            ? () => void conv.forward(input, { out: kept })
            : () => {
                output = conv.forward(input);
              },
        output: () => Float32Array.from(output.toArray().flat(2)),
        dispose() {
          for (const owned of [conv, input, output]) owned.dispose();
        },
      };
    },
  };
}

export async function load({ threads, variants }) {
  const contenders = [];
  for (const variant of variants) {
    const runtime = await createRuntime({ threads, variant });
    if (runtime.threads !== threads) throw new Error(runtime.threadsReason);
    contenders.push(contender(runtime, 'wasm', 'float32'), contender(runtime, 'js', 'float32'));
    contenders.push(contender(runtime, 'wasm', 'float16'));
  }
  return contenders;
}
