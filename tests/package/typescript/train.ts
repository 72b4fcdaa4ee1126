// What the compiler makes of the entry for training, which has the types of the main one.
import { Network, Tensor } from 'conv1d-wasm';
import {
  Adam,
  type Batch,
  clipGradNorm,
  cosine,
  crossEntropy,
  esr,
  type Loss,
  type LossValue,
  mse,
  type Optimizer,
  type Schedule,
  Sgd,
  train,
  type TrainProgress,
  type TrainResult,
} from 'conv1d-wasm/train';
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

declare const network: Network;
const { parameters } = network.record(output).backward(target);
expectType<number>()(clipGradNorm(parameters, 1));
const optimizer: Optimizer = new Adam({ betas: [0.8, 0.99] });
optimizer.step(network, parameters);
optimizer.learningRate = 1e-4;
optimizer.loadStateDict(optimizer.stateDict());
// @ts-expect-error: SGD has no default
new Sgd({ momentum: 0.9 });

const onProgress = (progress: TrainProgress) => expectType<number | null>()(progress.secondsLeft);
const common = { loss: mse(), optimizer, epochs: 3, schedule: cosine({ steps: 10 }), onProgress };
expectType<Promise<TrainResult>>()(train(network, { ...common, data: { inputs: output, targets: target } }));
const batch: Batch = { input: output, target };
void train(network, { ...common, data: () => [batch] });
void train(network, {
  ...common,
  async *data(epoch, random) {
    if (random() < epoch) yield batch;
  },
});
// @ts-expect-error: what to learn?
void train(network, common);
