// What onnxruntime-web and onnxruntime-node have in common: sessions.
import { onnxConv } from './onnx.js';

export function ortContender(name, ort, options) {
  return {
    name,
    placement: 'js',
    async prepare(layer, data) {
      const session = await ort.InferenceSession.create(onnxConv(layer, data), options);
      const feeds = { x: new ort.Tensor('float32', data.input, [layer.N, layer.Cin, layer.L]) };
      let outputs;
      return {
        async run() {
          outputs = await session.run(feeds);
        },
        output: () => outputs.y.data,
        dispose: () => session.release(),
      };
    },
  };
}
