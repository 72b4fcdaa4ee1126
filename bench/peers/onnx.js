// ONNX models, as many of their protobuf messages as it takes.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

// Number and type of each field, as https://github.com/onnx/onnx/blob/main/onnx/onnx.proto has them.
const messages = {
  ModelProto: { ir_version: [1, 'int64'], graph: [7, 'GraphProto'], opset_import: [8, 'OperatorSetIdProto'] },
  OperatorSetIdProto: { domain: [1, 'string'], version: [2, 'int64'] },
  GraphProto: {
    node: [1, 'NodeProto'],
    name: [2, 'string'],
    initializer: [5, 'TensorProto'],
    input: [11, 'ValueInfoProto'],
    output: [12, 'ValueInfoProto'],
  },
  NodeProto: { input: [1, 'string'], output: [2, 'string'], op_type: [4, 'string'], attribute: [5, 'AttributeProto'] },
  AttributeProto: {
    name: [1, 'string'],
    f: [2, 'float'],
    i: [3, 'int64'],
    s: [4, 'string'],
    ints: [8, 'int64'],
    type: [20, 'int32'],
  },
  TensorProto: { dims: [1, 'int64'], data_type: [2, 'int32'], name: [8, 'string'], raw_data: [9, 'bytes'] },
  ValueInfoProto: { name: [1, 'string'], type: [2, 'TypeProto'] },
  TypeProto: { tensor_type: [1, 'TensorTypeProto'] },
  TensorTypeProto: { elem_type: [1, 'int32'], shape: [2, 'TensorShapeProto'] },
  TensorShapeProto: { dim: [1, 'DimensionProto'] },
  DimensionProto: { dim_value: [1, 'int64'] },
};

const wireTypes = {
  int32: WireType.Varint,
  int64: WireType.Varint,
  float: WireType.Bit32,
  string: WireType.LengthDelimited,
  bytes: WireType.LengthDelimited,
};

/** Writes `message`, an object with the fields of `type`; of a repeated one, an array. */
function write(writer, type, message) {
  for (const [name, values] of Object.entries(message)) {
    const [number, kind] = messages[type][name];
    for (const value of Array.isArray(values) ? values : [values]) {
      writer.tag(number, wireTypes[kind] ?? WireType.LengthDelimited);
      if (kind in messages) write(writer.fork(), kind, value).join();
      else writer[kind](value);
    }
  }
  return writer;
}

const elementTypes = { float32: 1, int64: 7 }; // TensorProto.DataType

const valueInfo = ({ name, shape }) => ({
  name,
  type: {
    tensor_type: {
      elem_type: elementTypes.float32,
      ...(shape && { shape: { dim: shape.map((extent) => ({ dim_value: extent })) } }),
    },
  },
});

/** A whole number is an int, another one a float: what must be a float says so by `{ f }`. */
function attribute([name, value]) {
  const types = { f: 1, i: 2, s: 3, ints: 7 }; // AttributeProto.AttributeType
  const kind = Array.isArray(value) ? 'ints' : { string: 's', number: 'i' }[typeof value];
  const content = kind ? { [kind]: value } : value;
  return { name, ...content, type: types[Object.keys(content)[0]] };
}

/** A model that is put together node by node. Values are names. */
export class OnnxModel {
  #graph = { node: [], name: 'network', initializer: [], input: [], output: [] };
  #values = 0;

  input(name, shape) {
    this.#graph.input.push(valueInfo({ name, shape }));
    return name;
  }

  /** `shape` may be left to be inferred. */
  output(name, shape) {
    this.#graph.output.push(valueInfo({ name, shape }));
  }

  /** @param {Float32Array | BigInt64Array} data */
  constant(data, shape) {
    const name = `constant${this.#graph.initializer.length}`;
    this.#graph.initializer.push({
      dims: shape,
      data_type: data instanceof BigInt64Array ? elementTypes.int64 : elementTypes.float32,
      name,
      raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    });
    return name;
  }

  /** The output of an operator, or those that `outputs` names. Inputs that are left out are ''. */
  node(operator, inputs, attributes = {}, outputs = [`value${this.#values++}`]) {
    this.#graph.node.push({
      input: inputs,
      output: outputs,
      op_type: operator,
      attribute: Object.entries(attributes).map(attribute),
    });
    return outputs[0];
  }

  bytes() {
    const model = { ir_version: 8, graph: this.#graph, opset_import: { domain: '', version: 13 } };
    return write(new BinaryWriter(), 'ModelProto', model).finish();
  }
}

/** The bytes of a model x (N, Cin, L) -> y (N, Cout, Lout). */
export function onnxConv({ N, Cin, Cout, k, s, p, d, g, L, Lout }, { weight, bias }) {
  const model = new OnnxModel();
  const inputs = [model.input('x', [N, Cin, L]), model.constant(weight, [Cout, Cin / g, k]), model.constant(bias, [Cout])]; // prettier-ignore
  const attributes = { kernel_shape: [k], strides: [s], pads: [p, p], dilations: [d], group: g };
  model.output(model.node('Conv', inputs, attributes, ['y']), [N, Cout, Lout]);
  return model.bytes();
}
