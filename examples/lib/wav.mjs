// WAV files as samples and back.
import wavefile from 'wavefile';
import { Misuse } from './command.mjs';

const formatTags = { pcm: 1, float: 3, extensible: 0xfffe };
const bitsOf = { [formatTags.pcm]: [8, 16, 24, 32], [formatTags.float]: [32, 64] };

/** Renames the chunks of titles and markers: wavefile does not get past two of them. */
function hideLists(bytes) {
  const isBigEndian = bytes.toString('latin1', 0, 4) === 'RIFX';
  for (let i = 12, size; i + 8 <= bytes.length; i += 8 + size + (size % 2)) {
    size = isBigEndian ? bytes.readUInt32BE(i + 4) : bytes.readUInt32LE(i + 4);
    if (bytes.toString('latin1', i, i + 4) === 'LIST') bytes.write('skip', i);
  }
}

/** The samples of each channel in turn, from -1 to 1, and the format that they came in. */
export function parseWav(path, bytes) {
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
export function serializeWav(samples, length, format) {
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

/** The mean of a file's channels at `rate`. */
export function parseMono(path, bytes, rate) {
  const { samples, length, format } = parseWav(path, bytes);
  const { channels } = format;
  const mono = new Float32Array(length);
  samples.forEach((sample, i) => (mono[i % length] += sample / channels));
  if (format.rate === rate) return mono;
  const wav = new wavefile.WaveFile();
  wav.fromScratch(1, format.rate, '32f', mono);
  wav.toSampleRate(rate);
  return wav.getSamples(false, Float32Array);
}
