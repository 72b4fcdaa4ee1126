// An ONNX model of one Conv: the few protobuf messages that it takes, written by hand.

const wireVarint = 0;
const wireBytes = 2;
const text = new TextEncoder();

function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}

const number = (field, value) => Uint8Array.from([...varint(field * 8 + wireVarint), ...varint(value)]);

/** A string, bytes, or a message given by its fields. */
function part(field, content) {
  const body = typeof content === 'string' ? text.encode(content) : Array.isArray(content) ? concat(content) : content;
  return concat([Uint8Array.from([...varint(field * 8 + wireBytes), ...varint(body.length)]), body]);
}

function concat(pieces) {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

const float = 1; // TensorProto.DataType.FLOAT
const attributeInt = 2;
const attributeInts = 7;

const intAttribute = (name, value) => part(5, [part(1, name), number(3, value), number(20, attributeInt)]);
const intsAttribute = (name, values) =>
  part(5, [part(1, name), ...values.map((value) => number(8, value)), number(20, attributeInts)]);

const initializer = (name, dims, data) =>
  part(5, [
    ...dims.map((dim) => number(1, dim)),
    number(2, float),
    part(8, name),
    part(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ]);

function valueInfo(field, name, dims) {
  const shape = dims.map((dim) => part(1, [number(1, dim)]));
  return part(field, [part(1, name), part(2, [part(1, [number(1, float), part(2, shape)])])]);
}

/** The bytes of a model x (N, Cin, L) -> y (N, Cout, Lout). */
export function onnxConv({ N, Cin, Cout, k, s, p, d, g, L, Lout }, { weight, bias }) {
  const node = part(1, [
    ...['x', 'w', 'b'].map((name) => part(1, name)),
    part(2, 'y'),
    part(4, 'Conv'),
    intsAttribute('kernel_shape', [k]),
    intsAttribute('strides', [s]),
    intsAttribute('pads', [p, p]),
    intsAttribute('dilations', [d]),
    intAttribute('group', g),
  ]);
  const graph = part(7, [
    node,
    part(2, 'conv'),
    initializer('w', [Cout, Cin / g, k], weight),
    initializer('b', [Cout], bias),
    valueInfo(11, 'x', [N, Cin, L]),
    valueInfo(12, 'y', [N, Cout, Lout]),
  ]);
  const irVersion = 8;
  const opset = 13;
  return concat([number(1, irVersion), graph, part(8, [part(1, ''), number(2, opset)])]);
}
