// train(): that networks learn, the same way each time, and end well whatever happens.
import { BatchNorm1d, Conv1d, Linear, Lstm, Network, Tensor } from 'conv1d-wasm';
import {
  Adam,
  AdamW,
  binaryCrossEntropy,
  clipGradNorm,
  cosine,
  crossEntropy,
  esr,
  mse,
  multiResolutionStft,
  RmsProp,
  Sgd,
  train,
} from 'conv1d-wasm/train';
import { canRelax, expectSameBits, makeRandom, noise, noiseTensor, openBuilds, rejected, zeros } from '../support.js';

const builds = await openBuilds([1, 2]);
afterAll(() => builds.forEach(({ runtime }) => runtime.dispose()));
const [{ runtime }] = builds;

/** A network that filters one channel, from weights that are the same in every run. */
function makeFilter(owner = runtime, more = {}) {
  const layer = new Conv1d({
    inChannels: 1,
    outChannels: 1,
    kernelSize: 5,
    padding: 'causal',
    runtime: owner,
    ...more,
  });
  layer.resetParameters({ seed: 1, scheme: 'pytorch' });
  return Network.sequential({ filter: layer });
}

/** Noise, and what a filter makes of it. */
function filtered(images = 8, length = 64, seed = 3) {
  const unknown = makeFilter();
  unknown.loadStateDict({ 'filter.weight': new Tensor([[[1, -0.5, 0.25, 2, -1]]]), 'filter.bias': new Tensor([0.5]) });
  const inputs = noiseTensor([images, 1, length], seed);
  return { inputs, targets: unknown.forward(inputs) };
}

const data = filtered();

function expectSameWeights(network, other) {
  const [dict, expected] = [network, other].map((each) => (each instanceof Network ? each.stateDict() : each));
  expect(Object.keys(dict)).toEqual(Object.keys(expected));
  for (const name of Object.keys(expected)) expectSameBits(dict[name].data, expected[name].data);
}

describe.each(builds)('networks learn, $name', (build) => {
  test.each([
    ['Sgd', () => new Sgd({ learningRate: 0.05, momentum: 0.9 })],
    ['Adam', () => new Adam({ learningRate: 0.05 })],
    ['AdamW', () => new AdamW({ learningRate: 0.05, weightDecay: 1e-4 })],
    ['RmsProp', () => new RmsProp({ learningRate: 0.05 })],
  ])('an unknown filter, by %s', async (_, make) => {
    const network = makeFilter(build.runtime);
    const { loss, epoch, steps } = await train(network, {
      ...{ data, loss: mse(), optimizer: make(), epochs: 60, batchSize: 3, seed: 1 },
      schedule: cosine({ steps: 180, least: 0.01 }),
    });
    expect(loss).toBeLessThan(1e-3);
    expect(loss).toBeCloseTo(mse().of(network.forward(data.inputs), data.targets).value, 12);
    expect(epoch).toBeGreaterThan(40);
    expect(steps).toBe(180);
    const { 'filter.weight': weight, 'filter.bias': bias } = network.stateDict();
    const expected = [1, -0.5, 0.25, 2, -1, 0.5];
    [...weight.data, ...bias.data].forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(0.05));
  });

  test('an amplifier, by the losses of amplifiers together', async () => {
    const { inputs } = filtered(4, 256);
    const targets = new Tensor(
      inputs.data.map((value) => Math.tanh(3 * value)),
      inputs.shape,
    );
    const layers = [
      new Conv1d({ inChannels: 1, outChannels: 4, kernelSize: 1, activation: 'tanh', runtime: build.runtime }),
      new Conv1d({ inChannels: 4, outChannels: 1, kernelSize: 1, runtime: build.runtime }),
    ];
    layers.forEach((layer, i) => layer.resetParameters({ seed: i, scheme: 'pytorch' }));
    const network = Network.sequential(layers);
    const parts = [esr(), multiResolutionStft({ sizes: [64, 16], hops: [16, 4], windows: [64, 16] })];
    const both = {
      name: 'both',
      of(output, target) {
        const [first, second] = parts.map((part) => part.of(output, target));
        const gradient = first.gradient.data.map((value, i) => value + 0.1 * second.gradient.data[i]);
        return { value: first.value + 0.1 * second.value, gradient: new Tensor(gradient, output.shape) };
      },
    };
    const before = esr().of(network.forward(inputs), targets).value;
    await train(network, {
      ...{
        data: { inputs, targets },
        loss: both,
        optimizer: new Adam({ learningRate: 0.02 }),
        epochs: 60,
        batchSize: 2,
      },
      ...{ seed: 5, clipNorm: 1, schedule: cosine({ steps: 160, least: 0.1 }) },
    });
    expect(before).toBeGreaterThan(0.2);
    expect(esr().of(network.forward(inputs), targets).value).toBeLessThan(0.02);
  });

  test('classes of sounds, through an LSTM', async () => {
    const random = makeRandom(9);
    const labels = Array.from({ length: 24 }, (_, i) => i % 3);
    const samples = labels.flatMap((label) =>
      Array.from({ length: 32 }, (_, t) => Math.sin((label + 1) * 0.4 * t) + 0.3 * (random() - 0.5)),
    );
    const set = { inputs: new Tensor(samples, [24, 1, 32]), targets: new Tensor(labels, [24, 1]) };
    const conv = new Conv1d({
      inChannels: 1,
      outChannels: 6,
      kernelSize: 7,
      stride: 2,
      activation: 'relu',
      runtime: build.runtime,
    });
    const lstm = new Lstm({ inputSize: 6, hiddenSize: 5, runtime: build.runtime });
    const linear = new Linear({ inFeatures: 5, outFeatures: 3, runtime: build.runtime });
    [conv, linear].forEach((layer) => layer.resetParameters({ seed: 2, scheme: 'pytorch' }));
    lstm.resetParameters({ seed: 2 });
    const network = Network.sequential([conv, lstm, (x) => x.globalAveragePool(), linear]);
    await train(network, {
      data: set,
      loss: crossEntropy(),
      optimizer: new Adam({ learningRate: 0.02 }),
      epochs: 40,
      batchSize: 8,
      seed: 1,
    });
    const logits = network.forward(set.inputs).toArray();
    const right = labels.filter((label, i) => logits[i].every(([value]) => value <= logits[i][label][0]));
    expect(right.length).toBe(24);
  });
});

