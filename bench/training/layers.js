// Gradients of layers, as contenders to be timed beside the machine's limits.
import { Conv1d, createRuntime, Tensor } from 'conv1d-wasm';
import { describeLayer, makeData } from '../layer.js';
import { loadLimits } from '../limits.js';
import { layerOptions } from '../peers/ours.js';

const tolerated = 1e-4;
const threadsFrom = 50e6; // operations of a forward
const isLarge = ({ flops }) => flops >= threadsFrom;

/** What two threads of the machine do: those of ../limits.js that are peaks, loaded once. */
let twoThreadPeaks;
const loadTwoThreadPeaks = async () => (await loadLimits({ threads: 2 })).filter(({ name }) => name !== 'copy');

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/**
 * Throws unless the gradients are those of the layer: with its output y for gradOutput, and without a bias, the products of the
 * input and its gradient, and of the weight and its gradient, both add up to that of y and y.
 */
function checkGradients({ input, weight }, output, gradients) {
  const expected = dot(output, output);
  for (const [name, data] of Object.entries({ input, weight })) {
    const difference = Math.abs(dot(data, gradients[name].numbers()) / expected - 1);
    if (!(difference <= tolerated))
      throw new Error(`the gradient of the ${name} is off by ${difference.toPrecision(2)}`);
  }
}

/** A layer with all its data in wasm memory; `step` is its forward and both gradients. */
function open(runtime, layer, data, algorithm) {
  const { N, Cin, Cout, k, g, L } = layer;
  const conv = new Conv1d({ ...layerOptions(layer), bias: false, algorithm, runtime });
  conv.weight = new Tensor(data.weight, [Cout, Cin / g, k]);
  const input = new Tensor(data.input, [N, Cin, L]).toWasm(runtime);
  const [out, gradOutput] = [conv.forward(input), conv.forward(input)];
  const backward = (...needs) => conv.backward(gradOutput, { input, needs });
  const free = (gradients) => Object.values(gradients).forEach((gradient) => gradient?.dispose());
  const gradients = backward('input', 'weight');
  checkGradients(data, gradOutput.numbers(), gradients);
  const weightGradient = gradients.weight.numbers();
  free(gradients);
  const forward = () => void conv.forward(input, { out });
  return {
    weightGradient,
    forward,
    gradient: (name) => free(backward(name)),
    step() {
      forward();
      free(backward('input', 'weight'));
    },
    own: [conv, input, out, gradOutput],
  };
}

/** The runs of a row of shapes.json: { layer, entries, dispose }, where entries are { name, run, amount? }. */
export async function gradientEntries(runtime, shape) {
  const layer = describeLayer(shape);
  const data = makeData(layer);
  const [direct, chosen] = ['direct', 'auto'].map((algorithm) => open(runtime, layer, data, algorithm));
  const entries = [
    { name: 'forward', run: direct.forward },
    { name: 'gradInput', run: () => direct.gradient('input') },
    { name: 'gradWeight', run: () => direct.gradient('weight') },
    { name: 'step', run: direct.step },
    { name: 'stepChosen', run: chosen.step },
  ];
  const own = [...direct.own, ...chosen.own];
  if (isLarge(layer)) {
    const second = await createRuntime({ threads: 2, variant: runtime.variant });
    if (second.threads !== 2) throw new Error(second.threadsReason);
    const both = open(second, layer, data, 'auto');
    if (both.weightGradient.some((value, i) => value !== chosen.weightGradient[i])) {
      throw new Error('two threads give other gradients than one');
    }
    entries.push({ name: 'stepTwoThreads', run: both.step });
    twoThreadPeaks ??= await loadTwoThreadPeaks();
    for (const { name, prepare } of twoThreadPeaks) entries.push({ name: `${name}TwoThreads`, ...prepare() });
    own.push(...both.own, second);
  }
  return { layer, entries, dispose: () => own.forEach((each) => each.dispose()) };
}
