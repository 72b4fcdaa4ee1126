// Shapes that a layer cannot compute.
import { thrown, zeros } from '../support.js';
import { layer, refused, withLayer } from './intact.js';

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
    [[2 ** 53, 3, 2 ** 53], {}, /^input \[9007199254740992, 3, 9007199254740992\] has more than 1073741823 elements$/],
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
