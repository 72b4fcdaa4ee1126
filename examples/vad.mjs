// Where somebody speaks in a recording, by Silero VAD, as lines of the seconds in which speech begins and ends:
//   node examples/vad.mjs IN.wav WEIGHTS.safetensors
// The weights are those of https://github.com/snakers4/silero-vad, silero_vad_16k.safetensors.
import { init, readSafetensors } from 'conv1d-wasm';
import { inPieces, readInput, runCommand, takePaths } from './lib/command.mjs';
import { silero } from './lib/networks.mjs';
import { parseMono } from './lib/wav.mjs';

const rate = 16000;
const size = 512; // of a chunk

async function main() {
  const [inPath, weightsPath] = takePaths('node examples/vad.mjs IN.wav WEIGHTS.safetensors');
  await init();
  const listen = silero(readSafetensors(await readInput(weightsPath)));
  const samples = parseMono(inPath, await readInput(inPath), rate);
  const count = Math.ceil(samples.length / size);
  const padded = new Float32Array(count * size);
  padded.set(samples);
  const likely = [];
  const seconds = inPieces(count, 64, (begin, end) =>
    likely.push(...listen(padded.subarray(begin * size, end * size))),
  );

  const secondsAt = (chunk) => ((chunk * size) / rate).toFixed(2);
  let begin = -1;
  for (const [i, probability] of [...likely, 0].entries()) {
    if (begin < 0 && probability >= 0.5) begin = i;
    if (begin < 0 || probability >= 0.35) continue; // what has begun ends at a lower one
    console.log(`${secondsAt(begin)},${secondsAt(i)}`);
    begin = -1;
  }
  console.log(`# ${likely.length} chunks: ${(samples.length / rate / seconds).toFixed(1)} times real time`);
}

await runCommand('vad', main);
