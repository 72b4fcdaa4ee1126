import { relaxedSimd, simd, threads } from 'wasm-feature-detect';

export interface Feature {
  name: string;
  has: () => boolean | Promise<boolean>;
  brings: string;
}

/** What the library and this page make use of. */
export const features: readonly Feature[] = [
  { name: 'WebAssembly SIMD', has: simd, brings: 'four numbers at once; without it the library does not run' },
  { name: 'Relaxed SIMD', has: relaxedSimd, brings: 'multiply and add in one instruction: up to twice the speed' },
  {
    name: 'Cross-origin isolation',
    has: () => globalThis.crossOriginIsolated,
    brings: 'SharedArrayBuffer, and clocks that tell microseconds',
  },
  {
    name: 'SharedArrayBuffer',
    has: () => typeof SharedArrayBuffer !== 'undefined',
    brings: 'memory that threads share',
  },
  { name: 'WebAssembly threads', has: threads, brings: 'all processors at work on one layer' },
  {
    name: 'Float16Array',
    has: () => 'Float16Array' in globalThis,
    brings: 'float16 tensors over plain arrays; else they are Uint16Array',
  },
  {
    name: 'AudioWorklet',
    has: () => 'AudioWorkletNode' in globalThis,
    brings: 'convolution of live sound, away from the page’s thread',
  },
  {
    name: 'Service worker',
    has: () => 'serviceWorker' in navigator,
    brings: 'isolation where the host sets no headers',
  },
];
