// Networks of all operators, drawn at random.
import { Conv1d, ConvTranspose1d, Gru, Linear, Lstm, Network } from 'conv1d-wasm';
import { drawInteger } from './support.js';

export const pick = (random, list) => list[drawInteger(random, 0, list.length - 1)];

/**
 * A signal of a network that is being drawn. Signals with the same pace have the same length, whatever the input's is.
 *
 * @typedef {{ value: import('conv1d-wasm').NetworkValue, length: number, pace: object }} Signal
 */

class Drawing {
  constructor(random, length, common) {
    this.random = random;
    this.common = common;
    this.length = length;
    this.layers = [];
    this.names = [];
    this.signals = [];
  }

  integer(least, most) {
    return drawInteger(this.random, least, most);
  }

  number() {
    return Math.round(this.random() * 64 - 32) / 16 || 0.5;
  }

  numbers(count) {
    return Array.from({ length: count }, () => this.number());
  }

  layer(Layer, options) {
    const { runtime, dtype } = this.common;
    const own = Layer === Lstm || Layer === Gru ? { runtime } : { runtime, dtype }; // those are of float32
    const layer = new Layer({ ...options, ...own });
    layer.resetParameters({ seed: this.integer(1, 1e6) });
    this.layers.push(layer);
    return layer;
  }

  /** Another signal of the same pace, which may be the same one. */
  companion({ pace }) {
    return pick(
      this.random,
      this.signals.filter((signal) => signal.pace === pace),
    );
  }

  /** One of the same pace and channels. */
  twin(signal) {
    const { value } = this.companion(signal);
    return value.channels === signal.value.channels
      ? value
      : value.conv(this.mix(value.channels, signal.value.channels));
  }

  mix(inChannels, outChannels) {
    return this.layer(Conv1d, { inChannels, outChannels, kernelSize: 1 });
  }

  even({ value }) {
    return value.channels % 2 === 0 ? value : value.conv(this.mix(value.channels, value.channels + 1));
  }

  transposed(value, options) {
    const { channels } = value;
    return value.conv(
      this.layer(ConvTranspose1d, { inChannels: channels, outChannels: this.integer(1, 5), ...options }),
    );
  }
}

// prettier-ignore
const activations = [
  'relu', 'gelu', 'gelu_tanh', 'silu', 'tanh', 'sigmoid', 'relu6', 'elu', 'selu', 'softplus', 'softsign', 'mish',
  'hardtanh', 'hardsigmoid', 'hardswish', 'snake', { type: 'leaky_relu', slope: 0.125 }, { type: 'prelu', slope: -0.5 },
];

