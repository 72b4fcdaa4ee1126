// RTNeural's own vectors, which Keras and PyTorch wrote, where they lie beside the project. The tolerance is RTNeural's.
import { readFileSync } from 'node:fs';
import { BatchNorm1d, Conv1d, ConvTranspose1d, init, Network, Tensor } from 'conv1d-wasm';
import { fromRoot, isPresent, print, readJson } from './support.js';

const folder = '../shared/models/rtneural';
const tolerance = 1e-6;

await init({ threads: 1 });

/** The rows of a .csv file. */
function readCsv(name) {
  const lines = readFileSync(fromRoot(`${folder}/${name}.csv`), 'utf8').trim();
  return lines.split('\n').map((line) => line.split(',').map(Number));
}

/** A signal of one channel, of which the file has a sample in each line. */
const readColumn = (name) => [readCsv(name).flat()];

const kerasLayers = {
  prelu: ({ weights }) => {
    const slopes = weights.flat(Infinity);
    return (x) => x.activation({ type: 'prelu', slope: slopes.length > 1 ? slopes : slopes[0] });
  },
  batchnorm: ({ weights, epsilon: eps }) => {
    const names = ['weight', 'bias', 'running_mean', 'running_var'].slice(-weights.length);
    const layer = new BatchNorm1d({ numFeatures: weights[0].length, eps, affine: weights.length === 4 });
    layer.loadStateDict(Object.fromEntries(names.map((name, i) => [name, new Tensor(weights[i])])));
    return layer;
  },
  conv1d: ({ weights: [kernel, bias], activation, dilation: [dilation], groups = 1, padding }) => {
    const [kernelSize, groupIn, outChannels] = new Tensor(kernel).shape;
    const sizes = { inChannels: groupIn * groups, outChannels, kernelSize, dilation, groups, padding };
    const layer = new Conv1d({ ...sizes, activation: activation || 'none' });
    layer.loadStateDict({ kernel: new Tensor(kernel), bias: new Tensor(bias) }, { layout: 'tensorflow' });
    return layer;
  },
  dense: ({ weights: [kernel, bias], ...others }) =>
    kerasLayers.conv1d({ ...others, weights: [[kernel], bias.flat()], dilation: [1] }),
};

/** The network that Keras saved, with `padding` for its convolutions. */
function kerasNetwork(name, padding) {
  const { layers } = readJson(`${folder}/${name}.json`);
  return Network.sequential(
    layers.map((layer) => kerasLayers[layer.type]({ ...layer, padding })),
    { inChannels: 1 },
  );
}

function expectNear(got, expected) {
  expect(got.map((row) => row.length)).toEqual(expected.map((row) => row.length));
  const errors = got.flatMap((row, c) => row.map((value, t) => Math.abs(value - expected[c][t])));
  expect(Math.max(...errors)).toBeLessThan(tolerance);
}

function microTcnBlock() {
  const part = (name) => {
    const { eps, ...values } = readJson(`${folder}/microtcn/${name}.json`);
    const lists = Object.entries(values).filter(([, list]) => Array.isArray(list));
    return { eps, tensors: Object.fromEntries(lists.map(([key, list]) => [key, new Tensor(list)])) };
  };
  const { eps, tensors } = part('bn');
  const norm = new BatchNorm1d({ numFeatures: 32, eps });
  norm.loadStateDict(tensors);
  const conv = (name, options) =>
    new Conv1d({ inChannels: 1, outChannels: 32, bias: false, ...part(name).tensors, ...options });
  const [main, residual] = [conv('conv1', { kernelSize: 4, dilation: 10 }), conv('res', { kernelSize: 1 })];
  const activation = { type: 'prelu', slope: part('relu').tensors.weight.data };
  return new Network(1, (x) => x.apply(main).apply(norm).activation(activation).add(x.apply(residual).crop(30, 0)));
}

if (isPresent(folder)) {
  test.each([
    ['conv', 'causal'],
    ['conv_stateless', 'valid'],
  ])('Keras, %s', (name, padding) => {
    const output = kerasNetwork(name, padding).forward(new Tensor(readColumn(`${name}_x_python`)));
    expectNear(output.toArray(), readColumn(`${name}_y_python`));
  });

  test('PyTorch, ConvTranspose1d', () => {
    const { weight, bias } = readJson(`${folder}/convtranspose1d_torch.json`);
    const parameters = { weight: new Tensor(weight), bias: new Tensor(bias) };
    const sizes = { inChannels: 4, outChannels: 15, kernelSize: 5, stride: 3, padding: 3 };
    const output = new ConvTranspose1d({ ...sizes, ...parameters }).forward(
      new Tensor(readCsv('convtranspose1d_torch_x_python')),
    );
    expectNear(output.toArray(), readCsv('convtranspose1d_torch_y_python'));
  });

  test('PyTorch, a block of microTCN', () => {
    const output = microTcnBlock().forward(new Tensor(readColumn('microtcn_x')));
    expectNear(output.toArray(), readCsv('microtcn_y'));
  });
} else {
  print("RTNeural's vectors are not here: their tests are skipped");
  test.skip("RTNeural's vectors", () => {});
}
