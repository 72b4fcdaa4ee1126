// Uses forwardAsync, and then must end by itself, after what is pending. The argument says how it leaves its calls.
import { Conv1d, createRuntime, Tensor } from 'conv1d-wasm';

const how = process.argv[2];
const input = new Tensor(new Float32Array(64 * 20_000).fill(1), [64, 20_000]);
const results = [];

for (const threads of [1, 2]) {
  const runtime = await createRuntime({ threads });
  const layer = new Conv1d({ inChannels: 64, outChannels: 64, kernelSize: 9, algorithm: 'direct', runtime });
  layer.weight = new Tensor(new Float32Array(64 * 64 * 9).fill(1), [64, 64, 9]);
  const isRight = (output) => output.data.every((value) => value === 64 * 9);
  const controller = new AbortController();
  const call = layer.forwardAsync(input, { signal: controller.signal });
  if (how === 'waits for what is pending') {
    void call.then((output) => finish(isRight(output)));
  } else if (how === 'idle') {
    finish(isRight(await call));
  } else {
    if (how === 'failed') await layer.forwardAsync(new Tensor([1], [1, 1])).catch(() => undefined);
    if (how === 'disposed') runtime.dispose();
    else controller.abort();
    finish(
      await call.then(
        () => false,
        ({ code, name }) => code === 'ERR_DISPOSED' || name === 'AbortError',
      ),
    );
  }
}

function finish(right) {
  results.push(right);
  if (results.length === 2) console.log(JSON.stringify({ how, right: results.every(Boolean) }));
}
