// Models from files: by the definition, by other implementations where their files lie beside the project, and broken ones.
import { readFileSync } from 'node:fs';
import { createRuntime, init, Network, readNpy, Tensor } from 'conv1d-wasm';
import { readNam } from 'conv1d-wasm/models';
import { model as defined, weightCount } from './nam-definition.js';
import {
  differingBits,
  drawInteger,
  expectSameBits,
  fromRoot,
  isPresent,
  makeRandom,
  noise,
  noiseTensor,
  openBuilds,
  print,
  readJson,
  thrown,
} from './support.js';

const runtime = await init({ threads: 1 });
const builds = await openBuilds([1]);
afterAll(() => [runtime, ...builds.map((build) => build.runtime)].forEach((each) => each.dispose()));

const row = (samples) => new Tensor(Float32Array.from(samples), [1, samples.length]);

/** `file` with weights, the same in every run. */
function filled(file, seed = 1) {
  const weights = Array.from(noise(weightCount(file), seed), (value) => value / 2);
  return { ...file, weights };
}

const stack = {
  ...{ input_size: 1, condition_size: 1, channels: 3, kernel_size: 3, dilations: [1, 2], activation: 'Tanh' },
  ...{ gated: false, head_size: 2, head_bias: false },
};
const second = { ...stack, input_size: 3, channels: 2, dilations: [4], head_size: 1, head_bias: true };
const waveNet = (config) => ({ version: '0.5.4', architecture: 'WaveNet', config: { head_scale: 0.1, ...config } });
const small = filled(waveNet({ layers: [stack, second], head: null }));

/** The largest difference of two signals as a part of the largest magnitude of the second. */
function relativeError(got, expected) {
  expect(got).toHaveLength(expected.length);
  const peak = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - got[i]))) / peak;
}

/** The outputs of a stream that was settled, in pushes of `chunk`. */
function streamed(network, samples, chunk) {
  const stream = network.stream({ maxChunk: chunk });
  stream.settle();
  const outputs = [];
  for (let t = 0; t < samples.length; t += chunk) {
    outputs.push(...stream.push(row(samples.slice(t, t + chunk))).data);
  }
  stream.dispose();
  return outputs;
}

/** The outputs of a whole signal after as much silence as the model needs to settle. */
function settled({ network, prewarm }, samples) {
  return Array.from(network.forward(row([...new Array(prewarm).fill(0), ...samples])).data.slice(prewarm));
}

const folder = '../shared/models/nam';
const references = [
  { file: 'wavenet_a1_standard', architecture: 'WaveNet', sizes: [1] },
  { file: 'A2', output: 'A2_full', architecture: 'WaveNet', sizes: [0.5, 1] },
  { file: 'A2', output: 'A2_lite', size: 'lite', architecture: 'WaveNet', sizes: [0.5, 1] },
  { file: 'wavenet_tiny', architecture: 'WaveNet', sizes: [1] },
  { file: 'wavenet_a2_max', architecture: 'WaveNet', sizes: [1] },
  { file: 'lstm', architecture: 'LSTM', sizes: [1] },
];

if (isPresent(folder)) {
  const read = (name) => readFileSync(fromRoot(`${folder}/${name}`));
  const samples = (name) => Array.from(readNpy(read(`${name}.npy`)).data);
  describe.each(builds)("NeuralAmpModelerCore's outputs, $name", (build) => {
    test.each(references)('$file $size', ({ file, output = file, size, architecture, sizes }) => {
      const model = readNam(read(`${file}.nam`).toString(), { size, runtime: build.runtime });
      expect(model).toMatchObject({ architecture, sizes, sampleRate: 48000 });
      const input = samples('input');
      const expected = samples(`${output}.output`);
      expect(relativeError(settled(model, input), expected)).toBeLessThan(1e-5);
      expect(relativeError(streamed(model.network, input, 128), expected)).toBeLessThan(1e-5);
    });
  });
} else {
  print('The models of other projects are not here: their tests are skipped');
  test.skip('models of other projects', () => {});
}

