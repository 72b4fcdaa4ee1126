// Where files of dist/ lie, as far as the platforms do not say it. Each address is written out, for bundlers find files by
// reading it, and all are in files of js/ itself: the build makes one file of each entry, and those lie here.

export function wasmFile(variant: 'relaxed' | 'simd', threaded: boolean): URL {
  if (threaded) {
    return variant === 'relaxed'
      ? new URL('./wasm/conv1d-relaxed-threads.wasm', import.meta.url)
      : new URL('./wasm/conv1d-simd-threads.wasm', import.meta.url);
  }
  return variant === 'relaxed'
    ? new URL('./wasm/conv1d-relaxed.wasm', import.meta.url)
    : new URL('./wasm/conv1d-simd.wasm', import.meta.url);
}

export const processorFile = (): URL => new URL('./convolver-processor.js', import.meta.url);
