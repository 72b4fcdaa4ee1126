// Every misuse gives its Conv1dError and changes nothing.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import vm from 'node:vm';
import {
  compileModule,
  Conv1d,
  conv1d,
  Conv1dError,
  createConvolverNode,
  createRuntime,
  init,
  Network,
  readNpz,
  readSafetensors,
  readTorch,
  Tensor,
  writeSafetensors,
} from 'conv1d-wasm';
import {
  canRelax,
  expectSameBits,
  forwardIn,
  fromRoot,
  makeLayer,
  noiseTensor,
  rejected,
  runForResult,
  thrown,
} from './support.js';

const sizes = { inChannels: 3, outChannels: 4, kernelSize: 3 };
const zeros = (...shape) => new Tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const halves = (...shape) => new Tensor(new Uint16Array(shape.reduce((a, b) => a * b, 1)), shape);

describe('before init()', () => {
  test.each([
    ['a layer', () => new Conv1d(sizes)],
    ['toWasm', () => zeros(1).toWasm()],
    ['conv1d', () => conv1d(zeros(1, 1), zeros(1, 1, 1))],
  ])('%s', (_, action) => {
    expect(thrown(action)).toEqual({
      code: 'ERR_NOT_INITIALIZED',
      field: 'runtime',
      got: undefined,
      message: 'the library is not loaded yet: call await init() first',
    });
  });

  test('tensors need no runtime', () => {
    expect(new Tensor([1, 2], [2, 1]).toJs().toArray()).toEqual([[1], [2]]);
  });
});

test('Conv1dError is an Error with a name, and keeps its cause', async () => {
  const error = await createRuntime({ wasmBinary: Uint8Array.of(1, 2, 3, 4) }).catch((reason) => reason);
  expect(error).toBeInstanceOf(Conv1dError);
  expect(error).toBeInstanceOf(Error);
  expect(String(error)).toMatch(/^Conv1dError: /);
  expect(error.cause).toBeInstanceOf(WebAssembly.CompileError);
});

