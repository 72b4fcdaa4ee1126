// Networks on tfjs-backend-wasm, which has channels last: a signal is (N, 1, L, C).
import * as tf from '@tensorflow/tfjs-core';
import { swapLast } from '../../layer.js';

/** What an architecture is made with, see ../networks.js, as far as the networks that run here need it. */
class Builder {
  #tensors = new Map();

  /** The tensor that `make` makes of `data`, the same one in every run. */
  #constant(data, make) {
    if (!this.#tensors.has(data)) this.#tensors.set(data, tf.keep(make(data)));
    return this.#tensors.get(data);
  }

  #vector = (data) => this.#constant(data, tf.tensor1d);

  conv(x, { inChannels, outChannels, kernelSize, stride = 1, padding = 0, weight, bias, activation }) {
    const [left, right] = Array.isArray(padding) ? padding : [padding, padding];
    const filter = this.#constant(weight, () => {
      const tapsFirst = swapLast(weight, 1, outChannels * inChannels, kernelSize);
      const data = swapLast(tapsFirst, kernelSize, outChannels, inChannels);
      return tf.tensor4d(data, [1, kernelSize, inChannels, outChannels]);
    });
    const pad = [[0, 0], [0, 0], [left, right], [0, 0]]; // prettier-ignore
    return tf.fused.conv2d({ x, filter, bias: this.#vector(bias), strides: [1, stride], pad, activation });
  }

  batchNorm(x, { weight, bias, running_mean: mean, running_var: variance, eps }) {
    const [offset, scale] = [this.#vector(bias), this.#vector(weight)];
    return tf.batchNorm(x, this.#vector(mean), this.#vector(variance), offset, scale, eps);
  }

  maxPool = (x, { kernelSize, stride = kernelSize }) => tf.maxPool(x, [1, kernelSize], [1, stride], 'valid');

  linear(x, { inFeatures, outFeatures, flatten, weight, bias, activation }) {
    // Samples come before channels here, and the inputs of the weight first: its kernel forgets the bias with transposeB.
    const b = this.#constant(weight, () => {
      const samplesFirst = swapLast(weight, outFeatures, inFeatures / flatten, flatten);
      return tf.tensor2d(swapLast(samplesFirst, 1, outFeatures, inFeatures), [inFeatures, outFeatures]);
    });
    const a = tf.reshape(x, [-1, inFeatures]);
    return tf.fused.matMul({ a, b, bias: this.#vector(bias), activation });
  }

  dispose() {
    tf.dispose([...this.#tensors.values()]);
  }
}

/** The whole network, from an array to a new one. */
export const tfjs = ({ describe, input, shape: [batch, channels, length] }) => ({
  name: 'tfjs-backend-wasm',
  prepare() {
    const builder = new Builder();
    const rows = swapLast(input, batch, channels, length);
    let output;
    return {
      run() {
        output = tf.tidy(() => describe(builder, tf.tensor4d(rows, [batch, 1, length, channels])).dataSync());
      },
      check: () => output,
      dispose: () => builder.dispose(),
    };
  },
});
