// The gradients of one layer, without a network around it.
import { optionError, pickOptions } from '../common/errors.js';
import { readParameter, writeBias, writeWeight } from './parameters.js';
import { Plan } from './plan.js';
import { checkFit, checkTensor, elementCount, splitShape, Tensor } from './tensor.js';

/** What a layer has gradients of. */
export type GradientName = 'input' | 'weight' | 'bias';

/** Options of one `backward`. */
export interface BackwardOptions {
  /** The input of the `forward` whose gradients are asked for. */
  input: Tensor;
  /** Which gradients to compute. Default: all. */
  needs?: readonly GradientName[];
}

/** Gradients in the shapes of what they are of; null for those that were not asked for, and the bias of a layer without. */
export type Gradients = Record<GradientName, Tensor | null>;

const gradientNames: readonly GradientName[] = ['input', 'weight', 'bias'];

function readNeeds(needs: unknown): ReadonlySet<GradientName> {
  const isList = Array.isArray(needs) && needs.every((name) => (gradientNames as readonly unknown[]).includes(name));
  if (!isList) throw optionError('needs', "a list of 'input', 'weight' and 'bias'", needs);
  return new Set(needs as readonly GradientName[]);
}

/** The gradients of `gradOutput`, that of a loss with respect to what `forward` gives. */
export function backward(plan: Plan, gradOutput: Tensor, options: BackwardOptions): Gradients {
  const { input, needs = gradientNames } = pickOptions(options, ['input', 'needs']);
  const wanted = readNeeds(needs);
  const { runtime, spec } = plan;
  const { placement } = checkTensor('input', input, plan.dtype);
  const [batch, length] = splitShape('input', input.shape, spec.inChannels, spec.what);
  const outLength = plan.outputLength(batch, length, input.shape);
  const outShape = [...input.shape.slice(0, -2), spec.outChannels, outLength];
  checkFit('gradOutput', checkTensor('gradOutput', gradOutput, plan.dtype), [outShape]);
  for (const [field, tensor] of Object.entries({ input, gradOutput })) tensor.pointerIn(runtime, field);
  if (plan.dtype === 'float32') return compute(plan, input, gradOutput, wanted);
  const wide = widened(plan);
  try {
    const gradients = compute(wide, inFloat32(input), inFloat32(gradOutput), wanted);
    const narrow = (gradient: Tensor | null) => {
      const tensor = gradient && new Tensor(gradient.numbers(), gradient.shape, 'float16');
      return tensor && placement === 'wasm' ? tensor.toWasm(runtime) : tensor;
    };
    return { input: narrow(gradients.input), weight: narrow(gradients.weight), bias: narrow(gradients.bias) };
  } finally {
    wide.free();
  }
}

const inFloat32 = (tensor: Tensor): Tensor => new Tensor(tensor.numbers(), tensor.shape, 'float32');

/** A float16 layer as a float32 one, which has the same weights. */
function widened(plan: Plan): Plan {
  const wide = new Plan(plan.runtime, { ...plan.options, dtype: 'float32' }, plan.shapes, {});
  writeWeight(wide, inFloat32(readParameter('weight', plan)));
  if (plan.options.bias) writeBias(wide, inFloat32(readParameter('bias', plan)));
  return wide;
}

function compute(plan: Plan, input: Tensor, gradOutput: Tensor, wanted: ReadonlySet<GradientName>): Gradients {
  const { spec, shapes, options } = plan;
  const [batch, length] = splitShape('input', input.shape, spec.inChannels, spec.what);
  const { placement } = input;
  const recording = plan.takeRecording(batch, length, false, input.shape);
  try {
    const wantsBias = options.bias && wanted.has('bias');
    const isActivated = options.activation !== 'none';
    if (isActivated || wanted.has('weight')) recording.write('input', input);
    if (isActivated) recording.run(false, 0);
    recording.write('outputGradients', gradOutput);
    recording.runBackward({ input: wanted.has('input'), weights: wanted.has('weight'), biases: wantsBias });
    const [weight = [], bias = []] = [shapes.weight[0], shapes.bias[0]];
    return {
      input: wanted.has('input') ? recording.read('inputGradients', input.shape, placement) : null,
      weight: wanted.has('weight') ? recording.readParameter(plan.handle, 0, 0, weight, placement) : null,
      bias: wantsBias ? recording.readParameter(plan.handle, 0, elementCount(weight), bias, placement) : null,
    };
  } finally {
    plan.giveBack(recording);
  }
}