describe('once loaded', () => {
  // What must be the same after each failed call.
  const input = noiseTensor([2, 3, 17], 5);
  let runtime;
  let layer;
  let placed;
  let before;

  let intact = false;

  // Once for all tests, unless one has left something changed: the next one is not to suffer from that.
  beforeEach(async () => {
    if (!intact) {
      runtime?.dispose();
      runtime = await init({ threads: 1 });
      layer = makeLayer(sizes);
      placed = input.toWasm();
      const output = layer.forward(input).data;
      before = { weight: layer.weight.data, bias: layer.bias.data, output, used: usedBytes() };
    }
    intact = false;
  });

  /** Bytes in use. The runtime keeps the text of its last error: let that be the same one each time. */
  function usedBytes() {
    thrown(() => new Conv1d({ ...sizes, stride: 0 }));
    return runtime.memory.used;
  }

  afterEach(() => {
    expectSameBits(layer.weight.data, before.weight);
    expectSameBits(layer.bias.data, before.bias);
    for (const placement of ['js', 'wasm']) expectSameBits(forwardIn(placement, layer, input, runtime), before.output);
    // The block that holds that text may be a little larger than it was. Losses add up over the tests.
    expect(Math.abs(usedBytes() - before.used)).toBeLessThan(64);
    intact = true;
  });

  afterAll(() => runtime.dispose());

  describe('unknown options name those that there are, and the nearest', () => {
    const ofWeight = 'inChannels, outChannels, kernelSize, bias, dtype';
    const others =
      'stride, padding, dilation, groups, activation, algorithm, paddingMode, convMode, computeMode, runtime';
    const module = 'variant, deterministic, wasmUrl, wasmBinary, wasmModule';
    const all = `${ofWeight}, ${others}`;
    const config =
      'in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, conv_mode, ' +
      'compute_mode, dtype, activation, algorithm, device';
    const create = (options) => new Conv1d({ ...sizes, ...options });
    const stream = (options) => layer.stream({ maxChunk: 4, ...options });
    const streamed = 'batch, maxChunk, denormals';
    const flat = { in_channels: 3, out_channels: 4, kernel_size: 3 };
    const functional = (options) => conv1d(input, layer.weight, null, options);

    test.each([
      ['Conv1d', 'kernelsize', 'kernelSize', all, create],
      ['Conv1d', 'kernel_size', 'kernelSize', all, create],
      ['Conv1d', 'kernel', 'kernelSize', all, create],
      ['Conv1d', 'dilatoin', 'dilation', all, create],
      ['Conv1d', 'strides', 'stride', all, create],
      ['Conv1d', 'pad', 'padding', all, create],
      ['Conv1d', 'paddingRule', 'padding', all, create],
      ...['padLeft', 'slope', 'toString', 'constructor', '', 'k', 'k'.repeat(1e4)].map((name) => [
        ...['Conv1d', name, null, all, create],
      ]),
      ['fromConfig, config', 'inChannels', 'in_channels', config, (more) => Conv1d.fromConfig({ ...flat, ...more })],
      ['fromConfig', 'runTime', 'runtime', 'runtime', (options) => Conv1d.fromConfig(flat, options)],
      ['forward', 'output', 'out', 'out', (options) => layer.forward(input, options)],
      ['forwardAsync', 'progress', 'onProgress', 'signal, onProgress', (options) => layer.forwardAsync(input, options)],
      ['resetParameters', 'sceme', 'scheme', 'scheme, seed', (options) => layer.resetParameters(options)],
      [
        'loadStateDict',
        'Prefix',
        'prefix',
        'strict, prefix, batchNorm, layout',
        (options) => layer.loadStateDict({}, options),
      ],
      [
        ...['loadStateDict, batchNorm', 'epsilon', 'eps', 'prefix, eps'],
        (more) => layer.loadStateDict({}, { batchNorm: { prefix: '', ...more } }),
      ],
      ['stream', 'chunk', 'maxChunk', streamed, stream],
      ['Network.stream', 'max_chunk', 'maxChunk', streamed, (options) => new Network([layer]).stream(options)],
      ['Network.forward', 'Out', 'out', 'out', (options) => new Network([layer]).forward(input, options)],
      ['conv1d', 'paddingmode', 'paddingMode', `${others}, out`, functional],
      ...ofWeight.split(', ').map((name) => ['conv1d', name, null, `${others}, out`, functional]),
      ['createRuntime', 'thread', 'threads', `${module}, threads, maximumMemory`, createRuntime],
      ['createRuntime', 'maxMemory', null, `${module}, threads, maximumMemory`, createRuntime],
      ['compileModule', 'threads', null, module, compileModule],
      [
        ...['createConvolverNode', 'Source', 'source', 'source, impulseResponse, wasmModule, processorUrl, onLoad'],
        (options) => createConvolverNode({}, options),
      ],
      [
        'readSafetensors',
        'Prefix',
        'prefix',
        'names, prefix, filter',
        (options) => readSafetensors(new Uint8Array(0), options),
      ],
      ['readTorch', 'name', 'names', 'names, prefix, filter', (options) => readTorch(new Uint8Array(0), options)],
      [
        'readNpz',
        'maxbytes',
        'maxBytes',
        'names, prefix, filter, maxBytes',
        (options) => readNpz(new Uint8Array(0), options),
      ],
      ['writeSafetensors', 'meta', 'metadata', 'metadata', (options) => writeSafetensors({}, options)],
    ])('%s: %s, meant %s', async (_, name, meant, known, call) => {
      const refusal = (async () => call({ [name]: 5 }))();
      const error = await rejected(refusal);
      const guess = meant ? ` (did you mean ${meant}?)` : '';
      const shown = name.length > 60 ? `${name.slice(0, 60)}...` : name;
      const message = `unknown option '${shown}'${guess}; there are ${known}`;
      expect(error).toMatchObject({ code: 'ERR_OPTION', field: name, got: 5, message });
    });
  });

  /** `action` with a layer of its own. */
  function withLayer(options, action) {
    const own = new Conv1d({ ...sizes, ...options });
    try {
      return action(own);
    } finally {
      own.dispose();
    }
  }

  /** Rows are [what is called, the call, what it throws]; `message` may be a pattern. */
  function refused(rows) {
    test.each(rows)('%s', (_, action, { message, ...expected }) => {
      const error = thrown(action);
      expect(error).toMatchObject(expected);
      if (message instanceof RegExp) expect(error.message).toMatch(message);
      else expect(error.message).toBe(message);
    });
  }

  const show = (value) => (typeof value === 'string' ? `'${value}'` : String(value));

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
      activation: "'none', 'relu', 'leaky_relu', 'gelu', 'gelu_tanh', 'silu', 'tanh' or 'sigmoid'",
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
      { type: 'elu' },
      { type: 'leaky_relu', slope: 1e39 }, // infinite in float32
    ];
    refused([
      ofActivation({}, undefined, 'activation must be a string, got undefined'),
      ofActivation(['relu'], ['relu'], "activation must be an object, got ['relu']"),
      ofActivation(unknown, unknown, `activation must be ${names.activation}, got 'elu'`),
      ofActivation(wild, wild, /^activation's slope must be a finite (number|float32), got NaN$/),
      ofActivation(huge, huge, /^activation's slope must be a finite (number|float32), got 1e\+39$/),
      ofActivation(
        { type: 'leaky_relu', slope: '1' },
        '1',
        "activation must be given a slope that is a number, got '1'",
      ),
      ofActivation({ type: 'relu', slope: 1 }, 'relu', "activation must be 'leaky_relu' to have a slope, got 'relu'"),
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

  describe('input shapes', () => {
    const length = (got, L, left, right, dilation, k, stride) =>
      `output length must be >= 1, got ${got} = floor((L (${L}) + padLeft (${left}) + padRight (${right}) - ` +
      `dilation (${dilation}) * (kernelSize (${k}) - 1) - 1) / stride (${stride})) + 1`;
    const rank = 'input must be (N, C, L) or (C, L), got shape ';
    const rows = [
      [[], {}, `${rank}[]`],
      [[3], {}, `${rank}[3]`],
      [[1, 2, 3, 4], {}, `${rank}[1, 2, 3, 4]`],
      [[2, 5, 7], {}, 'input has 5 channels (shape [2, 5, 7]), the layer has inChannels 3'],
      [[5, 7], {}, 'input has 5 channels (shape [5, 7]), the layer has inChannels 3'],
      [[2, 3, 2], {}, length(0, 2, 0, 0, 1, 3, 1)],
      [[2, 3, 0], {}, length(-2, 0, 0, 0, 1, 3, 1)],
      [[0, 3, 2], {}, length(0, 2, 0, 0, 1, 3, 1)],
      [[3, 5], { dilation: 4, stride: 2, padding: [1, 2] }, length(0, 5, 1, 2, 4, 3, 2)],
      [[3, 0], { padding: 'same' }, /^output length must be >= 1, got 0 = floor\(\(L \(0\)/],
      [[3, 2], { padding: 'valid' }, length(0, 2, 0, 0, 1, 3, 1)],
      [[3, 0], { padding: 'causal' }, length(0, 0, 2, 0, 1, 3, 1)],
      [[3, 4], { padding: [1, 4], paddingMode: 'reflect' }, 'reflect padding (4) must be at most L - 1 (3)'],
      [[3, 0], { padding: 1, paddingMode: 'reflect' }, 'reflect padding (1) must be at most L - 1 (-1)'],
      [[3, 4], { padding: [5, 1], paddingMode: 'circular' }, 'circular padding (5) must be at most L (4)'],
      [[3, 0], { padding: 5, paddingMode: 'replicate' }, 'replicate padding needs L >= 1, got 0'],
      [
        [3, 2],
        { padding: 'causal', dilation: 2, paddingMode: 'reflect' },
        'reflect padding (4) must be at most L - 1 (1)',
      ],
      // eslint-disable-next-line no-sparse-arrays
      [[2, , 7], {}, 'input[1] must be an integer >= 0, got undefined'],
      [[2, 3, -1], {}, 'input[2] must be an integer >= 0, got -1'],
      [[2, 3, 1.5], {}, 'input[2] must be an integer >= 0, got 1.5'],
      [[NaN, 3, 5], {}, 'input[0] must be an integer >= 0, got NaN'],
      [[2, 3, Infinity], {}, 'input[2] must be an integer >= 0, got Infinity'],
      [[2, 3, '7'], {}, "input[2] must be an integer >= 0, got '7'"],
      ['2,3,7', {}, "input must be an array of integers >= 0, got '2,3,7'"],
      [null, {}, 'input must be an array of integers >= 0, got null'],
      [undefined, {}, 'input must be an array of integers >= 0, got undefined'],
      [Int32Array.of(2, 3, 7), {}, 'input must be an array of integers >= 0, got [object Int32Array]'],
      // Sizes beyond 2^31, 2^32, 2^53 and 2^63; of no image, the product is 0.
      [[2 ** 20, 3, 2 ** 20], {}, 'input [1048576, 3, 1048576] has more than 1073741823 elements'],
      [[1, 3, 2 ** 30], {}, 'input [1, 3, 1073741824] has more than 1073741823 elements'],
      [
        [2 ** 53, 3, 2 ** 53],
        {},
        /^input \[9007199254740992, 3, 9007199254740992\] has more than 1073741823 elements$/,
      ],
      [[1e300, 3, 1e300], {}, /^input \[.*\] has more than 1073741823 elements$/],
      [[2 ** 40, 3, 0], { padding: 1 }, /^(output|input) /],
      [[2 ** 30 - 1, 3, 0], { padding: 2 }, /^output shape \(1073741823, 4, 2\) has more than 1073741823 elements$/],
      [[1, 3, 5], { padding: 2 ** 29 }, /^the padded length L \(5\) \+ padLeft \(536870912\) .* at most 1073741823$/],
      [[1, 3, 5], { padding: 2 ** 28 }, 'output shape (1, 4, 536870915) has more than 1073741823 elements'],
      ...[2 ** 31, 2 ** 40, 2 ** 53, 2 ** 63, 1e300].flatMap((huge) =>
        [{}, { padding: 1 }, { padding: 'same', stride: 2 }, { padding: 'causal' }].map((options) => [
          [0, 3, huge],
          options,
          /(must be at most|has more than) 1073741823/,
        ]),
      ),
    ];
    const name = (shape) => (Array.isArray(shape) ? `[${Array.from(shape, String)}]` : String(shape));
    refused(
      rows.flatMap(([shape, options, message]) => {
        const expected = { code: 'ERR_SHAPE', field: 'input', got: shape, message };
        const asked = (ask) => () => withLayer(options, ask);
        const text = `${name(shape)} with ${JSON.stringify(options)}`;
        return [
          [`outputShape: ${text}`, asked((other) => other.outputShape(shape)), expected],
          [`explain: ${text}`, asked((other) => other.explain(shape)), expected],
        ];
      }),
    );

    test.each([
      ['rank', [17], rank],
      ['channels', [2, 5, 17], 'input has 5 channels'],
      ['length', [2, 3, 2], 'output length must be >= 1'],
    ])('forward: the same errors: %s', (_, shape, message) => {
      for (const tensor of [zeros(...shape), zeros(...shape).toWasm()]) {
        expect(thrown(() => layer.forward(tensor))).toMatchObject({ code: 'ERR_SHAPE', field: 'input', got: shape });
        expect(thrown(() => layer.forward(tensor)).message).toContain(message);
        tensor.dispose();
      }
    });
  });

  describe('forward', () => {
    const notTensor = (field, got, text) => ({
      code: 'ERR_DTYPE',
      field,
      got,
      message: `${field} must be a Tensor, got ${text}`,
    });
    const array = new Float32Array(3);
    const fits = () => zeros(2, 4, 15);
    refused([
      ['null', () => layer.forward(null), notTensor('input', null, 'null')],
      ['nothing', () => layer.forward(), notTensor('input', undefined, 'undefined')],
      ['a number', () => layer.forward(5), notTensor('input', 5, '5')],
      ['an array', () => layer.forward(array), notTensor('input', array, '[object Float32Array]')],
      [
        'an object like a tensor',
        () => layer.forward({ ...input }),
        { ...notTensor('input', expect.anything(), '[object Object]') },
      ],
      [
        'float16 into float32',
        () => layer.forward(halves(3, 17)),
        {
          code: 'ERR_DTYPE',
          field: 'input',
          got: 'float16',
          message:
            'input must be float32 as the layer is, got float16; new Tensor(input.toArray(), input.shape) is float32',
        },
      ],
      [
        'float32 into float16',
        () => withLayer({ dtype: 'float16' }, (half) => half.forward(input)),
        {
          code: 'ERR_DTYPE',
          field: 'input',
          got: 'float32',
          message: "input must be float16 as the layer is, got float32; new Tensor(data, shape, 'float16') is float16",
        },
      ],
      ['out: null', () => layer.forward(input, { out: null }), notTensor('out', null, 'null')],
      ['out: an array', () => layer.forward(input, { out: array }), notTensor('out', array, '[object Float32Array]')],
      [
        'out: another shape of the same size',
        () => layer.forward(input, { out: zeros(2, 15, 4) }),
        { code: 'ERR_SHAPE', field: 'out', got: [2, 15, 4], message: 'out must have shape [2, 4, 15], got [2, 15, 4]' },
      ],
      [
        'out: unbatched',
        () => layer.forward(new Tensor(input.data.slice(51), [1, 3, 17]), { out: zeros(4, 15) }),
        { code: 'ERR_SHAPE', field: 'out', got: [4, 15], message: 'out must have shape [1, 4, 15], got [4, 15]' },
      ],
      [
        'out: another dtype',
        () => layer.forward(input, { out: halves(2, 4, 15) }),
        {
          code: 'ERR_DTYPE',
          field: 'out',
          got: 'float16',
          message: 'out must be float32 as the layer is, got float16; new Tensor(out.toArray(), out.shape) is float32',
        },
      ],
      [
        'out: in wasm memory for an input in JavaScript',
        () => usingWasm(fits(), (out) => layer.forward(input, { out })),
        {
          code: 'ERR_OPTION',
          field: 'out',
          got: 'wasm',
          message: "out must live where the input lives ('js'), got 'wasm'",
        },
      ],
      [
        'out: in JavaScript for an input in wasm memory',
        () => layer.forward(placed, { out: fits() }),
        {
          code: 'ERR_OPTION',
          field: 'out',
          got: 'js',
          message: "out must live where the input lives ('wasm'), got 'js'",
        },
      ],
      [
        'out: the input itself',
        () => withLayer({ outChannels: 3, padding: 1 }, (keeping) => keeping.forward(placed, { out: placed })),
        { code: 'ERR_OPTION', field: 'out', message: 'out must not be the input itself' },
      ],
    ]);

    function usingWasm(tensor, action) {
      const there = tensor.toWasm();
      try {
        return action(there);
      } finally {
        there.dispose();
      }
    }

    test('a refused out is not written', () => {
      const out = new Tensor(new Float32Array(120).fill(7), [2, 15, 4]);
      thrown(() => layer.forward(input, { out }));
      expect([...out.data]).toEqual(Array(120).fill(7));
    });

    test('tensors of another runtime', async () => {
      const other = await createRuntime({ threads: 1 });
      const there = input.toWasm(other);
      const out = fits().toWasm(other);
      const message = (field) => `${field} lies in the memory of another runtime than the layer's`;
      expect(thrown(() => layer.forward(there))).toMatchObject({
        code: 'ERR_OPTION',
        field: 'input',
        message: message('input'),
      });
      expect(thrown(() => layer.forward(placed, { out }))).toMatchObject({
        code: 'ERR_OPTION',
        field: 'out',
        message: message('out'),
      });
      other.dispose();
    });

    // Posting an array to a worker takes it away; a view of a resizable buffer follows its size.
    test.each([
      ['transferred', (buffer) => structuredClone(buffer, { transfer: [buffer] })],
      ['shrunk', (buffer) => buffer.resize(8)],
      ['grown', (buffer) => buffer.resize(4 * 2 ** 20)],
    ])('an array that was %s', (_, change) => {
      const make = (shape) => {
        const buffer = new ArrayBuffer(4 * shape.reduce((a, b) => a * b), { maxByteLength: 4 * 2 ** 20 });
        const tensor = new Tensor(new Float32Array(buffer), shape);
        change(buffer);
        return tensor;
      };
      const expected = { code: expect.stringMatching(/^ERR_(DISPOSED|SHAPE)$/) };
      expect(thrown(() => layer.forward(make([2, 3, 17])))).toMatchObject(expected);
      expect(thrown(() => layer.forward(input, { out: make([2, 4, 15]) }))).toMatchObject(expected);
      expect(thrown(() => (layer.weight = make([4, 3, 3])))).toMatchObject(expected);
      expect(thrown(() => make([4]).toWasm())).toMatchObject(expected);
    });
  });

  describe('weights', () => {
    const assign = (name, value, options) => () => {
      if (options) withLayer(options, (own) => (own[name] = value));
      else layer[name] = value;
    };
    const ofShape = (name, got, wanted) => ({
      code: 'ERR_SHAPE',
      field: name,
      got,
      message: `${name} must have shape ${wanted}, got [${got.join(', ')}]`,
    });
    refused([
      ['weight: another shape', assign('weight', zeros(4, 3, 4)), ofShape('weight', [4, 3, 4], '[4, 3, 3]')],
      ['weight: 4-D without groups', assign('weight', zeros(1, 4, 3, 3)), ofShape('weight', [1, 4, 3, 3], '[4, 3, 3]')],
      ['weight: flat', assign('weight', zeros(36)), ofShape('weight', [36], '[4, 3, 3]')],
      [
        'weight of groups',
        assign('weight', zeros(4, 4, 3), { inChannels: 4, groups: 2 }),
        ofShape('weight', [4, 4, 3], '[2, 2, 2, 3] or [4, 2, 3]'),
      ],
      ['bias: another shape', assign('bias', zeros(1, 4)), ofShape('bias', [1, 4], '[1, 4, 1] or [4]')],
      ['bias: another size', assign('bias', zeros(5)), ofShape('bias', [5], '[1, 4, 1] or [4]')],
      ...['weight', 'bias'].flatMap((name) => [
        [
          `${name}: float16`,
          assign(name, halves(4, 3, 3)),
          {
            code: 'ERR_DTYPE',
            field: name,
            got: 'float16',
            message: `${name} must be float32 as the layer is, got float16; new Tensor(${name}.toArray(), ${name}.shape) is float32`,
          },
        ],
        [
          `${name}: a list`,
          assign(name, [1, 2]),
          { code: 'ERR_DTYPE', field: name, got: [1, 2], message: `${name} must be a Tensor, got [1, 2]` },
        ],
      ]),
      [
        'weight: null',
        assign('weight', null),
        { code: 'ERR_DTYPE', field: 'weight', got: null, message: 'weight must be a Tensor, got null' },
      ],
      [
        'bias: null',
        assign('bias', null),
        {
          code: 'ERR_OPTION',
          field: 'bias',
          got: null,
          message: 'bias must be a Tensor: the layer was made with bias',
        },
      ],
      [
        'bias of a layer without',
        assign('bias', zeros(4), { bias: false }),
        { code: 'ERR_OPTION', field: 'bias', message: 'the layer was made with bias: false' },
      ],
    ]);

    const reset = (options, field, got, message) => [
      `resetParameters(${JSON.stringify(options)}) ${String(got)}`,
      () => layer.resetParameters(options),
      { code: 'ERR_OPTION', field, got, message },
    ];
    const seed = (got) => reset({ seed: got }, 'seed', got, `seed must be an integer from 0 to 2^53 - 1, got ${got}`);
    refused([
      reset({ scheme: 'xavier' }, 'scheme', 'xavier', "scheme must be 'megengine' or 'pytorch', got 'xavier'"),
      reset({ scheme: 3 }, 'scheme', 3, 'scheme must be a string, got 3'),
      ...[-1, 1.5, NaN, Infinity, 2 ** 53].map(seed),
      reset({ seed: '1' }, 'seed', '1', "seed must be a number, got '1'"),
      reset({ seed: null }, 'seed', null, 'seed must be a number, got null'),
    ]);
  });

  describe('state dictionaries', () => {
    const state = { weight: zeros(4, 3, 3), bias: zeros(4) };
    const load = (name, dict, field, message, options) => [
      name,
      () => layer.loadStateDict(dict, options),
      { code: 'ERR_STATE_DICT', field, message },
    ];
    const gone = zeros(4);
    gone.dispose();
    refused([
      load('nothing', undefined, 'dict', 'dict must be an object of tensors, got undefined'),
      load('null', null, 'dict', 'dict must be an object of tensors, got null'),
      load('a text', 'weight', 'dict', "dict must be an object of tensors, got 'weight'"),
      load('no weight', { bias: state.bias }, 'weight', "'weight' is missing; there are ['bias']"),
      load('no bias', { weight: state.weight }, 'bias', "'bias' is missing; there are ['weight']"),
      load(
        'one too many',
        { ...state, extra: state.bias },
        'extra',
        "'extra' is not a parameter of this layer, which has weight and bias",
      ),
      load('no such prefix', state, 'a.weight', "'a.weight' is missing; there are ['weight', 'bias']", {
        prefix: 'a.',
      }),
      load(
        'one too many with the prefix',
        { 'a.weight': state.weight, 'a.bias': state.bias, 'a.extra': state.bias, other: state.bias },
        'a.extra',
        "'a.extra' is not a parameter of this layer, which has weight and bias",
        { prefix: 'a.' },
      ),
      load('inherited names', Object.create(state), 'weight', "'weight' is missing; there are []"),
      // The weight is right and must not be taken: all or nothing.
      load(
        'a bias of another shape',
        { ...state, bias: zeros(5) },
        'bias',
        'bias: bias must have shape [1, 4, 1] or [4], got [5]',
      ),
      load('a bias that is no tensor', { ...state, bias: [1] }, 'bias', 'bias: bias must be a Tensor, got [1]'),
      load('a disposed bias', { ...state, bias: gone }, 'bias', 'bias: this tensor is disposed'),
      load(
        'not strict, but wrong',
        { ...state, bias: zeros(5) },
        'bias',
        'bias: bias must have shape [1, 4, 1] or [4], got [5]',
        { strict: false },
      ),
    ]);

    test('the error of a layer without bias, and its cause', () => {
      const plain = new Conv1d({ ...sizes, bias: false });
      expect(thrown(() => plain.loadStateDict(state))).toMatchObject({
        code: 'ERR_STATE_DICT',
        field: 'bias',
        message: "'bias' is not a parameter of this layer, which has weight",
      });
      plain.dispose();
      let error;
      try {
        layer.loadStateDict({ ...state, bias: zeros(5) });
      } catch (caught) {
        error = caught;
      }
      expect(error.cause).toMatchObject({ code: 'ERR_SHAPE', field: 'bias', got: [5] });
    });
  });

  describe('conv1d()', () => {
    const x = zeros(1, 3, 17);
    const w = zeros(4, 3, 3);
    const option = (options, field, message, weight = w) => [
      JSON.stringify(options),
      () => conv1d(x, weight, null, options),
      { code: 'ERR_OPTION', field, message },
    ];
    refused([
      [
        'no weight',
        () => conv1d(x),
        { code: 'ERR_DTYPE', field: 'weight', message: 'weight must be a Tensor, got undefined' },
      ],
      [
        'no input',
        () => conv1d(null, w),
        { code: 'ERR_DTYPE', field: 'input', message: 'input must be a Tensor, got null' },
      ],
      [
        'a bias that is no tensor',
        () => conv1d(x, w, 5),
        { code: 'ERR_DTYPE', field: 'bias', message: 'bias must be a Tensor, got 5' },
      ],
      [
        'a bias of another shape',
        () => conv1d(x, w, zeros(3)),
        { code: 'ERR_SHAPE', field: 'bias', got: [3], message: 'bias must have shape [1, 4, 1] or [4], got [3]' },
      ],
      [
        'a 2-D weight',
        () => conv1d(x, zeros(4, 3)),
        {
          code: 'ERR_SHAPE',
          field: 'weight',
          got: [4, 3],
          message: 'weight must be (outChannels, inChannels / groups, kernelSize), got shape [4, 3]',
        },
      ],
      [
        'a 4-D weight without groups',
        () => conv1d(x, zeros(2, 2, 3, 3)),
        {
          code: 'ERR_OPTION',
          field: 'groups',
          got: undefined,
          message: 'groups is missing: a weight of shape [2, 2, 3, 3] has 2 groups, pass { groups: 2 }',
        },
      ],
      [
        'an empty weight',
        () => conv1d(x, zeros(0, 3, 3)),
        { code: 'ERR_OPTION', field: 'outChannels', message: 'outChannels must be an integer >= 1, got 0' },
      ],
      [
        'other channels',
        () => conv1d(x, zeros(4, 5, 3)),
        {
          code: 'ERR_SHAPE',
          field: 'input',
          message: 'input has 3 channels (shape [1, 3, 17]), the layer has inChannels 5',
        },
      ],
      [
        'a weight of another dtype',
        () => conv1d(x, halves(4, 3, 3)),
        {
          code: 'ERR_DTYPE',
          field: 'input',
          message: /^input must be float16 as the layer is, got float32; new Tensor\(data, shape, 'float16'\) /,
        },
      ],
      [
        'too short',
        () => conv1d(zeros(3, 2), w),
        { code: 'ERR_SHAPE', field: 'input', message: /^output length must be >= 1, got 0 = / },
      ],
      option({ stride: 0 }, 'stride', 'stride must be an integer >= 1, got 0'),
      option({ groups: 0 }, 'groups', 'groups must be an integer >= 1, got 0'),
      option({ groups: -1 }, 'groups', 'groups must be an integer >= 1, got -1'),
      option({ groups: 1.5 }, 'groups', 'groups must be an integer >= 1, got 1.5'),
      option({ groups: 'two' }, 'groups', "groups must be a number, got 'two'"),
      option({ groups: 3 }, 'outChannels', 'outChannels (4) must be divisible by groups (3)'),
      [
        'out of another shape',
        () => conv1d(x, w, null, { out: zeros(1, 4, 14) }),
        { code: 'ERR_SHAPE', field: 'out', message: 'out must have shape [1, 4, 15], got [1, 4, 14]' },
      ],
    ]);
  });

  describe('tensors', () => {
    const data = (value, message, shape = [1]) => [
      `data: ${Object.prototype.toString.call(value)} ${shape}`,
      () => new Tensor(value, shape),
      { code: 'ERR_DTYPE', field: 'data', message },
    ];
    const list = 'data must be a typed array or a list of numbers, got ';
    refused([
      data(null, `${list}null`),
      data(undefined, `${list}undefined`),
      data(5, `${list}5`),
      data('123', `${list}'123'`, [3]),
      data(() => 1, `${list}a function`),
      data(new Map(), `${list}[object Map]`, [0]),
      data(new ArrayBuffer(4), `${list}[object ArrayBuffer]`),
      data(new DataView(new ArrayBuffer(4)), `${list}[object DataView]`),
      data(new BigInt64Array(1), `${list}[object BigInt64Array]`),
      data(vm.runInNewContext('new BigUint64Array(1)'), `${list}[object BigUint64Array]`),
      // eslint-disable-next-line no-sparse-arrays
      data([1, , 3], 'data[1] must be a number, got undefined', [3]),
      data([1, '2'], "data[1] must be a number, got '2'", [2]),
      data([1, [2]], 'data[1] must be a number, got [2]', [2]),
      data([[1], ['2']], "data[1][0] must be a number, got '2'", [2, 1]),
      data(
        [new BigInt64Array(1)],
        'data[0] must be a typed array or a list of numbers, got [object BigInt64Array]',
        [1, 1],
      ),
      data(
        [[1], new BigInt64Array(1)],
        'data[1] must be a typed array or a list of numbers, got [object BigInt64Array]',
        [2, 1],
      ),
      data([null], 'data[0] must be a number, got null'),
      data([true], 'data[0] must be a number, got true'),
      data([1n], /^data\[0\] must be a number, got 1n$/),
    ]);

    const shape = (got, message, values = [1]) => [
      `shape: ${Array.isArray(got) ? `[${Array.from(got, String)}]` : String(got)}`,
      () => new Tensor(values, got),
      { code: 'ERR_SHAPE', field: 'shape', got, message },
    ];
    refused([
      shape(null, 'shape must be an array of integers >= 0, got null'),
      shape(3, 'shape must be an array of integers >= 0, got 3'),
      shape('1', "shape must be an array of integers >= 0, got '1'"),
      shape(Int32Array.of(1), 'shape must be an array of integers >= 0, got [object Int32Array]'),
      shape([-1], 'shape[0] must be an integer >= 0, got -1'),
      shape([1, 0.5], 'shape[1] must be an integer >= 0, got 0.5'),
      shape(['1'], "shape[0] must be an integer >= 0, got '1'"),
      shape([NaN], 'shape[0] must be an integer >= 0, got NaN'),
      shape([Infinity], 'shape[0] must be an integer >= 0, got Infinity'),
      // eslint-disable-next-line no-sparse-arrays
      shape([1, , 1], 'shape[1] must be an integer >= 0, got undefined'),
      shape([2], 'shape [2] has 2 elements, data has 1'),
      shape([], 'shape [] has 1 elements, data has 2', [1, 2]),
      shape([0], 'shape [0] has 0 elements, data has 1'),
      shape([2 ** 30], 'shape [1073741824] has more than 1073741823 elements'),
      shape([2 ** 31], 'shape [2147483648] has more than 1073741823 elements'),
      shape([2 ** 16, 2 ** 16], 'shape [65536, 65536] has more than 1073741823 elements'),
      shape([2 ** 27, 2 ** 27], 'shape [134217728, 134217728] has more than 1073741823 elements'),
      shape([2 ** 53, 2 ** 53], 'shape [9007199254740992, 9007199254740992] has more than 1073741823 elements'),
      shape([1e300, 1e300, 0], /elements/, []),
      // Array-likes say any length; none of these may be believed before it fits the shape.
      ...[2 ** 33, 2 ** 53, -1, 1.5, NaN, Infinity].map((length) =>
        shape([4], /^shape \[4\] has 4 elements, data has /, { length }),
      ),
    ]);

    const self = [];
    self.push(self);
    const nested = (name, field, message, ...given) => [
      `nested: ${name}`,
      () => new Tensor(...given),
      { code: 'ERR_SHAPE', field, message },
    ];
    refused([
      nested('a longer row', 'data', 'data[1] has 3 elements, the first list beside it 2', [
        [1, 2],
        [3, 4, 5],
      ]),
      nested('a shorter row', 'data', 'data[2] has 0 elements, the first list beside it 1', [[1], [2], []]),
      nested('deeper', 'data', 'data[1][0] has 1 elements, the first list beside it 2', [[[1, 2]], [[3]]]),
      nested('a number beside rows', 'data', 'data[1] must be a list of 2, got 3', [[1, 2], 3]),
      nested('channels of two lengths', 'data', 'data[1] has 4 elements, the first list beside it 5', [
        new Float32Array(5),
        new Float32Array(4),
      ]),
      nested('a list in itself', 'data', 'data must be nested at most 64 deep, as a tensor has dimensions', self),
      nested(
        'another shape',
        'shape',
        'shape is [4, 1], data is nested as [2, 2]',
        [
          [1, 2],
          [3, 4],
        ],
        [4, 1],
      ),
      nested(
        'a flat shape',
        'shape',
        'shape is [4], data is nested as [2, 2]',
        [
          [1, 2],
          [3, 4],
        ],
        [4],
      ),
      nested(
        'a shape with more',
        'shape',
        'shape is [1, 2, 2], data is nested as [2, 2]',
        [
          [1, 2],
          [3, 4],
        ],
        [1, 2, 2],
      ),
      nested('nothing in it', 'shape', 'shape is [3, 0], data is nested as [2, 0]', [[], []], [3, 0]),
      nested('a number', 'shape', 'shape must have at most 64 dimensions, got 100000', 1, new Array(1e5).fill(1)),
    ]);

    const dtype = (got, values, message) => [
      `dtype: ${String(got)}`,
      () => new Tensor(values, [1], got),
      { code: 'ERR_DTYPE', field: 'dtype', got, message },
    ];
    refused([
      dtype('float64', [1], "dtype must be 'float32' or 'float16', got 'float64'"),
      dtype(null, [1], "dtype must be 'float32' or 'float16', got null"),
      dtype('int8', new Float32Array(1), "dtype must be 'float32' or 'float16', got 'int8'"),
      dtype(
        'float32',
        new Uint16Array(1),
        "a Uint16Array holds float16 bit patterns: dtype must be 'float16', got 'float32'",
      ),
    ]);
    refused([
      [
        'toWasm: no runtime',
        () => zeros(1).toWasm({}),
        {
          code: 'ERR_OPTION',
          field: 'runtime',
          message: 'runtime must be a Runtime from init() or createRuntime(), got [object Object]',
        },
      ],
    ]);
  });

  describe('options that are no object', () => {
    test.each([
      ['loadStateDict', () => layer.loadStateDict(layer.stateDict(), null)],
      ['resetParameters', () => layer.resetParameters(null)],
      ['conv1d', () => conv1d(zeros(3, 17), zeros(4, 3, 3), null, null)],
    ])('%s: null', (_, action) => {
      expect(thrown(action)).toMatchObject({ code: 'ERR_OPTION', field: 'options', got: null });
    });
    test.each([null, 5, 'simd'])('createRuntime: %p', async (options) => {
      expect(await rejected(createRuntime(options))).toMatchObject({
        code: 'ERR_OPTION',
        field: 'options',
        got: options,
      });
    });
  });
});

describe('loading', () => {
  const binary = readFileSync(fromRoot('dist/wasm/conv1d-simd.wasm'));
  /** The file with another version in its stamp. */
  const withVersion = (version) =>
    Buffer.from(binary.toString('latin1').replace(/(?<=conv1d-wasm)\d+\.\d+\.\d+/, version), 'latin1');

  const least = 64 * 65536;
  const memory = `maximumMemory must be an integer from ${least} to 4294967296 bytes, got `;
  const threads = "threads must be 'auto' or an integer from 1 to 64, got ";
  const variant = "variant must be 'auto', 'relaxed' or 'simd', got ";
  const show = (value) => (typeof value === 'string' ? `'${value}'` : String(value));

  test.each([
    ...[0, -1, 1.5, NaN, Infinity, 65, 2 ** 31, 2 ** 53, '2', null, true].map((value) => [
      'threads',
      value,
      threads + show(value),
    ]),
    ...['avx', '', 'Relaxed', 1, null].map((value) => ['variant', value, variant + show(value)]),
    ...[0, -1, least - 1, least + 0.5, NaN, Infinity, 2 ** 32 + 1, 2 ** 53, '8000000', null].map((value) => [
      'maximumMemory',
      value,
      memory + show(value),
    ]),
    ...[1, 'yes', null].map((value) => ['deterministic', value, `deterministic must be a boolean, got ${show(value)}`]),
    ['wasmUrl', 'http://[', "wasmUrl must be a URL, got 'http://['"],
  ])('%s: %p', async (field, got, message) => {
    const options = { threads: 1, [field]: got };
    const error = { code: 'ERR_OPTION', field, got, message };
    expect(await rejected(createRuntime(options))).toEqual(error);
  });

  test('init() says the same, and works afterwards', async () => {
    expect(await rejected(init({ threads: 0 }))).toMatchObject({ code: 'ERR_OPTION', field: 'threads', got: 0 });
    const runtime = await init({ threads: 1 });
    expect(runtime.threads).toBe(1);
    runtime.dispose();
  });

  test('relaxed and deterministic', async () => {
    expect(await rejected(createRuntime({ variant: 'relaxed', deterministic: true }))).toEqual({
      code: 'ERR_OPTION',
      field: 'variant',
      got: 'relaxed',
      message: "variant 'relaxed' and deterministic: true exclude each other",
    });
  });

  (canRelax ? test.skip : test)('relaxed, where the engine has no relaxed SIMD', async () => {
    expect(await rejected(createRuntime({ variant: 'relaxed' }))).toEqual({
      code: 'ERR_UNSUPPORTED',
      field: 'variant',
      got: 'relaxed',
      message: "variant 'relaxed' needs relaxed SIMD, which this engine lacks",
    });
  });

  test('an engine without SIMD, or without WebAssembly', async () => {
    const { validate } = WebAssembly;
    const whole = globalThis.WebAssembly;
    const expected = {
      code: 'ERR_UNSUPPORTED',
      field: 'runtime',
      message: expect.stringContaining('WebAssembly SIMD'),
    };
    try {
      WebAssembly.validate = () => false;
      expect(await rejected(createRuntime())).toMatchObject(expected);
      delete globalThis.WebAssembly;
      expect(await rejected(createRuntime())).toMatchObject(expected);
    } finally {
      globalThis.WebAssembly = whole;
      WebAssembly.validate = validate;
    }
  });

  test.each([
    [
      'bytes that are no module',
      { wasmBinary: new Uint8Array(8) },
      'wasmBinary',
      /^cannot load wasmBinary: it is not WebAssembly but starts with "(\\u0000){8}" \(CompileError/,
    ],
    ['no bytes', { wasmBinary: new Uint8Array(0) }, 'wasmBinary', /starts with "" \(CompileError/],
    [
      'a text as bytes',
      { wasmBinary: 'wasm' },
      'wasmBinary',
      "cannot load wasmBinary: it must be an ArrayBuffer or a view of one, got 'wasm'",
    ],
    ['an object as module', { wasmModule: {} }, 'wasmModule', /^cannot load wasmModule: it is another module, not /],
    [
      'a file that is not there',
      { wasmUrl: 'file:///no/such/file.wasm' },
      'wasmUrl',
      /^cannot load file:\/\/\/no\/such\/file.wasm: Error: ENOENT.*; copy the package's dist\/wasm there/,
    ],
    [
      'a file that is no module',
      { wasmUrl: import.meta.url },
      'wasmUrl',
      /^cannot load file:.*starts with "\/\/ Every/,
    ],
    [
      'the file of another version',
      { wasmBinary: withVersion('9.9.9') },
      'wasmBinary',
      /it is 9\.9\.9 conv1d-simd\.wasm, not conv1d-wasm \d+\.\d+\.\d+ conv1d-\w+\.wasm(?: or \d+\.\d+\.\d+ conv1d-simd\.wasm)?; take it from the same version/,
    ],
  ])('%s', async (_, options, field, message) => {
    const error = await rejected(createRuntime({ threads: 1, ...options }));
    expect(error).toMatchObject({ code: 'ERR_WASM_LOAD', field });
    expect(error.message).toMatch(message);
  });

  test.each([
    'an empty module',
    'an empty module, threads',
    'the threaded build for one thread',
    'the single build for threads',
  ])('another module than it should be: %s', async (name) => {
    expect(await runForResult('wrong-module.mjs', { args: [name], hangAfter: 10_000 })).toMatchObject({
      name: 'Conv1dError',
      code: 'ERR_WASM_LOAD',
    });
  });

  test('what a server may answer', async () => {
    const answers = {
      '/missing.wasm': [404, 'not here', /the server answered 404; copy the package's dist\/wasm there, pass wasmUrl/],
      '/page.wasm': [
        200,
        '\n<!doctype html><p>A single-page application',
        /an HTML page came back, as servers send for a file that they lack; copy the package's dist/,
      ],
      '/text.wasm': [200, 'hello', /it is not WebAssembly but starts with "hello"/],
      '/nothing.wasm': [200, '', /it is not WebAssembly but starts with ""/],
      '/half.wasm': [
        200,
        binary.subarray(0, binary.length / 2),
        /it does not compile \(CompileError.*it must be whole/,
      ],
    };
    const server = createServer(({ url }, response) => {
      if (!answers[url])
        return void response.writeHead(200, { 'content-length': 9 }).write('half', () => response.destroy());
      const [status, body] = answers[url];
      response.writeHead(status).end(body);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${server.address().port}`;
    const got = {};
    for (const path of Object.keys(answers))
      got[path] = await rejected(createRuntime({ threads: 1, wasmUrl: origin + path }));
    const interrupted = await rejected(createRuntime({ threads: 1, wasmUrl: `${origin}/interrupted.wasm` }));
    await new Promise((resolve) => server.close(resolve));
    const unreachable = await rejected(createRuntime({ threads: 1, wasmUrl: `${origin}/gone.wasm` }));

    for (const [path, [, , message]] of Object.entries(answers)) {
      expect(got[path]).toMatchObject({ code: 'ERR_WASM_LOAD', field: 'wasmUrl', got: origin + path });
      expect(got[path].message).toMatch(message);
      expect(got[path].message).toContain(origin + path);
    }
    expect(unreachable.message).toMatch(/^cannot load .*gone\.wasm: the request failed/);
    expect(interrupted.message).toMatch(/^cannot load .*interrupted\.wasm: the request failed/);
  });
});
