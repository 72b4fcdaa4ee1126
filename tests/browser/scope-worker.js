// The script of a SharedWorker or a service worker: answers, through the port that comes with a message, with what each
// entry of the package does there.
import * as main from '/dist/index.js';
import * as worklet from '/dist/worklet.js';

function compute({ Conv1d, Tensor }) {
  const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 2, bias: false });
  layer.weight = new Tensor([1, 10], [1, 1, 2]);
  return layer.forward(new Tensor([1, 2, 4], [1, 3])).toArray();
}

async function tryMain() {
  try {
    const { variant, threads, threadsReason } = await main.init();
    return { variant, threads, threadsReason, output: compute(main) };
  } catch ({ code, message }) {
    return { code, message };
  }
}

async function tryWorklet() {
  worklet.initSync(await main.compileModule());
  return { output: compute(worklet) };
}

const answer = async ({ ports: [port] }) => port.postMessage({ main: await tryMain(), worklet: await tryWorklet() });

self.onmessage = answer;
self.onconnect = ({ ports: [port] }) => (port.onmessage = answer);
