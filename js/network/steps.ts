// The steps of a network as C++ reads them.
import type { LoadedRuntime } from '../runtime/runtime.js';

/** What one step does: `plan` or `kind` says. */
export interface StepParts {
  input: number;
  other?: number;
  plan?: number;
  kind?: number;
  activation?: number;
  slope?: number;
}

const stepWords = 6;

/** Where a record has the layer's handle. */
const planWord = 2;

/** One step as cpp/bindings.cpp's StepRecord. */
export function stepRecord({
  input,
  other = input,
  plan = 0,
  kind = 0,
  activation = 0,
  slope = 0,
}: StepParts): Int32Array {
  const record = Int32Array.of(input, other, plan, kind, activation, 0);
  new Float32Array(record.buffer)[stepWords - 1] = slope;
  return record;
}

/** The record with the handle of its layer in place of that layer's number, which counts from 1. */
export function withHandle(record: Int32Array, handles: readonly number[]): Int32Array {
  const own = Int32Array.from(record);
  own[planWord] = handles[(record[planWord] ?? 0) - 1] ?? 0;
  return own;
}

/** What `use` makes of the records in wasm memory. */
export function withRecords(
  runtime: LoadedRuntime,
  records: readonly Int32Array[],
  use: (recordsAt: number, count: number) => number,
): number {
  const recordsAt = runtime.allocate(4 * stepWords * records.length, "the network's steps");
  const words = new Int32Array(runtime.floats.buffer, recordsAt, stepWords * records.length);
  records.forEach((record, i) => {
    words.set(record, stepWords * i);
  });
  try {
    return use(recordsAt, records.length);
  } finally {
    runtime.release(recordsAt);
  }
}
