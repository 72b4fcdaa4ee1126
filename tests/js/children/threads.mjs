// Computes with threads, prints what it found, and then must end by itself. The argument says how it leaves its runtimes.
import { createRuntime, Conv1d, init, Tensor } from 'conv1d-wasm';

const how = process.argv[2];
const options = { inChannels: 8, outChannels: 16, kernelSize: 9, algorithm: 'direct' };
const input = new Tensor(new Float32Array(8 * 4000).fill(1), [8, 4000]);

function compute(runtime) {
  const layer = new Conv1d({ ...options, runtime });
  layer.weight = new Tensor(new Float32Array(16 * 8 * 9).fill(1), [16, 8, 9]);
  const { threads } = layer.explain(input.shape);
  const output = layer.forward(input);
  return { threads, right: output.data.every((value) => value === 72) };
}

const results = [compute(await init({ threads: 2 }))];
const second = await createRuntime({ threads: 3 });
results.push(compute(second));
if (how === 'disposed') {
  second.dispose();
  (await init()).dispose();
}
if (how === 'one of two disposed') second.dispose();
console.log(JSON.stringify(results));
if (how === 'throws') throw new Error('on purpose');
if (how === 'exits') process.exit(7);
if (how === 'with a timer') setTimeout(() => compute(second), 50);
