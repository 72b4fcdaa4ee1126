// Parameters of a layer by name, from a dictionary that has them as they are.
import { pickOptions, show, stateDictError } from '../common/errors.js';
import { checkFit, type Tensor } from './tensor.js';

/** Options of `loadStateDict` of layers that fold nothing. */
export interface LoadOptions {
  /** Whether a missing or an unknown name is an error. Default true. */
  strict?: boolean;
  /** What the layer's names start with. Default none. */
  prefix?: string;
}

/**
 * Those of `parameters` that the dictionary has, with their numbers; all of them if it is to be strict.
 *
 * @param others names that it may have beside them.
 * @throws Conv1dError ERR_STATE_DICT, ERR_OPTION.
 */
export function readNamed<Parameter extends { readonly name: string; readonly shape: readonly number[] }>(
  dict: Record<string, Tensor>,
  options: LoadOptions,
  parameters: readonly Parameter[],
  others: readonly string[],
): [Parameter, Float64Array][] {
  const { strict = true, prefix = '' } = pickOptions(options, ['strict', 'prefix']);
  if (typeof dict !== 'object' || (dict as unknown) === null) {
    throw stateDictError('dict', `dict must be an object of tensors, got ${show(dict)}`, dict);
  }
  const found = parameters.flatMap((parameter): [Parameter, Float64Array][] => {
    const key = prefix + parameter.name;
    if (!Object.hasOwn(dict, key)) {
      if (!strict) return [];
      throw stateDictError(key, `${show(key)} is missing; there are ${show(Object.keys(dict))}`, dict);
    }
    try {
      return [[parameter, checkFit(parameter.name, dict[key], [parameter.shape]).numbers()]];
    } catch (error) {
      throw stateDictError(key, `${key}: ${(error as Error).message}`, dict[key], error);
    }
  });
  const known = [...parameters.map(({ name }) => name), ...others].map((name) => prefix + name);
  const unknown = strict ? Object.keys(dict).find((key) => key.startsWith(prefix) && !known.includes(key)) : undefined;
  if (unknown === undefined) return found;
  const text = `${show(unknown)} is not a parameter of this layer, which has ${known.join(', ')}`;
  throw stateDictError(unknown, text, unknown);
}
