// Whatever is passed to whatever is public: the call succeeds or throws a Conv1dError, and nothing that it did not make
// is changed.
import {
  compileModule,
  Conv1d,
  conv1d,
  Conv1dError,
  createConvolverNode,
  createRuntime,
  init,
  Network,
  readNpy,
  readNpz,
  readSafetensors,
  Tensor,
  writeSafetensors,
} from 'conv1d-wasm';
import { readNam } from 'conv1d-wasm/models';
import { expectSameBits, makeLayer, noiseTensor, readJson } from './support.js';

const sizes = { inChannels: 2, outChannels: 2, kernelSize: 3 };
const runtime = await init({ threads: 1 });
const layer = makeLayer(sizes);
const network = new Network([layer]);
const input = noiseTensor([2, 9], 1);
const expected = layer.forward(input).data;
afterAll(() => runtime.dispose());

const throwing = () => {
  throw new RangeError('thrown on purpose');
};
const trapNames = Object.getOwnPropertyNames(Reflect).filter((name) => typeof Reflect[name] === 'function');
const hostileProxy = (target) => new Proxy(target, Object.fromEntries(trapNames.map((name) => [name, throwing])));
const revoked = (target) => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};
const detached = (view) => {
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
};
const shrunk = (view) => {
  view.buffer.resize?.(0); // Node 18 has none
  return view;
};
const resizable = (bytes) => new ArrayBuffer(bytes, { maxByteLength: 64 });
const disposed = (object) => {
  object.dispose();
  return object;
};
const cycle = [];
cycle.push(cycle);
let deep = [];
for (let i = 0; i < 1e5; ++i) deep = [deep];
class Derived extends Float32Array {
  static get [Symbol.species]() {
    return throwing();
  }
}

/** Name, and what makes the value: some are used up by a call. */
const values = Object.entries({
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  ...Object.fromEntries(
    [0, -0, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32, 2 ** 53, 1e308].map((number) => [
      Object.is(number, -0) ? '-0' : String(number),
      () => number,
    ]),
  ),
  "''": () => '',
  "'x'": () => 'x',
  'a long text': () => 'x'.repeat(1e6),
  '10n': () => 10n,
  'a symbol': () => Symbol('x'),
  'a function': () => () => {},
  '{}': () => ({}),
  'no prototype': () => Object.create(null),
  'a date': () => new Date(NaN),
  'a map': () => new Map([[1, 2]]),
  'a promise': () => Promise.resolve(1),
  'no text of it': () => ({ toString: throwing, valueOf: throwing, [Symbol.toPrimitive]: throwing }),
  'no tag of it': () => Object.defineProperty({}, Symbol.toStringTag, { get: throwing }),
  'a faked module': () => ({ [Symbol.toStringTag]: 'WebAssembly.Module' }),
  'a faked buffer': () => ({ [Symbol.toStringTag]: 'ArrayBuffer' }),
  'a getter that throws': () => Object.defineProperty({}, 'x', { get: throwing, enumerable: true }),
  'a length that throws': () => Object.defineProperty({}, 'length', { get: throwing }),
  'a proxy that throws': () => hostileProxy({}),
  'a proxy of a list that throws': () => hostileProxy([1]),
  'a revoked proxy': () => revoked({}),
  'a revoked proxy of a list': () => revoked([1]),
  '[]': () => [],
  '[[]]': () => [[]],
  '[null]': () => [null],
  '[symbol]': () => [Symbol('x')],
  '[10n]': () => [10n],
  '[layer, hole]': () => Object.assign(new Array(2), [layer]),
  'a hole': () => new Array(3),
  'a huge hole': () => new Array(2 ** 32 - 1),
  'an item that throws': () => Object.defineProperty([1, 2], 0, { get: throwing }),
  'an iterator that throws': () => Object.assign([1, 2], { [Symbol.iterator]: throwing }),
  'a list in itself': () => cycle,
  'a deep list': () => deep,
  'a long list of ones': () => new Array(1e5).fill(1),
  'a length alone': () => ({ length: 2 ** 40 }),
  'a long length': () => ({ length: 2 ** 53 }),
  'a negative length': () => ({ length: -1 }),
  'a detached buffer': () => detached(new Uint8Array(8)).buffer,
  'a detached array': () => detached(new Float32Array(2)),
  'a detached view': () => detached(new DataView(new ArrayBuffer(8))),
  'a shared buffer': () => new SharedArrayBuffer(64),
  'a shared array': () => new Float32Array(new SharedArrayBuffer(72)),
  'an array that shrank': () => shrunk(new Float32Array(resizable(8))),
  'an array that shrank out of bounds': () => shrunk(new Float32Array(resizable(8), 4, 1)),
  'a view that shrank': () => shrunk(new DataView(resizable(8), 4)),
  'big integers': () => new BigInt64Array(2),
  'a derived array': () => new Derived(2),
  'a proxy of an array': () => new Proxy(new Float32Array(18), {}),
  'a tensor': () => input,
  'a disposed tensor': () => disposed(noiseTensor([2, 9], 1)),
  'a float16 tensor': () => new Tensor(input.data, input.shape, 'float16'),
  'a tensor of 64 dimensions': () => new Tensor([1], new Array(64).fill(1)),
  'a tensor of many empty lists': () => new Tensor([], [2 ** 29, 0]),
  'a tensor of no image': () => new Tensor([], [0, 2, 9]),
  'a tensor of no image and no array': () => detachedTensor([0, 2, 9]),
  'a tensor of no array': () => detachedTensor([2, 9]),
  'a tensor of a derived array': () => new Tensor(new Derived(18), [2, 9]),
  'a tensor of shared memory': () => new Tensor(new Float32Array(new SharedArrayBuffer(72)), [2, 9]),
  'a proxy of a tensor': () => new Proxy(input, {}),
  'a proxy of a layer': () => new Proxy(layer, {}),
  'a proxy of a runtime': () => new Proxy(runtime, {}),
  'a proxy of a signal': () => new Proxy(new AbortController().signal, {}),
  'what looks like a tensor': () => Object.create(Tensor.prototype),
  'what looks like a layer': () => Object.create(Conv1d.prototype),
  'a layer': () => layer,
  'a disposed layer': () => disposed(makeLayer(sizes)),
  'a network': () => network,
  'a signal': () => new AbortController().signal,
});

