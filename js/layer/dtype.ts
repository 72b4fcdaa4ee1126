import { dtypeError, show } from '../common/errors.js';

/** Element type of a tensor or layer. */
export type DType = 'float32' | 'float16';

export const bytesPerElement: Readonly<Record<DType, number>> = { float32: 4, float16: 2 };

export function checkDType(dtype: unknown): DType {
  if (dtype === 'float32' || dtype === 'float16') return dtype;
  throw dtypeError('dtype', `dtype must be 'float32' or 'float16', got ${show(dtype)}`, dtype);
}
