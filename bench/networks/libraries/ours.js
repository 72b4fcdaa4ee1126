// Networks on this library.
import { BatchNorm1d, Conv1d, ConvTranspose1d, Linear, Lstm, Network, Tensor } from 'conv1d-wasm';

/** What an architecture is made with, see ../networks.js. Values are those of `Network`. */
class Builder {
  layers = [];
  #runtime;

  constructor(runtime) {
    this.#runtime = runtime;
  }

  #keep(layer) {
    this.layers.push(layer);
    return layer;
  }

  #convolution(Layer, shape, x, { weight, bias, ...options }) {
    const given = { weight: new Tensor(weight, shape), bias: bias ? new Tensor(bias, [bias.length]) : false };
    return x.conv(this.#keep(new Layer({ ...options, ...given, runtime: this.#runtime })));
  }

  conv(x, options) {
    const { inChannels, outChannels, kernelSize } = options;
    return this.#convolution(Conv1d, [outChannels, inChannels, kernelSize], x, options);
  }

  convTranspose(x, options) {
    const { inChannels, outChannels, kernelSize } = options;
    return this.#convolution(ConvTranspose1d, [inChannels, outChannels, kernelSize], x, options);
  }

  linear(x, options) {
    return this.#convolution(Linear, [options.outFeatures, options.inFeatures], x, options);
  }

  batchNorm(x, { eps, ...parameters }) {
    const layer = new BatchNorm1d({ numFeatures: x.channels, eps });
    const tensors = Object.entries(parameters).map(([name, data]) => [name, new Tensor(data, [x.channels])]);
    layer.loadStateDict(Object.fromEntries(tensors));
    return x.apply(layer);
  }

  lstm(x, { hiddenSize, weightIh, weightHh, biasIh, biasHh }) {
    const layer = this.#keep(new Lstm({ inputSize: x.channels, hiddenSize, runtime: this.#runtime }));
    layer.loadStateDict({
      weight_ih_l0: new Tensor(weightIh, [4 * hiddenSize, x.channels]),
      weight_hh_l0: new Tensor(weightHh, [4 * hiddenSize, hiddenSize]),
      bias_ih_l0: new Tensor(biasIh, [4 * hiddenSize]),
      bias_hh_l0: new Tensor(biasHh, [4 * hiddenSize]),
    });
    return x.apply(layer);
  }

  activation = (x, option) => x.activation(option);
  add = (x, y) => x.add(y);
  scale = (x, factor) => x.multiply(factor);
  magnitude = (x) => x.magnitude();
  maxPool = (x, options) => x.maxPool(options);
  globalAveragePool = (x) => x.globalAveragePool();
}

/** The network of an architecture, and its layers. */
export function ourNetwork(runtime, inChannels, describe) {
  const builder = new Builder(runtime);
  const network = new Network(inChannels, (x) => describe(builder, x), { runtime });
  return { network, own: [network, ...builder.layers] };
}

export const disposeAll = (owned) => {
  for (const each of owned) each.dispose();
};

/** `forward` from an array into a given one. */
export const ours = (runtime, { describe, input, shape }) => ({
  name: 'conv1d-wasm',
  prepare() {
    const { network, own } = ourNetwork(runtime, shape[1], describe);
    const tensor = new Tensor(input, shape);
    const out = network.forward(tensor);
    return { run: () => void network.forward(tensor, { out }), check: () => out.data, dispose: () => disposeAll(own) };
  },
});
