// Real Web Audio: what an AudioWorklet plays is what forward() gives, sample for sample; under a strict
// Content-Security-Policy, with and without isolation headers.
import { compileModule, Conv1d, createConvolverNode, init, Network, Tensor } from '/dist/index.js';
import { expect, expectEqual, expectError, expectSameBits, finish, noise, result, skip, test } from './testing.js';

const quantum = 128;

function makeLayer(options, seed) {
  const layer = new Conv1d({ padding: 'causal', algorithm: 'direct', ...options });
  const { shape, size } = layer.weight;
  const scale = Math.sqrt(options.outChannels / size);
  layer.weight = new Tensor(
    noise(size, seed).map((w) => w * scale),
    shape,
  );
  return layer;
}

/** A gated stack from `channels` to `channels`. */
function makeStack(channels, seed = 1) {
  const first = makeLayer({ inChannels: channels, outChannels: 8, kernelSize: 1 }, seed);
  const last = makeLayer({ inChannels: 8, outChannels: channels, kernelSize: 1 }, seed + 1);
  return new Network(channels, (x) => {
    let h = x.conv(first);
    for (let i = 0; i < 6; ++i) {
      const dilated = makeLayer({ inChannels: 8, outChannels: 16, kernelSize: 3, dilation: 2 ** i }, seed + 10 + i);
      h = h.add(h.conv(dilated).gate());
    }
    return h.conv(last);
  });
}

/** `signal` (C, L) through what `connect` puts between, as (C', L). */
async function render(signal, sampleRate, outChannels, connect) {
  const [channels, length] = signal.shape;
  const context = new OfflineAudioContext(outChannels, length, sampleRate);
  const buffer = context.createBuffer(channels, length, sampleRate);
  for (let c = 0; c < channels; ++c) buffer.copyToChannel(signal.data.subarray(c * length, (c + 1) * length), c);
  const source = new AudioBufferSourceNode(context, { buffer });
  const node = await connect(context);
  source.connect(node).connect(context.destination);
  source.start();
  const rendered = await context.startRendering();
  const data = new Float32Array(outChannels * length);
  for (let c = 0; c < outChannels; ++c) data.set(rendered.getChannelData(c), c * length);
  return { node, output: new Tensor(data, [outChannels, length]) };
}

const played = (source, signal, sampleRate, outChannels, options) =>
  render(signal, sampleRate, outChannels, (context) => createConvolverNode(context, { source, ...options }));

/** Messages of the audio thread come when they come. */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function testConvolver() {
  for (const sampleRate of [44100, 48000]) {
    await test(`ten seconds at ${sampleRate} Hz through a gated stack`, async () => {
      const stack = makeStack(1);
      const signal = new Tensor(noise(10 * sampleRate, 3), [1, 10 * sampleRate]);
      const { output, node } = await played(stack, signal, sampleRate, 1);
      expectEqual(node.latency, 0, 'latency');
      expectSameBits(output.data, stack.forward(signal).data, 'the output');
    });
  }
  await test('two channels in, three out, one layer', async () => {
    const layer = makeLayer({ inChannels: 2, outChannels: 3, kernelSize: 301 }, 4);
    const signal = new Tensor(noise(2 * 6000, 5), [2, 6000]);
    const { output } = await played(layer, signal, 48000, 3);
    expectSameBits(output.data, layer.forward(signal).data, 'the output');
  });
  await test('layers that look ahead come late by their latency', async () => {
    const layers = [1, 2].map((seed) =>
      makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 91, padding: 'same' }, seed),
    );
    const length = 5000;
    const signal = new Tensor(noise(length, 6), [1, length]);
    const { output, node } = await played(layers, signal, 48000, 1);
    expectEqual(node.latency, 90, 'latency');
    const whole = new Network(layers).forward(signal).data;
    expect(
      output.data.subarray(0, 90).every((y) => y === 0),
      'there is something before the first output',
    );
    expectSameBits(output.data.slice(90), whole.slice(0, length - 90), 'the output');
  });
  await test('two nodes on one module', async () => {
    const wasmModule = await compileModule();
    const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 64 }, 7);
    const signal = new Tensor(noise(3000, 8), [1, 3000]);
    const { output } = await render(signal, 48000, 1, async (context) => {
      const [a, b] = [
        await createConvolverNode(context, { source: layer, wasmModule }),
        await createConvolverNode(context, { source: layer, wasmModule }),
      ];
      b.connect(context.destination); // plays silence: nothing is connected to it
      return a;
    });
    expectSameBits(output.data, layer.forward(signal).data, 'the output');
  });
}

