// The steps of a network as C++ reads them.
import type { LoadedRuntime } from '../runtime/runtime.js';

/** What one step does: `plan` or `kind` says. */
export interface StepParts {
  input: number;
  other?: number;
  plan?: number;
  kind?: number;
  /** The index of an activation in the table, its parameters, and the first of each channel unless they share it. */
  activation?: number;
  parameters?: readonly number[];
  channels?: readonly number[];
}

const parameterWords = 2;

/** Where a record has the layer's handle. */
const planWord = 2;

/** One step as cpp/bindings.cpp's StepRecord, with the parameters of its channels behind it. */
export function stepRecord({
  input,
  other = input,
  plan = 0,
  kind = 0,
  activation = 0,
  parameters = [],
  channels = [],
}: StepParts): Int32Array {
  const words = [input, other, plan, kind, activation];
  const record = new Int32Array(words.length + parameterWords + 1 + channels.length);
  record.set(words);
  const floats = new Float32Array(record.buffer, record.BYTES_PER_ELEMENT * words.length);
  floats.set(parameters);
  record[words.length + parameterWords] = channels.length;
  floats.set(channels, parameterWords + 1);
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
  const bytes = records.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const recordsAt = runtime.allocate(bytes, "the network's steps");
  let at = recordsAt;
  for (const record of records) {
    new Int32Array(runtime.floats.buffer, at).set(record);
    at += record.byteLength;
  }
  try {
    return use(recordsAt, records.length);
  } finally {
    runtime.release(recordsAt);
  }
}
