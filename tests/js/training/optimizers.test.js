// Optimisers and clipping, against PyTorch's in float64, and what they change in a network.
import {
  BatchNorm1d,
  Conv1d,
  ConvTranspose1d,
  createRuntime,
  Gru,
  LayerNorm,
  Linear,
  Lstm,
  Network,
  readSafetensors,
  Tensor,
  writeSafetensors,
} from 'conv1d-wasm';
import { Adam, AdamW, clipGradNorm, RmsProp, Sgd } from 'conv1d-wasm/train';
import { expectSameBits, noiseTensor, openBuilds, product, thrown, zeros } from '../support.js';
import { cases, numbersAt, relativeError, tensorAt } from './fixtures.js';

const builds = await openBuilds([1]);
afterAll(() => builds.forEach(({ runtime }) => runtime.dispose()));
const [{ runtime }] = builds;

const kinds = { Sgd, Adam, AdamW, RmsProp };
const { steps, shown, shapes, initial, gradients, cases: optimizerCases } = cases.optimizers;

/** A network of one layer with the parameters of the cases, '0.weight' and '0.bias'. */
function makeNetwork(owner = runtime) {
  const [outChannels, inChannels, kernelSize] = shapes.weight;
  const layer = new Conv1d({ inChannels, outChannels, kernelSize, runtime: owner });
  const network = Network.sequential([layer]);
  network.loadStateDict({
    '0.weight': tensorAt(initial.weight, shapes.weight),
    '0.bias': tensorAt(initial.bias, shapes.bias),
  });
  return network;
}

/** The gradients of a step, in the shapes that the layer has, its bias's (1, 5, 1) among them. */
const gradientsOf = (step) => ({
  '0.weight': tensorAt(gradients.weight + 4 * step * product(shapes.weight), shapes.weight),
  '0.bias': tensorAt(gradients.bias + 4 * step * product(shapes.bias), [1, ...shapes.bias, 1]),
});

describe.each(builds)('as PyTorch in float64 over 50 steps, $name', (build) => {
  test.each(optimizerCases)('$kind $options', ({ kind, options, shown: expected, states }) => {
    const network = makeNetwork(build.runtime);
    const optimizer = new kinds[kind](options);
    for (let step = 0; step < steps; ++step) {
      const given = gradientsOf(step);
      const placed =
        step % 2 === 0
          ? given
          : Object.fromEntries(Object.entries(given).map(([name, tensor]) => [name, tensor.toWasm(build.runtime)]));
      optimizer.step(network, placed);
      for (const tensor of Object.values(placed)) tensor.dispose();
      const at = shown.indexOf(step + 1);
      if (at < 0) continue;
      const dict = network.stateDict();
      for (const [name, shape] of Object.entries(shapes)) {
        const off = relativeError(dict[`0.${name}`].data, numbersAt(expected[at][name], shape));
        expect(off).toBeLessThanOrEqual(2 ** -20);
      }
    }
    const dict = optimizer.stateDict();
    const names = Object.entries(states).flatMap(([name, own]) =>
      Object.keys(own).map((state) => `0.${name}.${state}`),
    );
    const counts = kind === 'Sgd' ? [] : ['0.weight.step', '0.bias.step'];
    expect(Object.keys(dict).sort()).toEqual([...names, ...counts].sort());
    for (const name of counts) expect(dict[name].toArray()).toBe(steps);
    for (const [name, own] of Object.entries(states)) {
      for (const [state, at] of Object.entries(own)) {
        const off = relativeError(dict[`0.${name}.${state}`].data, numbersAt(at, shapes[name]));
        expect(off).toBeLessThanOrEqual(2 ** -20);
      }
    }
    optimizer.dispose();
  });
});

