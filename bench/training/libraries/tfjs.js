// A training step on tfjs-backend-cpu: tfjs-backend-wasm has no gradient of a convolution's filter. Channels are last.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-layers'; // for the gradients of tfjs-core's operations
import { swapLast } from '../../layer.js';
import { convolutions, forward, learningRate, makeData } from '../amp.js';

const images = 2; // of the batch: it takes seconds for each

/** (outChannels, inChannels, taps) to (taps, 1, inChannels, outChannels), and back. */
const toFilter = (weight, { inChannels, outChannels, kernelSize }) =>
  swapLast(swapLast(weight, outChannels, inChannels, kernelSize), 1, outChannels, inChannels * kernelSize);
const fromFilter = (filter, { inChannels, outChannels, kernelSize }) =>
  swapLast(swapLast(filter, 1, inChannels * kernelSize, outChannels), outChannels, kernelSize, inChannels);

// A causal convolution of x (N, L, C). tfjs has no gradients of dilated ones: every dilation-th sample is a column of an image.
function dilated(x, filter, { kernelSize, dilation }) {
  const [count, samples, inChannels] = x.shape;
  const rows = Math.ceil(samples / dilation);
  const before = rows * dilation - samples;
  const padded = tf.pad(x, [[0, 0], [(kernelSize - 1) * dilation + before, 0], [0, 0]]); // prettier-ignore
  const image = tf.reshape(padded, [count, rows + kernelSize - 1, dilation, inChannels]);
  const y = tf.reshape(tf.conv2d(image, filter, 1, 'valid'), [count, rows * dilation, filter.shape[3]]);
  return tf.slice(y, [0, before, 0]);
}

export const tfjs = () => ({
  name: 'tfjs-backend-cpu',
  images,
  async prepare() {
    tf.env().set('IS_TEST', true); // or it recommends another backend in Node
    await tf.setBackend('cpu');
    const parameters = convolutions.map(({ weight, bias, ...size }) => {
      const { inChannels, outChannels, kernelSize } = size;
      const filter = tf.tensor4d(toFilter(weight, size), [kernelSize, 1, inChannels, outChannels]);
      return { size, filter: tf.variable(filter), bias: bias && tf.variable(tf.tensor1d(bias)) };
    });
    const operations = {
      conv(x, i) {
        const { size, filter, bias } = parameters[i];
        const y = dilated(x, filter, size);
        return bias ? tf.add(y, bias) : y;
      },
      leakyRelu: (x) => tf.leakyRelu(x, 0.01),
      add: tf.add,
    };
    const data = makeData(images);
    const [count, , samples] = data.shape;
    const [input, target] = [data.input, data.target].map((values) => tf.tensor3d(values, [count, samples, 1]));
    const optimizer = tf.train.sgd(learningRate);
    let gradients = {};
    return {
      run() {
        tf.dispose(gradients);
        const { value, grads } = tf.variableGrads(() => tf.losses.meanSquaredError(target, forward(operations, input)));
        gradients = grads;
        optimizer.applyGradients(grads);
        value.dispose();
      },
      check: () =>
        parameters.flatMap(({ size, filter, bias }) => [
          ...fromFilter(gradients[filter.name].dataSync(), size),
          ...(bias ? gradients[bias.name].dataSync() : []),
        ]),
      dispose() {
        tf.dispose([gradients, input, target, parameters.map(({ filter, bias }) => [filter, bias])]);
        optimizer.dispose();
      },
    };
  },
});
