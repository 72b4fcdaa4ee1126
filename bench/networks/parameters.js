// Parameters of networks: random ones, the same each time, or those of a file.
import { randoms } from '../layer.js';

/** Draws weights, uniform so that a signal keeps its variance through a layer, and small biases. */
export function randomParameters() {
  let seed = 0;
  const draw = (length, products) => {
    const limit = Math.sqrt(3 / products);
    return randoms(length, ++seed).map((value) => value * limit);
  };
  return {
    conv: (inChannels, outChannels, kernelSize) => ({
      ...{ inChannels, outChannels, kernelSize },
      weight: draw(inChannels * outChannels * kernelSize, inChannels * kernelSize),
      bias: draw(outChannels, 300),
    }),
    convTranspose: (inChannels, outChannels, kernelSize, stride) => ({
      ...{ inChannels, outChannels, kernelSize, stride },
      weight: draw(inChannels * outChannels * kernelSize, (inChannels * kernelSize) / stride),
      bias: draw(outChannels, 300),
    }),
    linear: (inFeatures, outFeatures) => ({
      ...{ inFeatures, outFeatures },
      weight: draw(inFeatures * outFeatures, inFeatures),
      bias: draw(outFeatures, 300),
    }),
  };
}

/** The convolution of a state dictionary of PyTorch's whose names start with `prefix`. */
export function convOf(dict, prefix) {
  const { shape, data: weight } = dict[`${prefix}weight`];
  const [outChannels, inChannels, kernelSize] = shape;
  return { inChannels, outChannels, kernelSize, weight, bias: dict[`${prefix}bias`]?.data ?? null };
}
