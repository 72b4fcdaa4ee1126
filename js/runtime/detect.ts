const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
// One function type, () -> v128, and one function of it.
const returnsV128 = [1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0];
const zeros = [0x41, 0, 0xfd, 0x0f]; // i32.const 0, i8x16.splat

function compiles(...body: number[]): boolean {
  const code = [0, ...body, 0x0b];
  const section = [0x0a, code.length + 2, 1, code.length, ...code];
  return WebAssembly.validate(Uint8Array.from([...header, ...returnsV128, ...section]));
}

/** Whether the engine takes wasm SIMD128, without which no build runs. */
export function hasSimd(): boolean {
  return typeof WebAssembly === 'object' && compiles(...zeros);
}

/** Whether the engine takes relaxed SIMD (f32x4.relaxed_madd), which fuses multiply and add. */
export function hasRelaxedSimd(): boolean {
  return typeof WebAssembly === 'object' && compiles(...zeros, ...zeros, ...zeros, 0xfd, 0x85, 2);
}

/**
 * Why threads cannot run here, in one sentence, or null when they can. Probes the shared memory itself: a page may
 * be cross-origin isolated and yet have none.
 */
export function whyNoThreads(): string | null {
  if (typeof SharedArrayBuffer === 'undefined') {
    const scope = ['SharedWorker', 'ServiceWorker'].find((name) => `${name}GlobalScope` in globalThis);
    if (scope) {
      return `threads need SharedArrayBuffer, which a ${scope} never has, however its page is isolated: a Worker may have it`;
    }
    if ((globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true) {
      return 'this engine has no SharedArrayBuffer, although the page is cross-origin isolated';
    }
    return (
      'threads need SharedArrayBuffer, which a page gets by cross-origin isolation: serve it with the headers ' +
      '"Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp"'
    );
  }
  try {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    if (Object.prototype.toString.call(buffer) !== '[object SharedArrayBuffer]') throw new TypeError('not shared');
  } catch (error) {
    return `this engine refuses shared WebAssembly memory (${String(error)})`;
  }
  return null;
}
