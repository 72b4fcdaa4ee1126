// The weight and bias of a layer.
import type { ConvolutionCopy } from '../background/network-copy.js';
import { Conv1dError, optionError, pickOptions, reading } from '../common/errors.js';
import { type LoadStateDictOptions, type ParameterName, readStateDict } from '../files/state-dict.js';
import type { Plan } from './plan.js';
import { checkFit, checkTensor, Tensor } from './tensor.js';

/** How `resetParameters` draws weights. */
export interface ResetOptions {
  /**
   * `'megengine'` (default): weight normal with std sqrt(1 / (kernelSize * inChannels)), bias 0. `'pytorch'`: both
   * uniform in +-1 / sqrt(kernelSize * inChannels / groups).
   */
  scheme?: 'megengine' | 'pytorch';
  /** Integer from 0 to 2^53 - 1 that makes the draw repeatable. Default: another one each time. */
  seed?: number;
}

/** A copy. */
export function readParameter(name: ParameterName, plan: Plan): Tensor {
  const { runtime, dtype } = plan;
  const pointer = runtime.guard((core) => core[name](plan.handle));
  return Tensor.copyFrom(runtime, pointer, plan.shapes[name][0] ?? [], dtype);
}

/** Lets `change` write the parameter at its address. */
export function updateParameter(name: ParameterName, plan: Plan, change: (address: number) => void): void {
  const { runtime } = plan;
  plan.changed();
  change(runtime.guard((core) => core[name](plan.handle)));
  runtime.guard((core) => {
    core.weightsChanged(plan.handle);
  });
}

function write(name: ParameterName, plan: Plan, tensor: Tensor): void {
  updateParameter(name, plan, (address) => tensor.copyTo(plan.runtime, address));
}

export function writeWeight(plan: Plan, value: unknown): void {
  write('weight', plan, checkFit('weight', checkTensor('weight', value, plan.dtype), plan.shapes.weight));
}

export function writeBias(plan: Plan, value: unknown): void {
  if (plan.options.bias === (value === null)) {
    const text =
      value === null ? 'bias must be a Tensor: the layer was made with bias' : 'the layer was made with bias: false';
    throw new Conv1dError('ERR_OPTION', 'bias', text, value);
  }
  if (value !== null) write('bias', plan, checkFit('bias', checkTensor('bias', value, plan.dtype), plan.shapes.bias));
}

/** The layer with copies of both, whose buffers may be given away. */
export function copyPlan(plan: Plan): ConvolutionCopy {
  const bufferOf = (name: ParameterName) => readParameter(name, plan).data.buffer as ArrayBuffer;
  const { coreOptions } = plan;
  return { options: coreOptions, weight: bufferOf('weight'), bias: coreOptions.bias ? bufferOf('bias') : null };
}

/** Both from a dictionary, or neither. */
export function loadParameters(plan: Plan, dict: unknown, options: LoadStateDictOptions): void {
  const { inChannels, outChannels, bias } = plan.options;
  const layer = {
    names: bias ? (['weight', 'bias'] as const) : (['weight'] as const),
    inChannels,
    outChannels,
    dtype: plan.dtype,
    isTransposed: plan.options.transposed,
    groups: plan.options.groups,
    shapesOf: (name: ParameterName) => plan.shapes[name],
  };
  const found = reading('ERR_STATE_DICT', 'dict', dict, () => readStateDict(dict, layer, options));
  for (const [name, tensor] of found) write(name, plan, tensor);
}

export function drawParameters(plan: Plan, options: ResetOptions): void {
  const given = pickOptions(options, ['scheme', 'seed']);
  const { scheme = 'megengine', seed = Math.floor(Math.random() * 2 ** 53) } = given;
  if (typeof scheme !== 'string') throw optionError('scheme', 'a string', scheme);
  if (typeof seed !== 'number') throw optionError('seed', 'a number', seed);
  if (!plan.runtime.guard((core) => core.initialize(plan.handle, scheme, seed))) throw plan.failure(given);
  plan.changed();
}