describe('by the definition', () => {
  const input = Array.from(noise(200, 7));
  const wide = { ...stack, channels: 4, head_size: 1 };
  test.each([
    ['two stacks', small],
    ['the older gate', filled(waveNet({ layers: [{ ...stack, gated: true }, second] }))],
    [
      'a kernel size and an activation for each layer',
      filled(
        waveNet({
          layers: [
            {
              ...wide,
              ...{ kernel_size: undefined, kernel_sizes: [2, 5] },
              activation: [{ type: 'LeakyReLU', negative_slope: 0.2 }, 'Hardtanh'],
            },
          ],
        }),
      ),
    ],
    [
      'all other activations',
      filled(
        waveNet({
          layers: [
            {
              ...wide,
              dilations: [1, 2, 3, 4, 5, 6, 7],
              activation: [
                ...['ReLU', 'LeakyReLU', 'PReLU', 'Sigmoid', 'SiLU', 'Hardswish'],
                { type: 'PReLU', negative_slopes: [0.1, 0.2, 0.3, 0.4] },
              ],
            },
          ],
        }),
      ),
    ],
    [
      'bottleneck, groups, a 1x1 before the sum, none of the residual',
      filled(
        waveNet({
          layers: [
            {
              ...wide,
              ...{ bottleneck: 6, groups_input: 2, layer1x1: { active: true, groups: 2 } },
              ...{ head1x1: { active: true, out_channels: 3, groups: 3 }, head_size: 2 },
            },
            { ...second, input_size: 4, channels: 2, layer1x1: { active: false, groups: 1 } },
          ],
        }),
      ),
    ],
    [
      'a head with taps, and what follows it',
      filled(
        waveNet({
          layers: [{ ...stack, head: { out_channels: 2, kernel_size: 4, bias: true } }],
          head: { channels: 3, out_channels: 1, kernel_sizes: [3, 2], activation: 'Softsign' },
        }),
      ),
    ],
    [
      'gates and blends of all kinds',
      filled(
        waveNet({
          layers: [
            {
              ...wide,
              ...{ dilations: [1, 2, 3, 4], kernel_size: 2, bottleneck: 2 },
              gating_mode: ['gated', 'blended', 'none', 'blended'],
              activation: [
                'Tanh',
                'Softsign',
                'ReLU',
                { type: 'LeakyHardtanh', min_val: -0.1, max_val: 0.2, max_slope: 0.5 },
              ],
              secondary_activation: ['Sigmoid', 'Hardswish', 'Tanh', { type: 'LeakyHardTanh', min_slope: 0 }],
            },
          ],
        }),
      ),
    ],
    [
      'modulation wherever there can be one',
      filled(
        waveNet({
          condition_dsp: filled(waveNet({ layers: [stack] }), 3),
          layers: [
            {
              ...wide,
              ...{ condition_size: 2, bottleneck: 6, gating_mode: ['blended', 'gated'] },
              ...{ layer1x1: { active: true, groups: 2 }, head1x1: { active: true, out_channels: 2, groups: 1 } },
              ...{
                conv_pre_film: { active: true, shift: false, groups: 2 },
                conv_post_film: {},
                activation_pre_film: {},
              },
              ...{ input_mixin_pre_film: { shift: false, groups: 2 }, input_mixin_post_film: { groups: 2 } },
              ...{ activation_post_film: {}, layer1x1_post_film: {}, head1x1_post_film: { active: true } },
            },
          ],
        }),
      ),
    ],
    [
      'a condition of its own',
      filled(
        waveNet({
          condition_dsp: filled(waveNet({ layers: [stack] }), 3),
          layers: [{ ...wide, condition_size: 2, groups_input_mixin: 2 }],
        }),
      ),
    ],
    [
      'an LSTM of two layers',
      filled({
        ...waveNet(),
        ...{ architecture: 'LSTM', sample_rate: 400, config: { num_layers: 2, input_size: 1, hidden_size: 3 } },
      }),
    ],
  ])('%s', (_, file) => {
    const model = readNam(file);
    const [all] = defined(file, [[...new Array(model.prewarm).fill(0), ...input]]);
    const expected = all.slice(model.prewarm);
    expect(relativeError(settled(model, input), expected)).toBeLessThan(1e-5);
    expect(relativeError(streamed(model.network, input, 7), expected)).toBeLessThan(1e-5);
  });
});

