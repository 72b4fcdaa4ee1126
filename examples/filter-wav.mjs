// Keeps one band of frequencies of a WAV file, by default the telephone's:
//   node examples/filter-wav.mjs IN.wav OUT.wav [--low HZ] [--high HZ] [--taps N]
import { parseArgs } from 'node:util';
import { Conv1d, init, Tensor } from 'conv1d-wasm';
import { Misuse, readInput, runCommand, writeOutput } from './lib/command.mjs';
import { parseWav, serializeWav } from './lib/wav.mjs';

const usage = 'usage: node examples/filter-wav.mjs IN.wav OUT.wav [--low HZ] [--high HZ] [--taps N]';

function takeArguments() {
  const defaults = {
    low: { type: 'string', default: '300' },
    high: { type: 'string', default: '3400' },
    taps: { type: 'string', default: '511' },
    help: { type: 'boolean', short: 'h', default: false },
  };
  let parsed;
  try {
    parsed = parseArgs({ options: defaults, allowPositionals: true });
  } catch (error) {
    throw new Misuse(`${error.message.split(/\. |\.?\n/)[0]}; ${usage}`);
  }
  const { values, positionals } = parsed;
  if (values.help) return null;
  if (positionals.length !== 2) throw new Misuse(usage);
  const [low, high, taps] = ['low', 'high', 'taps'].map((name) => (values[name].trim() === '' ? NaN : +values[name]));
  if (!(low > 0)) throw new Misuse(`--low must be a frequency above 0 Hz, got '${values.low}'`);
  if (!(high > low && high < Infinity)) {
    throw new Misuse(`--high must be a frequency above --low (${low} Hz), got '${values.high}'`);
  }
  // An odd count has a middle, so that the filter delays nothing.
  if (!(Number.isInteger(taps) && taps >= 3 && taps % 2 === 1)) {
    throw new Misuse(`--taps must be an odd integer >= 3, got '${values.taps}'`);
  }
  return { inPath: positionals[0], outPath: positionals[1], low, high, taps };
}

/** A windowed sinc that passes what lies below `cutoff`, a fraction of the sampling rate, with a gain of 1 at 0 Hz. */
function lowPass(cutoff, taps) {
  const kernel = Float64Array.from({ length: taps }, (_, i) => {
    const t = i - (taps - 1) / 2;
    const sinc = t === 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * t) / (Math.PI * t);
    const phase = (2 * Math.PI * t) / (taps + 1);
    const blackman = 0.42 + 0.5 * Math.cos(phase) + 0.08 * Math.cos(2 * phase);
    return sinc * blackman;
  });
  const gain = kernel.reduce((sum, value) => sum + value);
  return kernel.map((value) => value / gain);
}

/** What passes below `high` less what passes below `low`. Symmetric, so correlating with it is convolving with it. */
function bandPass(low, high, taps) {
  const below = lowPass(low, taps);
  return Float32Array.from(lowPass(high, taps), (value, i) => value - below[i]);
}

async function main() {
  const given = takeArguments();
  if (!given) {
    console.log(usage);
    return;
  }
  const { inPath, outPath, low, high, taps } = given;
  const { samples, length, format } = parseWav(inPath, await readInput(inPath));
  const { channels, rate, bits, isFloat } = format;
  if (high >= rate / 2) {
    throw new Misuse(`--high (${high} Hz) must be below half the sampling rate of ${inPath} (${rate / 2} Hz)`);
  }

  const { variant, threads, threadsReason } = await init();
  const filter = new Conv1d({
    inChannels: channels,
    outChannels: channels,
    groups: channels, // each channel by itself
    kernelSize: taps,
    padding: 'same',
    paddingMode: 'reflect',
    bias: false,
  });
  const kernel = bandPass(low / rate, high / rate, taps);
  const kernels = new Float32Array(channels * taps);
  for (let c = 0; c < channels; ++c) kernels.set(kernel, c * taps);
  filter.weight = new Tensor(kernels, [channels, 1, taps]);

  const input = new Tensor(samples, [channels, length]);
  const start = performance.now();
  let output;
  try {
    output = filter.forward(input);
  } catch (error) {
    if (error.code !== 'ERR_SHAPE') throw error;
    throw new Misuse(`${inPath} is too short for ${taps} taps, its length L is ${length}: ${error.message}`);
  }
  const seconds = (performance.now() - start) / 1000;

  const { bytes, clipped } = serializeWav(output.data, length, format);
  await writeOutput(outPath, bytes);

  const duration = length / rate;
  console.log(
    `audio   ${duration.toFixed(2)} s, ${channels} channel${channels > 1 ? 's' : ''}, ${rate} Hz, ` +
      `${bits}-bit${isFloat ? ' float' : ''}${clipped > 0 ? ` (${clipped} samples clipped)` : ''}`,
  );
  console.log(
    `filter  ${low}-${high} Hz, ${taps} taps, in ${(seconds * 1000).toFixed(1)} ms: ` +
      `${Math.round(duration / seconds)} times real time`,
  );
  console.log(
    `build   ${variant}, ${threads} thread${threads > 1 ? 's' : ''}${threadsReason === null ? '' : ` (${threadsReason})`}`,
  );
}

await runCommand('filter-wav', main);
