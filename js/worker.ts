import type { ToWorker } from './background/messages.js';
import { serve } from './background/serve.js';
// Not import(): bundlers make a classic script of a worker unless they are told otherwise, and that has no other parts.
import single from './wasm/single.js';
import threads from './wasm/threads.web.js';

serve(
  {
    listen: (onMessage) => {
      onmessage = ({ data }: MessageEvent<ToWorker>) => onMessage(data);
    },
    post: (message, transfer) => postMessage(message, { transfer }),
  },
  (threaded) => (threaded ? threads : single),
);