describe('random models, by the definition', () => {
  const names = ['Tanh', 'Hardtanh', 'ReLU', 'LeakyReLU', 'PReLU', 'Sigmoid', 'SiLU', 'Hardswish', 'LeakyHardtanh'];

  function drawModel(random) {
    const integer = (least, most) => drawInteger(random, least, most);
    const one = (list) => list[integer(0, list.length - 1)];
    const groups = (...counts) =>
      one([1, 2, 3, 4].filter((count) => counts.every((channels) => channels % count === 0)));
    const conditionSize = one([1, 2, 4]);
    const films = [
      ...['conv_pre_film', 'conv_post_film', 'input_mixin_pre_film', 'input_mixin_post_film'],
      ...['activation_pre_film', 'activation_post_film', 'layer1x1_post_film', 'head1x1_post_film'],
    ];
    let before = { channels: 1, sum: null };
    const layers = Array.from({ length: integer(1, 3) }, (_, i) => {
      const channels = integer(1, 6);
      const hasResidual = random() < 0.8;
      const bottleneck = hasResidual ? integer(1, 6) : channels;
      const sum = before.sum ?? integer(1, 4);
      // The next stack adds to what this one gives.
      const hasHead = random() < 0.5 || (i > 0 && bottleneck !== sum);
      const count = integer(1, 4);
      const perLayer = (draw) => (random() < 0.5 ? draw() : Array.from({ length: count }, draw));
      const config = {
        ...{ input_size: before.channels, condition_size: conditionSize, channels, bottleneck },
        ...{ [random() < 0.5 ? 'kernel_size' : 'kernel_sizes']: Array.from({ length: count }, () => integer(1, 4)) },
        dilations: Array.from({ length: count }, () => integer(1, 9)),
        activation: perLayer(() => one(names)),
        gating_mode: perLayer(() => one(['none', 'gated', 'blended'])),
        secondary_activation: perLayer(() => one(names)),
        groups_input: groups(channels, bottleneck),
        groups_input_mixin: groups(conditionSize, bottleneck),
        layer1x1: { active: hasResidual, groups: groups(channels, bottleneck) },
        head1x1: { active: hasHead, out_channels: sum, groups: groups(bottleneck, sum) },
        head: { out_channels: integer(1, 4), kernel_size: integer(1, 3), bias: random() < 0.5 },
      };
      for (const film of films) {
        const isUsed = film === 'layer1x1_post_film' ? hasResidual : film !== 'head1x1_post_film' || hasHead;
        if (isUsed && random() < 0.4) config[film] = { shift: random() < 0.5 };
      }
      before = { channels, sum: config.head.out_channels };
      return config;
    });
    const condition = waveNet({ layers: [{ ...stack, head_size: conditionSize }] });
    return filled(
      waveNet({ layers, ...(conditionSize > 1 && { condition_dsp: filled(condition, integer(1, 1000)) }) }),
      integer(1, 1000),
    );
  }

  test.each(Array.from({ length: 60 }, (_, seed) => seed))('seed %i', (seed) => {
    const file = drawModel(makeRandom(seed));
    const model = readNam(file);
    const input = Array.from(noise(100, 7));
    const rows = defined(file, [[...new Array(model.prewarm).fill(0), ...input]]);
    const expected = rows.flatMap((samples) => samples.slice(model.prewarm));
    const whole = model.network.forward(row([...new Array(model.prewarm).fill(0), ...input])).toArray();
    expect(
      relativeError(
        whole.flatMap((samples) => samples.slice(model.prewarm)),
        expected,
      ),
    ).toBeLessThan(1e-4);
    const stream = model.network.stream({ maxChunk: input.length });
    stream.settle();
    expect(relativeError(stream.push(row(input)).toArray().flat(), expected)).toBeLessThan(1e-4);
    model.dispose();
  });
});

test('the silence that it needs to settle', () => {
  const { network, prewarm } = readNam(small);
  const stream = network.stream({ maxChunk: 32 });
  expect(prewarm).toBe(stream.receptiveField);
  stream.push(row(new Array(prewarm - 1).fill(0)));
  const input = Array.from(noise(32, 5));
  expectSameBits(stream.push(row(input)).data, Float32Array.from(streamed(network, input, 32)));
});

