// The examples that read files, with what they should give.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readNpy } from 'conv1d-wasm';
import wavefile from 'wavefile';
import { model as defined } from './nam-definition.js';
import { fromRoot, isPresent, noise, print, readJson, runNode } from './support.js';

const folder = fromRoot('build/examples');
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

  const shared = '../shared/models/nam';
  const has = isPresent(shared);
  if (!has) print("The models of other projects are not here: amp.mjs's test of one is skipped");
  (has ? test : test.skip)("a trained one, with NeuralAmpModelerCore's output", async () => {
    const signal = (name) => readNpy(readFileSync(fromRoot(`${shared}/${name}.npy`))).data;
    const inPath = writeWav('in.wav', [signal('input')], 48000);
    expect(await run('amp.mjs', inPath, fromRoot(`${shared}/A2.nam`), out)).toMatchObject({ code: 0, stderr: '' });
    const expected = signal('A2_full.output');
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
