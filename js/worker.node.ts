import { parentPort } from 'node:worker_threads';
import { serve } from './background/serve.js';
import single from './wasm/single.js';
import threads from './wasm/threads.node.js';

if (!parentPort) throw new Error('conv1d-wasm starts this file as a worker');
const port = parentPort;

serve(
  {
    listen: (onMessage) => port.on('message', onMessage),
    post: (message, transfer) => port.postMessage(message, transfer),
  },
  (threaded) => (threaded ? threads : single),
);
