// Gradients that examples/lib/tfjs.mjs gives tfjs-backend-wasm, beside those of tfjs-backend-cpu: prints by how much they
// differ, as parts of the largest.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { init } from 'conv1d-wasm';
import { registerGradients } from '../../../examples/lib/tfjs.mjs';

tf.env().set('IS_TEST', true); // or its backend in JavaScript recommends another one
await init({ threads: 1 });
await tf.setBackend('wasm');
registerGradients();

const length = 37;
const [inChannels, outChannels] = [3, 5];

/** Of taps (k, Cin, Cout), so many more with zeros between them: the cpu backend has no gradients of dilated convolutions. */
function spread(filter, dilation) {
  const [taps, ...channels] = filter.shape;
  const rows = tf.pad(tf.expandDims(filter, 1), [[0, 0], [0, dilation - 1], [0, 0], [0, 0]]); // prettier-ignore
  return tf.slice(
    tf.reshape(rows, [taps * dilation, ...channels]),
    [0, 0, 0],
    [(taps - 1) * dilation + 1, ...channels],
  );
}

/** Both gradients on the backend that is set. */
function gradientsOf({ x, filter, scale }, convolve) {
  const gradients = tf.grads((x, filter) => tf.sum(tf.mul(convolve(x, filter), scale)))([x, filter]);
  return gradients.map((gradient) => ({ shape: gradient.shape, data: gradient.dataSync() }));
}

async function differences({ taps, stride = 1, dilation = 1, pad }, seed) {
  const shapes = { x: [2, length, inChannels], filter: [taps, inChannels, outChannels], scale: [outChannels] };
  const draw = (shape, i) => Array.from(tf.randomNormal(shape, 0, 1, 'float32', 3 * seed + i + 1).dataSync());
  const data = Object.entries(shapes).map(([name, shape], i) => [name, shape, draw(shape, i)]);
  const tensors = () => Object.fromEntries(data.map(([name, shape, values]) => [name, tf.tensor(values, shape)]));
  const ours = gradientsOf(tensors(), (x, filter) => tf.conv1d(x, filter, stride, pad, 'NWC', dilation));
  await tf.setBackend('cpu');
  const expected = gradientsOf(tensors(), (x, filter) => tf.conv1d(x, spread(filter, dilation), stride, pad));
  await tf.setBackend('wasm');
  return expected.map(({ shape, data }, i) => {
    if (String(ours[i].shape) !== String(shape)) throw new Error(`shape ${ours[i].shape} instead of ${shape}`);
    const most = (values) => values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    return most(data.map((value, j) => value - ours[i].data[j])) / most(data);
  });
}

const results = [];
for (const pad of ['same', 'valid']) {
  for (const taps of [1, 4, 5]) {
    for (const stride of [1, 2, 3]) results.push({ taps, stride, pad });
    for (const dilation of [2, 5]) results.push({ taps, dilation, pad });
  }
}
for (const [seed, result] of results.entries()) result.differences = await differences(result, seed);

const image = { x: tf.zeros([1, 4, 4, 1]), filter: tf.zeros([2, 2, 1, 1]), scale: tf.scalar(1) };
let refused = '';
try {
  gradientsOf(image, (x, filter) => tf.conv2d(x, filter, 1, 'valid'));
} catch (error) {
  refused = error.message;
}
console.log(JSON.stringify({ results, refused }));
process.exit();