test('a model that was read writes itself, with the weights of now', async () => {
  const read = (value) => readNam(JSON.stringify(value));
  const file = readJson('examples/overdrive.nam');
  const model = read(file);
  const input = noiseTensor([1, 300], 5);
  const before = model.network.forward(input).data;
  const copy = read(model);
  expectSameBits(copy.network.forward(input).data, before);
  copy.network.resetParameters({ seed: 1 });
  const learnt = copy.network.forward(input).data;
  expect(differingBits(learnt, before).length).toBeGreaterThan(0);
  const again = read(copy);
  expectSameBits(again.network.forward(input).data, learnt);
  expect(JSON.parse(JSON.stringify(again))).toEqual({ ...file, weights: expect.any(Array) });
  for (const made of [model, copy, again]) made.dispose();
});

describe('what the file says beside the network', () => {
  test('all of it', () => {
    const metadata = {
      ...{ name: 'A', modeled_by: 'B', gear_type: 'amp', gear_make: 'C', gear_model: 'D', tone_type: 'clean' },
      ...{ loudness: -20.5, gain: 0.25, input_level_dbu: 18.3, output_level_dbu: null, training: { settings: 1 } },
    };
    expect(readNam(JSON.stringify({ ...small, metadata, sample_rate: 44100 }))).toEqual({
      ...{ architecture: 'WaveNet', sampleRate: 44100, sizes: [1], prewarm: 15 },
      metadata: {
        ...{ name: 'A', modeledBy: 'B', gearType: 'amp', gearMake: 'C', gearModel: 'D', toneType: 'clean' },
        ...{ loudness: -20.5, gain: 0.25, inputLevelDbu: 18.3 },
      },
      network: expect.any(Network),
      toJSON: expect.any(Function),
      dispose: expect.any(Function),
    });
  });

  test('none of it', () => {
    expect(readNam(small)).toMatchObject({ sampleRate: 48000, metadata: {} });
  });
});

describe('a file of several sizes', () => {
  const sized = (max_value, loudness, seed) => ({
    max_value,
    model: { ...filled(small, seed), sample_rate: 48000, metadata: { loudness } },
  });
  const file = {
    ...{ version: '0.7.0', architecture: 'SlimmableContainer', weights: [], sample_rate: 48000 },
    metadata: { loudness: -3, name: 'several' },
    config: { submodels: [sized(0.25, -1, 1), sized(0.5, -2, 2), sized(1, -3, 3)] },
  };
  test.each([
    [undefined, 2],
    ['full', 2],
    [1, 2],
    [0.5, 2],
    [0.49, 1],
    [0.25, 1],
    [0, 0],
    ['lite', 0],
  ])('size %p gives model %p', (size, index) => {
    const { model } = file.config.submodels[index];
    const input = row(noise(50, 3));
    const { network, metadata, sizes } = readNam(file, { size });
    expect(sizes).toEqual([0.25, 0.5, 1]);
    expect(metadata).toEqual({ name: 'several', loudness: model.metadata.loudness });
    expectSameBits(network.forward(input).data, readNam(model).network.forward(input).data);
  });

  test.each(['small', -0.1, 1.1, NaN, null])('no size %p', (size) => {
    const text = `size must be 'lite', 'full' or a number from 0 to 1, got ${typeof size === 'string' ? "'small'" : size}`;
    expect(thrown(() => readNam(file, { size }))).toMatchObject({ code: 'ERR_OPTION', field: 'size', message: text });
  });

  test.each([
    [[0.5, 0.5], 'config.submodels[1].max_value must be above that of the model before, 0.5, got 0.5'],
    [[0.5, 0.9], 'config.submodels[1].max_value must be at least 1 in the last model, got 0.9'],
  ])('sizes %p', (sizes, message) => {
    const submodels = sizes.map((size) => sized(size, 0, 1));
    const error = thrown(() => readNam({ ...file, config: { submodels } }));
    expect(error).toMatchObject({ code: 'ERR_STATE_DICT', message });
  });
});

