// Real Web Audio: what an AudioWorklet plays is what forward() gives, sample for sample; under a strict
// Content-Security-Policy, with and without isolation headers.
import { compileModule, Conv1d, createConvolverNode, init, Network, reverseTaps, Tensor } from '/dist/index.js';
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

/** `signal` (C, L) through what `connect(context, source)` puts between, as (C', length). */
async function render(signal, sampleRate, outChannels, connect, length = signal.shape[1]) {
  const context = new OfflineAudioContext(outChannels, length, sampleRate);
  const buffer = bufferOf(rowsOf(signal), sampleRate);
  const source = new AudioBufferSourceNode(context, { buffer });
  const node = await connect(context, source);
  source.connect(node).connect(context.destination);
  source.start();
  const rendered = await context.startRendering();
  const data = new Float32Array(outChannels * length);
  for (let c = 0; c < outChannels; ++c) data.set(rendered.getChannelData(c), c * length);
  return { node, output: new Tensor(data, [outChannels, length]) };
}

function rowsOf({ data, shape: [channels, length] }) {
  return Array.from({ length: channels }, (_, c) => data.subarray(c * length, (c + 1) * length));
}

function bufferOf(channels, sampleRate) {
  const buffer = new AudioBuffer({ numberOfChannels: channels.length, length: channels[0].length, sampleRate });
  channels.forEach((channel, c) => buffer.copyToChannel(channel, c));
  return buffer;
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

const sumOf = (numbers) => numbers.reduce((sum, value) => sum + value, 0);
const rms = (samples) => Math.sqrt(sumOf(Array.from(samples, (y) => y * y)) / samples.length);
const peak = (samples) => samples.reduce((most, y) => Math.max(most, Math.abs(y)), 0);

/** Channels of a room's response: noise that decays. */
const roomOf = (channels, length) =>
  Array.from({ length: channels }, (_, c) => noise(length, 40 + c).map((h, i) => h * Math.exp((-6 * i) / length)));

/** What `impulseResponse` makes of `signal`, in two channels. */
const reverberated = async (signal, sampleRate, options, length) => {
  const { output } = await render(signal, sampleRate, 2, (context) => createConvolverNode(context, options), length);
  return rowsOf(output);
};

/** What Web Audio's own node makes of it. */
const byConvolverNode = async (signal, sampleRate, channels, normalize) => {
  const buffer = bufferOf(channels, sampleRate);
  const disableNormalization = !normalize;
  const { output } = await render(
    signal,
    sampleRate,
    2,
    (context) => new ConvolverNode(context, { buffer, disableNormalization }),
  );
  return rowsOf(output);
};

// Each sample of either node comes out of three transforms of at most 2^16 points and a product, so of some hundred
// roundings, whose errors are independent, 2^-24 / sqrt(3) each on average, and grow as the root of their number: 2^-21
// of the output's level (the response's norm times the input's level) for both nodes together. Twice that is allowed; the
// response decays, so that the largest error of 10^5 is some 12 times the mean.
const responseBound = 2 ** -20;
const peakBound = 16 * responseBound;

/** The factor of `normalize` in engines, in terms of the specification's 0.00125: Chromium means -58 dB. */
const calibrations = [1, 10 ** (-58 / 20) / 0.00125];

function expectSameSound(ours, theirs, normalize, samples) {
  theirs.forEach((wanted, c) => {
    const level = rms(wanted);
    const gain = level / rms(ours[c]);
    const calibration = normalize ? calibrations.find((factor) => Math.abs(gain / factor - 1) < 1e-3) : 1;
    expect(calibration !== undefined, `ConvolverNode is ${gain} times as loud`);
    // An engine's float32 sum of all samples' squares.
    const rounding = normalize ? Math.sqrt(samples) * 2 ** -24 : 2 ** -22;
    expect(Math.abs(gain / calibration - 1) < rounding, `channel ${c}: ConvolverNode is ${gain} times as loud`);
    const errors = ours[c].map((y, t) => y * gain - wanted[t]);
    expect(rms(errors) <= responseBound * level, `channel ${c} is off by ${rms(errors) / level} of its level`);
    expect(peak(errors) <= peakBound * level, `channel ${c} is off by up to ${peak(errors) / level} of its level`);
  });
}

/** How far ConvolverNode is from the definition here. */
async function ownError() {
  const [response] = roomOf(1, 100);
  const signal = noise(1000, 6);
  const wanted = signal.map((_, t) => sumOf(Array.from(response, (h, k) => (k > t ? 0 : h * signal[t - k]))));
  const [got] = await byConvolverNode(new Tensor(signal, [1, 1000]), 48000, [response], false);
  return rms(got.map((y, t) => y - wanted[t])) / rms(wanted);
}

async function testResponses() {
  const configurations = [
    ...[1, 2, 4].flatMap((channels) => [1, 2].map((inputs) => [channels, inputs, 3000])),
    [2, 2, 60_000],
    [4, 2, 17],
  ].flatMap((configuration) => [true, false].map((normalize) => [...configuration, normalize]));
  const named = (what) => `ConvolverNode's sound: ${what}`;
  const error = await ownError();
  if (error > 2 ** -20) {
    const reason = `this engine's ConvolverNode is off by ${(100 * error).toFixed(1)} % of the definition`;
    skip(named('all configurations'), configurations.length, reason);
  } else {
    for (const [channels, inputs, length, normalize] of configurations) {
      const name = `${channels} channels of ${length}, ${inputs} in${normalize ? ', normalised' : ''}`;
      await test(named(name), async () => {
        const sampleRate = channels === 1 ? 44100 : 48000;
        const response = roomOf(channels, length);
        // The silence at the end is an input, too: ConvolverNode forgets one channel's tail when a stereo input ends.
        const signal = new Tensor(new Float32Array(inputs * 90_000), [inputs, 90_000]);
        rowsOf(signal).forEach((row, c) => row.set(noise(20_000, 7 + c)));
        const theirs = await byConvolverNode(signal, sampleRate, response, normalize);
        const asBuffer = { impulseResponse: bufferOf(response, sampleRate), ...(!normalize && { normalize }) };
        const ours = await reverberated(signal, sampleRate, asBuffer);
        expectSameSound(ours, theirs, normalize, channels * length);
        const listed = await reverberated(signal, sampleRate, { impulseResponse: response, normalize });
        ours.forEach((row, c) => expectSameBits(listed[c], row, `channel ${c} of a list`));
        if (inputs === 2) return;
        const narrow = await reverberated(signal, sampleRate, { ...asBuffer, channelCount: 1 });
        expectSameSound(narrow, theirs, normalize, channels * length);
      });
    }
  }
  await test('a response plays forwards, as a layer whose taps are reversed', async () => {
    const response = noise(64, 3);
    const impulse = new Tensor(Float32Array.of(1, ...new Float32Array(255)), [1, 256]);
    const [left] = await reverberated(impulse, 48000, { impulseResponse: [response], normalize: false });
    expectSameBits(left.slice(0, 64), response, 'what an impulse gives');
    const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 64, bias: false });
    layer.weight = reverseTaps(new Tensor(response, [1, 1, 64]));
    expectSameBits(layer.forward(impulse).data.slice(0, 64), response, 'what it gives the layer');
  });
}

