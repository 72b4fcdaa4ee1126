import type { ActivationOption } from '../api.js';
import { Field } from './field.js';

type Table = Readonly<Record<string, (field: Field, channels: number) => ActivationOption>>;

const slopes = (field: Field, channels: number): number[] => {
  const items = field.list();
  if (items.length !== channels) throw field.error(`a list of ${String(channels)}, one for each channel`);
  return items.map((item) => item.number());
};

// NeuralAmpModelerCore's names.
const table: Table = {
  Tanh: () => 'tanh',
  Hardtanh: () => 'hardtanh',
  ReLU: () => 'relu',
  LeakyReLU: (field) => ({ type: 'leaky_relu', slope: field.at('negative_slope').number(0.01) }),
  PReLU: (field, channels) => {
    const list = field.at('negative_slopes');
    const one = field.at('negative_slope');
    return { type: 'prelu', slope: one.isThere || !list.isThere ? one.number(0.01) : slopes(list, channels) };
  },
  Sigmoid: () => 'sigmoid',
  SiLU: () => 'silu',
  Hardswish: () => 'hardswish',
  Softsign: (field) => {
    const alpha = field.at('alpha');
    if (alpha.number(1) !== 1) throw alpha.unsupported('known is 1');
    return 'softsign';
  },
};

/** An activation as a file has it: a name, or an object of its type and parameters. */
export function readActivation(field: Field, channels: number): ActivationOption {
  const given = typeof field.value === 'string' ? new Field({ type: field.value }, field.path) : field;
  return given.at('type').choice(table)(given, channels);
}
