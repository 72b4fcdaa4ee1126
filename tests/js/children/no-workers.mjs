// The library where Node was told to start no workers.
import { conv1d, Conv1d, createRuntime, init, Tensor } from 'conv1d-wasm';

const { threads, threadsReason } = await init();
const input = new Tensor([1, 2, 4], [1, 3]);
const output = conv1d(input, new Tensor([1, 10], [1, 1, 2])).toArray();
const { code, field, got, message } = await createRuntime({ threads: 2 }).catch((error) => error);
const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1 });
const later = await layer.forwardAsync(input).catch((error) => error);
console.log(
  JSON.stringify({
    runtime: { threads, threadsReason },
    output,
    asked: { code, field, got, message },
    later: { code: later.code, field: later.field },
  }),
);
