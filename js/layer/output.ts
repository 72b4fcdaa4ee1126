// Where outputs go: into a new tensor, or into one that the caller brings.
import { Conv1dError, pickOptions, shapeError, show } from '../common/errors.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import { bytesPerElement, type DType } from './dtype.js';
import { checkTensor, elementCount, Tensor } from './tensor.js';

/** Options of one `forward`. */
export interface ForwardOptions {
  /** Takes the output: a tensor of its shape, dtype and placement that is not the input. */
  out?: Tensor;
}

/** An output that is to be made. */
export interface OutputSpec {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Where the input lives. */
  readonly placement: 'js' | 'wasm';
}

/** The tensor of the options that takes an output, if there is one: as the output and not the input. */
export function readOut(
  options: ForwardOptions | undefined,
  { shape, dtype, placement }: OutputSpec,
  input: Tensor | undefined,
): Tensor | undefined {
  const out = options === undefined ? undefined : pickOptions(options, ['out']).out;
  if (out === undefined) return undefined;
  checkTensor('out', out, dtype);
  if (out.shape.length !== shape.length || out.shape.some((dimension, i) => dimension !== shape[i])) {
    const text = `out must have shape ${show(shape)}, got ${show(out.shape)}`;
    throw shapeError('out', text, out.shape);
  }
  if (out.placement !== placement) {
    const text = `out must live where the input lives ('${placement}'), got '${out.placement}'`;
    throw new Conv1dError('ERR_OPTION', 'out', text, out.placement);
  }
  if (out === input) throw new Conv1dError('ERR_OPTION', 'out', 'out must not be the input itself', out);
  return out;
}

/**
 * How many bytes an input takes with an output behind it. Nothing needs alignment, but a vector of 16 bytes that lies
 * across two cache lines takes longer: the output begins at a multiple of 16, as memory of its own does.
 */
export const bytesBefore = (inputBytes: number): number => Math.ceil(inputBytes / 16) * 16;

/** The output, `out` or a new tensor, that `run` computes: given its address, and that of room for an input from outside. */
export function computeOutput(
  runtime: LoadedRuntime,
  { shape, dtype, placement }: OutputSpec,
  out: Tensor | undefined,
  inputBytes: number,
  run: (outputAt: number, inputAt: number) => void,
): Tensor {
  if (placement === 'wasm') {
    const output = out ?? Tensor.allocate(runtime, shape, dtype);
    run(output.pointerIn(runtime, 'out') ?? 0, 0);
    return output;
  }
  const before = bytesBefore(inputBytes);
  return runtime.staged(before + elementCount(shape) * bytesPerElement[dtype], (inputAt) => {
    const outputAt = inputAt + before;
    run(outputAt, inputAt);
    return Tensor.copyFrom(runtime, outputAt, shape, dtype, out);
  });
}