describe('states', () => {
  test.each(optimizerCases)('saved and restored, $kind $options goes on with the same bits', ({ kind, options }) => {
    const [network, other] = [makeNetwork(), makeNetwork()];
    const optimizer = new kinds[kind](options);
    for (let step = 0; step < 7; ++step) optimizer.step(network, gradientsOf(step));
    const restored = new kinds[kind](options);
    restored.loadStateDict(readSafetensors(writeSafetensors(optimizer.stateDict())));
    other.loadStateDict(network.stateDict());
    for (let step = 7; step < 9; ++step) {
      optimizer.step(network, gradientsOf(step));
      restored.step(other, gradientsOf(step));
    }
    const [dict, otherDict] = [network.stateDict(), other.stateDict()];
    for (const name of Object.keys(dict)) expectSameBits(otherDict[name].data, dict[name].data);
  });

  test('a disposed optimizer begins anew and keeps no memory', () => {
    const network = makeNetwork();
    const optimizer = new Adam();
    optimizer.step(network, gradientsOf(0));
    optimizer.dispose();
    const before = runtime.memory.used;
    optimizer.step(network, gradientsOf(0));
    expect(runtime.memory.used).toBeGreaterThan(before);
    expect(optimizer.stateDict()['0.bias.step'].toArray()).toBe(1);
    optimizer.dispose();
    expect(runtime.memory.used).toBe(before);
    expect(optimizer.stateDict()).toEqual({});
  });

  test.each([
    [() => new Adam().loadStateDict(null), 'dict', 'dict must be an object of tensors, got null'],
    [
      () => new Adam().loadStateDict({ 'a.exp_avg': zeros(2) }),
      ...['a.step', "'a.step' is missing; there are ['a.exp_avg']"],
    ],
    [
      () => new Adam().loadStateDict({ 'a.square_avg': zeros(2) }),
      'a.square_avg',
      "'a.square_avg' is no state of this optimiser: each name ends in one of ['.step', '.exp_avg', '.exp_avg_sq']",
    ],
    [
      () => new Sgd({ learningRate: 1 }).loadStateDict({ 'a.step': zeros() }),
      ...['a.step', "'a.step' is no state of this optimiser: this optimiser keeps nothing"],
    ],
    [
      () => new RmsProp().loadStateDict({ 'a.step': new Tensor(0.5), 'a.square_avg': zeros(1) }),
      ...['a.step', "'a.step' must be an integer >= 0, got 0.5"],
    ],
  ])('%s', (action, field, message) => {
    expect(thrown(action)).toMatchObject({ code: 'ERR_STATE_DICT', field, message });
  });

  test('one of another shape is refused when it is used', () => {
    const network = makeNetwork();
    const optimizer = new Sgd({ learningRate: 1, momentum: 0.5 });
    optimizer.loadStateDict({ '0.bias.momentum_buffer': zeros(5) });
    expect(thrown(() => optimizer.step(network, gradientsOf(0)))).toMatchObject({
      ...{ code: 'ERR_STATE_DICT', field: '0.bias.momentum_buffer' },
      message: "the state '0.bias.momentum_buffer' has shape [5], the parameter [1, 5, 1]",
    });
  });
});

describe.each(builds)('every kind of layer learns, $name', (build) => {
  const make = {
    'a grouped convolution': (own) => new Conv1d({ inChannels: 4, outChannels: 6, kernelSize: 3, groups: 2, ...own }),
    'a transposed convolution': (own) => new ConvTranspose1d({ inChannels: 4, outChannels: 2, kernelSize: 3, ...own }),
    'a linear layer without bias': (own) => new Linear({ inFeatures: 4, outFeatures: 3, bias: false, ...own }),
    'an LSTM of two directions': (own) => new Lstm({ inputSize: 4, hiddenSize: 3, bidirectional: true, ...own }),
    'a GRU of two layers': (own) => new Gru({ inputSize: 4, hiddenSize: 3, numLayers: 2, ...own }),
    'a LayerNorm': () => new LayerNorm({ channels: 4 }),
    'a BatchNorm1d': () => new BatchNorm1d({ numFeatures: 4 }),
  };
  test.each(Object.keys(make))('%s', (name) => {
    const input = noiseTensor([2, 4, 9]);
    const layer = make[name]({ runtime: build.runtime });
    const network = new Network(4, (x) => x.apply(layer), { layers: { it: layer }, runtime: build.runtime });
    const outputBefore = network.forward(input).data;
    const before = network.stateDict();
    const trained = Object.entries(before).filter(([key]) => !key.includes('running_'));
    const given = Object.fromEntries(trained.map(([key, { shape }], i) => [key, noiseTensor(shape, i + 3)]));
    new Sgd({ learningRate: 0.5 }).step(network, given);
    const after = network.stateDict();
    for (const [key, { data }] of Object.entries(before)) {
      const expected = data.map((value, i) => value - 0.5 * (given[key]?.data[i] ?? 0));
      expect(relativeError(after[key].data, expected)).toBeLessThan(2 ** -23);
    }

    // What it computes is of the new parameters.
    const fresh = make[name]({ runtime: build.runtime });
    const other = new Network(4, (x) => x.apply(fresh), { layers: { it: fresh }, runtime: build.runtime });
    other.loadStateDict(after);
    const output = network.forward(input).data;
    expect(output).not.toEqual(outputBefore);
    expectSameBits(output, other.forward(input).data);
  });
});

