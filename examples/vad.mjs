// Where somebody speaks in a recording, by Silero VAD, as lines of the seconds in which speech begins and ends:
//   node examples/vad.mjs IN.wav WEIGHTS.safetensors
// The weights are those of https://github.com/snakers4/silero-vad, silero_vad_16k.safetensors.
import { init, readSafetensors, Tensor } from 'conv1d-wasm';
import { inPieces, readInput, runCommand, takePaths } from './lib/command.mjs';
import { silero } from './lib/networks.mjs';
import { parseMono } from './lib/wav.mjs';

const rate = 16000;
const size = 512; // of a chunk
const context = 64;
const features = 128;

async function main() {
  const [inPath, weightsPath] = takePaths('node examples/vad.mjs IN.wav WEIGHTS.safetensors');
  await init();
  const { encoder, decoder } = silero(readSafetensors(await readInput(weightsPath)));
  const samples = parseMono(inPath, await readInput(inPath), rate);
  const padded = new Float32Array(context + Math.ceil(samples.length / size) * size);
  padded.set(samples, context);
  const batch = 64;
  const memory = decoder.stream({ maxChunk: batch }); // of what was heard
  const likely = [];
  const seconds = inPieces(Math.ceil(samples.length / size), batch, (begin, end) => {
    const count = end - begin;
    const chunks = Array.from({ length: count }, (_, i) => {
      const at = (begin + i) * size;
      return [padded.subarray(at, at + context + size)];
    });
    const encoded = encoder.forward(new Tensor(chunks)).data;
    const columns = Float32Array.from(encoded, (_, i) => encoded[(i % count) * features + Math.floor(i / count)]);
    likely.push(...memory.push(new Tensor(columns, [features, count])).data);
  });

  const secondsAt = (chunk) => ((chunk * size) / rate).toFixed(2);
  let begin = -1;
  for (const [i, probability] of [...likely, 0].entries()) {
    if (begin < 0 && probability >= 0.5) begin = i;
    if (begin < 0 || probability >= 0.35) continue;
    console.log(`${secondsAt(begin)},${secondsAt(i)}`);
    begin = -1;
  }
  console.log(`# ${likely.length} chunks: ${(samples.length / rate / seconds).toFixed(1)} times real time`);
}

await runCommand('vad', main);