async function testUpdate() {
  const name = 'an update takes effect, and a disposed node is silent';
  if (typeof OfflineAudioContext.prototype.suspend !== 'function') {
    skip(name, 1, 'this engine has no OfflineAudioContext.suspend()');
    return;
  }
  await test(name, async () => {
    const options = { inChannels: 1, outChannels: 1, kernelSize: 3, bias: false };
    const [before, after] = [makeLayer(options, 1), makeLayer(options, 2)];
    const wider = makeLayer({ ...options, kernelSize: 9 }, 3);
    const signal = new Tensor(noise(8 * 1024, 9), [1, 8 * 1024]);
    const { output } = await render(signal, 48000, 1, async (context) => {
      const node = await createConvolverNode(context, { source: before });
      const at = (sample, action) =>
        context.suspend(sample / 48000).then(async () => {
          await action();
          await context.resume();
        });
      at(2048, () => node.update(after));
      at(4096, () => node.update([wider]));
      at(6144, () => node.dispose());
      return node;
    });
    const part = (data, from, to) => data.slice(from, to);
    expectSameBits(part(output.data, 0, 2048), part(before.forward(signal).data, 0, 2048), 'before');
    expectSameBits(part(output.data, 2048, 4096), part(after.forward(signal).data, 2048, 4096), 'new weights');
    const rest = new Tensor(signal.data.slice(4096), [1, 4096]);
    expectSameBits(part(output.data, 4096, 6144), part(wider.forward(rest).data, 0, 2048), 'another layer');
    expect(
      output.data.subarray(6144).every((y) => y === 0),
      'a disposed node plays on',
    );
  });
}

async function testFade() {
  const [sampleRate, length] = [48000, 8192];
  const signal = new Tensor(noise(length, 12), [1, length]);
  const options = { inChannels: 1, outChannels: 1, kernelSize: 301 };
  const [before, after, skipped, last] = [1, 2, 3, 4].map((seed) => makeLayer(options, seed));
  const updates = [];
  const name = 'a fade takes the sound over, and the last update of those that came meanwhile follows';
  if (typeof OfflineAudioContext.prototype.suspend !== 'function') {
    skip(name, 1, 'this engine has no OfflineAudioContext.suspend()');
    return;
  }
  await test(name, async () => {
    const [fade, start] = [1000, 2048];
    const heard = 301; // the receptive field, for which the new layer listens first
    const { output } = await render(signal, sampleRate, 1, async (context) => {
      const node = await createConvolverNode(context, { source: before });
      context.suspend(start / sampleRate).then(() => {
        updates.push(node.update(after, { fade: fade / sampleRate }));
        updates.push(node.update(skipped), node.update(last)); // at once, but for the fade
        // the messages are there before the next quantum
        setTimeout(() => context.resume(), 100);
      });
      return node;
    });
    await Promise.all(updates);
    const [from, to, end] = [before, after, last].map((layer) => layer.forward(signal).data);
    const fadeStart = start + heard;
    const fadeEnd = start + Math.ceil((heard + fade) / quantum) * quantum;
    expectSameBits(output.data.slice(0, fadeStart), from.slice(0, fadeStart), 'before the fade');
    let largest = 0;
    for (let t = fadeStart; t < fadeEnd; ++t) {
      const part = Math.min(1, (t - fadeStart + 1) / fade);
      largest = Math.max(largest, Math.abs(output.data[t] - (from[t] + part * (to[t] - from[t]))));
    }
    expect(largest < 1e-6, `the fade is off by ${largest}`);
    // the last layer has the weights alone of the one before it, and its history
    const differs = output.data.findIndex((y, t) => t >= fadeEnd && y !== end[t]);
    expectEqual(differs, -1, 'the first sample that the last layer has otherwise');
  });
}

async function testLoad() {
  await test('the load is told while it plays', async () => {
    const layer = makeLayer({ inChannels: 2, outChannels: 2, kernelSize: 3000 }, 4);
    const length = 3 * 44100;
    const signal = new Tensor(noise(2 * length, 5), [2, length]);
    const reports = [];
    const onLoad = (load) => reports.push(load);
    const began = performance.now();
    await played(layer, signal, 44100, 2, { onLoad });
    const took = (performance.now() - began) / 1000;
    await until(() => reports.length === Math.floor(length / quantum / Math.ceil((0.25 * 44100) / quantum)));
    const busy = reports.reduce((sum, { share }) => sum + share * 0.25, 0);
    expect(busy > 0 && busy <= took, `convolving is said to have taken ${busy} s of ${took} s`);
    expect(
      reports.every(({ dropouts }) => Number.isInteger(dropouts) && dropouts >= 0),
      `dropouts are ${reports.map(({ dropouts }) => dropouts)}`,
    );
  });
}

/** How many dropouts are told of a second and a half that halts for `wait` ms each quarter, given a baseLatency. */
async function dropoutsOf(wait, baseLatency) {
  const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 3 }, 4);
  const signal = new Tensor(noise(72000, 5), [1, 72000]);
  const reports = [];
  await render(signal, 48000, 1, (context) => {
    Object.defineProperty(context, 'baseLatency', { value: baseLatency });
    for (const seconds of [0.25, 0.5, 0.75]) {
      context.suspend(seconds).then(() => setTimeout(() => context.resume(), wait));
    }
    return createConvolverNode(context, { source: layer, onLoad: (load) => reports.push(load) });
  });
  await until(() => reports.length === 5);
  return reports.reduce((sum, { dropouts }) => sum + dropouts, 0);
}

