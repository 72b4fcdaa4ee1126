// What the function conv1d refuses.
import { conv1d } from 'conv1d-wasm';
import { halves, zeros } from '../support.js';
import { refused } from './intact.js';

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
