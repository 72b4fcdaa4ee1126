// Lets tfjs-backend-wasm train convolutions of one dimension: it lacks the gradient of a filter.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // it registers the gradients of tfjs-core's operations
import { conv1dGrad, Tensor } from 'conv1d-wasm';

// From tfjs's order of axes to ours, and back: from (N, 1, L, C) to (N, 1, C, L), from (1, k, Cin, Cout) to (1, Cout, Cin, k).
const axes = { input: [0, 1, 3, 2], weight: [0, 3, 2, 1] };

/**
 * The gradient of the 'input' x (N, 1, L, Cin) or of the 'weight' filter (1, k, Cin, Cout) of a convolution, as
 * tf.layers.conv1d makes it: of images of height 1.
 */
function gradient(name, { x, dy, filter }, { strides, pad, dilations = 1 }) {
  return tf.tidy(() => {
    const info = tf.backend_util.computeConv2DInfo(x.shape, filter.shape, strides, dilations, pad);
    if (info.inHeight !== 1 || info.filterHeight !== 1) throw new Error('it trains convolutions of one dimension only');
    const ours = (tensor, kind, shape) => new Tensor(tf.transpose(tensor, axes[kind]).dataSync(), shape);
    const { batchSize, inChannels, inWidth, outChannels, outWidth, filterWidth, padInfo } = info;
    const result = conv1dGrad(
      ours(x, 'input', [batchSize, inChannels, inWidth]),
      ours(filter, 'weight', [outChannels, inChannels, filterWidth]),
      ours(dy, 'input', [batchSize, outChannels, outWidth]),
      {
        stride: info.strideWidth,
        dilation: info.dilationWidth,
        padding: [padInfo.left, padInfo.right],
        needs: [name],
      },
    )[name];
    const [first, ...others] = result.shape;
    const shape = name === 'input' ? [first, 1, ...others] : [1, first, ...others];
    return tf.transpose(tf.tensor(result.data, shape), axes[name]);
  });
}

/** Registers what tfjs-backend-wasm lacks; and gradients of dilated convolutions, which tfjs refuses on every backend. */
export function registerGradients() {
  tf.registerKernel({
    kernelName: 'Conv2DBackpropFilter',
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs }) =>
      tf.tidy(() => gradient('weight', { ...inputs, filter: tf.zeros(attrs.filterShape) }, attrs)),
  });
  const { gradFunc, ...config } = tf.getGradient('Conv2D');
  tf.unregisterGradient('Conv2D');
  tf.registerGradient({
    ...config,
    gradFunc(dy, [x, filter], attrs) {
      if ([attrs.dilations].flat().every((dilation) => dilation === 1)) return gradFunc(dy, [x, filter], attrs);
      const of = (name) => () => gradient(name, { x, dy, filter }, attrs);
      return { x: of('input'), filter: of('weight') };
    },
  });
}