describe('the same seed', () => {
  const run = async (owner, more = {}) => {
    const network = makeFilter(owner);
    const progress = [];
    const options = {
      data,
      loss: mse(),
      optimizer: new Adam({ learningRate: 0.01 }),
      epochs: 3,
      batchSize: 3,
      seed: 7,
    };
    const onProgress = ({ loss, step }) => progress.push([step, loss]);
    await train(network, { ...options, onProgress, ...more });
    return { network, progress };
  };

  test.each(canRelax ? ['simd', 'relaxed'] : ['simd'])(
    'gives the same bits on any number of threads, %s',
    async (variant) => {
      const [one, two] = builds.filter((build) => build.variant === variant);
      const [first, again, threaded] = [await run(one.runtime), await run(one.runtime), await run(two.runtime)];
      expect(again.progress).toEqual(first.progress);
      expectSameWeights(again.network, first.network);
      expect(threaded.progress).toEqual(first.progress);
      expectSameWeights(threaded.network, first.network);
    },
  );

  test('another one, or no shuffling, gives others', async () => {
    const first = await run(runtime);
    expect((await run(runtime, { seed: 8 })).progress).not.toEqual(first.progress);
    const unshuffled = await run(runtime, { shuffle: false });
    expect((await run(runtime, { shuffle: false, seed: 8 })).progress).toEqual(unshuffled.progress);
  });
});

test('train() is the loop by hand', async () => {
  const [network, other] = [makeFilter(), makeFilter()];
  const options = { data, loss: mse(), epochs: 2, batchSize: 3, shuffle: false, clipNorm: 0.5 };
  await train(network, { ...options, optimizer: new Adam(), schedule: (step, epoch) => 1 / (step + 1 + epoch) });

  const [optimizer, loss] = [new Adam(), mse()];
  for (let step = 0; step < 6; ++step) {
    const at = 3 * (step % 3);
    const [input, target] = [data.inputs, data.targets].map(
      (all) => new Tensor(all.data.slice(at * 64, (at + 3) * 64), [Math.min(3, 8 - at), 1, 64]),
    );
    const recording = other.record(input);
    const { parameters } = recording.backward(loss.of(recording.output, target).gradient);
    clipGradNorm(parameters, 0.5);
    optimizer.learningRate = 1e-3 / (step + 1 + Math.floor(step / 3));
    optimizer.step(other, parameters);
    recording.dispose();
  }
  expectSameWeights(network, other);
});

