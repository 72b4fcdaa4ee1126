// tfjs-backend-wasm: a fused convolution with bias, channels last.
import * as tf from '@tensorflow/tfjs-core';
import { getThreadsCount, setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { paddedChannelsLast, swapLast } from '../layer.js';

export const name = 'tfjs-backend-wasm';

/** The layer as tfjs has it, or null: it takes stride or dilation but not both, and groups only when depthwise. */
function operation({ Cin, Cout, k, s, p, d, g }, { weight, bias }) {
  if ((s > 1 && d > 1) || (g > 1 && g !== Cin)) return null;
  const tapsFirst = swapLast(weight, 1, weight.length / k, k); // (k, Cout, Cin / g)
  const filter =
    g > 1
      ? tf.tensor4d(tapsFirst, [1, k, Cin, Cout / g])
      : tf.tensor4d(swapLast(tapsFirst, k, Cout, Cin), [1, k, Cin, Cout]);
  const biases = tf.tensor1d(bias);
  const settings = {
    filter,
    bias: biases,
    strides: [1, s],
    dilations: [1, d],
    pad: [[0, 0], [0, 0], [p, p], [0, 0]], // prettier-ignore
  };
  const apply = g > 1 ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
  return { apply: (x) => apply({ x, ...settings }), dispose: () => tf.dispose([filter, biases]) };
}

function contender(placement) {
  return {
    name,
    placement,
    prepare(layer, data) {
      const conv = operation(layer, data);
      if (!conv) return null;
      const { N, Cin, Cout, L, Lout } = layer;
      const array = paddedChannelsLast({ ...layer, p: 0 }, data.input);
      const upload = () => tf.tensor4d(array, [N, 1, L, Cin]);
      const resident = placement === 'wasm' ? upload() : null;
      let output = null;
      const runResident = () => {
        output?.dispose();
        output = conv.apply(resident);
      };
      const runFromArrays = () => {
        const x = upload();
        const y = conv.apply(x);
        output = y.dataSync();
        tf.dispose([x, y]);
      };
      return {
        run: placement === 'wasm' ? runResident : runFromArrays,
        output: () => swapLast(placement === 'wasm' ? output.dataSync() : output, N, Lout, Cout),
        dispose() {
          conv.dispose();
          if (resident) tf.dispose([resident, output]);
        },
      };
    },
  };
}

// tfjs takes at most half as many threads as there are logical cores; told of twice as many, it takes what is asked for.
async function withCores(cores, start) {
  Object.defineProperty(navigator, 'hardwareConcurrency', { value: cores, configurable: true });
  await start();
  delete navigator.hardwareConcurrency;
}

export async function load({ threads, assets }) {
  const start = () => tf.setBackend('wasm');
  setThreadsCount(threads);
  if (assets) {
    setWasmPaths(assets.tfjs);
    await withCores(2 * threads, start);
    if (getThreadsCount() !== threads) throw new Error(`it has ${getThreadsCount()} threads, not ${threads}`);
  } else {
    await start(); // in Node it finds its files by itself, and has one thread whatever is asked for
  }
  return [contender('wasm'), contender('js')];
}
