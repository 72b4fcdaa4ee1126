import { Conv1dError, copyOf, proxyRemedy } from './common/errors.js';
import { Conv1d } from './layer/conv1d.js';
import { Tensor } from './layer/tensor.js';
import { Convolution } from './layer/convolution.js';
import { ConvTranspose1d } from './layer/conv-transpose1d.js';
import { Linear } from './layer/linear.js';
import { Gru, Lstm, Recurrent } from './layer/recurrent.js';
import { Network } from './network/network.js';
import { BatchNorm1d, ChannelLayer, GroupNorm, InstanceNorm1d, LayerNorm } from './network/norm.js';
import { NetworkValue } from './network/value.js';
import { Conv1dStream } from './network/stream.js';
import { LoadedRuntime } from './runtime/runtime.js';

const classes = {
  ...{ Convolution, Conv1d, ConvTranspose1d, Linear, Recurrent, Lstm, Gru },
  ...{ ChannelLayer, BatchNorm1d, LayerNorm, GroupNorm, InstanceNorm1d },
  ...{ Conv1dStream, Network, NetworkValue, Runtime: LoadedRuntime, Tensor },
};

type Method = (this: object, ...args: unknown[]) => unknown;

function proxyError(got: object): Conv1dError {
  const name = Object.prototype.toString.call(got).slice('[object '.length, -1);
  const text = `this ${name} is reached through a proxy, which cannot pass on private fields: ${proxyRemedy}`;
  return new Conv1dError('ERR_OPTION', 'this', text, got);
}

const guarded = (name: keyof typeof classes, method: Method): Method =>
  function (...args) {
    const explain = (error: unknown) => (classes[name].owns(this) ? error : proxyError(this));
    try {
      const result = method.apply(this, args);
      if (!(result instanceof Promise)) return result;
      return result.catch((error: unknown) => {
        throw explain(error);
      });
    } catch (error) {
      throw explain(error);
    }
  };

/**
 * For stores that wrap in proxies what is put into them. Those that ask Object.prototype.toString what a thing is, as Vue's
 * do, leave alone what has a name of its own: the classes get theirs. What is wrapped all the same throws a Conv1dError
 * instead of the engine's TypeError. Objects of another copy of the package are told apart, too. Called once by each entry of the package for pages and programs.
 */
export function guardAgainstProxies(): void {
  for (const name of Object.keys(classes) as (keyof typeof classes)[]) {
    const { prototype } = classes[name];
    for (const [key, member] of Object.entries(Object.getOwnPropertyDescriptors<object>(prototype))) {
      if (key === 'constructor') continue;
      for (const part of ['value', 'get', 'set'] as const) {
        const method: unknown = Reflect.get(member, part);
        if (typeof method === 'function') member[part] = guarded(name, method as Method);
      }
      Object.defineProperty(prototype, key, member);
    }
    Object.defineProperties(prototype, { [Symbol.toStringTag]: { value: name }, [copyOf]: { value: Conv1dError } });
  }
}
