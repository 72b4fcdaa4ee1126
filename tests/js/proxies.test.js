// Stores that wrap in proxies what is put into them: Vue's leave this library's objects alone, others get a clear error.
import { reactive, readonly, ref, shallowReactive } from '@vue/reactivity';
import { Conv1d, init, Network, Tensor } from 'conv1d-wasm';
import { thrown } from './support.js';

let things;
beforeAll(async () => {
  const runtime = await init({ threads: 1 });
  const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 2, bias: false });
  layer.weight = new Tensor([1, 10], [1, 1, 2]);
  const network = new Network([layer]);
  things = { Runtime: runtime, Conv1d: layer, Network: network, Conv1dStream: layer.stream({ maxChunk: 4 }) };
  things.Tensor = new Tensor([1, 2, 4], [1, 3]);
  new Network(1, (value) => (things.NetworkValue = value).conv(layer));
});

const names = ['Runtime', 'Conv1d', 'Network', 'NetworkValue', 'Conv1dStream', 'Tensor'];

describe.each(names)('%s', (name) => {
  test('goes into the state of Vue as it is', () => {
    const thing = things[name];
    expect(ref(thing).value).toBe(thing);
    expect(reactive(thing)).toBe(thing);
    expect(shallowReactive(thing)).toBe(thing);
    expect(readonly(thing)).toBe(thing);
    expect(reactive({ in: [{ it: thing }] }).in[0].it).toBe(thing);
    expect(ref(new Map([['it', thing]])).value.get('it')).toBe(thing);
  });

  test('says its name', () => {
    expect(Object.prototype.toString.call(things[name])).toBe(`[object ${name}]`);
  });
});

test('Vue wraps what has no name of its own', () => {
  const plain = new (class Plain {})();
  expect(reactive(plain)).not.toBe(plain);
});

test('a layer of Vue state computes', () => {
  const state = reactive({ layer: things.Conv1d, input: things.Tensor, outputs: [] });
  state.outputs.push(state.layer.forward(state.input));
  expect(state.outputs[0].toArray()).toEqual([[21, 42]]);
});

describe('through a proxy of another kind', () => {
  const wrapped = (name) => new Proxy(things[name], {});
  const refusal = (name) => ({
    code: 'ERR_OPTION',
    field: 'this',
    message: `this ${name} is reached through a proxy, which cannot pass on private fields: keep it out of the state that wraps it, with Vue's markRaw() or shallowRef(), Valtio's ref() or the like`,
  });

  test.each([
    ['Conv1d', 'forward', (it) => it.forward(things.Tensor)],
    ['Conv1d', 'outputShape', (it) => it.outputShape([1, 3])],
    ['Conv1d', 'weight', (it) => it.weight],
    ['Conv1d', 'weight =', (it) => (it.weight = new Tensor([1, 2], [1, 1, 2]))],
    ['Conv1d', 'toString', (it) => String(it)],
    ['Conv1d', 'dispose', (it) => it.dispose()],
    ['Network', 'forward', (it) => it.forward(things.Tensor)],
    ['Network', 'stream', (it) => it.stream({ maxChunk: 1 })],
    ['NetworkValue', 'gate', (it) => it.add(it)],
    ['Conv1dStream', 'push', (it) => it.push(things.Tensor)],
    ['Conv1dStream', 'reset', (it) => it.reset()],
    ['Runtime', 'threads', (it) => it.threads],
    ['Runtime', 'dispose', (it) => it.dispose()],
    ['Tensor', 'data', (it) => it.data],
    ['Tensor', 'toWasm', (it) => it.toWasm()],
  ])('%s, %s', (name, _, use) => {
    const error = thrown(() => use(wrapped(name)));
    expect(error).toMatchObject(refusal(name));
    expect(error.got).toBeDefined();
  });

  test.each([
    ['Tensor', 'input', 'ERR_DTYPE', (it) => things.Conv1d.forward(it)],
    ['Tensor', 'out', 'ERR_DTYPE', (out) => things.Conv1d.forward(new Tensor([1, 2, 4, 8], [1, 4]), { out })],
    ['Conv1d', 'layers[0]', 'ERR_OPTION', (it) => new Network([it])],
    [
      'Runtime',
      'runtime',
      'ERR_OPTION',
      (own) => new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1, runtime: own }),
    ],
  ])('%s as %s', (name, field, code, use) => {
    const error = thrown(() => use(wrapped(name)));
    expect(error).toMatchObject({ code, field });
    expect(error.message).toMatch(/^[^ ]+ must be a \w+.*, got a proxy of one: .* with Vue's markRaw\(\)/);
  });

  test('a promise is rejected', async () => {
    for (const name of ['Conv1d', 'Network']) {
      await expect(wrapped(name).forwardAsync(things.Tensor)).rejects.toMatchObject(refusal(name));
    }
  });

  test('nothing was done', () => {
    expect(things.Conv1d.weight.toArray()).toEqual([[[1, 10]]]);
    expect(things.Conv1d.forward(things.Tensor).toArray()).toEqual([[21, 42]]);
    expect(things.Conv1dStream.push(things.Tensor).toArray()).toEqual([[21, 42]]);
  });
});