test('parameters without a gradient stay as they are', () => {
  const network = makeNetwork();
  const before = network.stateDict();
  const { '0.bias': bias } = gradientsOf(0);
  new Adam().step(network, { '0.bias': bias });
  expectSameBits(network.stateDict()['0.weight'].data, before['0.weight'].data);
  expect(network.stateDict()['0.bias'].data).not.toEqual(before['0.bias'].data);
});

describe('refused, with nothing changed', () => {
  const network = makeNetwork();
  const { weight, bias } = { weight: gradientsOf(0)['0.weight'], bias: gradientsOf(0)['0.bias'] };
  const spoiled = (value) => {
    const data = bias.data.slice();
    data[3] = value;
    return { '0.weight': weight, '0.bias': new Tensor(data, bias.shape) };
  };
  const half = new Tensor(bias.data, bias.shape, 'float16');
  const halfLayer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1, dtype: 'float16', runtime });
  test.each(
    [
      [spoiled(NaN), ...['ERR_NOT_FINITE', '0.bias', "the gradient of '0.bias' must be finite, got NaN in element 3"]],
      [
        spoiled(-Infinity),
        ...['ERR_NOT_FINITE', '0.bias', "the gradient of '0.bias' must be finite, got -Infinity in element 3"],
      ],
      [
        { '0.weight': weight, '1.bias': bias },
        ...[
          'ERR_OPTION',
          'gradients',
          "the network has no parameter '1.bias' to train; there are ['0.weight', '0.bias']",
        ],
      ],
      [
        { '0.weight': weight, '0.bias': zeros(5) },
        ...['ERR_SHAPE', 'gradients', "the gradient of '0.bias' must have shape [1, 5, 1], got [5]"],
      ],
      [
        { '0.weight': weight, '0.bias': half },
        ...['ERR_DTYPE', 'gradients', "the gradient of '0.bias' must be float32, got float16"],
      ],
      [{ '0.weight': [1] }, 'ERR_DTYPE', "gradients['0.weight']", "gradients['0.weight'] must be a Tensor, got [1]"],
      [{}, 'ERR_OPTION', 'gradients', 'there are no gradients'],
      [null, 'ERR_OPTION', 'gradients', 'gradients must be a Record of tensors, got null'],
      [weight, 'ERR_OPTION', 'gradients', /^gradients must be a Record of tensors/],
    ].map((row) => [row.at(-1), ...row]),
  )('%s', (message, given, code, field) => {
    const optimizer = new Adam();
    optimizer.step(network, gradientsOf(1));
    const [before, states, { used }] = [network.stateDict(), optimizer.stateDict(), runtime.memory];
    const error = thrown(() => optimizer.step(network, given));
    expect(error).toMatchObject({ code, field });
    expect(error.message).toMatch(message);
    const [after, statesAfter] = [network.stateDict(), optimizer.stateDict()];
    for (const name of Object.keys(before)) expectSameBits(after[name].data, before[name].data);
    for (const name of Object.keys(states)) expectSameBits(statesAfter[name].data, states[name].data);
    expect(runtime.memory.used).toBe(used);
    optimizer.dispose();
  });

  test('float16 networks, what is none, gradients of another runtime', async () => {
    const optimizer = new Sgd({ learningRate: 0.1 });
    expect(thrown(() => optimizer.step(Network.sequential([halfLayer]), { '0.weight': zeros(1, 1, 1) }))).toMatchObject(
      {
        ...{ code: 'ERR_UNSUPPORTED', field: 'network' },
        message: 'float16 networks cannot be trained: train in float32, then load its stateDict() into float16 layers',
      },
    );
    expect(thrown(() => optimizer.step(halfLayer, {}))).toMatchObject({
      ...{ code: 'ERR_OPTION', field: 'network', message: /^network must be a Network, got/ },
    });
    const elsewhere = await createRuntime({ threads: 1 });
    const error = thrown(() => optimizer.step(network, { '0.bias': bias.toWasm(elsewhere) }));
    expect(error).toMatchObject({ code: 'ERR_OPTION', field: "gradients['0.bias']" });
    elsewhere.dispose();
  });

  test.each([
    [() => new Sgd({}), 'learningRate', 'learningRate must be a number >= 0, got undefined'],
    [() => new Sgd({ learningRate: -1 }), 'learningRate', 'learningRate must be a number >= 0, got -1'],
    [() => new Sgd({ learningRate: 1, momentum: -1 }), 'momentum', 'momentum must be a number >= 0, got -1'],
    [
      () => new Sgd({ learningRate: 1, nesterov: true }),
      ...['nesterov', 'nesterov must be false unless momentum is > 0 and dampening 0, got true'],
    ],
    [
      () => new Sgd({ lr: 1 }),
      'lr',
      "unknown option 'lr'; there are learningRate, momentum, dampening, nesterov, weightDecay",
    ],
    [() => new Adam({ betas: [0.9] }), 'betas', 'betas must be a list of two numbers, got [0.9]'],
    [() => new Adam({ betas: [0.9, 1] }), 'betas[1]', 'betas[1] must be a number >= 0 and < 1, got 1'],
    [() => new AdamW({ eps: -1 }), 'eps', 'eps must be a number >= 0, got -1'],
    [() => new AdamW(3), 'options', 'options must be an object, got 3'],
    [() => new RmsProp({ alpha: 2 }), 'alpha', 'alpha must be a number from 0 to 1, got 2'],
    [() => new RmsProp({ centered: 1 }), 'centered', 'centered must be a boolean, got 1'],
    [() => (new Adam().learningRate = NaN), 'learningRate', 'learningRate must be a number >= 0, got NaN'],
    [() => clipGradNorm({ a: zeros(1) }, 0), 'maxNorm', 'maxNorm must be a number > 0, got 0'],
  ])('%s', (action, field, message) => {
    expect(thrown(action)).toMatchObject({ code: 'ERR_OPTION', field, message });
  });
});

describe('clipGradNorm', () => {
  test.each(cases.clips)('to $maxNorm from $norm', ({ maxNorm, norm, gradients: given, clipped }) => {
    const tensors = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, tensorAt(given[name], shape)]),
    );
    const placed = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.toWasm(runtime)]));
    for (const gradients of [tensors, placed]) {
      const got = clipGradNorm(gradients, maxNorm);
      expect(Math.abs(got - norm)).toBeLessThanOrEqual(1e-12 * norm);
      for (const [name, shape] of Object.entries(shapes)) {
        expect(relativeError(gradients[name].data, numbersAt(clipped[name], shape))).toBeLessThan(2 ** -23);
      }
    }
    for (const tensor of Object.values(placed)) tensor.dispose();
  });

  test('leaves gradients alone whose norm is not finite', () => {
    const gradients = { a: new Tensor([3, Infinity]), b: new Tensor([4]) };
    expect(clipGradNorm(gradients, 1)).toBe(Infinity);
    expect(gradients.b.toArray()).toEqual([4]);
  });
});
