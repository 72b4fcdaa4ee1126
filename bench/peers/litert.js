// LiteRT.js (XNNPACK with relaxed SIMD): one operator, channels last, over an input padded beforehand.
import { loadAndCompile, loadLiteRt, Tensor } from '@litertjs/core';
import { paddedChannelsLast, swapLast } from '../layer.js';
import { tfliteConv } from './tflite.js';

const mostTaps = 16384; // with 48,000 its delegate fails, and brings the page down later

export const name = 'LiteRT.js';

function contender(placement, threads) {
  return {
    name,
    placement,
    async prepare(layer, data) {
      const { N, Cin, Cout, k, L, p, Lout } = layer;
      if (k > mostTaps) return null;
      const file = tfliteConv(layer, data);
      if (!file) return null;
      const model = await loadAndCompile(file, { accelerator: 'wasm', cpuOptions: { numThreads: threads } });
      const array = paddedChannelsLast(layer, data.input);
      const upload = () => new Tensor(array, [N, 1, L + 2 * p, Cin]);
      const resident = placement === 'wasm' ? upload() : null;
      let output = null;
      const runResident = async () => {
        output?.delete();
        [output] = await model.run([resident]);
      };
      const runFromArrays = async () => {
        const x = upload();
        const [y] = await model.run([x]);
        output = y.toTypedArray();
        x.delete();
        y.delete();
      };
      return {
        run: placement === 'wasm' ? runResident : runFromArrays,
        output: () => swapLast(placement === 'wasm' ? output.toTypedArray() : output, N, Lout, Cout),
        dispose() {
          model.delete();
          resident?.delete();
          if (resident) output?.delete();
        },
      };
    },
  };
}

export async function load({ threads, assets }) {
  if (!assets) throw new Error('it loads by script tags, which only a page has');
  await loadLiteRt(assets.litert, { threads: threads > 1 }); // once a page
  return [contender('wasm', threads), contender('js', threads)];
}
