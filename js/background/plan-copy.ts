import type { CoreOptions } from '../runtime/core.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import type { DType } from '../layer/tensor.js';

/** A layer as it was when it was copied, as messages carry it. Elements are in the layer's dtype. */
export interface PlanCopy {
  /** Those that are missing have their default. */
  readonly options: Partial<CoreOptions>;
  readonly weight: ArrayBuffer;
  readonly bias: ArrayBuffer | null;
}

/** Gives a plan the copy's weight and bias. */
export function writeParameters(runtime: LoadedRuntime, plan: number, { weight, bias }: PlanCopy): void {
  runtime.halves.set(new Uint16Array(weight), runtime.guard((core) => core.weight(plan)) / 2);
  if (bias) runtime.halves.set(new Uint16Array(bias), runtime.guard((core) => core.bias(plan)) / 2);
  runtime.guard((core) => core.weightsChanged(plan));
}

/** A plan of the layer. Throws Conv1dError ERR_OUT_OF_MEMORY. */
export function createPlan(runtime: LoadedRuntime, copy: PlanCopy): number {
  const plan = runtime.guard((core) => core.createPlan({ ...core.defaultOptions(), ...copy.options }));
  if (plan === 0) throw runtime.lastError(undefined);
  writeParameters(runtime, plan, copy);
  return plan;
}

/** A network likewise. Where a step's record has a plan, it is the place in `layers`, counted from 1. */
export interface NetworkCopy {
  readonly dtype: DType;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly records: readonly Int32Array[];
  readonly layers: readonly PlanCopy[];
}
