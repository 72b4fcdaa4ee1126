// Plays a recording through a neural amp model, as it was made by https://www.neuralampmodeler.com:
//   node examples/amp.mjs IN.wav MODEL.nam OUT.wav
// examples/overdrive.nam is one to begin with.
import { init, Tensor } from 'conv1d-wasm';
import { readNam } from 'conv1d-wasm/models';
import { inPieces, Misuse, readInput, runCommand, takePaths, writeOutput } from './lib/command.mjs';
import { parseWav, serializeWav } from './lib/wav.mjs';

async function main() {
  const [inPath, modelPath, outPath] = takePaths('node examples/amp.mjs IN.wav MODEL.nam OUT.wav');
  await init({ threads: 1 });
  const { network, sampleRate, metadata } = readNam((await readInput(modelPath)).toString());
  const { samples, length, format } = parseWav(inPath, await readInput(inPath));
  const { channels, rate } = format;
  if (rate !== sampleRate) throw new Misuse(`${inPath} has ${rate} Hz, the model was made for ${sampleRate} Hz`);

  // Each channel by itself, after a silence: no pop at the start.
  const stream = network.stream({ batch: channels, maxChunk: 4096 });
  stream.settle();
  const output = new Float32Array(samples.length);
  const seconds = inPieces(length, stream.maxChunk, (begin, end) => {
    const rows = Array.from({ length: channels }, (_, c) => [samples.subarray(c * length + begin, c * length + end)]);
    const pushed = stream.push(new Tensor(rows)).data;
    const count = end - begin;
    for (let c = 0; c < channels; ++c) output.set(pushed.subarray(c * count, (c + 1) * count), c * length + begin);
  });
  const { bytes, clipped } = serializeWav(output, length, format);
  await writeOutput(outPath, bytes);

  const duration = length / rate;
  console.log(`model   ${metadata.name ?? modelPath}, receptive field ${stream.receptiveField} samples`);
  console.log(`audio   ${duration.toFixed(2)} s, ${channels} channels, ${rate} Hz, ${clipped} samples clipped`);
  console.log(`time    ${seconds.toFixed(2)} s: ${(duration / seconds).toFixed(1)} times real time`);
}

await runCommand('amp', main);
