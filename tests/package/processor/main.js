// A processor of one's own, which Vite bundles as it does workers.
import { compileModule } from 'conv1d-wasm';
import processorUrl from './processor.js?worker&url';

async function main() {
  const context = new OfflineAudioContext(1, 128, 48000);
  await context.audioWorklet.addModule(processorUrl);
  const node = new AudioWorkletNode(context, 'filter', { processorOptions: { module: await compileModule() } });
  const buffer = context.createBuffer(1, 128, 48000);
  buffer.copyToChannel(Float32Array.of(1, 2, 4, 8), 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(node).connect(context.destination);
  source.start();
  const played = (await context.startRendering()).getChannelData(0).slice(0, 6).join(' ');
  return played === '10 21 42 84 8 0' ? { checked: ['processor'] } : { error: `it played ${played}` };
}

main().then(
  (result) => (window.__result = result),
  (error) => (window.__result = { error: String(error.stack ?? error) }),
);
