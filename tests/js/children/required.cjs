// require() of the package, and the example of the readme.
const { Conv1d, init, Tensor } = require('conv1d-wasm');

init().then(() => {
  const layer = new Conv1d({ inChannels: 3, outChannels: 1, kernelSize: 3 });
  const input = new Tensor(
    Float32Array.from({ length: 24 }, (_, i) => i),
    [2, 3, 4],
  );
  console.log(JSON.stringify(layer.forward(input).shape));
});
