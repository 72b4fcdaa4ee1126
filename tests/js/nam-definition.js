// What NeuralAmpModelerCore's models compute, by the definition, in float64. Signals are lists of rows.

const zip = (a, b, f) => a.map((row, c) => row.map((value, t) => f(value, b[c][t])));
export const add = (a, b) => zip(a, b, (x, y) => x + y);
const multiply = (a, b) => zip(a, b, (x, y) => x * y);
const each = (a, f) => a.map((row, c) => row.map((value) => f(value, c)));

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const leaky = (x, slope) => (x > 0 ? x : slope * x);
const functions = {
  Tanh: () => Math.tanh,
  Hardtanh: () => (x) => Math.min(Math.max(x, -1), 1),
  ReLU: () => (x) => Math.max(x, 0),
  LeakyReLU:
    ({ negative_slope: slope = 0.01 }) =>
    (x) =>
      leaky(x, slope),
  PReLU:
    ({ negative_slope: slope = 0.01, negative_slopes: slopes }) =>
    (x, c) =>
      leaky(x, slopes?.[c] ?? slope),
  Sigmoid: () => sigmoid,
  SiLU: () => (x) => x * sigmoid(x),
  Hardswish: () => (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
  LeakyHardtanh:
    ({ min_val: min = -1, max_val: max = 1, min_slope: below = 0.01, max_slope: above = 0.01 }) =>
    (x) =>
      x < min ? (x - min) * below + min : x > max ? (x - max) * above + max : x,
  LeakyHardTanh: (parameters) => functions.LeakyHardtanh(parameters),
  Softsign: () => (x) => x / (1 + Math.abs(x)),
};

function activate(x, given) {
  const { type, ...parameters } = typeof given === 'string' ? { type: given } : given;
  return each(x, functions[type](parameters));
}

/** A causal convolution whose weights are the next of `take`. */
function conv(take, inChannels, { outChannels, kernelSize = 1, dilation = 1, groups = 1, bias = true }) {
  const inGroup = inChannels / groups;
  const weight = take(outChannels * inGroup * kernelSize);
  const shift = bias ? take(outChannels) : new Array(outChannels).fill(0);
  const output = (x, o, t) => {
    let sum = shift[o];
    for (let i = 0; i < inGroup; ++i) {
      const row = x[Math.floor((o * groups) / outChannels) * inGroup + i];
      for (let k = 0; k < kernelSize; ++k) {
        sum += weight[(o * inGroup + i) * kernelSize + k] * (row[t - (kernelSize - 1 - k) * dilation] ?? 0);
      }
    }
    return sum;
  };
  return (x) => shift.map((_, o) => x[0].map((_, t) => output(x, o, t)));
}

function film(take, config, conditionSize, channels) {
  if (!config || config.active === false) return (x) => x;
  const { shift = true, groups = 1 } = config;
  const modulation = conv(take, conditionSize, { outChannels: channels * (shift ? 2 : 1), groups });
  return (x, condition) => {
    const rows = modulation(condition);
    const scaled = multiply(x, rows.slice(0, channels));
    return shift ? add(scaled, rows.slice(channels)) : scaled;
  };
}

/** The activation of a layer: all channels, or the first half with the second as gate or blend. */
function gate(x, mode, activation, secondary) {
  if (mode === 'none') return activate(x, activation);
  const own = x.slice(0, x.length / 2);
  const other = activate(x.slice(x.length / 2), secondary);
  const active = activate(own, activation);
  if (mode === 'gated') return multiply(active, other);
  return add(
    multiply(other, active),
    multiply(
      each(other, (alpha) => 1 - alpha),
      own,
    ),
  );
}

function layer(take, config, i) {
  const of = (value) => (Array.isArray(value) ? value[i] : value);
  const { channels, bottleneck = channels, condition_size: conditionSize } = config;
  const mode = of(config.gating_mode) ?? (config.gated ? 'gated' : 'none');
  const outChannels = mode === 'none' ? bottleneck : 2 * bottleneck;
  const { layer1x1 = { active: true }, head1x1 = { active: false } } = config;
  const dilated = conv(take, channels, {
    outChannels,
    ...{ kernelSize: of(config.kernel_sizes ?? config.kernel_size), dilation: config.dilations[i] },
    groups: config.groups_input,
  });
  const mix = conv(take, conditionSize, { outChannels, groups: config.groups_input_mixin, bias: false });
  const pointwise = ({ active, groups }, out) => active && conv(take, bottleneck, { outChannels: out, groups });
  const residual = pointwise(layer1x1, channels);
  const toHead = pointwise(head1x1, head1x1.out_channels);
  const modulation = (name, width) => film(take, config[name], conditionSize, width);
  const convPre = modulation('conv_pre_film', channels);
  const convPost = modulation('conv_post_film', outChannels);
  const mixPre = modulation('input_mixin_pre_film', conditionSize);
  const mixPost = modulation('input_mixin_post_film', outChannels);
  const activationPre = modulation('activation_pre_film', outChannels);
  const activationPost = modulation('activation_post_film', bottleneck);
  const residualPost = modulation('layer1x1_post_film', channels);
  const headPost = modulation('head1x1_post_film', head1x1.out_channels);
  return (x, c) => {
    const sum = add(convPost(dilated(convPre(x, c)), c), mixPost(mix(mixPre(c, c)), c));
    const secondary = of(config.secondary_activation) ?? 'Sigmoid';
    const z = activationPost(gate(activationPre(sum, c), mode, of(config.activation), secondary), c);
    const head = toHead ? headPost(toHead(z), c) : z;
    if (!residual) return [x, head];
    // Only blended layers have the last one.
    return [add(x, mode === 'blended' ? residualPost(residual(z), c) : residual(z)), head];
  };
}

function stack(take, config) {
  const { channels, bottleneck = channels, head1x1 } = config;
  const rechannel = conv(take, config.input_size, { outChannels: channels, bias: false });
  const layers = config.dilations.map((_, i) => layer(take, config, i));
  const {
    out_channels: outChannels,
    kernel_size: kernelSize,
    bias,
  } = config.head ?? {
    ...{ out_channels: config.head_size, kernel_size: 1, bias: config.head_bias },
  };
  const rehead = conv(take, head1x1?.active ? head1x1.out_channels : bottleneck, { outChannels, kernelSize, bias });
  return ([input, sum], condition) => {
    let x = rechannel(input);
    for (const each of layers) {
      let share;
      [x, share] = each(x, condition);
      sum = sum ? add(sum, share) : share;
    }
    return [x, rehead(sum)];
  };
}

function waveNet(config, take, x) {
  const stacks = config.layers.map((each) => stack(take, each));
  const { head } = config;
  const steps = (head?.kernel_sizes ?? []).map((kernelSize, i, { length }) => {
    const inChannels = i === 0 ? config.layers.at(-1).head_size : head.channels;
    return conv(take, inChannels, { outChannels: i === length - 1 ? head.out_channels : head.channels, kernelSize });
  });
  const [scale] = take(1);
  const condition = config.condition_dsp ? model(config.condition_dsp, x) : x;
  const [, sum] = stacks.reduce((signals, each) => each(signals, condition), [x]);
  const scaled = each(sum, (value) => value * scale);
  return steps.reduce((value, step) => step(activate(value, head.activation)), scaled);
}

function lstm({ num_layers: count, input_size: inputSize, hidden_size: size }, take, x) {
  let rows = x;
  for (let i = 0; i < count; ++i) {
    const inChannels = i === 0 ? inputSize : size;
    const weight = Array.from({ length: 4 * size }, () => take(inChannels + size));
    const bias = take(4 * size);
    let [hidden, cell] = [take(size), take(size)];
    const outputs = Array.from({ length: size }, () => []);
    for (let t = 0; t < x[0].length; ++t) {
      const inputs = [...rows.map((row) => row[t]), ...hidden];
      const sums = weight.map((row, r) => row.reduce((sum, w, j) => sum + w * inputs[j], bias[r]));
      const part = (index, c) => sums[index * size + c];
      cell = cell.map((value, c) => sigmoid(part(1, c)) * value + sigmoid(part(0, c)) * Math.tanh(part(2, c)));
      hidden = cell.map((value, c) => sigmoid(part(3, c)) * Math.tanh(value));
      outputs.forEach((row, c) => row.push(hidden[c]));
    }
    rows = outputs;
  }
  return conv(take, size, { outChannels: 1 })(rows);
}

/** The output of the model in `file` for `x`. */
export function model({ architecture, config, weights }, x) {
  let at = 0;
  const take = (count) => weights.slice(at, (at += count));
  return (architecture === 'LSTM' ? lstm : waveNet)(config, take, x);
}

/** How many weights a model needs. */
export function weightCount({ architecture, config }) {
  let total = 0;
  const take = (count) => {
    total += count;
    return new Array(count).fill(0);
  };
  const inChannels = config.in_channels ?? 1;
  (architecture === 'LSTM' ? lstm : waveNet)(
    config,
    take,
    Array.from({ length: inChannels }, () => [0]),
  );
  return total;
}