async function testRates() {
  /** A short tone, whose band is some 800 Hz wide at -100 dB, 5 ms after the start. */
  const toneAt = (hertz, sampleRate) =>
    Float32Array.from({ length: Math.round(0.01 * sampleRate) }, (_, i) => {
      const t = i / sampleRate - 0.005;
      return Math.exp(-0.5 * (t / 0.001) ** 2) * Math.cos(2 * Math.PI * hertz * t + 1);
    });
  const rates = [
    [44100, 48000],
    [48000, 44100],
    [96000, 44100],
    [22050, 48000],
    [8000, 96000],
  ];
  for (const [from, to] of rates) {
    await test(`a response of ${from} Hz at ${to} Hz`, async () => {
      const length = Math.ceil(0.01 * to);
      const impulse = new Tensor(Float32Array.of(1, ...new Float32Array(length - 1)), [1, length]);
      const heard = async (hertz) => {
        const response = toneAt(hertz, from);
        const options = { normalize: false, channelCount: 1 };
        const listed = await reverberated(impulse, to, { impulseResponse: [response], sampleRate: from, ...options });
        const buffered = await reverberated(impulse, to, { impulseResponse: bufferOf([response], from), ...options });
        expectSameBits(listed[0], buffered[0], 'a list and an AudioBuffer');
        return listed[0];
      };
      const nyquist = Math.min(from, to) / 2;
      for (const hertz of [100, 0.5 * nyquist, 0.9 * nyquist - 900]) {
        const wanted = toneAt(hertz, to).map((h) => (h * from) / to);
        const got = await heard(hertz);
        const error = peak(wanted.map((h, i) => got[i] - h)) / peak(wanted);
        expect(error < 1e-5, `a tone of ${hertz} Hz is off by ${error}`);
      }
      if (from > to) {
        const alias = peak(await heard(nyquist + 900)) / (to / from);
        expect(alias < 1e-5, `a tone that is too high is heard at ${alias}`);
      }
    });
  }
  await test('a response of another rate is as loud when it is normalised', async () => {
    const signal = new Tensor(noise(20_000, 4), [1, 20_000]);
    const tone = (rate) => ({ impulseResponse: [toneAt(1000, rate)], sampleRate: rate });
    const [wanted] = await reverberated(signal, 48000, tone(48000));
    const [got] = await reverberated(signal, 48000, tone(44100));
    expect(rms(got.map((y, t) => y - wanted[t])) < 1e-4 * rms(wanted), 'it sounds otherwise');
  });
}

