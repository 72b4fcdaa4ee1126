import type { GlueFactory } from './core.js';
import type { ToWorker } from './messages.js';
import { serve } from './serve.js';
// Not import(): bundlers make a classic script of a worker unless they are told otherwise, and that has no other parts.
import single from './wasm/single.mjs';
import threads from './wasm/threads.web.mjs';

serve(
  {
    listen: (onMessage) => {
      onmessage = ({ data }: MessageEvent<ToWorker>) => onMessage(data);
    },
    post: (message, transfer) => postMessage(message, { transfer }),
  },
  (threaded) => (threaded ? threads : single) as GlueFactory,
);
