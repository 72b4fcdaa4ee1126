// Two copies of the package in one program: what each makes of the other's objects.
import * as one from '../../../dist/index.node.js';
import * as other from '../../../dist/index.node.js?copy';

const runtime = await other.init({ threads: 1 });
await one.init({ threads: 1 });
const sizes = { inChannels: 1, outChannels: 1, kernelSize: 2 };
const makeTensor = (copy) => new copy.Tensor([1, 2, 4], [1, 3]);
const layer = new one.Conv1d(sizes);
const attempts = {
  input: () => layer.forward(makeTensor(other)),
  weight: () => one.conv1d(makeTensor(one), new other.Tensor([1, 10], [1, 1, 2])),
  layer: () => new one.Network([new other.Conv1d(sizes)]),
  runtime: () => new one.Conv1d({ ...sizes, runtime }),
  dictionary: () => layer.loadStateDict(new other.Conv1d(sizes).stateDict()),
  'its own': () => new one.Conv1d({ ...sizes, stride: makeTensor(one) }),
};
const messages = {};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    attempt();
  } catch (error) {
    messages[name] = `${error.code}: ${error.message}`;
  }
}
console.log(JSON.stringify(messages));
