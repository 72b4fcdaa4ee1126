// What the arguments of operators must be: errors name operator, field and rule.
import { Conv1d, ConvTranspose1d, Gru, Linear, Lstm, Network, Tensor } from 'conv1d-wasm';
import { zeros } from '../support.js';
import { refused, runtime, show } from './intact.js';

const channels = 4;
const make = (build) => new Network(channels, build, { runtime });
const escaped = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

const noIntegers = (least) => [least - 1, least + 0.5, NaN, Infinity, 2 ** 31, '2', null, {}, [least], true];
const noNumbers = ['1', null, {}, NaN, Infinity, 1e39, true];
const noBooleans = [0, 1, 'true', null];
const noOperands = ['1', null, {}, true, () => 1];
const anOperand = 'a value of the same network, a number or a list of one for each of 4 channels';
const lists = [[], [1, 2, 3], new Float32Array(5)];

// Operator, arguments that it takes, which of them is wrong, its field, what it may not be, the rule. An argument that is
// an object of options has its fields in turn.
const rows = [
  ['add', [1], 0, 'other', noOperands, anOperand],
  ['subtract', [1], 0, 'other', noOperands, anOperand],
  ['multiply', [1], 0, 'other', [NaN, Infinity, -1e39], 'a finite float32 number'],
  ['divide', [1], 0, 'other', lists, anOperand],
  ['affine', [1, 0], 0, 'scale', lists, 'a number or a list of one for each of 4 channels'],
  ['affine', [1, 0], 1, 'shift', [undefined, null, {}, '1'], 'a number or a list of one for each of 4 channels'],
  ['clip', [0, 1], 0, 'min', noNumbers, 'a finite float32 number'],
  ['clip', [0, 1], 1, 'max', noNumbers, 'a finite float32 number'],
  ['clip', [0, 1], 1, 'max', [-1, -1e30], 'a number >= min (0)'],
  ['slice', [1, 3, 1], 0, 'begin', noIntegers(0), 'an integer >= 0'],
  ['slice', [1, 3, 1], 1, 'end', [0, 1, 5, 2.5, NaN, '3', null], 'an integer > begin (1) and <= channels (4)'],
  ['slice', [1, 3, 1], 2, 'step', noIntegers(1), 'an integer >= 1'],
  ['split', [[1, 3]], 0, 'sizes', [[1, 2], [4, 1], []], 'numbers whose sum is the number of channels (4)'],
  [
    'split',
    [[1, 3]],
    0,
    'sizes',
    [...noIntegers(1).filter((value) => !Array.isArray(value)), undefined],
    'an integer >= 1',
  ],
  ['pad', [1, 2, 0], 0, 'left', noIntegers(0), 'an integer >= 0'],
  ['pad', [1, 2, 0], 1, 'right', noIntegers(0), 'an integer >= 0'],
  ['pad', [1, 2, 0], 2, 'value', noNumbers, 'a finite float32 number'],
  ['crop', [1, 2], 0, 'left', noIntegers(0), 'an integer >= 0'],
  ['crop', [1, 2], 1, 'right', noIntegers(0), 'an integer >= 0'],
  ['upsample', [2, 'linear'], 0, 'factor', noIntegers(1), 'an integer >= 1'],
  ['upsample', [2, 'linear'], 0, 'factor', [1025, 2 ** 31 - 1], 'at most 1024'],
  ['upsample', [2, 'linear'], 1, 'mode', ['cubic', '', null, 1, {}], "'nearest' or 'linear'"],
  ['maxPool', [{ kernelSize: 3 }], 0, 'kernelSize', [...noIntegers(1), undefined], 'an integer >= 1'],
  ['maxPool', [{ kernelSize: 3 }], 0, 'stride', noIntegers(1), 'an integer >= 1'],
  ['maxPool', [{ kernelSize: 3 }], 0, 'dilation', noIntegers(1), 'an integer >= 1'],
  ['maxPool', [{ kernelSize: 3 }], 0, 'padding', noIntegers(0), 'an integer >= 0'],
  ['maxPool', [{ kernelSize: 3 }], 0, 'padding', [2, 100], 'at most half of kernelSize (3)'],
  ['maxPool', [{ kernelSize: 3 }], 0, 'ceilMode', noBooleans, 'a boolean'],
  ['averagePool', [{ kernelSize: 3 }], 0, 'kernelSize', [...noIntegers(1), undefined], 'an integer >= 1'],
  ['averagePool', [{ kernelSize: 3 }], 0, 'countIncludePad', noBooleans, 'a boolean'],
  ['dropout', [0.5], 0, 'p', noNumbers, 'a finite float32 number'],
  ['dropout', [0.5], 0, 'p', [-0.1, 1, 2], 'a number >= 0 and < 1'],
  ['layerNorm', [{}], 0, 'eps', noNumbers, 'a finite float32 number'],
  ['layerNorm', [{}], 0, 'eps', [-1e-5], 'a number >= 0'],
  ['layerNorm', [{}], 0, 'weight', [...lists, null, {}, '1'], 'a number or a list of one for each of 4 channels'],
  ['instanceNorm', [{}], 0, 'bias', [...lists, null, {}, '1'], 'a number or a list of one for each of 4 channels'],
  ['groupNorm', [2], 0, 'groups', noIntegers(1), 'an integer >= 1'],
  ['groupNorm', [2], 0, 'groups', [3, 5, 8], 'a divisor of the number of channels (4)'],
];

