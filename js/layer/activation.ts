// The activations, by the table that C++ has of them.
import { optionError, pickOptions, reading } from '../common/errors.js';

/** Names of the activations that a layer can apply to its output. */
export type ActivationName =
  | 'none'
  | 'relu'
  | 'leaky_relu'
  | 'gelu'
  | 'gelu_tanh'
  | 'silu'
  | 'tanh'
  | 'sigmoid'
  | 'relu6'
  | 'elu'
  | 'selu'
  | 'prelu'
  | 'softplus'
  | 'softsign'
  | 'mish'
  | 'hardtanh'
  | 'hardsigmoid'
  | 'hardswish'
  | 'snake';

/** One number for all channels, or a list of one for each. */
export type PerChannel = number | readonly number[] | Float32Array | Float64Array;

/**
 * An activation's name, or its name with parameters, which are finite float32 numbers; those that are missing have their
 * default. `elu` (alpha 1), `selu`, `prelu` (slope 0.25), `softplus` (beta 1, from 1e-6 to 1e6), `softsign`, `mish`,
 * `hardtanh` (minVal -1, maxVal 1), `hardsigmoid`, `hardswish` and `relu6` are PyTorch's; `softplus` has no threshold.
 * `leaky_relu` has slope 0.01. `snake` (alpha 1, not 0) is x + sin(alpha x)^2 / alpha (Ziyin et al., Neural networks fail
 * to learn periodic functions and how to fix it, 2020). All are within 4 ulp; `snake` within 4 ulp of |x|.
 */
export type ActivationOption =
  | ActivationName
  | { readonly type: ActivationName }
  | { readonly type: 'leaky_relu'; readonly slope?: number }
  | { readonly type: 'prelu'; readonly slope?: PerChannel }
  | { readonly type: 'elu'; readonly alpha?: number }
  | { readonly type: 'softplus'; readonly beta?: number }
  | { readonly type: 'hardtanh'; readonly minVal?: number; readonly maxVal?: number }
  | { readonly type: 'snake'; readonly alpha?: PerChannel };

/** What there is to know of an activation. */
export interface ActivationInfo {
  readonly name: ActivationName;
  readonly parameters: readonly { readonly name: string; readonly default: number }[];
  /** Whether the first parameter may also be a list of one number for each channel. */
  readonly perChannel: boolean;
  /** Its Lipschitz constant: nowhere is it steeper. */
  readonly lipschitz: number;
  /** Whether it is as steep as the magnitude of its first parameter, where that is more. */
  readonly orParameter: boolean;
}

/** An activation with the values of all its parameters, in the table's order, or of one parameter for each channel. */
export interface Activation {
  readonly activation: string;
  readonly parameters: readonly number[];
}

type Given = Readonly<Record<string, unknown>>;

function readParameter(name: string, value: unknown, initial: number, perChannel: boolean): number[] {
  const isList = perChannel && (Array.isArray(value) || ArrayBuffer.isView(value));
  const values: unknown[] = isList ? Array.from(value as ArrayLike<unknown>) : [value ?? initial];
  if (values.length > 0 && values.every((one) => typeof one === 'number')) return values;
  const rule = `given ${name} as a number${perChannel ? ', or a list of one for each channel' : ''}`;
  throw optionError('activation', rule, value);
}

/** The activation that an option stands for. Checks types; C++ checks the name and the values. */
export function readActivation(option: unknown, activations: readonly ActivationInfo[]): Activation {
  return reading('ERR_OPTION', 'activation', option, () => {
    const given = typeof option === 'object' && option !== null ? (option as Given) : { type: option };
    const { type } = given;
    const known = activations.find(({ name }) => name === type);
    const own = known ? [known] : activations;
    const names = new Set(own.flatMap(({ parameters }) => parameters.map(({ name }) => name)));
    const values = pickOptions(given, ['type', ...names], 'activation');
    if (typeof type !== 'string') throw optionError('activation', 'a string', type);
    const parameters = known?.parameters.flatMap((parameter) =>
      readParameter(parameter.name, values[parameter.name], parameter.default, known.perChannel),
    );
    return { activation: type, parameters: parameters ?? [] };
  });
}

/** As a caller gives it. */
export function activationOption(
  { activation, parameters }: Activation,
  activations: readonly ActivationInfo[],
): ActivationOption {
  const { parameters: own = [] } = activations.find(({ name }) => name === activation) ?? {};
  const values = own.map(({ name }, i) => [name, parameters.length > own.length ? parameters : parameters[i]] as const);
  return (own.length === 0 ? activation : { type: activation, ...Object.fromEntries(values) }) as ActivationOption;
}
