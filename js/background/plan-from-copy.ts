import type { LoadedRuntime } from '../runtime/runtime.js';
import type { PlanCopy } from './plan-copy.js';

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
