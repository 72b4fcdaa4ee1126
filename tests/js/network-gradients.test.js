// Gradients of whole networks: what differences of their outputs say, and what recordings promise.
import {
  BatchNorm1d,
  Conv1d,
  ConvTranspose1d,
  createRuntime,
  GroupNorm,
  Gru,
  init,
  LayerNorm,
  Linear,
  Lstm,
  Network,
  Tensor,
} from 'conv1d-wasm';
import { bestVariant, expectSameBits, noiseTensor, product, thrown } from './support.js';

const runtime = await init({ variant: bestVariant, threads: 2 });
const single = await createRuntime({ variant: bestVariant, threads: 1 });

afterAll(() => single.dispose());

let seed = 0;
const conv = (inChannels, outChannels, kernelSize, more = {}) => {
  const layer = new Conv1d({ inChannels, outChannels, kernelSize, padding: 'same', ...more });
  layer.resetParameters({ scheme: 'pytorch', seed: ++seed });
  return layer;
};

/** Each gives the network's description and the layers that have names. */
const descriptions = {
  'gated blocks with residuals, skips and a shared layer': () => {
    const layers = {
      first: conv(1, 6, 3),
      shared: conv(6, 12, 3, { dilation: 2 }),
      mix: conv(6, 6, 1),
      last: conv(6, 2, 1),
    };
    const build = (x) => {
      let value = x.conv(layers.first);
      let skips = null;
      for (let i = 0; i < 3; ++i) {
        const gated = value.conv(layers.shared).gate();
        skips = skips ? skips.add(gated) : gated;
        value = value.add(gated.conv(layers.mix));
      }
      return skips.multiply(value).conv(layers.last);
    };
    return [1, build, layers];
  },
  'an encoder and a decoder': () => {
    const layers = {
      down: conv(2, 8, 3, { activation: 'gelu' }),
      deep: conv(8, 8, 3, { activation: 'mish' }),
      up: new ConvTranspose1d({ inChannels: 8, outChannels: 8, kernelSize: 4, stride: 2, padding: 1 }),
      norm: new GroupNorm({ numGroups: 2, numChannels: 16 }),
      last: conv(16, 1, 5, { paddingMode: 'reflect', activation: 'tanh' }),
    };
    const build = (x) => {
      const fine = x.conv(layers.down);
      const coarse = fine.averagePool(2).conv(layers.deep);
      return fine.concat(coarse.conv(layers.up)).apply(layers.norm).conv(layers.last);
    };
    return [2, build, layers];
  },
  'recurrent layers, norms and a classifier': () => {
    const layers = {
      batch: new BatchNorm1d({ numFeatures: 3 }),
      lstm: new Lstm({ inputSize: 3, hiddenSize: 5, bidirectional: true }),
      norm: new LayerNorm({ channels: 10 }),
      gru: new Gru({ inputSize: 10, hiddenSize: 4, numLayers: 2 }),
      last: new Linear({ inFeatures: 4, outFeatures: 3 }),
    };
    const build = (x) =>
      Object.values(layers)
        .reduce((value, layer) => value.apply(layer), x)
        .slice(0, 3)
        .globalAveragePool()
        .logSoftmax();
    return [3, build, layers];
  },
};

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** The derivative of dot(g, output) in a direction, by a difference, and how far off it may be. */
function slope(run, g) {
  const step = 2 ** -7;
  const [up, down, upTwice, downTwice] = [step, -step, 2 * step, -2 * step].map((h) => dot(run(h), g));
  const fine = (up - down) / (2 * step);
  const coarse = (upTwice - downTwice) / (4 * step);
  return [(4 * fine - coarse) / 3, Math.abs(fine - coarse) + 2e-3];
}

describe.each(Object.keys(descriptions))('%s', (name) => {
  seed = name.length;
  const [inChannels, build, layers] = descriptions[name]();
  const network = new Network(inChannels, build, { layers });
  const input = noiseTensor([2, inChannels, 24], 7);
  const output = network.forward(input);
  const gradOutput = noiseTensor(output.shape, 8);

  test('differences agree', () => {
    const recording = network.record(input, { training: false });
    expectSameBits(recording.output.data, output.data);
    const { parameters, input: ofInput } = recording.backward(gradOutput);
    recording.dispose();
    const dict = network.stateDict();
    const trained = Object.keys(dict).filter((key) => !/running_/.test(key));
    expect(Object.keys(parameters).sort()).toEqual(trained.sort());
    const moved = (tensor, direction, h) =>
      new Tensor(
        tensor.data.map((value, i) => value + h * direction[i]),
        tensor.shape,
      );
    for (const key of ['input', ...trained]) {
      const [tensor, gradient] = key === 'input' ? [input, ofInput] : [dict[key], parameters[key]];
      expect(gradient.shape).toEqual(tensor.shape);
      const direction = noiseTensor([tensor.size], 9).data;
      const run = (h) => {
        const there = moved(tensor, direction, h);
        if (key === 'input') return network.forward(there).data;
        network.loadStateDict({ ...dict, [key]: there });
        return network.forward(input).data;
      };
      const [expected, allowed] = slope(run, gradOutput.data);
      network.loadStateDict(dict);
      const got = dot(gradient.data, direction);
      expect([key, Math.abs(got - expected) <= allowed + 1e-3 * Math.abs(expected), got, expected]).toEqual([
        key,
        true,
        got,
        expected,
      ]);
    }
  });

  test('little memory, other placements and a second run give the same bits', () => {
    const run = (tensor, grad, memory) => {
      const recording = network.record(tensor, { training: false, memory });
      const [first, again] = [recording.backward(grad), recording.backward(grad)];
      recording.dispose();
      expectSameBits(first.input.data, again.input.data);
      return first;
    };
    const all = run(input, gradOutput, 'high');
    const inWasm = run(input.toWasm(), gradOutput.toWasm(), 'low');
    expect(inWasm.input.placement).toBe('wasm');
    for (const other of [run(input, gradOutput, 'low'), inWasm]) {
      expectSameBits(other.input.data, all.input.data);
      for (const [key, { data }] of Object.entries(all.parameters)) expectSameBits(other.parameters[key].data, data);
    }
    const some = network.record(input, { training: false }).backward(gradOutput, { needs: ['parameters'] });
    expect(some.input).toBeNull();
    for (const [key, { data }] of Object.entries(all.parameters)) expectSameBits(some.parameters[key].data, data);
    const [high, low] = ['high', 'low'].map((memory) => network.recordingBytes(input.shape, { memory }));
    expect(low).toBeLessThan(high);
    expect(low).toBeGreaterThan(4 * (input.size + output.size));
  });
});