async function testTail() {
  const response = roomOf(2, 5000);
  const signal = new Tensor(noise(2 * 1000, 3), [2, 1000]);
  const options = { impulseResponse: response, normalize: false };
  const length = 8000;
  const padded = new Tensor(new Float32Array(2 * length), [2, length]);
  rowsOf(padded).forEach((row, c) => row.set(rowsOf(signal)[c]));
  await test('the tail is heard when the source has ended', async () => {
    const whole = await reverberated(padded, 48000, options);
    const got = await reverberated(signal, 48000, options, length);
    whole.forEach((row, c) => {
      expect(peak(row.slice(5000)) > 0, 'there is no tail');
      expectSameBits(got[c], row, `channel ${c}`);
    });
  });
  const name = 'the tail is heard when the source was disconnected';
  if (typeof OfflineAudioContext.prototype.suspend !== 'function') {
    skip(name, 1, 'this engine has no OfflineAudioContext.suspend()');
    return;
  }
  await test(name, async () => {
    const endless = new Tensor(noise(2 * length, 3), [2, length]);
    const { output } = await render(endless, 48000, 2, async (context, source) => {
      const node = await createConvolverNode(context, options);
      context.suspend(1024 / 48000).then(() => {
        source.disconnect();
        return context.resume();
      });
      return node;
    });
    const interrupted = new Tensor(endless.data.slice(), [2, length]);
    for (const row of rowsOf(interrupted)) row.fill(0, 1024);
    const wanted = await reverberated(interrupted, 48000, options);
    rowsOf(output).forEach((row, c) => expectSameBits(row, wanted[c], `channel ${c}`));
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
    for (const fade of [-1, Infinity, '1', 1e9]) {
      const rule = { code: 'ERR_OPTION', field: 'fade', message: /seconds from 0 to 60, got/ };
      await expectError(() => node.update(layer({ padding: 'causal' }), { fade }), rule);
    }
    node.dispose();
    node.dispose();
    await expectError(() => node.update(layer()), { code: 'ERR_DISPOSED' });
  });
}

