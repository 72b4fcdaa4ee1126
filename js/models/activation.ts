// NeuralAmpModelerCore's activations, by its names.
import type { ActivationOption } from '../api.js';
import { Field } from './field.js';
import type { Operation } from './model.js';

type Table = Readonly<Record<string, (field: Field, channels: number) => Operation>>;

function readSlopes(field: Field, channels: number): number | number[] {
  const list = field.at('negative_slopes');
  if (!list.isThere) return field.at('negative_slope').number(0.01);
  const slopes = list.list().map((item) => item.number());
  if (slopes.length === channels) return slopes;
  throw list.error(`a list of ${String(channels)}, one for each channel`);
}

const apply =
  (activation: ActivationOption): Operation =>
  (x) =>
    x.activation(activation);

function readLeakyHardtanh(field: Field): Operation {
  const [min, max] = [field.at('min_val').number(-1), field.at('max_val').number(1)];
  const [below, above] = [field.at('min_slope').number(0.01), field.at('max_slope').number(0.01)];
  if (min > max) throw field.at('max_val').error('at least min_val');
  return (x) => {
    const overshoot = x.subtract(max).activation('relu').multiply(above);
    const undershoot = x.affine(-1, min).activation('relu').multiply(below);
    return x.clip(min, max).add(overshoot).subtract(undershoot);
  };
}

const table: Table = {
  Tanh: () => apply('tanh'),
  Hardtanh: () => apply('hardtanh'),
  ReLU: () => apply('relu'),
  LeakyReLU: (field) => apply({ type: 'leaky_relu', slope: field.at('negative_slope').number(0.01) }),
  PReLU: (field, channels) => apply({ type: 'prelu', slope: readSlopes(field, channels) }),
  Sigmoid: () => apply('sigmoid'),
  SiLU: () => apply('silu'),
  Hardswish: () => apply('hardswish'),
  Softsign(field) {
    const alpha = field.at('alpha');
    if (alpha.number(1) !== 1) throw alpha.unsupported('known is 1');
    return apply('softsign');
  },
  LeakyHardtanh: readLeakyHardtanh,
  LeakyHardTanh: readLeakyHardtanh,
};

/** An activation as a file has it: a name, or an object of its type and parameters. */
export function readActivation(field: Field, channels: number): { name: unknown; apply: Operation } {
  const given = typeof field.value === 'string' ? new Field({ type: field.value }, field.path) : field;
  const type = given.at('type');
  return { name: type.value, apply: type.choice(table)(given, channels) };
}