// A busy machine halts, too, so bounds are all that can be said.
async function testDropouts() {
  const names = ['sound that comes late is a dropout', 'a pause is none'];
  if (typeof OfflineAudioContext.prototype.suspend !== 'function') {
    for (const name of names) skip(name, 1, 'this engine has no OfflineAudioContext.suspend()');
    return;
  }
  await test(names[0], async () => {
    const dropouts = await dropoutsOf(400, 0.01);
    expect(dropouts > 0, 'none is told');
  });
  await test(names[1], async () => {
    expectEqual(await dropoutsOf(1200, 0.48), 0, 'dropouts');
  });
}

async function testOwnProcessor() {
  await test('a processor of one’s own takes no more memory after 100,000 quanta', async () => {
    const layers = [1, 2].map((seed) => makeLayer({ inChannels: 2, outChannels: 2, kernelSize: 5, dilation: 3 }, seed));
    const weights = layers.map((layer) => {
      const { weight, bias } = layer.stateDict();
      const plain = ({ data, shape }) => [data, [...shape]];
      const options = { inChannels: 2, outChannels: 2, kernelSize: 5, dilation: 3, padding: 'causal' };
      return { options, weight: plain(weight), bias: plain(bias) };
    });
    const module = await compileModule();
    const reports = [];
    const length = 100_000 * quantum;
    const signal = new Tensor(noise(2 * length, 1), [2, length]);
    const { node, output } = await render(signal, 48000, 2, async (context) => {
      await context.audioWorklet.addModule(new URL('./worklet-processor.js', import.meta.url));
      const processorOptions = { module, channels: 2, weights };
      const made = new AudioWorkletNode(context, 'stack', { outputChannelCount: [2], processorOptions });
      made.port.onmessage = ({ data }) => reports.push(data);
      return made;
    });
    node.port.postMessage('report');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expectEqual(
      reports.map(({ quanta }) => quanta),
      [10, 100_000],
      'quanta',
    );
    const [first, last] = reports;
    expectEqual([last.used, last.total], [first.used, first.total], 'memory');
    expectSameBits(output.data, new Network(layers).forward(signal).data, 'the output');
  });
}

async function testErrors() {
  const context = new OfflineAudioContext(1, 128, 48000);
  const layer = (options) => new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 3, ...options });
  const bad = {
    'no source': [undefined, /source/],
    'a stride': [layer({ stride: 2 }), /stride 1, got 2/],
    reflection: [layer({ padding: 1, paddingMode: 'reflect' }), /paddingMode 'zeros', got 'reflect'/],
    float16: [layer({ dtype: 'float16' }), /float32/],
    'more padding than reach': [layer({ padding: [5, 0] }), /on the left/],
  };
  for (const [name, [source, message]] of Object.entries(bad)) {
    await test(`error: ${name}`, () =>
      expectError(() => createConvolverNode(context, { source }), { code: 'ERR_OPTION', field: 'source', message }));
  }
  await test('error: a processor that is not there', () =>
    expectError(() => createConvolverNode(context, { source: layer(), processorUrl: '/no-such-file.js' }), {
      code: 'ERR_WASM_LOAD',
      field: 'processorUrl',
      message: /no-such-file/,
    }));
  await test('error: nobody to tell the load', () =>
    expectError(() => createConvolverNode(context, { source: layer({ padding: 'causal' }), onLoad: 1 }), {
      code: 'ERR_OPTION',
      field: 'onLoad',
    }));
  await test('error: no worklet', () =>
    expectError(() => createConvolverNode({}, { source: layer() }), { code: 'ERR_UNSUPPORTED', field: 'context' }));
  await test('error: other channels', async () => {
    const node = await createConvolverNode(context, { source: layer({ padding: 'causal' }) });
    const wide = layer({ inChannels: 2, padding: 'causal' });
    await expectError(() => node.update(wide), { code: 'ERR_OPTION', field: 'source', message: /1 channels in/ });
    for (const fade of [-1, Infinity, '1']) {
      const rule = { code: 'ERR_OPTION', field: 'fade', message: /seconds >= 0, got/ };
      await expectError(() => node.update(layer({ padding: 'causal' }), { fade }), rule);
    }
    node.dispose();
    node.dispose();
    await expectError(() => node.update(layer()), { code: 'ERR_DISPOSED' });
  });
}

const runtime = await init({ threads: 1 });
result.builds.push({ variant: runtime.variant, threads: 1, threadsReason: null });
await testConvolver();
await testUpdate();
await testFade();
await testLoad();
await testDropouts();
await testOwnProcessor();
await testErrors();
finish();
