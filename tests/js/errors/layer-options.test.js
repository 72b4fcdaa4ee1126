// What a layer's options must be.
import { Conv1d } from 'conv1d-wasm';
import { refused, show, sizes } from './intact.js';

describe('sizes of a layer', () => {
  const numbers = [0, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 53, 1e300, 1e-7];
  const others = ['3', '', null, true, 3n, Symbol('three')];
  const fields = [
    ['inChannels', 1],
    ['outChannels', 1],
    ['kernelSize', 1],
    ['stride', 1],
    ['dilation', 1],
    ['groups', 1],
    ['padding', 0],
  ];
  const rule = (field, least, value) =>
    `${field} must be an integer >= ${least}${value > 2147483647 ? ' and <= 2147483647' : ''}, got ${show(value)}`;
  // Numbers that are written in more than one way.
  const text = (field, least, value) =>
    value === 1e300 || value === 1e-7
      ? new RegExp(`^${field} must be an integer >= ${least}.*, got [^ ]*[^. ]$`)
      : rule(field, least, value);

  refused(
    fields.flatMap(([field, least]) =>
      numbers
        .filter((value) => value !== least)
        .map((value) => [
          `${field}: ${show(value)}`,
          () => new Conv1d({ ...sizes, [field]: value }),
          { code: 'ERR_OPTION', field, got: value, message: text(field, least, value) },
        ]),
    ),
  );
  refused(
    fields
      .slice(0, -1)
      .flatMap(([field]) =>
        [...others, [1], {}, () => 1].map((value) => [
          `${field}: ${Array.isArray(value) ? 'a list' : typeof value} ${show(value)}`,
          () => new Conv1d({ ...sizes, [field]: value }),
          { code: 'ERR_OPTION', field, got: value, message: new RegExp(`^${field} must be a number, got .`) },
        ]),
      ),
  );
  refused(
    fields
      .slice(0, 3)
      .map(([field]) => [
        `${field} is missing`,
        () => new Conv1d({ ...sizes, [field]: undefined }),
        { code: 'ERR_OPTION', field, got: undefined, message: `${field} must be a number, got undefined` },
      ]),
  );
});

describe('padding', () => {
  const forms = "padding must be an integer >= 0, [left, right], 'valid', 'same' or 'causal', got ";
  const rows = [
    ['SAME', /^padding must be .*'valid', 'same' or 'causal', got 'SAME'$/],
    ['3', /^padding must be .*'valid', 'same' or 'causal', got '3'$/],
    ['', /^padding must be .*'valid', 'same' or 'causal', got ''$/],
    ['explicit', /^padding must be .*'valid', 'same' or 'causal', got 'explicit'$/],
    [null, `${forms}null`],
    [true, `${forms}true`],
    [{}, `${forms}[object Object]`],
    [[], `${forms}[]`],
    [[1], `${forms}[1]`],
    [[1, 2, 3], `${forms}[1, 2, 3]`],
    [[1, '2'], `${forms}[1, '2']`],
    [[undefined, 2], `${forms}[undefined, 2]`],
    // eslint-disable-next-line no-sparse-arrays
    [[1, ,], `${forms}[1, undefined]`],
    [[-1, 0], 'padding must be an integer >= 0, got -1'],
    [[0, 1.5], 'padding must be an integer >= 0, got 1.5'],
    [[0, NaN], 'padding must be an integer >= 0, got NaN'],
    [[2 ** 31, 0], 'padding must be an integer >= 0 and <= 2147483647, got 2147483648'],
  ];
  refused(
    rows.map(([padding, message]) => [
      JSON.stringify(padding),
      () => new Conv1d({ ...sizes, padding }),
      { code: 'ERR_OPTION', field: 'padding', got: padding, message },
    ]),
  );
});