describe('progress', () => {
  test('of a set, with validation', async () => {
    const seen = [];
    const validation = filtered(5, 64, 11);
    const optimizer = new Adam({ learningRate: 0.01 });
    const result = await train(makeFilter(), {
      ...{ data, loss: mse(), optimizer, epochs: 2, batchSize: 3, seed: 1, validation, schedule: () => 0.5 },
      onProgress: (progress) => seen.push(progress),
    });
    expect(seen.map(({ epoch, step, epochEnded }) => [epoch, step, epochEnded])).toEqual([
      ...[1, 2, 3].map((step) => [1, step, false]),
      [1, 3, true],
      ...[4, 5, 6].map((step) => [2, step, false]),
      [2, 6, true],
    ]);
    expect(new Set(seen.map(({ steps }) => steps))).toEqual(new Set([6]));
    expect(seen.every(({ secondsLeft }) => secondsLeft >= 0)).toBe(true);
    expect(seen.at(-1).secondsLeft).toBe(0);
    expect(seen.slice(0, 3).every(({ validationLoss }) => validationLoss === null)).toBe(true);
    expect(result).toEqual({ epoch: 2, loss: seen.at(-1).validationLoss, steps: 6 });
    expect(optimizer.learningRate).toBe(0.01);
  });

  test('of a function, which may be asynchronous; its tensors may lie in wasm memory and stay', async () => {
    const draws = [];
    const placed = { input: data.inputs.toWasm(runtime), target: data.targets.toWasm(runtime) };
    const seen = [];
    const network = makeFilter();
    const run = (source) =>
      train(network, {
        ...{ data: source, loss: mse(), optimizer: new Sgd({ learningRate: 0.01 }), epochs: 2, seed: 4 },
        onProgress: ({ epoch, steps, secondsLeft }) => seen.push([epoch, steps, secondsLeft === null]),
      });
    await run(async function* (epoch, random) {
      draws.push([epoch, random()]);
      yield placed;
      yield placed;
    });
    expect(draws.map(([epoch]) => epoch)).toEqual([1, 2]);
    expect(seen).toEqual([
      ...[1, 1].map((epoch) => [epoch, null, true]),
      [1, 4, false],
      ...[2, 2, 2].map((epoch) => [epoch, 4, false]),
    ]);
    const { used } = runtime.memory;
    await run(() => [placed, { input: data.inputs, target: data.targets }]);
    expect(runtime.memory.used).toBe(used);
    expect(placed.input.toArray()).toEqual(data.inputs.toArray());
    placed.input.dispose();
    placed.target.dispose();
  });

  test('the event loop turns between steps', async () => {
    let turns = 0;
    const timer = setInterval(() => ++turns, 0);
    await train(makeFilter(), { data, loss: mse(), optimizer: new Adam(), epochs: 50, batchSize: 1 });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
  });
});

describe('the best weights', () => {
  /** Weights before and after each epoch, the losses in each, and those of the validation after it. */
  async function watched(options) {
    const network = makeFilter();
    const weights = [network.stateDict()];
    const [losses, validationLosses] = [[], []];
    const onProgress = ({ epochEnded, loss, validationLoss }) => {
      if (!epochEnded) return;
      weights.push(network.stateDict());
      losses.push(loss);
      validationLosses.push(validationLoss);
    };
    // A rate that becomes far too large.
    const schedule = (_, epoch) => (epoch < 3 ? 1 : 1000);
    const optimizer = new Sgd({ learningRate: 0.1 });
    const common = { data, loss: mse(), optimizer, epochs: 5, seed: 1, onProgress, schedule };
    const result = await train(network, { ...common, ...options });
    return { network, weights, losses, validationLosses, result };
  }

  const leastOf = (losses) => losses.indexOf(Math.min(...losses));

  test('are those of the least validation loss', async () => {
    const validation = filtered(4, 64, 12);
    const { network, weights, validationLosses, result } = await watched({ validation, batchSize: 4 });
    expect(result).toMatchObject({ epoch: 3, loss: validationLosses[2] });
    expect(leastOf(validationLosses)).toBe(2);
    expectSameWeights(network, weights[3]);
    expect(mse().of(network.forward(validation.inputs), validation.targets).value).toBe(result.loss);
  });

  test.each([8, 4])('or those with which the losses in an epoch are the least, batches of %d', async (batchSize) => {
    const { network, weights, losses, result } = await watched({ batchSize });
    const best = leastOf(losses);
    expect([2, 3]).toContain(best);
    expect(result).toMatchObject({ epoch: best, loss: losses[best] });
    expectSameWeights(network, weights[best]);
  });

  test('or the last, by one more pass, or where a function gives the data by the last epoch', async () => {
    const schedule = () => 1;
    const { network, weights, result } = await watched({ schedule });
    expect(result).toMatchObject({ epoch: 5, loss: mse().of(network.forward(data.inputs), data.targets).value });
    expectSameWeights(network, weights[5]);
    const given = await watched({ schedule, data: () => [{ input: data.inputs, target: data.targets }] });
    expect(given.result).toMatchObject({ epoch: 5, loss: given.losses[4] });
    expectSameWeights(given.network, given.weights[5]);
  });

  test('running statistics are among them', async () => {
    const norm = new BatchNorm1d({ numFeatures: 1 });
    const network = Network.sequential([norm], { inChannels: 1, runtime });
    await train(network, { data, loss: mse(), optimizer: new Adam(), epochs: 2, batchSize: 4 });
    expect(network.stateDict()['0.running_mean'].toArray()).not.toEqual([0]);
  });
});

