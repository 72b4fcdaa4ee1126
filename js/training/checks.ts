import { Tensor } from '../api.js';
import { classError, optionError } from '../common/errors.js';

/** Checks that an option is a finite number that `isFit`, as `rule` says. */
export function checkNumber(field: string, value: unknown, rule: string, isFit: (value: number) => boolean): number {
  if (Number.isFinite(value) && isFit(value as number)) return value as number;
  throw optionError(field, rule, value);
}

export const checkPositive = (field: string, value: unknown): number =>
  checkNumber(field, value, 'a number > 0', (number) => number > 0);

export const checkNotNegative = (field: string, value: unknown): number =>
  checkNumber(field, value, 'a number >= 0', (number) => number >= 0);

/** An integer >= 1. */
export const checkCount = (field: string, value: unknown): number =>
  checkNumber(field, value, 'an integer >= 1', (number) => Number.isSafeInteger(number) && number >= 1);

export function checkFlag(field: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw optionError(field, 'a boolean', value);
}

export function checkTensor(field: string, value: unknown): Tensor {
  if (!Tensor.owns(value)) throw classError('ERR_DTYPE', field, 'Tensor', value);
  value.requireLive();
  return value;
}