function detachedTensor(shape) {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  const tensor = new Tensor(data, shape);
  detached(data);
  return tensor;
}

/** `action` with a layer or stream of its own, which gives nothing. */
function withOwn(own, action) {
  try {
    action(own);
  } finally {
    own.dispose();
  }
}
const withLayer = (action) => withOwn(makeLayer(sizes), action);
const withStream = (action) => withOwn(layer.stream({ maxChunk: 9 }), action);
const otherOptions = {
  ...{ stride: 1, padding: 0, dilation: 1, groups: 1, convMode: 'cross_correlation', computeMode: 'default' },
  ...{ paddingMode: 'zeros', activation: 'relu', algorithm: 'auto', runtime },
};
const layerOptions = { ...sizes, bias: true, dtype: 'float32', ...otherOptions };
const config = {
  ...{ in_channels: 2, out_channels: 2, kernel_size: 3, stride: 1, padding: 1, dilation: 1, groups: 1, bias: true },
  ...{ padding_mode: 'zeros', conv_mode: 'cross_correlation', compute_mode: 'default', dtype: 'float32' },
  ...{ device: 0, activation: 'relu', algorithm: 'auto' },
};
const moduleOptions = { ...{ variant: 'simd', deterministic: false }, ...of('wasmUrl', 'wasmBinary', 'wasmModule') };
const out = () => noiseTensor([2, 7], 1);
const signal = new AbortController().signal;

/** An object with these keys, which are left out. */
function of(...keys) {
  return Object.fromEntries(keys.map((key) => [key, undefined]));
}

