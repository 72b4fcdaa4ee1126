// Networks on onnxruntime-web, from a file of the same network that is made here.
import * as ort from 'onnxruntime-web';
import { OnnxModel } from '../../peers/onnx.js';

const operators = { relu: 'Relu', tanh: 'Tanh', sigmoid: 'Sigmoid' };
const ends = (padding) => (Array.isArray(padding) ? padding : [padding, padding]);

/** Rows of PyTorch's gates (input, forget, cell, output) in ONNX's order (input, output, forget, cell). */
function gatesInOrder(rows) {
  const size = rows.length / 4;
  const gate = (index) => rows.subarray(index * size, (index + 1) * size);
  return Float32Array.from([0, 3, 1, 2].flatMap((index) => [...gate(index)]));
}

/** What an architecture is made with, see ../networks.js. Values are names of an ONNX model. */
class Builder {
  model = new OnnxModel();
  /** Inputs that take what an output gave in the run before: { input, output, shape }. */
  states = [];

  #indices = (values) => this.model.constant(BigInt64Array.from(values, BigInt), [values.length]);

  #activated(x, option) {
    return option === undefined ? x : this.activation(x, option);
  }

  #convolution(operator, x, shape, { kernelSize, stride = 1, padding = 0, dilation = 1, weight, bias }) {
    const inputs = [x, this.model.constant(weight, shape)];
    if (bias) inputs.push(this.model.constant(bias, [bias.length]));
    const pads = ends(padding);
    return this.model.node(operator, inputs, { kernel_shape: [kernelSize], strides: [stride], dilations: [dilation], pads }); // prettier-ignore
  }

  conv(x, { paddingMode = 'zeros', activation, ...options }) {
    const { inChannels, outChannels, kernelSize, padding = 0 } = options;
    const shape = [outChannels, inChannels, kernelSize];
    if (paddingMode === 'zeros') return this.#activated(this.#convolution('Conv', x, shape, options), activation);
    const [left, right] = ends(padding);
    const padded = this.model.node('Pad', [x, this.#indices([0, 0, left, 0, 0, right])], { mode: paddingMode });
    return this.#activated(this.#convolution('Conv', padded, shape, { ...options, padding: 0 }), activation);
  }

  convTranspose(x, options) {
    const { inChannels, outChannels, kernelSize } = options;
    return this.#convolution('ConvTranspose', x, [inChannels, outChannels, kernelSize], options);
  }

  linear(x, { inFeatures, outFeatures, weight, bias, activation }) {
    const flat = this.model.node('Flatten', [x]);
    const inputs = [flat, this.model.constant(weight, [outFeatures, inFeatures]), this.model.constant(bias, [outFeatures])]; // prettier-ignore
    return this.#activated(this.model.node('Gemm', inputs, { transB: 1 }), activation);
  }

  batchNorm(x, { weight, bias, running_mean: mean, running_var: variance, eps }) {
    const constants = [weight, bias, mean, variance].map((data) => this.model.constant(data, [data.length]));
    return this.model.node('BatchNormalization', [x, ...constants], { epsilon: { f: eps } });
  }

  lstm(x, { hiddenSize, weightIh, weightHh, biasIh, biasHh }) {
    const { model } = this;
    const rows = 4 * hiddenSize;
    const sequence = model.node('Transpose', [x], { perm: [2, 0, 1] });
    const states = ['hidden', 'cell'].map((name) => {
      const state = { input: name, output: `next_${name}`, shape: [1, 1, hiddenSize] };
      this.states.push(state);
      return model.input(state.input, state.shape);
    });
    const inputs = [
      sequence,
      model.constant(gatesInOrder(weightIh), [1, rows, weightIh.length / rows]),
      model.constant(gatesInOrder(weightHh), [1, rows, hiddenSize]),
      model.constant(Float32Array.from([...gatesInOrder(biasIh), ...gatesInOrder(biasHh)]), [1, 2 * rows]),
      '', // all of one length
      ...states,
    ];
    const outputs = ['all_hidden', ...this.states.map(({ output }) => output)];
    const hidden = model.node('LSTM', inputs, { hidden_size: hiddenSize }, outputs);
    for (const { output, shape } of this.states) model.output(output, shape);
    const single = model.node('Squeeze', [hidden, this.#indices([1])]);
    return model.node('Transpose', [single], { perm: [1, 2, 0] });
  }

  activation(x, option) {
    if (option.type === 'leaky_relu') return this.model.node('LeakyRelu', [x], { alpha: { f: option.slope } });
    return this.model.node(operators[option], [x]);
  }

  add = (x, y) => this.model.node('Add', [x, y]);

  scale = (x, factor) => this.model.node('Mul', [x, this.model.constant(Float32Array.of(factor), [])]);

  magnitude(x) {
    const halves = this.model.node('Split', [x], { axis: 1 }, ['real', 'imaginary']);
    const squares = [halves, 'imaginary'].map((half) => this.model.node('Mul', [half, half]));
    return this.model.node('Sqrt', [this.model.node('Add', squares)]);
  }

  maxPool(x, { kernelSize, stride = kernelSize, padding = 0 }) {
    return this.model.node('MaxPool', [x], { kernel_shape: [kernelSize], strides: [stride], pads: ends(padding) });
  }

  globalAveragePool = (x) => this.model.node('GlobalAveragePool', [x]);
}

/** The whole network, from an array to a new one; states go on from run to run. */
export const onnxruntime = ({ describe, input, shape }) => ({
  name: 'onnxruntime-web',
  async prepare() {
    const builder = new Builder();
    const { model, states } = builder;
    const y = describe(builder, model.input('x', shape));
    model.output(y);
    const session = await ort.InferenceSession.create(model.bytes(), { executionProviders: ['wasm'] });
    const feeds = { x: new ort.Tensor('float32', input, shape) };
    for (const { input: name, shape: extents } of states) {
      const size = extents.reduce((product, extent) => product * extent, 1);
      feeds[name] = new ort.Tensor('float32', new Float32Array(size), extents);
    }
    let outputs;
    return {
      async run() {
        outputs = await session.run(feeds);
        for (const state of states) feeds[state.input] = outputs[state.output];
      },
      check: () => outputs[y].data,
      dispose: () => session.release(),
    };
  },
});
