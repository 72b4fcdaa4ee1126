// What the compiler makes of the entry for training, which has the types of the main one.
import { Tensor } from 'conv1d-wasm';
import { cosine, crossEntropy, esr, type Loss, type LossValue, mse, type Schedule } from 'conv1d-wasm/train';
import { mse as mseThere } from 'conv1d-wasm/worklet/train';
import { expectType } from './equal.js';

declare const output: Tensor;
declare const target: Tensor;
expectType<Loss>()(mse());
expectType<Loss>()(mseThere());
expectType<LossValue>()(esr({ preEmphasis: 0.95 }).of(output, target));
expectType<Tensor>()(mse().of(output, target).gradient);
crossEntropy().of(output, [
  [0, 1],
  [1, 2],
]);
expectType<Schedule>()(cosine({ steps: 100 }));
const own: Loss = { name: 'own', of: (x, y) => ({ value: x.size - y.size, gradient: x }) };
expectType<number>()(own.of(output, target).value);
// @ts-expect-error: only classes may be lists
mse().of(output, [[1, 2]]);
// @ts-expect-error: how many steps?
cosine({});