describe('ends well', () => {
  const start = (more, network = makeFilter()) =>
    train(network, {
      data,
      loss: mse(),
      optimizer: new Adam({ learningRate: 0.01 }),
      epochs: 4,
      batchSize: 4,
      seed: 1,
      ...more,
    });

  test('aborted before it begins', async () => {
    const network = makeFilter();
    const before = network.stateDict();
    const reason = new Error('no');
    await expect(start({ signal: AbortSignal.abort(reason) }, network)).rejects.toBe(reason);
    expectSameWeights(network, before);
  });

  test.each([
    ['in the first epoch, with the latest weights', 1],
    ['in the third, with the best', 5],
  ])('aborted %s', async (_, stop) => {
    const network = makeFilter();
    const controller = new AbortController();
    const optimizer = new Adam({ learningRate: 0.01 });
    const weights = [];
    let last = null;
    const onProgress = ({ step, epochEnded }) => {
      last = network.stateDict();
      if (epochEnded) weights.push(last);
      if (step === stop) controller.abort();
    };
    network.record(data.inputs).dispose(); // whose memory it keeps
    const { used } = runtime.memory;
    const options = { signal: controller.signal, onProgress, optimizer, schedule: () => 0.5 };
    const error = await start(options, network).catch((reason) => reason);
    expect(controller.signal.aborted).toBe(true);
    expect(error).toBe(controller.signal.reason);
    expectSameWeights(network, weights.at(-1) ?? last);
    expect(optimizer.learningRate).toBe(0.01);
    optimizer.dispose();
    expect(runtime.memory.used).toBeLessThanOrEqual(used);
    await start({}, network); // goes on
  });

  test('whatever onProgress or the data throws', async () => {
    const error = new Error('enough');
    const fail = () => {
      throw error;
    };
    await expect(start({ onProgress: fail })).rejects.toBe(error);
    await expect(start({ data: fail })).rejects.toBe(error);
  });

  const spoil = (tensor, at, value) => {
    const copy = tensor.data.slice();
    copy[at] = value;
    return new Tensor(copy, tensor.shape);
  };
  test.each([
    [
      'a NaN in an input',
      { ...data, inputs: spoil(data.inputs, 5, NaN) },
      'data',
      'the loss (mse) is NaN: the input is not finite',
    ],
    [
      'a NaN in a target',
      { ...data, targets: spoil(data.targets, 5, NaN) },
      'data',
      'the loss (mse) is NaN: the target is not finite',
    ],
    [
      ...['an infinite target', { ...data, targets: spoil(data.targets, 70, Infinity) }, 'data'],
      'the loss (mse) is Infinity: the target is not finite',
    ],
  ])('%s', async (_, spoiled, field, message) => {
    const network = makeFilter();
    const before = network.stateDict();
    expect(await rejected(start({ data: spoiled }, network))).toMatchObject({ code: 'ERR_NOT_FINITE', field, message });
    expectSameWeights(network, before);
  });

  test('weights that run away: those of the best epoch, and the name of the parameter', async () => {
    const network = makeFilter();
    const weights = [];
    const onProgress = ({ epochEnded }) => epochEnded && weights.push(network.stateDict());
    const optimizer = new Sgd({ learningRate: 0.01 });
    const error = await rejected(
      start({ optimizer, onProgress, schedule: (_, epoch) => (epoch < 2 ? 1 : 1e30) }, network),
    );
    expect(error).toMatchObject({ code: 'ERR_NOT_FINITE', field: expect.stringMatching(/^filter\.(weight|bias)$/) });
    expect(weights).toHaveLength(3);
    expectSameWeights(network, weights[0]); // the last with which a whole epoch went well
  });

  test('a gradient that is no number', async () => {
    const loss = { name: 'odd', of: ({ shape }) => ({ value: 1, gradient: new Tensor(noise(256).fill(NaN), shape) }) };
    const network = makeFilter();
    const before = network.stateDict();
    expect(await rejected(start({ loss }, network))).toMatchObject({ code: 'ERR_NOT_FINITE', field: 'filter.weight' });
    expectSameWeights(network, before);
  });

  test.each(
    [
      [{ data: {} }, 'ERR_DTYPE', 'data.inputs', 'data.inputs must be a Tensor, got undefined'],
      [{ data: null }, 'ERR_OPTION', 'data', 'data must be an object, got null'],
      [
        { data: { ...data, targets: zeros(7, 1) } },
        'ERR_SHAPE',
        'data',
        'data.targets must have 8 in front, one for each input, got shape [7, 1]',
      ],
      [
        { data: { inputs: zeros(1, 4), targets: zeros(1, 4) } },
        'ERR_SHAPE',
        'data',
        'data.inputs must be (N, C, L) with at least one element, got shape [1, 4]',
      ],
      [
        { data: () => 5 },
        'ERR_OPTION',
        'data',
        'data must be a function that gives batches one after the other, got 5',
      ],
      [{ data: () => [] }, 'ERR_OPTION', 'data', 'data gave no batch in epoch 1'],
      [
        { validation: { inputs: zeros(1, 1, 4) } },
        'ERR_DTYPE',
        'validation.targets',
        'validation.targets must be a Tensor, got undefined',
      ],
      [{ loss: 'mse' }, 'ERR_OPTION', 'loss', "loss must be a loss, such as mse(), got 'mse'"],
      [
        { optimizer: undefined },
        'ERR_OPTION',
        'optimizer',
        'optimizer must be an optimiser, such as new Adam(), got undefined',
      ],
      [{ epochs: 0 }, 'ERR_OPTION', 'epochs', 'epochs must be an integer >= 1, got 0'],
      [{ batchSize: 1.5 }, 'ERR_OPTION', 'batchSize', 'batchSize must be an integer >= 1, got 1.5'],
      [{ clipNorm: 0 }, 'ERR_OPTION', 'clipNorm', 'clipNorm must be a number > 0, got 0'],
      [{ shuffle: 1 }, 'ERR_OPTION', 'shuffle', 'shuffle must be a boolean, got 1'],
      [{ seed: -1 }, 'ERR_OPTION', 'seed', 'seed must be an integer from 0 to 2^32 - 1, got -1'],
      [{ signal: {} }, 'ERR_OPTION', 'signal', 'signal must be an AbortSignal, got [object Object]'],
      [{ onProgress: 3 }, 'ERR_OPTION', 'onProgress', 'onProgress must be a function, got 3'],
      [{ schedule: 3 }, 'ERR_OPTION', 'schedule', 'schedule must be a function, got 3'],
      [{ schedule: () => NaN }, 'ERR_OPTION', 'learningRate', 'learningRate must be a number >= 0, got NaN'],
      [{ rate: 3 }, 'ERR_OPTION', 'rate', /^unknown option 'rate'/],
    ].map((row) => [row.at(-1), ...row]),
  )('%s', async (message, more, code, field) => {
    const network = makeFilter();
    const before = network.stateDict();
    const error = await rejected(start(more, network));
    expect(error).toMatchObject({ code, field });
    expect(error.message).toMatch(message);
    expectSameWeights(network, before);
  });

  test('networks that cannot be trained', async () => {
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1, runtime });
    expect(await rejected(start({}, new Network(1, (x) => x.conv(layer))))).toMatchObject({
      ...{ code: 'ERR_OPTION', field: 'network' },
      message: 'no layer of this network has a name: make it with Network.sequential, or with the option layers',
    });
    expect(await rejected(start({}, layer))).toMatchObject({ code: 'ERR_OPTION', field: 'network' });
    expect(await rejected(start({}, makeFilter(runtime, { dtype: 'float16' })))).toMatchObject({
      code: 'ERR_UNSUPPORTED',
    });
  });
});

test('binary classes of every sample', async () => {
  const network = makeFilter(runtime, { kernelSize: 1 });
  const targets = new Tensor(
    data.inputs.data.map((value) => (value > 0.2 ? 1 : 0)),
    data.inputs.shape,
  );
  const options = { loss: binaryCrossEntropy(), optimizer: new Adam({ learningRate: 0.3 }), epochs: 40, seed: 1 };
  await train(network, { data: { inputs: data.inputs, targets }, ...options });
  const logits = network.forward(data.inputs).data;
  const wrong = logits.filter((value, i) => value > 0 !== (targets.data[i] === 1));
  expect(wrong.length).toBeLessThan(logits.length / 50);
});
