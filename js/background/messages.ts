import { Conv1dError, type ErrorCode } from '../common/errors.js';
import type { RuntimeOptions } from '../runtime/runtime-options.js';
import type { NetworkCopy } from './network-copy.js';

/** A layer or a network; with other weights it is another. */
export interface GraphMessage extends NetworkCopy {
  readonly type: 'graph';
  readonly graph: number;
}

/** One forward, answered by `output` or `error` unless it is aborted. */
export interface RunMessage {
  readonly type: 'run';
  readonly call: number;
  readonly graph: number;
  readonly input: ArrayBuffer;
  readonly batch: number;
  readonly length: number;
  readonly outputBytes: number;
  /** Whether `progress` is wanted. */
  readonly progress: boolean;
}

/** What a page tells its worker. Graphs, runs and frees take effect in the order in which they come. */
export type ToWorker =
  | { readonly type: 'start'; readonly options: RuntimeOptions }
  | GraphMessage
  | RunMessage
  | { readonly type: 'free'; readonly graph: number }
  | { readonly type: 'abort'; readonly call: number };

/** A Conv1dError as messages carry it. */
export interface ErrorMessage {
  readonly code: ErrorCode;
  readonly field: string;
  readonly message: string;
  readonly got: unknown;
}

export function asMessage(error: unknown): ErrorMessage {
  // All else that can fail in another thread is making an array.
  const { code, field, message, got } =
    error instanceof Conv1dError ? error : new Conv1dError('ERR_OUT_OF_MEMORY', 'runtime', String(error));
  return { code, field, message, got };
}

export function asError({ code, field, message, got }: ErrorMessage): Conv1dError {
  return new Conv1dError(code, field, message, got);
}

/** What the worker answers. */
export type FromWorker =
  /** It heard the start. */
  | { readonly type: 'here' }
  | { readonly type: 'progress'; readonly call: number; readonly fraction: number }
  | { readonly type: 'output'; readonly call: number; readonly output: ArrayBuffer }
  | { readonly type: 'error'; readonly call: number; readonly error: ErrorMessage }
  /** It can do nothing any more. */
  | { readonly type: 'down'; readonly error: ErrorMessage };