// Each makes a value of the same pace: of a signal with at least one sample.
const keeping = {
  causal: (d, { value }) =>
    value.conv(
      d.layer(Conv1d, {
        inChannels: value.channels,
        outChannels: d.integer(1, 6),
        kernelSize: d.integer(1, 4),
        dilation: d.integer(1, 5),
        padding: pick(d.random, ['causal', 'same']),
      }),
    ),
  depthwise: (d, { value: { channels }, value }) =>
    value.conv(
      d.layer(Conv1d, {
        inChannels: channels,
        outChannels: channels,
        groups: channels,
        kernelSize: 3,
        padding: 'same',
      }),
    ),
  linear: (d, { value }) => value.conv(d.layer(Linear, { inFeatures: value.channels, outFeatures: d.integer(1, 5) })),
  transposed: (d, { value }) => {
    const kernelSize = pick(d.random, [1, 3, 5]);
    return d.transposed(value, { kernelSize, padding: (kernelSize - 1) / 2 });
  },
  'up by a transposed layer and down by a layer': (d, { value }) => {
    const stride = d.integer(2, 4);
    const up = d.transposed(value, {
      kernelSize: 2 * stride,
      stride,
      padding: (stride + 1) >> 1,
      outputPadding: stride % 2,
    });
    return up.conv(
      d.layer(Conv1d, { inChannels: up.channels, outChannels: d.integer(1, 4), kernelSize: stride, stride }),
    );
  },
  'up and down': (d, { value }) => {
    const factor = d.integer(2, 4);
    const up = value.upsample(factor, pick(d.random, ['nearest', 'linear'])).activation('tanh');
    return pick(d.random, [up.maxPool(factor), up.averagePool(factor)]);
  },
  maxPool: (d, { value }) => {
    const dilation = d.integer(1, 3);
    return pick(d.random, [
      value.maxPool({ kernelSize: 3, stride: 1, padding: 1 }),
      value.maxPool({ kernelSize: 5, stride: 1, padding: 2 }),
      value.pad(2 * dilation, 0).maxPool({ kernelSize: 3, stride: 1, dilation }),
    ]);
  },
  averagePool: (d, { value }) =>
    value.averagePool({ kernelSize: 5, stride: 1, padding: 2, countIncludePad: d.random() < 0.5 }),
  delay: (d, { value }) => {
    const [left, right] = [d.integer(0, 9), d.integer(0, 9)];
    return value.pad(left, right).crop(right, left);
  },
  activation: (d, { value }) => value.activation(pick(d.random, activations)),
  gate: (d, signal) => d.even(signal).gate(),
  glu: (d, signal) => d.even(signal).glu(),
  magnitude: (d, signal) => d.even(signal).magnitude(),
  'a pair': (d, signal) => signal.value[pick(d.random, ['add', 'subtract', 'multiply'])](d.twin(signal)),
  quotient: (d, signal) => signal.value.divide(d.twin(signal).abs().add(0.5)),
  'a constant': (d, { value }) => {
    const operator = pick(d.random, ['add', 'subtract', 'multiply', 'divide']);
    return value[operator](pick(d.random, [d.number(), d.numbers(value.channels)]));
  },
  affine: (d, { value }) => value.affine(d.numbers(value.channels), d.numbers(value.channels)),
  concat: (d, signal) =>
    signal.value.concat(...Array.from({ length: d.integer(1, 2) }, () => d.companion(signal).value)),
  slice: (d, { value: { channels }, value }) => {
    const begin = d.integer(0, channels - 1);
    return value.slice(begin, d.integer(begin + 1, channels), d.integer(1, 3));
  },
  split: (d, { value: { channels }, value }) => {
    if (channels === 1) return value.split([1])[0];
    const first = d.integer(1, channels - 1);
    const [a, b] = value.split([first, channels - first]);
    return b.concat(a);
  },
  softmax: (d, { value }) => value.softmax(),
  logSoftmax: (d, { value }) => value.logSoftmax(),
  layerNorm: (d, { value }) => value.layerNorm({ eps: 0.01 }),
  dropout: (d, { value }) => value.dropout(0.25),
  lstm: (d, { value }) =>
    value.apply(d.layer(Lstm, { inputSize: value.channels, hiddenSize: d.integer(1, 5), numLayers: d.integer(1, 2) })),
  gru: (d, { value }) => value.apply(d.layer(Gru, { inputSize: value.channels, hiddenSize: d.integer(1, 5) })),
  square: (d, { value }) => value.square().clip(0, 8),
  sqrt: (d, { value }) => value.abs().sqrt(),
  exp: (d, { value }) => value.clip(-4, 2).exp(),
  log: (d, { value }) => value.abs().add(0.25).log(),
};

