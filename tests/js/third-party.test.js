// Cases from other projects' test suites, where their file lies beside the project.
import { Conv1d, conv1d, conv1dGrad, init, Tensor } from 'conv1d-wasm';
import { differingBits, isPresent, openBuilds, print, product, readJson, thrown } from './support.js';

const path = '../shared/cases/third-party.json';

// What a peer refuses and this library allows.
const allowedHere = {
  'megengine-check-padding-mode-not-one-of-zeros-reflect-replicate-throws': 'circular padding exists here',
  'megengine-check-input-is-not-3-d-throws': 'a 2-D input is unbatched',
  'pytorch-test-conv-modules-raise-error-on-incorrect-input-size-2-d-input-throws': 'a 2-D input is unbatched',
};

// Which argument is at fault, by the words of the case: an error about something else would be right by accident.
const faults = [
  [/^in_channels must be|^input channels not divisible/, 'inChannels'],
  [/^out_channels must be|^(no|0) output channels/, 'outChannels'],
  [/^output channels not divisible/, /^(in|out)Channels$/], // nor are the input channels
  [/^kernel size|^no kernel size/, 'kernelSize'],
  [/^input (is not|rank|channels are|channels do|has)/, 'input'],
  [/^(dilated )?kernel longer|padding not below|padding of an empty/, 'input'],
  [/^(weight (is not|rank)|channels of the weight)/, /^(weight|input)$/],
  [/^bias/, 'bias'],
  [/stride/, 'stride'],
  [/dilation/, 'dilation'],
  [/groups/, 'groups'],
  [/padding mode/, 'paddingMode'],
  [/^conv_mode/, 'convMode'],
  [/padding/, 'padding'],
];

if (!isPresent(path)) {
  print('The cases of other projects are not here: their tests are skipped');
  test.skip('cases of other projects', () => {});
} else {
  await runCases(readJson(path));
}

function optionsOf({ params, options = {} }) {
  const { inC, outC, k, padLeft, padRight, stride, dilation, groups, paddingMode, dtype } = params;
  const result = {
    inChannels: inC,
    outChannels: outC,
    kernelSize: k,
    padding: padLeft === padRight ? padLeft : [padLeft, padRight],
    ...{ stride, dilation, groups, paddingMode, dtype },
  };
  const names = { conv_mode: 'convMode', compute_mode: 'computeMode' };
  for (const [name, value] of Object.entries(options)) result[names[name] ?? name] = value ?? undefined;
  return result;
}

