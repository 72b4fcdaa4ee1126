// Options by the names of PyTorch and MegEngine.
import { Conv1d, createRuntime, init } from 'conv1d-wasm';
import { thrown } from './support.js';

const sizes = { in_channels: 4, out_channels: 6, kernel_size: 3 };
const defaults = { stride: 1, padding: 0, dilation: 1, groups: 1, bias: true, padding_mode: 'zeros' };

let runtime;
beforeAll(async () => (runtime = await init({ threads: 1 })));
afterAll(() => runtime.dispose());

describe('fromConfig', () => {
  test.each([
    ['sizes', {}, 'Conv1d(4, 6, kernelSize=3, stride=1)'],
    [
      "PyTorch's lists",
      { kernel_size: [5], stride: [2], padding: [2], dilation: [3], groups: 2, bias: false, padding_mode: 'circular' },
      'Conv1d(4, 6, kernelSize=5, stride=2, padding=2, dilation=3, groups=2, bias=false, paddingMode=circular)',
    ],
    ["PyTorch's device and dtype", { device: 'cuda:0', dtype: 'torch.float16' }, /, dtype=float16\)$/],
    ['no dtype', { device: null, dtype: null }, 'Conv1d(4, 6, kernelSize=3, stride=1)'],
    ['torch.half', { dtype: 'torch.half' }, /, dtype=float16\)$/],
    ['torch.float', { dtype: 'torch.float' }, /, stride=1\)$/],
    ['float16', { dtype: 'float16' }, /, dtype=float16\)$/],
    ["'same'", { padding: 'same' }, /, padding='same'\)$/],
    ["'valid'", { padding: 'valid' }, /, padding='valid'\)$/],
    ["'causal'", { padding: 'causal' }, /, padding='causal'\)$/],
    ['both ends', { padding: [1, 2] }, /, padding=\[1, 2\]\)$/],
    [
      "MegEngine's modes",
      { conv_mode: 'CROSS_CORRELATION', compute_mode: 'DEFAULT', padding_mode: 'REFLECT' },
      /, paddingMode=reflect\)$/,
    ],
    ['MegEngine, lower case', { conv_mode: 'cross_correlation', compute_mode: 'float32', padding: 0 }, /, stride=1\)$/],
    ['more than they have', { activation: 'relu', algorithm: 'direct' }, /, activation=relu\)$/],
  ])('%s', (_, more, text) => {
    const printed = String(Conv1d.fromConfig({ ...sizes, ...more }));
    if (text instanceof RegExp) expect(printed).toMatch(text);
    else expect(printed).toBe(text);
  });

  test('in a runtime', async () => {
    const other = await createRuntime({ threads: 1 });
    const before = runtime.memory.used;
    const layer = Conv1d.fromConfig({ ...sizes, out_channels: 600 }, { runtime: other });
    expect(runtime.memory.used).toBe(before);
    other.dispose();
    expect(thrown(() => layer.weight)).toMatchObject({ code: 'ERR_DISPOSED' });
  });

  const one = (key, got, field, message) => [
    `${key}: ${JSON.stringify(got)}`,
    { ...sizes, [key]: got },
    field,
    message,
  ];
  test.each([
    ['null', null, 'config', 'config must be an object, got null'],
    one('output_padding', 0, 'output_padding', /^unknown option 'output_padding'; there are in_channels, /),
    one('kernel_size', [3, 3], 'kernelSize', 'kernelSize must be a number, got [3, 3]'),
    one('stride', 0, 'stride', 'stride must be an integer >= 1, got 0'),
    one('in_channels', undefined, 'inChannels', 'inChannels must be a number, got undefined'),
    one('padding', 'SAME', 'padding', "padding must be 'valid', 'same' or 'causal', got 'SAME'"),
    one(
      'padding_mode',
      'edge',
      'paddingMode',
      "paddingMode must be 'zeros', 'reflect', 'replicate' or 'circular', got 'edge'",
    ),
    one('dtype', 'torch.float64', 'dtype', "dtype must be 'float32' or 'float16', got 'float64'"),
    one('dtype', 'toString', 'dtype', "dtype must be 'float32' or 'float16', got 'toString'"),
    one('conv_mode', 'CONVOLUTION', 'convMode', /^convMode must be 'cross_correlation', got 'convolution'; for/),
  ])('refused: %s', (_, config, field, message) => {
    const error = thrown(() => Conv1d.fromConfig(config));
    expect(error).toMatchObject({ code: 'ERR_OPTION', field });
    if (message instanceof RegExp) expect(error.message).toMatch(message);
    else expect(error.message).toBe(message);
  });

  test('refused: options that are no object', () => {
    expect(thrown(() => Conv1d.fromConfig(sizes, null))).toMatchObject({ code: 'ERR_OPTION', field: 'options' });
  });
});

describe('toConfig', () => {
  test.each([
    ['defaults', {}],
    ['each argument', { stride: 2, padding: 3, dilation: 2, groups: 2, bias: false, padding_mode: 'reflect' }],
    ['both ends', { padding: [1, 2] }],
    ['a rule', { padding: 'same' }],
    ['float16', { dtype: 'float16', compute_mode: 'float32' }],
    ['an activation', { activation: 'gelu', algorithm: 'direct' }],
    ['a slope', { activation: { type: 'leaky_relu', slope: 0.2 } }],
    ['two parameters', { activation: { type: 'hardtanh', minVal: -2, maxVal: 0.5 } }],
    ['a parameter of each channel', { out_channels: 4, activation: { type: 'snake', alpha: [1, 2, 3, 4] } }],
  ])('is what fromConfig took: %s', (_, more) => {
    const config = { ...sizes, ...defaults, ...more };
    const written = Conv1d.fromConfig(config).toConfig();
    expect(written).toEqual(config);
    expect(JSON.parse(JSON.stringify(written))).toEqual(config);
  });

  test('every spelling ends in the same', () => {
    const spelled = {
      ...sizes,
      kernel_size: [3],
      padding: [1, 1],
      padding_mode: 'ZEROS',
      dtype: 'torch.float',
      device: 0,
    };
    expect(Conv1d.fromConfig(spelled).toConfig()).toEqual({ ...sizes, ...defaults, padding: 1 });
  });

  test('of a disposed layer', () => {
    const layer = Conv1d.fromConfig(sizes);
    layer.dispose();
    expect(thrown(() => layer.toConfig())).toMatchObject({ code: 'ERR_DISPOSED', field: 'layer' });
  });
});
