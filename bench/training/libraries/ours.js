// A training step on this library.
import { Conv1d, createRuntime, Network, Tensor } from 'conv1d-wasm';
import { mse, Sgd } from 'conv1d-wasm/train';
import { batch, convolutions, forward, learningRate, makeData } from '../amp.js';

export const ours = (runtime, threads) => ({
  name: threads === 1 ? 'conv1d-wasm' : `conv1d-wasm, ${threads} threads`,
  images: batch,
  async prepare() {
    const own = threads === 1 ? null : await createRuntime({ threads, variant: runtime.variant });
    if (own && own.threads !== threads) throw new Error(own.threadsReason);
    const used = own ?? runtime;
    const layers = convolutions.map(({ weight, bias, ...options }) => {
      const { inChannels, outChannels, kernelSize } = options;
      const conv = new Conv1d({ ...options, padding: 'causal', bias: bias !== null, runtime: used });
      conv.weight = new Tensor(weight, [outChannels, inChannels, kernelSize]);
      if (bias) conv.bias = new Tensor(bias, [outChannels]);
      return conv;
    });
    const operations = {
      conv: (x, i) => x.conv(layers[i]),
      leakyRelu: (x) => x.activation('leaky_relu'),
      add: (x, y) => x.add(y),
    };
    const network = new Network(1, (x) => forward(operations, x), { runtime: used, layers: { ...layers } });
    const data = makeData(batch);
    const [input, target] = [data.input, data.target].map((values) => new Tensor(values, data.shape));
    const [loss, optimizer] = [mse(), new Sgd({ learningRate })];
    let gradients;
    return {
      run() {
        const recording = network.record(input);
        const { gradient } = loss.of(recording.output, target);
        gradients = recording.backward(gradient, { needs: ['parameters'] }).parameters;
        recording.dispose();
        optimizer.step(network, gradients);
      },
      check: () =>
        layers.flatMap((_, i) => ['weight', 'bias'].flatMap((name) => [...(gradients[`${i}.${name}`]?.data ?? [])])),
      dispose() {
        for (const each of [network, ...layers, ...(own ? [own] : [])]) each.dispose();
      },
    };
  },
});
