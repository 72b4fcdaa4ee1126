/** `'relaxed'` fuses multiply and add where the CPU can; `'simd'` runs everywhere. */
export type Variant = 'relaxed' | 'simd';

/** How a runtime starts, all choices made; its worker starts one of its own in the same way. */
export interface RuntimeOptions {
  readonly variant: Variant;
  readonly threads: number;
  readonly threadsReason: string | null;
  /** Whether layers keep to one order of summation unless they ask for another algorithm. */
  readonly deterministic: boolean;
  readonly module: WebAssembly.Module;
  readonly maximumMemory: number | undefined;
  /** Where the threads' script lies; '' with one thread. */
  readonly threadScript: string;
}