test('another runtime, and the one of the audio thread', async () => {
  const own = await createRuntime({ threads: 1 });
  const input = row(noise(50, 3));
  const expected = readNam(small).network.forward(input).data;
  expectSameBits(readNam(small, { runtime: own }).network.forward(input).data, expected);
  own.dispose();
  expect(thrown(() => readNam(small, { runtime: own }))).toMatchObject({ code: 'ERR_DISPOSED' });

  const worklet = await import('conv1d-wasm/worklet');
  const { readNam: readThere } = await import('conv1d-wasm/worklet/models');
  expect(() => readThere(small)).toThrow(worklet.Conv1dError);
  worklet.initSync(new WebAssembly.Module(readFileSync(fromRoot('dist/wasm/conv1d-simd.wasm'))));
  const { network } = readThere(small);
  expect(network).toBeInstanceOf(worklet.Network);
  const there = network.forward(new worklet.Tensor(input.data, input.shape));
  expect(relativeError(Array.from(there.data), Array.from(expected))).toBeLessThan(1e-5);
});

/** A copy of `value` with `change` made to what is at `path`. */
function changed(value, [key, ...rest], change) {
  const copy = Array.isArray(value) ? [...value] : { ...value };
  copy[key] = rest.length === 0 ? change(copy[key]) : changed(copy[key], rest, change);
  return copy;
}

