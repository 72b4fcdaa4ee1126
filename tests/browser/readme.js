// What README.md shows of audio is run as it is written.
import { compileModule, init } from 'conv1d-wasm';
import { expect, expectEqual, finish, skip, test } from './testing.js';

const readme = await (await fetch('/README.md')).text();
const blocks = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code);
const only = (pattern) => {
  const found = blocks.filter((code) => pattern.test(code));
  expectEqual(found.length, 1, `the number of blocks that match ${pattern}`);
  return found[0];
};
const asUrl = (code) => URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));

await init({ threads: 1 });

/** Whether contexts run here without a click. */
async function audioRuns() {
  const context = new AudioContext();
  const running = await Promise.race([
    context.resume().then(() => true),
    new Promise((resolve) => setTimeout(resolve, 2000, false)),
  ]);
  await context.close();
  return running;
}

if (await audioRuns()) {
  await test('nodes by createConvolverNode', async () => {
    const code = `${only(/createConvolverNode }/)}\n${only(/impulseResponse/)}`;
    const prelude = "import { Conv1d, Tensor } from 'conv1d-wasm';";
    const { node, reverb, context } = await import(asUrl(`${prelude}\n${code}\nexport { node, reverb, context };`));
    expectEqual([node.latency, reverb.latency], [0, 0], 'latency');
    await context.close();
  });
} else {
  skip('nodes by createConvolverNode', 1, 'this engine runs no AudioContext without a click');
}

await test('a processor of one’s own', async () => {
  // Import maps do not reach worklets.
  const code = only(/registerProcessor/).replace("'conv1d-wasm/worklet'", `'${location.origin}/dist/worklet.js'`);
  const context = new OfflineAudioContext(1, 1024, 48000);
  await context.audioWorklet.addModule(asUrl(code));
  const processorOptions = { module: await compileModule() };
  const node = new AudioWorkletNode(context, 'filter', { processorOptions });
  const source = new ConstantSourceNode(context);
  source.connect(node).connect(context.destination);
  source.start();
  const heard = (await context.startRendering()).getChannelData(0);
  expect(
    heard.some((y) => y !== 0),
    'it is silent',
  );
  const same = heard.subarray(2).every((y) => y === heard[2]);
  expect(same, 'a constant does not stay one');
});

finish();