async function runCases({ cases, shapeCases }) {
  const numeric = cases.filter(({ throws, expected }) => !throws && expected);
  const withGradients = cases.filter(({ throws, upstream }) => !throws && upstream);
  const errors = cases.filter(({ throws, applicable }) => throws && applicable === 'yes');
  const refused = errors.filter(({ id }) => !(id in allowedHere));
  await init();
  const builds = await openBuilds([1, 2]);
  afterAll(() => builds.forEach(({ runtime }) => runtime.dispose()));
  print(
    `Cases of other projects: ${numeric.length} outputs and ${withGradients.length} with gradients on each of ` +
      `${builds.length} builds, ${refused.length} errors, ${shapeCases.length} shapes. Not run: ` +
      `${cases.filter((c) => c.throws).length - errors.length} errors of other libraries only`,
  );

  describe.each(builds)('$name', ({ runtime }) => {
    const algorithms = ['auto', 'direct', 'toom_cook', 'fft'];
    test.each(withGradients)('gradients of $id', ({ params, tolerance, ...testCase }) => {
      const { N, inC, H, outC, k, groups, dtype } = params;
      const input = new Tensor(testCase.input ?? new Float32Array(N * inC * H), [N, inC, H], dtype);
      const weight = new Tensor(testCase.weight, [outC, inC / groups, k], dtype);
      const bias = new Tensor(testCase.bias ?? new Float32Array(outC), [outC], dtype);
      const options = optionsOf({ params });
      for (const name of ['inChannels', 'outChannels', 'kernelSize', 'dtype']) delete options[name];
      const upstream = new Tensor(testCase.upstream, [N, outC, testCase.upstream.length / (N * outC)], dtype);
      for (const algorithm of algorithms) {
        const call = () => conv1dGrad(input, weight, upstream, { ...options, bias, algorithm, runtime });
        if (algorithm === 'toom_cook' && thrown(call)?.code === 'ERR_UNSUPPORTED') continue;
        const got = call();
        for (const [what, key] of [
          ['input', 'Input'],
          ['weight', 'Weight'],
          ['bias', 'Bias'],
        ]) {
          const expected = testCase[`expectedGrad${key}`];
          if (!expected) continue;
          const { abs, rel } = tolerance[`grad${key}`];
          const values = got[what].toArray().flat(Infinity);
          const wrong = values.flatMap((value, i) =>
            Math.abs(value - expected[i]) <= abs + rel * Math.abs(expected[i])
              ? []
              : [{ algorithm, what, i, value, expected: expected[i] }],
          );
          expect(wrong).toEqual([]);
          expect(values).toHaveLength(expected.length);
        }
      }
    });

    test.each(numeric)('$id', ({ params, tolerance, exactInFloat32, ...testCase }) => {
      const { N, inC, H, outC, k, groups, dtype } = params;
      const input = new Tensor(testCase.input, [N, inC, H], dtype);
      const weight = new Tensor(testCase.weight, [outC, inC / groups, k], dtype);
      const bias = testCase.bias && new Tensor(testCase.bias, [outC], dtype);
      const { inChannels, outChannels, kernelSize, ...options } = optionsOf({ params });
      delete options.dtype;
      for (const algorithm of algorithms) {
        const sizes = { inChannels, outChannels, kernelSize, bias: bias !== null, dtype, algorithm, runtime };
        let layer;
        const error = thrown(() => (layer = new Conv1d({ ...options, ...sizes })));
        if (algorithm === 'toom_cook' && error?.code === 'ERR_UNSUPPORTED') continue;
        layer.weight = weight;
        if (bias) layer.bias = bias;
        const output = layer.forward(input);
        const got = output.toArray().flat(Infinity);
        const isExact = exactInFloat32 && layer.explain(input.shape).algorithm === 'direct';
        const wrong = got.flatMap((value, i) => {
          const expected = testCase.expected[i];
          const { abs, rel } = tolerance.output;
          const right = isExact
            ? value === Math.fround(expected)
            : Math.abs(value - expected) <= abs + rel * Math.abs(expected);
          return right ? [] : [{ algorithm, i, value, expected }];
        });
        expect(wrong).toEqual([]);
        expect(got).toHaveLength(testCase.expected.length);
        const once = conv1d(input, weight, bias, { ...options, algorithm, runtime });
        expect(differingBits(once.data, output.data)).toEqual([]);
        layer.dispose();
      }
    });
  });

  const faultOf = ({ about }) => faults.find(([words]) => words.test(about))?.[1];

  const attempt = ({ about, params, shapes = {}, options }) => {
    const { N, inC, H, outC, groups, k } = params;
    const { input = [N, inC, H], bias } = shapes;
    // Where the input is at fault, the weight fits the layer.
    const weight = (faultOf({ about }) !== 'input' && shapes.weight) || [outC, inC / groups, k];
    const ones = (shape) => new Tensor(new Float32Array(product(shape)).fill(1), shape);
    return thrown(() => {
      const layer = new Conv1d(optionsOf({ params, options }));
      layer.weight = ones(weight);
      if (bias) layer.bias = ones(bias);
      layer.forward(about.startsWith('input is not a tensor') ? {} : ones(input));
    });
  };

  test.each(refused)('$id', (testCase) => {
    const field = faultOf(testCase);
    expect(attempt(testCase)).toMatchObject({
      code: expect.stringMatching(/^ERR_(OPTION|SHAPE|DTYPE)$/),
      field: expect.stringMatching(typeof field === 'string' ? `^${field}$` : field),
    });
  });

  test('what is allowed here works', () => {
    const results = errors.filter(({ id }) => id in allowedHere).map((testCase) => [testCase.id, attempt(testCase)]);
    expect(Object.fromEntries(results)).toEqual(Object.fromEntries(Object.keys(allowedHere).map((id) => [id, null])));
  });

  test.each(shapeCases)('$id', ({ params, hasBias, outH }) => {
    const layer = new Conv1d({ ...optionsOf({ params }), bias: hasBias });
    expect(layer.outputShape([params.N, params.inC, params.H])).toEqual([params.N, params.outC, outH]);
    layer.dispose();
  });
}
