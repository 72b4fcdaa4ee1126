// tfjs trains a model of convolutions on its wasm backend, with the gradients that conv1d-wasm gives it:
//   node examples/tfjs-gradient.mjs
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { init } from 'conv1d-wasm';
import { registerGradients } from './lib/tfjs.mjs';

const [count, length] = [256, 64];

await init({ threads: 1 });
await tf.setBackend('wasm');
registerGradients();

// Which of three tones a noisy signal has.
const tones = Array.from({ length: count }, (_, i) => i % 3);
const phases = tf.randomUniform([count, 1], 0, 2 * Math.PI, 'float32', 1);
const angles = tf.add(phases, tf.outerProduct(tf.tensor1d(tones.map((tone) => 0.4 + 0.3 * tone)), tf.range(0, length)));
const signals = tf.expandDims(tf.add(tf.sin(angles), tf.randomNormal([count, length], 0, 0.5, 'float32', 2)), 2);
const labels = tf.oneHot(tf.tensor1d(tones, 'int32'), 3);

const conv = (options) => layers.conv1d({ kernelSize: 5, activation: 'relu', ...options });
const model = sequential({
  layers: [
    conv({ filters: 8, strides: 2, padding: 'same', inputShape: [length, 1] }),
    conv({ filters: 8, dilationRate: 2 }),
    layers.globalAveragePooling1d(),
    layers.dense({ units: 3, activation: 'softmax' }),
  ],
});
model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
await model.fit(signals, labels, {
  epochs: 15,
  verbose: 0,
  callbacks: {
    onEpochEnd: (epoch, { loss, acc }) =>
      console.log(`epoch ${epoch + 1}  loss ${loss.toFixed(4)}  accuracy ${(100 * acc).toFixed(1)} %`),
  },
});
