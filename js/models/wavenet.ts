// WaveNet in NeuralAmpModelerCore's forms, A1 and A2.
import type { NetworkValue } from '../api.js';
import { readActivation } from './activation.js';
import { Field } from './field.js';
import type { Model, Operation } from './model.js';
import type { Weights } from './weights.js';

const stackNames = [
  ...['input_size', 'condition_size', 'channels', 'bottleneck', 'kernel_size', 'kernel_sizes', 'dilations'],
  ...['activation', 'gating_mode', 'gated', 'secondary_activation', 'groups_input', 'groups_input_mixin'],
  ...['head', 'head_size', 'head_bias', 'head1x1', 'layer1x1', 'conv_pre_film', 'conv_post_film'],
  ...['input_mixin_pre_film', 'input_mixin_post_film', 'activation_pre_film', 'activation_post_film'],
  ...['layer1x1_post_film', 'head1x1_post_film'],
];

/** What goes from layer to layer and from stack to stack: a signal, and the sum that the output is made of. */
interface Signals {
  /** Made when it is asked for: nobody does after the last layer. */
  x: () => NetworkValue;
  head: NetworkValue;
}

/** A layer or a stack. Nothing has been added to the sum before the first. */
interface Part {
  /** Samples before its own that an output depends on. */
  reach: number;
  apply(before: { x: () => NetworkValue; head?: NetworkValue }, condition: NetworkValue): Signals;
}

/** At least one of them, one after the other. */
const inTurn = (parts: readonly Part[]): Part =>
  parts.reduce((first, second) => ({
    reach: first.reach + second.reach,
    apply: (before, condition) => second.apply(first.apply(before, condition), condition),
  }));

/** What the layers of a stack have in common. */
interface StackSizes {
  channels: number;
  conditionSize: number;
  bottleneck: number;
  /** Of the sum. */
  headSize: number;
}

/** Whether layers have the 1x1 convolution `field`. */
function isActive(field: Field, initial: boolean): boolean {
  field.checkNames(['active', 'groups', 'out_channels']);
  return field.at('active').flag(initial);
}

interface Gate {
  /** Channels that go in. */
  width: number;
  isBlended: boolean;
  apply: Operation;
}

const modes = { none: 'none', gated: 'gated', blended: 'blended' } as const;

/** A layer's activation, gated or blended or neither, and of how many channels it makes `channels`. */
function readGate(fieldOf: (name: string) => Field, channels: number): Gate {
  const activation = readActivation(fieldOf('activation'), channels);
  const given = fieldOf('gating_mode');
  const mode = given.isThere ? given.choice(modes) : fieldOf('gated').flag(false) ? 'gated' : 'none';
  if (mode === 'none') return { width: channels, isBlended: false, apply: activation.apply };
  const second = fieldOf('secondary_activation');
  const gate = readActivation(second.isThere ? second : new Field('Sigmoid', second.path), channels);
  const width = 2 * channels;
  const isBlended = mode === 'blended';
  if (!isBlended && activation.name === 'Tanh' && gate.name === 'Sigmoid') {
    return { width, isBlended, apply: (x) => x.gate() };
  }
  return {
    width,
    isBlended,
    apply(x) {
      const own = x.slice(0, channels);
      const share = gate.apply(x.slice(channels, width));
      const active = activation.apply(own).multiply(share);
      return isBlended ? active.add(own.multiply(share.affine(-1, 1))) : active;
    },
  };
}

type Modulation = (x: NetworkValue, condition: NetworkValue) => NetworkValue;

function isFilmActive(field: Field): boolean {
  if (!field.isThere || field.value === false) return false;
  field.checkNames(['active', 'shift', 'groups']);
  return field.at('active').flag(true);
}

/** Feature-wise linear modulation of `channels`: what the condition says is their scale and, if there is one, their shift. */
function readFilm(field: Field, channels: number, conditionSize: number, weights: Weights): Modulation {
  if (!isFilmActive(field)) return (x) => x;
  const hasShift = field.at('shift').flag(true);
  const groups = field.at('groups').integer(1);
  const sizes = { inChannels: conditionSize, outChannels: hasShift ? 2 * channels : channels, groups };
  const modulate = weights.conv(sizes, field.at('groups'));
  return (x, condition) => {
    const rows = modulate(condition);
    if (!hasShift) return x.multiply(rows);
    return x.multiply(rows.slice(0, channels)).add(rows.slice(channels, 2 * channels));
  };
}