describe('names and other options', () => {
  const names = {
    paddingMode: "'zeros', 'reflect', 'replicate' or 'circular'",
    dtype: "'float32' or 'float16'",
    computeMode: "'default' or 'float32'",
    algorithm: "'auto', 'direct', 'toom_cook' or 'fft'",
    activation:
      "'none', 'relu', 'leaky_relu', 'gelu', 'gelu_tanh', 'silu', 'tanh', 'sigmoid', 'relu6', 'elu', 'selu', 'prelu', " +
      "'softplus', 'softsign', 'mish', 'hardtanh', 'hardsigmoid', 'hardswish' or 'snake'",
  };
  const of = (field, got, message) => [
    `${field}: ${JSON.stringify(got)}`,
    () => new Conv1d({ ...sizes, [field]: got }),
    { code: 'ERR_OPTION', field, got, message },
  ];
  refused(
    Object.entries(names).flatMap(([field, list]) => [
      ...['x', '', 'toString'].map((got) => of(field, got, `${field} must be ${list}, got '${got}'`)),
      ...[1, null, true].map((got) => of(field, got, `${field} must be a string, got ${got}`)),
    ]),
  );
  const reverse = '; for a true convolution reverse each kernel along its last axis';
  refused([
    of('convMode', 'convolution', `convMode must be 'cross_correlation', got 'convolution'${reverse}`),
    of('convMode', null, 'convMode must be a string, got null'),
    ...[0, 1, null].map((got) => of('bias', got, `bias must be a boolean, got ${got}`)),
    of('bias', 'true', "bias must be a boolean, got 'true'"),
  ]);

  refused(
    [
      [{ kernelSize: 1 }, 'kernelSize (1) must be greater than stride (1) / gcd(stride, dilation (1))'],
      [
        { kernelSize: 3, stride: 6, dilation: 2 },
        'kernelSize (3) must be greater than stride (6) / gcd(stride, dilation (2))',
      ],
    ].map(([options, rule]) => [
      `algorithm: toom_cook with ${JSON.stringify(options)}`,
      () => new Conv1d({ ...sizes, ...options, algorithm: 'toom_cook' }),
      {
        code: 'ERR_UNSUPPORTED',
        field: 'algorithm',
        got: 'toom_cook',
        message: `algorithm 'toom_cook' needs taps to combine: ${rule}`,
      },
    ]),
  );

  const ofActivation = (activation, got, message) => [
    `activation: ${Object.entries(activation).map(([key, value]) => `${key} ${String(value)}`)}`,
    () => new Conv1d({ ...sizes, activation }),
    { code: 'ERR_OPTION', field: 'activation', got, message },
  ];
  const [wild, unknown, huge] = [
    { type: 'leaky_relu', slope: NaN },
    { type: 'swish' },
    { type: 'leaky_relu', slope: 1e39 }, // infinite in float32
  ];
  refused([
    ofActivation({}, undefined, 'activation must be a string, got undefined'),
    ofActivation(['relu'], ['relu'], "activation must be an object, got ['relu']"),
    ofActivation(unknown, unknown, `activation must be ${names.activation}, got 'swish'`),
    ofActivation(wild, wild, /^activation's slope must be a finite (number|float32), got NaN$/),
    ofActivation(huge, huge, /^activation's slope must be a finite (number|float32), got 1e\+39$/),
    ofActivation({ type: 'leaky_relu', slope: '1' }, '1', "activation must be given slope as a number, got '1'"),
    ...[
      [{ type: 'snake', alpha: 0 }, "activation's alpha must not be 0, got 0"],
      [{ type: 'snake', alpha: 1e-50 }, "activation's alpha must not be 0, got 1e-50"],
      [{ type: 'snake', alpha: [1, 0, 2, 3] }, "activation's alpha must not be 0, got 0"],
      [{ type: 'prelu', slope: [1, 2, 3] }, "activation's slope must be a number or one for each of 4 channels, got 3"],
      [{ type: 'prelu', slope: [1, NaN, 3, 4] }, "activation's slope must be a finite float32, got NaN"],
      [{ type: 'softplus', beta: 0 }, "activation's beta must be from 1e-6 to 1e6, got 0"],
      [{ type: 'softplus', beta: 2e6 }, "activation's beta must be from 1e-6 to 1e6, got 2000000"],
      [{ type: 'hardtanh', minVal: 2 }, "activation's minVal (2) must be at most maxVal (1)"],
      [{ type: 'elu', alpha: -Infinity }, "activation's alpha must be a finite float32, got -Infinity"],
    ].map(([activation, message]) => [
      `activation: ${JSON.stringify(activation)}`,
      () => new Conv1d({ ...sizes, outChannels: 4, groups: 1, activation }),
      { code: 'ERR_OPTION', field: 'activation', got: activation, message },
    ]),
    ofActivation({ type: 'elu', alpha: [1] }, [1], 'activation must be given alpha as a number, got [1]'),
    ofActivation(
      { type: 'prelu', slope: [] },
      [],
      'activation must be given slope as a number, or a list of one for each channel, got []',
    ),
    [
      'activation: a slope of relu',
      () => new Conv1d({ ...sizes, activation: { type: 'relu', slope: 1 } }),
      { code: 'ERR_OPTION', field: 'slope', got: 1, message: "unknown option 'slope'; there are type" },
    ],
  ]);

  refused([
    ...[undefined, null, 3, 'x'].map((got) => [
      `options: ${show(got)}`,
      () => new Conv1d(got),
      { code: 'ERR_OPTION', field: 'options', got, message: `options must be an object, got ${show(got)}` },
    ]),
    ...[null, 'simd', {}].map((got) => [
      `runtime: ${show(got)}`,
      () => new Conv1d({ ...sizes, runtime: got }),
      {
        code: 'ERR_OPTION',
        field: 'runtime',
        got,
        message: /^runtime must be a Runtime from init\(\) or createRuntime\(\), got /,
      },
    ]),
  ]);
});

describe('options that do not go together', () => {
  const of = (options, field, message) => [
    JSON.stringify(options),
    () => new Conv1d({ ...sizes, ...options }),
    { code: 'ERR_OPTION', field, got: options[field] ?? sizes[field], message },
  ];
  const most = 'elements, at most 1073741823 are possible';
  const int = 2 ** 31 - 1;
  refused([
    of({ inChannels: 6, groups: 4 }, 'inChannels', 'inChannels (6) must be divisible by groups (4)'),
    of({ inChannels: 6, groups: 3 }, 'outChannels', 'outChannels (4) must be divisible by groups (3)'),
    // Products that pass 2^31, 2^32, 2^53 and 2^64, and one that is 0 modulo 2^32.
    of(
      { inChannels: 2 ** 15, outChannels: 2 ** 15, kernelSize: 1 },
      'outChannels',
      `the weight has outChannels (32768) * inChannels (32768) / groups (1) * kernelSize (1) ${most}`,
    ),
    of(
      { inChannels: 2 ** 16, outChannels: 2 ** 16 },
      'outChannels',
      `the weight has outChannels (65536) * inChannels (65536) / groups (1) * kernelSize (3) ${most}`,
    ),
    of(
      { inChannels: int, outChannels: int, kernelSize: int },
      'outChannels',
      `the weight has outChannels (${int}) * inChannels (${int}) / groups (1) * kernelSize (${int}) ${most}`,
    ),
    of(
      { kernelSize: 2 ** 20, dilation: 2 ** 20 },
      'dilation',
      'dilation (1048576) * (kernelSize (1048576) - 1) must be less than 1073741823',
    ),
    of(
      { kernelSize: 434983, dilation: 328442 },
      'dilation',
      'dilation (328442) * (kernelSize (434983) - 1) must be less than 1073741823',
    ),
  ]);
});
