// The activations, by the table that C++ has of them.
import { optionError, pickOptions, reading } from '../common/errors.js';

/** Names of the activations that a layer can apply to its output. */
export type ActivationName = 'none' | 'relu' | 'leaky_relu' | 'gelu' | 'gelu_tanh' | 'silu' | 'tanh' | 'sigmoid';

/** An activation's name, or its name with parameters; those that are missing have their default. */
export type ActivationOption =
  ActivationName | { readonly type: ActivationName } | { readonly type: 'leaky_relu'; readonly slope?: number };

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
  const rule = `given a ${name} that is a number${perChannel ? ', or a list of one for each channel' : ''}`;
  throw optionError('activation', rule, value);
}

/** The activation that an option stands for. Checks types; C++ checks the name and the values. */
export function readActivation(option: unknown, activations: readonly ActivationInfo[]): Activation {
  return reading('ERR_OPTION', 'activation', option, () => {
    const given = typeof option === 'object' && option !== null ? (option as Given) : { type: option };
    const { type } = given;
    const known = activations.find(({ name }) => name === type);
    const own = known?.parameters ?? activations.flatMap(({ parameters }) => parameters);
    const values = pickOptions(given, ['type', ...own.map(({ name }) => name)], 'activation');
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