/** Layer `i` of `count`. */
function readLayer(config: Field, [i, count]: [number, number], sizes: StackSizes, weights: Weights): Part {
  const { channels, conditionSize, bottleneck, headSize } = sizes;
  const fieldOf = (name: string) => config.at(name).ofLayer(i, count);
  const gate = readGate(fieldOf, bottleneck);
  if (config.at('kernel_sizes').isThere && config.at('kernel_size').isThere) {
    throw config.at('kernel_sizes').error('left out where there is a kernel_size');
  }
  const kernelSize = fieldOf(config.at('kernel_sizes').isThere ? 'kernel_sizes' : 'kernel_size').integer();
  const dilation = fieldOf('dilations').integer();
  const conv = (groups: Field, inChannels: number, outChannels: number, more = {}) =>
    weights.conv({ inChannels, outChannels, groups: groups.integer(1), ...more }, groups);
  const pointwise = (name: string, outChannels: number, initial: boolean) =>
    isActive(config.at(name), initial) ? conv(config.at(name).at('groups'), bottleneck, outChannels) : null;
  const dilated = conv(config.at('groups_input'), channels, gate.width, { kernelSize, dilation });
  const mix = conv(config.at('groups_input_mixin'), conditionSize, gate.width, { bias: false });
  const residual = pointwise('layer1x1', channels, true);
  const toHead = pointwise('head1x1', headSize, false);
  const film = (name: string, width: number) => readFilm(config.at(name), width, conditionSize, weights);
  const [beforeConv, afterConv] = [film('conv_pre_film', channels), film('conv_post_film', gate.width)];
  const [beforeMix, afterMix] = [
    film('input_mixin_pre_film', conditionSize),
    film('input_mixin_post_film', gate.width),
  ];
  const [beforeGate, afterGate] = [film('activation_pre_film', gate.width), film('activation_post_film', bottleneck)];
  const [afterResidual, afterHead] = [film('layer1x1_post_film', channels), film('head1x1_post_film', headSize)];
  return {
    reach: (kernelSize - 1) * dilation,
    apply({ x: makeX, head }, condition) {
      const x = makeX();
      const convolved = afterConv(dilated(beforeConv(x, condition)), condition);
      const mixed = convolved.add(afterMix(mix(beforeMix(condition, condition)), condition));
      const z = afterGate(gate.apply(beforeGate(mixed, condition)), condition);
      const share = toHead ? afterHead(toHead(z), condition) : z;
      const sum = head ? head.add(share) : share;
      if (!residual) return { x: () => x, head: sum };
      const makeSum = () => {
        const own = residual(z);
        // As in NeuralAmpModelerCore, which has this modulation in all layers but uses it in blended ones.
        return x.add(gate.isBlended ? afterResidual(own, condition) : own);
      };
      return { x: makeSum, head: sum };
    },
  };
}

/** The convolution that the sum of a stack goes through; older files have it without taps. */
function readHead(config: Field) {
  const head = config.at('head');
  if (!head.isThere) {
    return { outChannels: config.at('head_size').integer(), kernelSize: 1, bias: config.at('head_bias').flag() };
  }
  head.checkNames(['out_channels', 'kernel_size', 'bias']);
  return {
    outChannels: head.at('out_channels').integer(),
    kernelSize: head.at('kernel_size').integer(),
    bias: head.at('bias').flag(),
  };
}

/** Layers of one width. */
interface Stack extends Part {
  channels: number;
  /** Of the sum. */
  headSize: number;
}

/**
 * @param before the stack before it, or the input.
 * @param scale what its share of the sum is multiplied by, asked for when it is made.
 */
