// A .tflite model of one CONV_2D or DEPTHWISE_CONV_2D. The numbers of fields and enumerators are those of TensorFlow Lite's
// schema.fbs.
import { Builder } from 'flatbuffers';
import { swapLast } from '../layer.js';

const conv2d = { operator: 3, optionsType: 1 };
const depthwiseConv2d = { operator: 4, optionsType: 2 };
const paddingValid = 1;
const bufferAlignment = 16;

/** Writes a table given as [field number, writer] pairs; a writer adds the field to the builder. */
function table(builder, fields) {
  builder.startObject(Math.max(...fields.map(([field]) => field)) + 1);
  for (const [field, add] of fields) add(field);
  return builder.endObject();
}

function ints(builder, values) {
  builder.startVector(4, values.length, 4);
  for (const value of values.toReversed()) builder.addInt32(value);
  return builder.endVector();
}

function offsets(builder, values) {
  builder.startVector(4, values.length, 4);
  for (const value of values.toReversed()) builder.addOffset(value);
  return builder.endVector();
}

function bytes(builder, data) {
  builder.startVector(1, data.byteLength, bufferAlignment);
  // The vector grows downwards from its end, and one copy is enough.
  builder.bb.setPosition((builder.space -= data.byteLength));
  builder.bb.bytes().set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), builder.space);
  return builder.endVector();
}

/** The bytes of a model (N, 1, L + 2 p, Cin) -> (N, 1, Lout, Cout), or null when the format has no such convolution. */
export function tfliteConv({ N, Cin, Cout, k, s, p, d, g, L, Lout }, { weight, bias }) {
  const isDepthwise = g === Cin && g > 1;
  const { operator, optionsType } = isDepthwise ? depthwiseConv2d : conv2d;
  const builder = new Builder(weight.byteLength + 4096);
  const int8 = (value) => (field) => builder.addFieldInt8(field, value, -1); // no default is -1, so all are written
  const int32 = (value) => (field) => builder.addFieldInt32(field, value, -1);
  const offset = (value) => (field) => builder.addFieldOffset(field, value, 0);

  const contents = [
    null, // by convention the first buffer is empty; tensors without contents have it
    isDepthwise ? swapLast(weight, 1, Cout, k) : swapLast(weight, Cout, Cin / g, k),
    bias,
  ].map((data) => data && bytes(builder, data));
  const buffers = contents.map((content) => {
    builder.startObject(1);
    if (content !== null) builder.addFieldOffset(0, content, 0);
    return builder.endObject();
  });

  const float32 = 0;
  const tensor = (name, shape, buffer) => {
    const shapeAt = ints(builder, shape);
    const nameAt = builder.createString(name);
    return table(builder, [
      [0, offset(shapeAt)],
      [1, int8(float32)],
      [2, int32(buffer)],
      [3, offset(nameAt)],
    ]);
  };
  const tensors = [
    tensor('x', [N, 1, L + 2 * p, Cin], 0),
    tensor('w', isDepthwise ? [1, 1, k, Cout] : [Cout, 1, k, Cin / g], 1),
    tensor('b', [Cout], 2),
    tensor('y', [N, 1, Lout, Cout], 0),
  ];

  const strides = [
    [0, int8(paddingValid)],
    [1, int32(s)],
    [2, int32(1)],
  ];
  const noActivation = 0;
  const options = table(
    builder,
    isDepthwise
      ? [...strides, [3, int32(Cout / g)], [4, int8(noActivation)], [5, int32(d)], [6, int32(1)]]
      : [...strides, [3, int8(noActivation)], [4, int32(d)], [5, int32(1)]],
  );
  const operatorInputs = ints(builder, [0, 1, 2]);
  const operatorOutputs = ints(builder, [3]);
  const node = table(builder, [
    [0, int32(0)],
    [1, offset(operatorInputs)],
    [2, offset(operatorOutputs)],
    [3, int8(optionsType)],
    [4, offset(options)],
  ]);

  const graphParts = [offsets(builder, tensors), ints(builder, [0]), ints(builder, [3]), offsets(builder, [node])];
  const graph = table(
    builder,
    graphParts.map((at, field) => [field, offset(at)]),
  );
  const code = table(builder, [
    [0, int8(operator)],
    [2, int32(2)],
    [3, int32(operator)],
  ]);
  const [codes, graphs, bufferList] = [[code], [graph], buffers].map((list) => offsets(builder, list));
  const schemaVersion = 3;
  builder.finish(
    table(builder, [
      [0, int32(schemaVersion)],
      [1, offset(codes)],
      [2, offset(graphs)],
      [4, offset(bufferList)],
    ]),
    'TFL3',
  );
  return builder.asUint8Array();
}