// Each makes a value of another pace, and what its length is; null where the signal is too short.
const changing = {
  stride: (d, { value, length }) => {
    const [kernelSize, stride] = [d.integer(1, 4), d.integer(1, 3)];
    if (length < kernelSize) return null;
    const conv = d.layer(Conv1d, { inChannels: value.channels, outChannels: d.integer(1, 5), kernelSize, stride });
    return [value.conv(conv), Math.floor((length - kernelSize) / stride) + 1];
  },
  'a transposed layer': (d, { value, length }) => {
    const [kernelSize, stride, dilation] = [d.integer(1, 5), d.integer(1, 4), d.integer(1, 3)];
    const reach = dilation * (kernelSize - 1);
    const padding = d.integer(0, Math.min(reach >> 1, 3));
    const outputPadding = d.integer(0, Math.max(stride, dilation) - 1);
    const longer = (length - 1) * stride - 2 * padding + reach + outputPadding + 1;
    return longer < 1 ? null : [d.transposed(value, { kernelSize, stride, dilation, padding, outputPadding }), longer];
  },
  'linear over a window': (d, { value, length }) => {
    const flatten = d.integer(2, 5);
    const inFeatures = value.channels * flatten;
    if (length < flatten) return null;
    return [value.conv(d.layer(Linear, { inFeatures, outFeatures: d.integer(1, 5), flatten })), length - flatten + 1];
  },
  upsample: (d, { value, length }) => {
    const factor = d.integer(2, 4);
    return [value.upsample(factor, pick(d.random, ['nearest', 'linear'])), length * factor];
  },
  pool: (d, { value, length }) => {
    const [kernelSize, stride] = [d.integer(1, 4), d.integer(1, 4)];
    const padding = d.integer(0, kernelSize >> 1);
    const ceilMode = d.random() < 0.5;
    const room = length + 2 * padding - kernelSize;
    if (room < 0) return null;
    const windows = (ceilMode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    const pooled = value[pick(d.random, ['maxPool', 'averagePool'])]({ kernelSize, stride, padding, ceilMode });
    return [pooled, ceilMode && (windows - 1) * stride >= length + padding ? windows - 1 : windows];
  },
  pad: (d, { value, length }) => {
    const [left, right] = [d.integer(0, 7), d.integer(0, 7)];
    return [value.pad(left, right), length + left + right];
  },
  crop: (d, { value, length }) => {
    const [left, right] = [d.integer(0, 3), d.integer(0, 3)];
    return length <= left + right ? null : [value.crop(left, right), length - left - right];
  },
};

const atEnd = {
  globalMaxPool: (value) => value.globalMaxPool(),
  globalAveragePool: (value) => value.globalAveragePool(),
};

/**
 * A network of `count` operators or a few more, none of which needs the whole signal.
 *
 * @param {() => number} random  numbers in [0, 1)
 * @param {{ count: number, length: number, runtime: object, dtype: string }} options  `length` is the input's
 * @returns {{ network: Network, layers: object[], names: string[], outputLength: number }}  names of what it is made of
 */
export function randomNetwork(random, { count, length, runtime, dtype }) {
  const drawing = new Drawing(random, length, { runtime, dtype });
  let last = null;
  const build = (input) => {
    const pace = {};
    drawing.signals = [{ value: input, length, pace }];
    for (let i = 0; i < count; ++i) {
      const from = random() < 0.6 ? drawing.signals.at(-1) : pick(random, drawing.signals);
      const change = random() < 0.2;
      const name = pick(random, Object.keys(change ? changing : keeping));
      const made = (change ? changing : keeping)[name](drawing, from);
      if (made === null) continue;
      drawing.names.push(name);
      if (change) drawing.signals.push({ value: made[0], length: made[1], pace: {} });
      else drawing.signals.push({ ...from, value: made });
    }
    last = drawing.signals.at(-1);
    // all of its pace is in the output
    const [one, ...others] = drawing.signals.filter((signal) => signal.pace === last.pace).slice(-8);
    const all = others.length > 0 ? one.value.concat(...others.map(({ value }) => value)) : one.value;
    if (random() > 0.1) return all;
    const name = pick(random, Object.keys(atEnd));
    drawing.names.push(name);
    last = { length: 1 };
    return atEnd[name](all);
  };
  const channels = drawing.integer(1, 4);
  const network = new Network(channels, build, { runtime, dtype });
  return { network, layers: drawing.layers, names: drawing.names, outputLength: last.length };
}

/** What it is made of, for tests that want all to have been drawn. */
export const operators = [...Object.keys(keeping), ...Object.keys(changing), ...Object.keys(atEnd)];