function readStack(
  config: Field,
  before: Pick<Stack, 'channels'> & Partial<Stack>,
  conditionSize: number,
  weights: Weights,
  scale?: () => number,
): Stack {
  config.checkNames(stackNames);
  const channels = config.at('channels').integer();
  const bottleneck = config.at('bottleneck').integer(channels);
  const head1x1 = config.at('head1x1');
  const headIn = isActive(head1x1, false) ? head1x1.at('out_channels').integer() : bottleneck;
  config.at('input_size').checkSize(before.channels, 'the channels of what comes in');
  config.at('condition_size').checkSize(conditionSize, 'the channels of the condition');
  if (before.headSize !== undefined && headIn !== before.headSize) {
    const rule = `so that layers add to the ${String(before.headSize)} channels of the sum before, not to ${String(headIn)}`;
    throw config.at('channels').error(rule);
  }
  const hasResidual = isActive(config.at('layer1x1'), true);
  if (!hasResidual && bottleneck !== channels) {
    throw config.at('bottleneck').error('as many as channels, where there is no layer1x1');
  }
  for (const [film, isUsed] of [
    [config.at('layer1x1_post_film'), hasResidual],
    [config.at('head1x1_post_film'), isActive(head1x1, false)],
  ] as const) {
    if (!isUsed && isFilmActive(film)) throw film.error('left out where there is no such 1x1');
  }
  const sizes = { channels, conditionSize, bottleneck, headSize: headIn };
  const count = config.at('dilations').list().length;
  const rechannel = weights.conv({ inChannels: before.channels, outChannels: channels, bias: false }, config);
  const layers = inTurn(Array.from({ length: count }, (_, i) => readLayer(config, [i, count], sizes, weights)));
  const head = readHead(config);
  const headConv = weights.conv({ inChannels: headIn, ...head, scale }, config);
  return {
    channels,
    headSize: head.outChannels,
    reach: layers.reach + head.kernelSize - 1,
    apply(before, condition) {
      const after = layers.apply({ ...before, x: () => rechannel(before.x()) }, condition);
      return { x: after.x, head: headConv(after.head) };
    },
  };
}

/** What may follow the stacks: activations, each with a convolution behind it. */
function readHeadNetwork(config: Field, inChannels: number, weights: Weights) {
  config.checkNames(['in_channels', 'channels', 'out_channels', 'kernel_sizes', 'activation']);
  config.at('in_channels').checkSize(inChannels, 'the channels of the sum', inChannels);
  const channels = config.at('channels').integer();
  const outChannels = config.at('out_channels').integer();
  const kernelSizes = config.at('kernel_sizes').list();
  let reach = 0;
  const steps = kernelSizes.map((field, i): Operation => {
    const kernelSize = field.integer();
    reach += kernelSize - 1;
    const from = i === 0 ? inChannels : channels;
    const to = i === kernelSizes.length - 1 ? outChannels : channels;
    const activation = readActivation(config.at('activation'), from);
    const conv = weights.conv({ inChannels: from, outChannels: to, kernelSize }, field);
    return (x) => conv(activation.apply(x));
  });
  return { outChannels, reach, apply: (x: NetworkValue) => steps.reduce((value, step) => step(value), x) };
}

/** @param readNested reads the model of a condition. */
export function readWaveNet(config: Field, weights: Weights, readNested: (field: Field) => Model): Model {
  config.checkNames(['layers', 'head', 'head_scale', 'in_channels', 'condition_dsp']);
  const inChannels = config.at('in_channels').integer(1);
  const nested = config.at('condition_dsp');
  const condition = nested.isThere ? readNested(nested) : null;
  if (condition && condition.inChannels !== inChannels) {
    throw nested.error(`of a model with ${String(inChannels)} channels of input, as this one has`);
  }
  const fields = config.at('layers').list();
  const stacks: Stack[] = [];
  for (const [i, field] of fields.entries()) {
    const before = stacks.at(-1) ?? { channels: inChannels };
    const scale = i === fields.length - 1 ? () => weights.last : undefined;
    stacks.push(readStack(field, before, condition?.outChannels ?? inChannels, weights, scale));
  }
  const body = inTurn(stacks);
  const sumChannels = stacks.at(-1)?.headSize ?? inChannels;
  const head = config.at('head').isThere ? readHeadNetwork(config.at('head'), sumChannels, weights) : null;
  weights.take(1); // the scale
  return {
    inChannels,
    outChannels: head?.outChannels ?? sumChannels,
    prewarm: (condition?.prewarm ?? 1) + body.reach + (head?.reach ?? 0),
    apply(x) {
      const sum = body.apply({ x: () => x }, condition ? condition.apply(x) : x).head;
      return head ? head.apply(sum) : sum;
    },
  };
}
