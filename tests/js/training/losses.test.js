// Losses and their gradients, against PyTorch's in float64.
import { init, Tensor } from 'conv1d-wasm';
import * as training from 'conv1d-wasm/train';
import { expectSameBits, halves, noiseTensor, thrown, zeros } from '../support.js';
import { cases, numbersAt, relativeError, tensorAt } from './fixtures.js';

const runtime = await init({ threads: 1 });
afterAll(() => runtime.dispose());

describe('as PyTorch in float64', () => {
  test.each(cases.losses)('$name', ({ loss: kind, options, output: { shape, at }, target, value, gradient }) => {
    const loss = training[kind](options);
    const output = tensorAt(at, shape);
    const wanted = tensorAt(target.at, target.shape);
    const got = loss.of(output, wanted);
    expect(loss.name).toBe(kind);
    expect(Math.abs(got.value - value)).toBeLessThanOrEqual(1e-12 * Math.max(Math.abs(value), 1e-3));
    expect(got.gradient).toMatchObject({ shape, dtype: 'float32', placement: 'js' });
    expect(relativeError(got.gradient.data, numbersAt(gradient, shape))).toBeLessThanOrEqual(2 ** -24);

    // In wasm memory the same bits.
    const [placed, placedTarget] = [output, wanted].map((tensor) => tensor.toWasm());
    const there = loss.of(placed, placedTarget);
    expect(there.value).toBe(got.value);
    expect(there.gradient.placement).toBe('wasm');
    expectSameBits(there.gradient.data, got.gradient.data);
    for (const tensor of [placed, placedTarget, there.gradient]) tensor.dispose();
  });
});

test('classes may be lists', () => {
  const logits = noiseTensor([2, 3, 4]);
  const classes = [
    [0, 1, 2, 0],
    [2, 2, 1, 1],
  ];
  const loss = training.crossEntropy();
  const [fromList, fromTensor] = [classes, new Tensor(classes)].map((target) => loss.of(logits, target));
  expect(fromList.value).toBe(fromTensor.value);
  expectSameBits(fromList.gradient.data, fromTensor.gradient.data);
});

test('outputs of float16 have gradients of float32', () => {
  const [output, target] = [noiseTensor([1, 2, 3]), noiseTensor([1, 2, 3], 2)].map(
    ({ data, shape }) => new Tensor(data, shape, 'float16'),
  );
  const wide = [output, target].map((tensor) => new Tensor(tensor.toArray()));
  const got = training.mse().of(output, target);
  expect(got.gradient.dtype).toBe('float32');
  expectSameBits(got.gradient.data, training.mse().of(...wide).gradient.data);
});

describe('refused', () => {
  const small = zeros(1, 2, 3);
  const { mse, huber, esr, crossEntropy, multiResolutionStft } = training;
  const gone = zeros(1, 2, 3);
  gone.dispose();
  test.each([
    [
      () => mse().of(small, zeros(1, 3, 2)),
      'ERR_SHAPE',
      'target',
      "target must have the output's shape [1, 2, 3], got [1, 3, 2]",
    ],
    [
      () => mse().of(small, zeros(2, 3)),
      'ERR_SHAPE',
      'target',
      "target must have the output's shape [1, 2, 3], got [2, 3]",
    ],
    [() => mse().of(zeros(1, 2, 0), zeros(1, 2, 0)), 'ERR_SHAPE', 'output', 'output has no elements (shape [1, 2, 0])'],
    [() => mse().of(small, [0, 0]), 'ERR_DTYPE', 'target', 'target must be a Tensor, got [0, 0]'],
    [() => mse().of(gone, small), 'ERR_DISPOSED', 'tensor', 'this tensor is disposed'],
    [() => mse().of(small, gone), 'ERR_DISPOSED', 'tensor', 'this tensor is disposed'],
    [() => huber({ delta: 0 }), 'ERR_OPTION', 'delta', 'delta must be a number > 0, got 0'],
    [() => huber({ delta: NaN }), 'ERR_OPTION', 'delta', 'delta must be a number > 0, got NaN'],
    [() => huber({ beta: 1 }), 'ERR_OPTION', 'beta', "unknown option 'beta'; there are delta"],
    [
      () => crossEntropy().of(zeros(6), zeros(6)),
      'ERR_SHAPE',
      'output',
      'output must be (N, C, L) or (C, L), got shape [6]',
    ],
    [
      () => crossEntropy().of(small, [0, 1]),
      ...['ERR_SHAPE', 'target', 'target must have shape [1, 3], a class for each output at each time, got [2]'],
    ],
    [
      () => crossEntropy().of(small, [[0, 1, 2]]),
      'ERR_OPTION',
      'target[2]',
      'target[2] must be a class from 0 to 1, got 2',
    ],
    [
      () => crossEntropy().of(small, [[0, -1, 1]]),
      'ERR_OPTION',
      'target[1]',
      'target[1] must be a class from 0 to 1, got -1',
    ],
    [
      () => crossEntropy().of(small, [[0.5, 0, 1]]),
      'ERR_OPTION',
      'target[0]',
      'target[0] must be a class from 0 to 1, got 0.5',
    ],
    [() => crossEntropy().of(small, null), 'ERR_DTYPE', 'target', 'target must be a Tensor, got null'],
    [
      () => esr({ preEmphasis: 1.5 }),
      ...['ERR_OPTION', 'preEmphasis', 'preEmphasis must be a number from -1 to 1, got 1.5'],
    ],
    [
      () => esr({ preEmphasis: 0.5 }).of(zeros(1, 2, 1), zeros(1, 2, 1)),
      ...['ERR_SHAPE', 'output', 'output needs at least 2 samples for preEmphasis 0.5, got shape [1, 2, 1]'],
    ],
    [
      () => esr().of(noiseTensor([2, 1, 3]), new Tensor([[[1, 1, 1]], [[0, 0, 0]]])),
      ...['ERR_OPTION', 'target'],
      'target is silent in image 1, which has no error-to-signal ratio; leave silence out, or take mse()',
    ],
    [
      () => multiResolutionStft({ sizes: [8, 12], hops: [2, 2], windows: [8, 8] }),
      ...['ERR_OPTION', 'sizes[1]', 'sizes[1] must be a power of two from 2 to 2^24, got 12'],
    ],
    [
      () => multiResolutionStft({ sizes: [8] }),
      ...['ERR_OPTION', 'sizes', 'sizes, hops and windows must have the same length, got 1, 3 and 3'],
    ],
    [
      () => multiResolutionStft({ sizes: [8], hops: [0], windows: [8] }),
      ...['ERR_OPTION', 'hops[0]', 'hops[0] must be an integer >= 1, got 0'],
    ],
    [
      () => multiResolutionStft({ sizes: [8], hops: [2], windows: [9] }),
      ...['ERR_OPTION', 'windows[0]', 'windows[0] must be an integer from 2 to its size (8), got 9'],
    ],
    [
      () => multiResolutionStft({ sizes: [], hops: [], windows: [] }),
      ...['ERR_OPTION', 'sizes', 'sizes must be a list of at least one integer, got []'],
    ],
    [
      () => multiResolutionStft({ sizes: [8], hops: [2], windows: [8] }).of(zeros(1, 4), zeros(1, 4)),
      ...['ERR_SHAPE', 'output', 'output must have more samples than half of the largest size (8), got 4'],
    ],
  ])('%s', (action, code, field, message) => {
    expect(thrown(action)).toMatchObject({ code, field, message });
  });

  test('halves are tensors as well', () => {
    expect(training.mse().of(halves(1, 2), zeros(1, 2)).value).toBe(0);
  });
});