/** What is called with a list of arguments, and arguments that are right. */
const calls = {
  'new Tensor': [([data, ...rest]) => new Tensor(data, ...rest), [1, 2], [2], 'float32'],
  toWasm: [([own]) => input.toWasm(own), runtime],
  'every method of a tensor made of it': [([data]) => everyMethod(new Tensor(data)), [1, 2]],
  'new Conv1d': [([options]) => new Conv1d(options), layerOptions],
  'new Conv1d, padding': [([padding]) => new Conv1d({ ...sizes, padding }), [1, 2]],
  'new Conv1d, activation': [([activation]) => new Conv1d({ ...sizes, activation }), { type: 'leaky_relu', slope: 1 }],
  'Conv1d.fromConfig': [([from, options]) => Conv1d.fromConfig(from, options), config, { runtime }],
  forward: [([x, options]) => layer.forward(x, options), input, { out: out() }],
  forwardAsync: [([x, options]) => layer.forwardAsync(x, options), input, { signal, onProgress: () => {} }],
  outputShape: [([shape]) => layer.outputShape(shape), [2, 9]],
  explain: [([shape]) => layer.explain(shape), [2, 9]],
  weight: [([value]) => withLayer((own) => (own.weight = value)), layer.weight],
  bias: [([value]) => withLayer((own) => (own.bias = value)), layer.bias],
  loadStateDict: [
    ([dict, options]) => withLayer((own) => own.loadStateDict(dict, options)),
    layer.stateDict(),
    { ...of('strict', 'batchNorm'), prefix: '' },
  ],
  'loadStateDict, batchNorm': [
    ([batchNorm]) => withLayer((own) => own.loadStateDict(normed(), { batchNorm })),
    { prefix: 'norm.', eps: 1 },
  ],
  resetParameters: [([options]) => withLayer((own) => own.resetParameters(options)), { scheme: 'pytorch', seed: 1 }],
  stream: [([options]) => layer.stream(options), { batch: 1, maxChunk: 9, denormals: 'keep' }],
  push: [([x, options]) => withStream((stream) => stream.push(x, options)), input, { out: out() }],
  outputCount: [([count]) => withStream((stream) => stream.outputCount(count)), 3],
  flush: [([options]) => withStream((stream) => stream.flush(options)), { out: new Tensor([], [2, 0]) }],
  'new Network': [(given) => new Network(...given), [layer]],
  'new Network of a function': [(given) => new Network(...given), 2, (x) => x.conv(layer)],
  'what build returns': [([value]) => new Network(2, () => value), null],
  'NetworkValue.conv': [([value]) => new Network(2, (x) => x.conv(value)), layer],
  'NetworkValue.add': [([value]) => new Network(2, (x) => x.add(value)), null],
  'NetworkValue.multiply': [([value]) => new Network(2, (x) => x.multiply(value)), null],
  'NetworkValue.activation': [([value]) => new Network(2, (x) => x.conv(layer).activation(value)), 'relu'],
  'Network.forward': [([x, options]) => network.forward(x, options), input, { out: out() }],
  'Network.outputShape': [([shape]) => network.outputShape(shape), [2, 9]],
  'Network.stream': [([options]) => network.stream(options), { batch: 1, maxChunk: 9, denormals: 'keep' }],
  conv1d: [(given) => conv1d(...given), input, layer.weight, layer.bias, { ...otherOptions, out: out() }],
  createRuntime: [([options]) => createRuntime(options), { ...moduleOptions, threads: 1, maximumMemory: 2 ** 24 }],
  compileModule: [([options]) => compileModule(options), moduleOptions],
  createConvolverNode: [
    (given) => createConvolverNode(...given),
    {},
    { source: makeLayer({ ...sizes, padding: 'causal' }), ...of('wasmModule', 'processorUrl', 'onLoad') },
  ],
  readSafetensors: [([buffer]) => readSafetensors(buffer), writeSafetensors(layer.stateDict())],
  readNam: [([json, options]) => readNam(json, options), readJson('examples/overdrive.nam'), { size: 1, runtime }],
  readNpy: [([buffer]) => readNpy(buffer), new Uint8Array(8)],
  readNpz: [([buffer]) => readNpz(buffer), new Uint8Array(8)],
  writeSafetensors: [([dict, options]) => writeSafetensors(dict, options), layer.stateDict(), { metadata: { a: 'b' } }],
};

const normed = () => ({
  ...layer.stateDict(),
  ...Object.fromEntries(['running_mean', 'running_var'].map((name) => [`norm.${name}`, new Tensor([1, 2])])),
});

function everyMethod(tensor) {
  tensor.toArray();
  tensor.toJs().dispose();
  tensor.toWasm().dispose();
  String(tensor);
  writeSafetensors({ tensor });
}

const isPlain = (value) => Object.getPrototypeOf(value ?? 0) === Object.prototype;

/** The call's arguments with `value` in place of each of them, and of each option. */
function* replaced(given, value) {
  for (const [i, argument] of given.entries()) {
    const put = (other) => given.map((old, j) => (i === j ? other : old));
    yield [`argument ${i}`, put(value)];
    if (!isPlain(argument)) continue;
    for (const key of Object.keys(argument)) {
      yield [`argument ${i}, ${key}`, put({ ...argument, [key]: value })];
    }
    const getter = Object.defineProperty({ ...argument }, Object.keys(argument)[0], { get: throwing });
    yield [`argument ${i}, a getter`, put(getter)];
  }
}

test.each(Object.entries(calls))('%s', async (_, [call, ...given]) => {
  const failures = [];
  for (const [name, make] of values) {
    for (const [where, args] of replaced(given, make())) {
      try {
        const result = await call(args);
        if (!(result instanceof Tensor)) result?.dispose?.();
      } catch (error) {
        if (!(error instanceof Conv1dError)) failures.push(`${where}: ${name}: ${error?.stack ?? String(error)}`);
      }
    }
  }
  expect(failures).toEqual([]);
  expectSameBits(layer.forward(input).data, expected);
});
