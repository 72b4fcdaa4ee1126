// A training step on jax-js's wasm backend.
import { convolutions, forward, learningRate, makeData } from '../amp.js';

const images = 2; // of the batch: with all 16, 0.1.25 computes wrong gradients of dilated filters

/** Its functions take over what they are given; `.ref` keeps it. */
export const jax = () => ({
  name: 'jax-js, wasm',
  images,
  async prepare() {
    delete globalThis.Worker; // then it has one thread; nothing that is started later wants workers
    const { defaultDevice, init, jit, lax, nn, numpy: np, tree, valueAndGrad } = await import('@jax-js/jax');
    if (!(await init('wasm')).includes('wasm')) throw new Error('jax-js has no wasm backend here');
    defaultDevice('wasm');
    const data = makeData(images);
    const [input, target] = [data.input, data.target].map((values) => np.array(values).reshape(data.shape));

    function dilated(x, filter, { kernelSize, dilation }) {
      const padding = [[(kernelSize - 1) * dilation, 0]];
      return lax.convGeneralDilated(x, filter, [1], padding, { rhsDilation: [dilation] });
    }
    function lossOf(parameters, input, target) {
      const operations = {
        conv(x, i) {
          const { weight, bias } = parameters[i];
          const y = dilated(x.ref, weight, convolutions[i]);
          return bias ? y.add(bias.reshape([convolutions[i].outChannels, 1])) : y;
        },
        leakyRelu: (x) => nn.leakyRelu(x, 0.01),
        add: (x, y) => x.ref.add(y.ref),
      };
      return np.mean(np.square(forward(operations, input).sub(target)));
    }
    const gradientsOf = jit(valueAndGrad(lossOf));
    let parameters = convolutions.map(({ weight, bias, inChannels, outChannels, kernelSize }) => ({
      weight: np.array(weight).reshape([outChannels, inChannels, kernelSize]),
      ...(bias && { bias: np.array(bias) }),
    }));
    let gradients = null;
    return {
      async run() {
        if (gradients) tree.dispose(gradients);
        const [value, found] = gradientsOf(tree.ref(parameters), input.ref, target.ref);
        gradients = found;
        parameters = tree.map((x, g) => x.sub(g.ref.mul(learningRate)), parameters, gradients);
        await value.data();
        for (const { weight } of parameters) await weight.ref.data();
      },
      check: () =>
        gradients.flatMap(({ weight, bias }) => [...weight.ref.dataSync(), ...(bias ? bias.ref.dataSync() : [])]),
      dispose: () => tree.dispose([parameters, gradients, input, target]),
    };
  },
});
