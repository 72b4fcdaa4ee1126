// Keeps one band of frequencies of a WAV file, by default the telephone's:
//   node examples/filter-wav.mjs IN.wav OUT.wav [--low HZ] [--high HZ] [--taps N]
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Conv1d, Conv1dError, init, Tensor } from 'conv1d-wasm';
import wavefile from 'wavefile';

const usage = 'usage: node examples/filter-wav.mjs IN.wav OUT.wav [--low HZ] [--high HZ] [--taps N]';

const formatTags = { pcm: 1, float: 3, extensible: 0xfffe };
const bitsOf = { [formatTags.pcm]: [8, 16, 24, 32], [formatTags.float]: [32, 64] };

/** What the user did wrong, in one line. */
class Misuse extends Error {}

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

async function readInput(path) {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Misuse(`cannot read ${path}: ${error.message}`);
  }
}

/** Renames the chunks of titles and markers: wavefile does not get past two of them. */
function hideLists(bytes) {
  const isBigEndian = bytes.toString('latin1', 0, 4) === 'RIFX';
  for (let i = 12, size; i + 8 <= bytes.length; i += 8 + size + (size % 2)) {
    size = isBigEndian ? bytes.readUInt32BE(i + 4) : bytes.readUInt32LE(i + 4);
    if (bytes.toString('latin1', i, i + 4) === 'LIST') bytes.write('skip', i);
  }
}

/** The samples of each channel in turn, from -1 to 1, and the format that they came in. */
function parseWav(path, bytes) {
  hideLists(bytes);
  const wav = new wavefile.WaveFile();
  try {
    wav.fromBuffer(bytes);
  } catch (error) {
    throw new Misuse(`${path} is not a WAV file that can be read (${error.message})`);
  }
  const { audioFormat, subformat, bitsPerSample: bits, numChannels: channels, sampleRate: rate, blockAlign } = wav.fmt;
  const tag = audioFormat === formatTags.extensible ? subformat[0] : audioFormat;
  if (!bitsOf[tag]?.includes(bits) || channels < 1 || rate < 1 || blockAlign !== (channels * bits) / 8) {
    throw new Misuse(
      `${path} has WAV format ${tag}, bits per sample ${bits}, channels ${channels}, bytes per frame ${blockAlign}; ` +
        'this example reads PCM (format 1) of 8, 16, 24 and 32 bits and float (format 3) of 32 and 64 bits',
    );
  }
  const isFloat = tag === formatTags.float;
  const scale = isFloat ? 1 : 2 ** (bits - 1);
  const offset = bits === 8 ? 128 : 0;
  const format = { fmt: wav.fmt, channels, rate, bits, isFloat, scale, offset };

  // wavefile takes the floats of an extensible header for integers.
  const interleaved =
    isFloat && wav.bitDepth === '32'
      ? new Float32Array(wav.getSamples(true, Int32Array).buffer)
      : wav.getSamples(true, Float32Array);
  // The header of a recording that was cut off promises more than there is; wavefile counts an odd chunk's pad byte.
  const length = Math.floor(Math.min(wav.data.chunkSize, wav.data.samples.length) / blockAlign);
  const samples = new Float32Array(channels * length);
  for (let c = 0; c < channels; ++c) {
    for (let t = 0; t < length; ++t) samples[c * length + t] = (interleaved[t * channels + c] - offset) / scale;
  }
  return { samples, length, format };
}

/** A file of `format`, and how many samples had to be clipped to fit into its integers. */
function serializeWav(samples, length, format) {
  const { fmt, channels, rate, bits, isFloat, scale, offset } = format;
  const interleaved = new Float64Array(samples.length);
  let clipped = 0;
  for (let c = 0; c < channels; ++c) {
    for (let t = 0; t < length; ++t) {
      let value = samples[c * length + t];
      if (!isFloat) {
        const rounded = Math.round(value * scale);
        value = Math.min(Math.max(rounded, -scale), scale - 1) + offset;
        if (value !== rounded + offset) ++clipped;
      }
      interleaved[t * channels + c] = value;
    }
  }
  const wav = new wavefile.WaveFile();
  wav.fromScratch(channels, rate, isFloat && bits === 32 ? '32f' : String(bits), interleaved);
  // The header that came in may say more, such as which loudspeaker plays which channel.
  if ([16, 18, 40].includes(fmt.chunkSize)) wav.fmt = fmt;
  // Only a plain PCM header does without.
  if (fmt.audioFormat !== formatTags.pcm) wav.fact = { chunkId: 'fact', chunkSize: 4, dwSampleLength: length };
  const bytes = wav.toBuffer();
  if (bytes.length % 2 === 0) return { bytes, clipped };
  // RIFF pads a chunk of odd length, which wavefile does not.
  const padded = new Uint8Array(bytes.length + 1);
  padded.set(bytes);
  new DataView(padded.buffer).setUint32(4, padded.length - 8, true);
  return { bytes: padded, clipped };
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
  try {
    await writeFile(outPath, bytes);
  } catch (error) {
    throw new Misuse(`cannot write ${outPath}: ${error.message}`);
  }

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

try {
  await main();
} catch (error) {
  if (!(error instanceof Misuse || error instanceof Conv1dError)) throw error;
  console.error(`filter-wav: ${error.message}`);
  process.exitCode = 1;
}