describe('recordings', () => {
  const layer = conv(2, 3, 3, { activation: 'silu' });
  const network = Network.sequential([layer, (x) => x.maxPool(2)]);
  const input = noiseTensor([2, 10], 1);
  const gradOutput = noiseTensor([3, 5], 2);

  test('several at a time, each with its values', () => {
    const others = noiseTensor([2, 10], 3);
    const expected = [input, others].map((tensor) => {
      const recording = network.record(tensor);
      const gradients = recording.backward(gradOutput);
      recording.dispose();
      return gradients.input.data;
    });
    const recordings = [input, others].map((tensor) => network.record(tensor));
    recordings.forEach((recording, i) => expectSameBits(recording.backward(gradOutput).input.data, expected[i]));
    recordings.forEach((recording) => recording.dispose());
  });

  test('a layer that comes twice is learnt once, by its first name', () => {
    const twice = conv(2, 2, 3);
    const { parameters } = new Network([twice, twice]).record(input).backward(input);
    expect(Object.keys(parameters)).toEqual(['0.weight', '0.bias']);
    const copies = new Network([twice, conv(2, 2, 3)]);
    copies.loadStateDict({
      '0.weight': twice.weight,
      '0.bias': twice.bias,
      '1.weight': twice.weight,
      '1.bias': twice.bias,
    });
    const apart = copies.record(input).backward(input).parameters;
    const sums = apart['0.weight'].data.map((value, i) => value + apart['1.weight'].data[i]);
    sums.forEach((value, i) => expect(parameters['0.weight'].data[i]).toBeCloseTo(value, 4));
  });

  test('an old one says that the weights changed', () => {
    const recording = network.record(input);
    layer.resetParameters({ seed: 3 });
    expect(thrown(() => recording.backward(gradOutput))).toMatchObject({
      code: 'ERR_UNSUPPORTED',
      field: 'recording',
      message: expect.stringContaining('changed since it was recorded'),
    });
    recording.dispose();
    recording.dispose();
    expect(thrown(() => recording.backward(gradOutput))).toMatchObject({ code: 'ERR_DISPOSED', field: 'recording' });
    expect(recording.output.shape).toEqual([3, 5]);
  });

  test('memory does not grow', () => {
    const train = () => {
      const recording = network.record(input);
      recording.backward(gradOutput);
      recording.dispose();
    };
    train();
    const before = runtime.memory.used;
    for (let i = 0; i < 50; ++i) train();
    expect(runtime.memory.used).toBe(before);
  });

  test('a batch of none has zero gradients', () => {
    const recording = network.record(new Tensor([], [0, 2, 10]));
    expect(recording.output.shape).toEqual([0, 3, 5]);
    const { parameters, input: ofInput } = recording.backward(new Tensor([], [0, 3, 5]));
    expect(ofInput.shape).toEqual([0, 2, 10]);
    expect([...parameters['0.weight'].data]).toEqual(Array(product([3, 2, 3])).fill(0));
    recording.dispose();
  });

  test('what cannot be recorded', () => {
    const half = new Network([new Conv1d({ inChannels: 2, outChannels: 3, kernelSize: 3, dtype: 'float16' })]);
    const cases = [
      [() => half.record(new Tensor(new Uint16Array(20), [2, 10])), 'ERR_UNSUPPORTED', 'dtype'],
      [() => network.record(input, { memory: 'some' }), 'ERR_OPTION', 'memory'],
      [() => network.record(input, { training: 1 }), 'ERR_OPTION', 'training'],
      [() => network.record(input, { seed: -1 }), 'ERR_OPTION', 'seed'],
      [() => network.record(input, { sed: 1 }), 'ERR_OPTION', 'sed'],
      [() => network.record(noiseTensor([3, 10])), 'ERR_SHAPE', 'input'],
      [() => network.record(noiseTensor([2, 1])), 'ERR_SHAPE', 'input'],
      [() => network.record(input).backward(input), 'ERR_SHAPE', 'gradOutput'],
      [() => network.record(input).backward(gradOutput, { needs: ['weight'] }), 'ERR_OPTION', 'needs'],
      [() => network.record(input).backward(gradOutput.toWasm(single)), 'ERR_OPTION', 'gradOutput'],
      [() => layer.backward(gradOutput, { input }), 'ERR_SHAPE', 'gradOutput'],
      [() => layer.backward(noiseTensor([3, 10])), 'ERR_OPTION', 'options'],
      [() => layer.backward(noiseTensor([3, 10]), {}), 'ERR_DTYPE', 'input'],
      [() => layer.backward(noiseTensor([3, 10]), { input, needs: 'input' }), 'ERR_OPTION', 'needs'],
    ];
    for (const [call, code, field] of cases) expect(thrown(call)).toMatchObject({ code, field });
  });
});