describe('an argument', () => {
  refused(
    rows.flatMap(([operator, good, index, field, values, rule]) =>
      values.map((value) => {
        const options = typeof good[index] === 'object' && !Array.isArray(good[index]);
        const given = good.with(index, options ? { ...good[index], [field]: value } : value);
        return [
          `${operator}, ${field}: ${Array.isArray(value) ? 'a list' : typeof value} ${show(value)}`,
          () => make((x) => x[operator](...given)),
          {
            code: 'ERR_OPTION',
            field,
            got: value,
            message: new RegExp(`^${operator}: ${field} must be ${escaped(rule)}, got .`),
          },
        ];
      }),
    ),
  );
});

test.each(rows)('those that are right are taken: %s', (operator, good) => {
  make((x) => [x[operator](...good)].flat()[0]).dispose();
});

describe('options', () => {
  const poolNames = 'kernelSize, stride, padding, ceilMode, dilation';
  refused(
    [
      [
        'maxPool',
        [{ kernel: 3 }],
        'kernel',
        `unknown option 'kernel' (did you mean kernelSize?); there are ${poolNames}`,
      ],
      [
        'maxPool',
        [{ kernelSize: 3, countIncludePad: true }],
        'countIncludePad',
        `unknown option 'countIncludePad'; there are ${poolNames}`,
      ],
      ['maxPool', [null], 'options', 'options must be an object, got null'],
      ['maxPool', [], 'options', 'options must be an object, got undefined'],
      [
        'averagePool',
        [{ kernelSize: 3, dilation: 2 }],
        'dilation',
        "unknown option 'dilation'; there are kernelSize, stride, padding, ceilMode, countIncludePad",
      ],
      ['averagePool', ['3'], 'options', "options must be an object, got '3'"],
      [
        'layerNorm',
        [{ epsilon: 1 }],
        'epsilon',
        "unknown option 'epsilon' (did you mean eps?); there are weight, bias, eps",
      ],
      ['groupNorm', [2, null], 'options', 'options must be an object, got null'],
      ['instanceNorm', [3], 'options', 'options must be an object, got 3'],
    ].map(([operator, given, field, message]) => [
      `${operator}(${given.map(show).join(', ')})`,
      () => make((x) => x[operator](...given)),
      { code: 'ERR_OPTION', field, message: `${operator}: ${message}` },
    ]),
  );
});

describe('channels', () => {
  refused([
    ...['gate', 'glu', 'magnitude'].map((operator) => [
      `an odd ${operator}`,
      () => make((x) => x.slice(0, 3)[operator]()),
      { code: 'ERR_SHAPE', field: 'channels', got: 3, message: `${operator}: channels must be even, got 3` },
    ]),
    ...['add', 'subtract', 'multiply', 'divide'].map((operator) => [
      `${operator} of unequal ones`,
      () => make((x) => x[operator](x.slice(0, 3))),
      {
        code: 'ERR_SHAPE',
        field: 'other',
        got: 3,
        message: `${operator}: both operands must have the same channels, got 4 and 3`,
      },
    ]),
    [
      'a norm of more weights',
      () => make((x) => x.layerNorm({ weight: zeros(5) })),
      {
        code: 'ERR_OPTION',
        field: 'weight',
        message: /^layerNorm: weight must be a number or a list of one for each of 4/,
      },
    ],
  ]);
});

