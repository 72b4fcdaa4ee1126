// What the page says about the machine, beside what the engine itself says.

import { expect, expectEqual } from './driver.mjs';

/** What runs, as the panel says it. */
export async function readMachine(demo) {
  return demo.look(`({
    variant: document.querySelector('#machine-build').dataset.variant,
    threads: Number(document.querySelector('#machine-threads').textContent),
    threadsReason: document.querySelector('#machine-why').textContent,
  })`);
}

const tests = {
  'what runs, and why not more': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      const { variant, threads, threadsReason } = await readMachine(demo);
      expect(variant === 'relaxed' || variant === 'simd', `the variant is ${variant}`);
      const canThread = await demo.look(`typeof SharedArrayBuffer !== 'undefined'`);
      if (!canThread) expectEqual(threads, 1, 'threads');
      const missing = canThread ? /./ : demo.isolated ? /no SharedArrayBuffer/ : /Opener-Policy.*Embedder-Policy/;
      expect(threads >= 1 && missing.test(threadsReason), `${threads} threads, because "${threadsReason}"`);
    },
  },
};

export const machine = { id: 'machine', tests };