describe('files that are refused', () => {
  const layers = (index, ...path) => ['config', 'layers', index, ...path];
  const set = (path, value) => changed(small, path, () => value);
  test.each([
    ['no JSON', '{', 'ERR_STATE_DICT', 'json', /^not a \.nam file: SyntaxError: /],
    [
      'a list',
      [],
      'ERR_STATE_DICT',
      'json',
      'json must be the text of a .nam file, or the object that it holds, got []',
    ],
    ['bytes', new Uint8Array(2), 'ERR_STATE_DICT', 'json', /got \[object Uint8Array\]$/],
    ['nothing in it', {}, 'ERR_STATE_DICT', 'version', 'version must be a string, got undefined'],
    [
      'no version',
      set(['version'], 'new'),
      'ERR_STATE_DICT',
      'version',
      /^version must be a version such as '0\.5\.4'/,
    ],
    ['an older version', set(['version'], '0.4.9'), 'ERR_UNSUPPORTED', 'version', /known are 0\.5 to 0\.7$/],
    [
      'a newer version',
      set(['version'], '1.5.0'),
      'ERR_UNSUPPORTED',
      'version',
      /^version: '1\.5\.0' is not supported/,
    ],
    [
      'another architecture',
      set(['architecture'], 'CatNet'),
      ...['ERR_UNSUPPORTED', 'architecture', /^architecture: 'CatNet' is not supported; there are WaveNet, /],
    ],
    [
      'another activation',
      set(layers(0, 'activation'), 'Fasttanh'),
      ...[
        'ERR_UNSUPPORTED',
        'config.layers[0].activation.type',
        /^config\.layers\[0\]\.activation\.type: 'Fasttanh' is/,
      ],
    ],
    [
      'modulation of what is not there',
      set(layers(0, 'head1x1_post_film'), { active: true }),
      ...['ERR_STATE_DICT', 'config.layers[0].head1x1_post_film'],
      /^config\.layers\[0\]\.head1x1_post_film must be left out where there is no such 1x1, got/,
    ],
    [
      'slopes for other channels',
      set(layers(0, 'activation'), { type: 'PReLU', negative_slopes: [1, 2] }),
      ...['ERR_STATE_DICT', 'config.layers[0].activation.negative_slopes'],
      /must be a list of 3, one for each channel, got \[1, 2\]$/,
    ],
    [
      'an option that nobody knows',
      set(layers(1, 'dropout'), 0.5),
      ...[
        'ERR_UNSUPPORTED',
        'config.layers[1].dropout',
        /^config\.layers\[1\]\.dropout: 0\.5 is not supported; known beside/,
      ],
    ],
    [
      'a weight too few',
      { ...small, weights: small.weights.slice(1) },
      ...['ERR_STATE_DICT', 'weights', 'weights must be at least 131 numbers, as the configuration says, got 130'],
    ],
    ['a weight too many', { ...small, weights: [...small.weights, 0] }, 'ERR_STATE_DICT', 'weights', /got 132$/],
    ['no weights', { ...small, weights: undefined }, 'ERR_STATE_DICT', 'weights', /must be a list of numbers/],
    [
      'NaN',
      set(['weights', 5], NaN),
      ...['ERR_STATE_DICT', 'weights[5]', 'weights[5] must be a number that is finite in float32, got NaN'],
    ],
    ['a weight too large', set(['weights', 0], 1e39), 'ERR_STATE_DICT', 'weights[0]', /got 1e\+39$/],
    ['a weight that is a string', set(['weights', 0], '1'), 'ERR_STATE_DICT', 'weights[0]', /got '1'$/],
    [
      'a count beyond all',
      set(layers(0, 'channels'), 2 ** 40),
      ...['ERR_STATE_DICT', 'weights'],
      'weights must be at least 1099511627776 numbers, as the configuration says, got 131',
    ],
  ])('%s', (_, file, code, field, message) => {
    const { used } = runtime.memory;
    const error = thrown(() => readNam(file));
    expect(runtime.memory.used).toBe(used);
    expect(error).toMatchObject({
      code,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
    expect(error.field).toBe(field);
  });
});

/** By how much the bytes in use grow each time. The least of three: the runtime's own blocks may become a little larger. */
function leastGrowth(own, action) {
  const growths = [1, 2, 3].map(() => {
    const { used } = own.memory;
    action();
    return own.memory.used - used;
  });
  return Math.min(...growths);
}

test('a model that is its own condition', () => {
  const file = { ...small, config: { ...small.config } };
  file.config.condition_dsp = file;
  expect(thrown(() => readNam(file))).toMatchObject({
    code: 'ERR_STATE_DICT',
    message: expect.stringMatching(/^json cannot be read: RangeError/),
  });
});

test('memory that runs out midway is given back', async () => {
  const own = await createRuntime({ threads: 1, maximumMemory: 2 ** 22 });
  const layers = Array.from({ length: 8 }, () => ({ ...stack, input_size: 3, head_size: 3 }));
  const large = filled(waveNet({ layers: [{ ...layers[0], input_size: 1 }, ...layers] }));
  const attempt = () => thrown(() => readNam(large, { runtime: own }).dispose());
  expect(attempt()).toBeNull();
  const blocks = [];
  while (!thrown(() => blocks.push(new Tensor(new Float32Array(1000)).toWasm(own))));
  let refused = 0;
  for (let error; (error = attempt()); ++refused) {
    expect(error.code).toBe('ERR_OUT_OF_MEMORY');
    expect(leastGrowth(own, attempt)).toBeLessThanOrEqual(0);
    blocks.pop().dispose();
  }
  expect(refused).toBeGreaterThan(5);
  own.dispose();
});

test('whatever stands anywhere in a file', () => {
  const nested = filled(
    waveNet({
      condition_dsp: filled(waveNet({ layers: [second, stack].map((each) => ({ ...each, input_size: 1 })).slice(1) })),
      layers: [{ ...stack, condition_size: 2, head1x1: { active: true, out_channels: 2, groups: 1 } }],
      head: { channels: 3, out_channels: 1, kernel_sizes: [3], activation: { type: 'PReLU', negative_slopes: [1, 2] } },
    }),
  );
  const file = {
    ...{ version: '0.7.0', architecture: 'SlimmableContainer', sample_rate: 48000, metadata: { name: 'x', gain: 1 } },
    config: { submodels: [{ max_value: 1, model: nested }] },
  };
  /** Where there is anything, but for all weights beside the first. */
  function* paths(value, path = []) {
    if (path.length > 0) yield path;
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      if (path.at(-1) !== 'weights' || key === '0') yield* paths(value[key], [...path, key]);
    }
  }
  const values = [undefined, null, false, true, 0, -1, 1.5, 2, 1e9, 2 ** 53, NaN, 'x', '', 'Tanh', [], [1], [[]], {}];
  values.push([{}], { active: true }, { type: 'PReLU', negative_slopes: [] }, small, file);
  let refused = 0;
  for (const path of paths(file)) {
    for (const value of values) {
      const hostile = changed(file, path, () => value);
      const attempt = () => thrown(() => readNam(hostile).dispose());
      const error = attempt();
      if (!error) continue;
      expect(error.code).toMatch(/^ERR_(STATE_DICT|UNSUPPORTED|OPTION)$/);
      expect(leastGrowth(runtime, attempt)).toBeLessThanOrEqual(0);
      ++refused;
    }
  }
  expect(refused).toBeGreaterThan(500);
});