async function testResponseErrors() {
  const context = new OfflineAudioContext(1, 128, 48000);
  const good = Float32Array.of(1, 0.5);
  const bad = {
    'no channels': [{ impulseResponse: [] }, 'impulseResponse', /1, 2 or 4 channels, got 0/],
    'three channels': [{ impulseResponse: [good, good, good] }, 'impulseResponse', /1, 2 or 4 channels, got 3/],
    'an empty channel': [{ impulseResponse: [new Float32Array()] }, 'impulseResponse', /one length >= 1, got \[0\]/],
    'two lengths': [{ impulseResponse: [good, noise(3)] }, 'impulseResponse', /one length >= 1, got \[2, 3\]/],
    'a bare array': [{ impulseResponse: good }, 'impulseResponse', /an AudioBuffer or a list of Float32Arrays/],
    'lists of numbers': [{ impulseResponse: [[1, 2]] }, 'impulseResponse', /an AudioBuffer or a list of Float32Arrays/],
    'a NaN': [{ impulseResponse: [Float32Array.of(1, NaN)] }, 'impulseResponse', /finite numbers, got NaN/],
    'a rate of 0': [{ impulseResponse: [good], sampleRate: 0 }, 'sampleRate', /from 3000 to 768000, got 0/],
    'a rate beside a buffer': [
      { impulseResponse: bufferOf([good], 44100), sampleRate: 44100 },
      'sampleRate',
      /an AudioBuffer has its own/,
    ],
    'a number to normalise': [{ impulseResponse: [good], normalize: 1 }, 'normalize', /a boolean, got 1/],
    'three channels in': [{ impulseResponse: [good], channelCount: 3 }, 'channelCount', /1 or 2, got 3/],
    'a source beside it': [
      { impulseResponse: [good], source: makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 3 }) },
      'source',
      /unknown option 'source'; there are impulseResponse/,
    ],
  };
  for (const [name, [options, field, message]] of Object.entries(bad)) {
    await test(`error: a response: ${name}`, () =>
      expectError(() => createConvolverNode(context, options), { code: 'ERR_OPTION', field, message }));
  }
  await test('an update to another response, and errors of others', async () => {
    const signal = new Tensor(noise(2048, 3), [1, 2048]);
    const response = { impulseResponse: [noise(300, 5)], normalize: false };
    const [wanted] = await reverberated(signal, 48000, response);
    const { output } = await render(signal, 48000, 2, async (offline) => {
      const node = await createConvolverNode(offline, { impulseResponse: [good, good] });
      const rule = { code: 'ERR_OPTION', field: 'impulseResponse', message: /1, 2 or 4 channels/ };
      await expectError(() => node.update({ impulseResponse: [] }), rule);
      const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 3 });
      await expectError(() => node.update(layer), { code: 'ERR_OPTION', field: 'source', message: /2 channels in/ });
      const unknown = (name, meant) => ({
        code: 'ERR_OPTION',
        field: name,
        message: new RegExp(`did you mean ${meant}\\?`),
      });
      await expectError(() => node.update(response, { Fade: 1 }), unknown('Fade', 'fade'));
      await expectError(() => node.update({ ...response, normalise: true }), unknown('normalise', 'normalize'));
      await node.update(response);
      return node;
    });
    for (const row of rowsOf(output)) expectSameBits(row, wanted, 'the output');
  });
}

async function testModuleErrors() {
  const context = new OfflineAudioContext(1, 128, 48000);
  const options = { impulseResponse: [Float32Array.of(1)] };
  const single = await compileModule();
  const [stamp] = WebAssembly.Module.customSections(single, 'conv1d-wasm');
  const name = new TextEncoder().encode('conv1d-wasm');
  const start = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const section = (bytes) => [0, 1 + name.length + bytes.byteLength, name.length, ...name, ...new Uint8Array(bytes)];
  const threads = `/dist/wasm/conv1d-${runtime.variant}-threads.wasm`;
  const modules = {
    'an object': {},
    'an object with a tag': { [Symbol.toStringTag]: 'WebAssembly.Module' },
    'another module': new WebAssembly.Module(Uint8Array.from(start)),
    'the build with threads': await WebAssembly.compileStreaming(fetch(threads)),
  };
  for (const [what, wasmModule] of Object.entries(modules)) {
    await test(`error: as wasmModule, ${what}`, () =>
      expectError(() => createConvolverNode(context, { ...options, wasmModule }), {
        code: 'ERR_WASM_LOAD',
        field: 'wasmModule',
        message: /must be what compileModule\(\) of this version gives/,
      }));
  }
  await test('error: as wasmModule, an empty one with the right stamp', async () => {
    const wasmModule = await WebAssembly.compile(Uint8Array.from([...start, ...section(stamp)]));
    await expectError(() => createConvolverNode(context, { ...options, wasmModule }), {
      code: 'ERR_WASM_LOAD',
      message: /does not start/,
    });
  });
}

async function testClosed() {
  const options = { impulseResponse: [Float32Array.of(1)] };
  const closed = { code: 'ERR_DISPOSED', field: 'context', message: /closed/ };
  await test('error: a closed context', async () => {
    const context = new AudioContext();
    const node = await createConvolverNode(context, options);
    const fading = node.update(options, { fade: 60 });
    const later = expectError(() => fading, closed);
    await context.close();
    await expectError(() => createConvolverNode(context, options), closed);
    await expectError(() => node.update(options), closed);
    await later;
  });
  await test('error: a context that is none', () =>
    expectError(() => createConvolverNode({ sampleRate: 48000, audioWorklet: { addModule() {} } }, options), {
      code: 'ERR_UNSUPPORTED',
      field: 'context',
      message: /makes no AudioWorkletNode/,
    }));
}

const runtime = await init({ threads: 1 });
result.builds.push({ variant: runtime.variant, threads: 1, threadsReason: null });
await testConvolver();
await testResponses();
await testRates();
await testTail();
await testUpdate();
await testFade();
await testLoad();
await testDropouts();
await testOwnProcessor();
await testErrors();
await testResponseErrors();
await testModuleErrors();
await testClosed();
finish();
