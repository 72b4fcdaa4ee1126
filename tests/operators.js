// Networks of the operators' fixture cases. Plain ECMAScript: Jest and the browser pages both use it.

/** @typedef {import('./cases.js').OperatorCase} OperatorCase */

const norms = ['layerNorm', 'groupNorm', 'instanceNorm'];

/** A norm as a layer, whose parameters can be trained. */
function makeNorm(library, operator, values, channels, tensors) {
  const groups = operator === 'groupNorm' ? values[0] : undefined;
  const { eps } = values[operator === 'groupNorm' ? 1 : 0] ?? {};
  const given = { ...(eps === undefined ? {} : { eps }), affine: true };
  const made = {
    layerNorm: () => new library.LayerNorm({ channels, ...given }),
    groupNorm: () => new library.GroupNorm({ numGroups: groups, numChannels: channels, ...given }),
    instanceNorm: () => new library.InstanceNorm1d({ numFeatures: channels, ...given }),
  }[operator]();
  made.loadStateDict(tensors, { strict: false });
  return made;
}

/** The inputs of a case as one: their channels one after the other in each image. */
function joinChannels({ inputs }) {
  const [{ shape, data }] = inputs;
  const [batch, length] = [shape.length === 3 ? shape[0] : 1, shape.at(-1)];
  const channels = inputs.map((input) => input.shape.at(-2));
  const all = channels.reduce((sum, count) => sum + count);
  const joined = new data.constructor(batch * all * length);
  let at = 0;
  for (let image = 0; image < batch; ++image) {
    for (const [i, { data: from }] of inputs.entries()) {
      const size = channels[i] * length;
      joined.set(from.subarray(image * size, (image + 1) * size), at);
      at += size;
    }
  }
  return { channels, shape: [...shape.slice(0, -2), all, length], data: joined };
}

/** The layer that a case's arguments describe, with the case's parameters. */
function makeLayer(library, { layer, options }, tensors, { dtype, runtime, algorithm }) {
  const more = layer === 'Lstm' || layer === 'Gru' ? {} : { dtype };
  const made = new library[layer]({ ...options, ...more, ...(algorithm ? { algorithm } : {}), runtime });
  made.loadStateDict(tensors);
  return made;
}

/**
 * What a case makes.
 *
 * @param {object} library  conv1d-wasm
 * @param {OperatorCase} testCase
 * @param {{ runtime: object, algorithm?: string, trained?: boolean }} options  `algorithm` is the layer's; with `trained`
 *   norms are layers too, and the layer has the name 'layer'
 * @returns {{ network: object, input: object, dispose: () => void }}
 */
export function makeOperatorCase(library, testCase, { runtime, algorithm, trained = false }) {
  const { operator, part, dtype, parameters } = testCase;
  const { channels, shape, data } = joinChannels(testCase);
  const entries = Object.entries(parameters);
  const tensors = Object.fromEntries(
    entries.map(([name, { data, shape }]) => [name, new library.Tensor(data, shape, dtype)]),
  );
  let layer = null;
  const layers = {};
  const network = new library.Network(
    shape.at(-2),
    (x) => {
      const inputs = channels.length === 1 ? [x] : x.split(channels);
      const values = testCase.arguments.map((value) => {
        if (value?.input !== undefined) return inputs[value.input];
        return value?.layer ? (layer = makeLayer(library, value, tensors, { dtype, runtime, algorithm })) : value;
      });
      if (norms.includes(operator) && trained) {
        layers.layer = makeNorm(library, operator, values, shape.at(-2), tensors);
        return inputs[0].apply(layers.layer);
      }
      if (norms.includes(operator)) values[operator === 'groupNorm' ? 1 : 0] = { ...values.at(-1), ...tensors };
      if (layer && trained) layers.layer = layer;
      const output = inputs[0][operator](...values);
      return part === undefined ? output : output[part];
    },
    { runtime, dtype, layers },
  );
  return {
    network,
    input: new library.Tensor(data, shape, dtype),
    dispose() {
      network.dispose();
      layer?.dispose();
    },
  };
}

/** Whether a case's operator needs the whole signal, so that no stream can have it. */
export function needsWholeSignal({ operator, arguments: [first] }) {
  return operator === 'groupNorm' || operator === 'instanceNorm' || first?.options?.bidirectional === true;
}
