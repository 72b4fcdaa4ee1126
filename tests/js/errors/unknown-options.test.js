// Options with names that do not exist, and what is no options at all.
import {
  compileModule,
  conv1d,
  Conv1d,
  createConvolverNode,
  createRuntime,
  init,
  Network,
  readNpz,
  readSafetensors,
  readTorch,
  writeSafetensors,
} from 'conv1d-wasm';
import { readNam } from 'conv1d-wasm/models';
import { rejected, thrown, zeros } from '../support.js';
import { input, layer, sizes, withLayer } from './intact.js';

describe('unknown options name those that there are, and the nearest', () => {
  const ofWeight = 'inChannels, outChannels, kernelSize, bias, dtype';
  const others =
    'stride, padding, dilation, groups, activation, algorithm, paddingMode, convMode, computeMode, runtime';
  const module = 'variant, deterministic, wasmUrl, wasmBinary, wasmModule';
  const all = `${ofWeight}, ${others}, weight`;
  const config =
    'in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, conv_mode, ' +
    'compute_mode, dtype, activation, algorithm, device';
  const create = (options) => new Conv1d({ ...sizes, ...options });
  const stream = (options) => layer.stream({ maxChunk: 4, ...options });
  const withStream = (call) => (options) =>
    withLayer({}, (own) => {
      const fed = own.stream({ maxChunk: 4 });
      try {
        return call(fed, options);
      } finally {
        fed.dispose();
      }
    });
  const withNetwork = (call) => {
    const network = new Network([layer]);
    try {
      return call(network);
    } finally {
      network.dispose();
    }
  };
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
    ['push', 'output', 'out', 'out', withStream((fed, options) => fed.push(zeros(3, 4), options))],
    ['flush', 'outs', 'out', 'out', withStream((fed, options) => fed.flush(options))],
    ['activation', 'slop', 'slope', 'type, slope', (more) => create({ activation: { type: 'leaky_relu', ...more } })],
    [
      ...['NetworkValue.activation', 'Type', 'type', 'type, slope, alpha, beta, minVal, maxVal'],
      (activation) => new Network(3, (x) => x.conv(layer).activation(activation)),
    ],
    ['Network.stream', 'max_chunk', 'maxChunk', streamed, (options) => new Network([layer]).stream(options)],
    ['Network.forward', 'Out', 'out', 'out', (options) => withNetwork((network) => network.forward(input, options))],
    ['conv1d', 'paddingmode', 'paddingMode', `${others}, out`, functional],
    ...ofWeight.split(', ').map((name) => ['conv1d', name, null, `${others}, out`, functional]),
    ['createRuntime', 'thread', 'threads', `${module}, threads, maximumMemory`, createRuntime],
    ['init', 'variants', 'variant', `${module}, threads, maximumMemory`, init],
    ['createRuntime', 'maxMemory', null, `${module}, threads, maximumMemory`, createRuntime],
    ['compileModule', 'threads', null, module, compileModule],
    [
      ...['createConvolverNode', 'Source', 'source', 'source, impulseResponse, wasmModule, processorUrl, onLoad'],
      (options) => createConvolverNode({}, options),
    ],
    [
      ...['createConvolverNode of a response', 'rate', 'sampleRate'],
      'impulseResponse, sampleRate, normalize, channelCount, wasmModule, processorUrl, onLoad',
      (options) => createConvolverNode({}, { impulseResponse: [], ...options }),
    ],
    [
      'readSafetensors',
      'Prefix',
      'prefix',
      'names, prefix, filter',
      (options) => readSafetensors(new Uint8Array(0), options),
    ],
    ['readNam', 'sizes', 'size', 'size, runtime', (options) => readNam({}, options)],
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

test("initSync, the worklet's", async () => {
  const { initSync } = await import('conv1d-wasm/worklet');
  let error;
  try {
    initSync(null, { maximumMemry: 5 });
  } catch (reason) {
    error = reason;
  }
  const message = "unknown option 'maximumMemry' (did you mean maximumMemory?); there are maximumMemory";
  expect(error).toMatchObject({ name: 'Conv1dError', code: 'ERR_OPTION', field: 'maximumMemry', got: 5, message });
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
