// What weight, bias and loadStateDict refuse.
import { Conv1d } from 'conv1d-wasm';
import { halves, thrown, zeros } from '../support.js';
import { layer, refused, sizes, withLayer } from './intact.js';

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