describe('values and layers', () => {
  const of = (Layer, options) => new Layer({ ...options, runtime });
  refused([
    [
      'concat of no value',
      () => make((x) => x.concat(x, 3)),
      {
        code: 'ERR_OPTION',
        field: 'others[1]',
        got: 3,
        message: 'concat: others[1] must be a value of the same network, got 3',
      },
    ],
    [
      'a value of another network',
      () => make((x) => make((y) => y.add(x)) && x),
      { code: 'ERR_OPTION', field: 'other', message: /^add: other must be a value of the same network, got / },
    ],
    [
      'conv of no layer',
      () => make((x) => x.conv(x)),
      { code: 'ERR_OPTION', field: 'layer', message: /^conv: layer must be a / },
    ],
    [
      'apply of no layer',
      () => make((x) => x.apply(3)),
      { code: 'ERR_OPTION', field: 'layer', got: 3, message: /^apply: layer must be a .*, got 3$/ },
    ],
    ...[
      [Conv1d, { inChannels: 3, outChannels: 2, kernelSize: 1 }],
      [ConvTranspose1d, { inChannels: 3, outChannels: 2, kernelSize: 1 }],
      [Linear, { inFeatures: 6, outFeatures: 2, flatten: 2 }],
      [Lstm, { inputSize: 3, hiddenSize: 2 }],
      [Gru, { inputSize: 3, hiddenSize: 2 }],
    ].map(([Layer, options]) => [
      `a ${Layer.name} of other channels`,
      () => {
        const layer = of(Layer, options);
        try {
          make((x) => x.apply(layer));
        } finally {
          layer.dispose();
        }
      },
      { code: 'ERR_SHAPE', field: 'layer', got: 3, message: /^apply: the layer has \w+ 3, the value has 4 channels$/ },
    ]),
  ]);
});

describe('lengths', () => {
  const run = (build, length = 5) => {
    const network = make(build);
    try {
      network.forward(new Tensor(new Float32Array(channels * length), [channels, length]));
    } finally {
      network.dispose();
    }
  };
  const rule = 'there must be at least 1, and at most 1073741823 values in all';
  refused([
    [
      'crop of all',
      () => run((x) => x.crop(2, 3)),
      { code: 'ERR_SHAPE', field: 'input', message: `crop of 5 samples would give 0: ${rule}` },
    ],
    [
      'a window beyond the signal',
      () => run((x) => x.maxPool(6)),
      { code: 'ERR_SHAPE', field: 'input', message: `maxPool of 5 samples would give 0: ${rule}` },
    ],
    [
      'too long an output',
      () => run((x) => x.pad(2 ** 31 - 1, 0)),
      { code: 'ERR_SHAPE', field: 'input', message: `pad of 5 samples would give 2147483652: ${rule}` },
    ],
    [
      'an empty signal',
      () => run((x) => x.globalMaxPool(), 0),
      { code: 'ERR_SHAPE', field: 'input', message: /of 0 samples would give 0: there must be at least 1/ },
    ],
    ['operands of different lengths', () => run((x) => x.add(x.crop(1, 0))), { code: 'ERR_SHAPE', message: /5 and 4/ }],
  ]);

  const stream = (build) => make(build).stream({ maxChunk: 4 });
  refused([
    ...[
      ['groupNorm', (x) => x.groupNorm(2)],
      ['instanceNorm', (x) => x.instanceNorm()],
    ].map(([operator, build]) => [
      `a stream of ${operator}`,
      () => stream(build),
      {
        code: 'ERR_UNSUPPORTED',
        field: 'stream',
        message: `a stream cannot have ${operator}: it needs the mean of the whole signal`,
      },
    ]),
    [
      'a stream of operands of different lengths',
      () => stream((x) => x.add(x.crop(1, 0))),
      { code: 'ERR_SHAPE', message: 'the operands of a step must have the same length for every input' },
    ],
  ]);
});
