import type { ActivationName } from 'conv1d-wasm';

/** An activation as other libraries write it, with its default parameters unless `slope` is one. */
interface Activation {
  /** Of an expression. */
  pytorch: (y: string, slope: number) => string;
  /** What follows `y = layer(x)`. */
  megengine: (slope: number) => readonly string[];
}

/** Every activation of the library: TypeScript misses one that is not here. */
export const activations: Record<ActivationName, Activation> = {
  none: { pytorch: (y) => y, megengine: () => [] },
  relu: { pytorch: (y) => `F.relu(${y})`, megengine: () => ['y = F.relu(y)'] },
  leaky_relu: {
    pytorch: (y, slope) => `F.leaky_relu(${y}, ${slope})`,
    megengine: (slope) => [`y = F.leaky_relu(y, ${slope})`],
  },
  gelu: { pytorch: (y) => `F.gelu(${y})`, megengine: () => ['y = F.gelu(y)'] },
  gelu_tanh: {
    pytorch: (y) => `F.gelu(${y}, approximate='tanh')`,
    megengine: () => [
      '# MegEngine has no tanh form of GELU',
      'y = 0.5 * y * (1 + F.tanh(0.7978845608 * (y + 0.044715 * y**3)))',
    ],
  },
  silu: { pytorch: (y) => `F.silu(${y})`, megengine: () => ['y = F.silu(y)'] },
  tanh: { pytorch: (y) => `torch.tanh(${y})`, megengine: () => ['y = F.tanh(y)'] },
  sigmoid: { pytorch: (y) => `torch.sigmoid(${y})`, megengine: () => ['y = F.sigmoid(y)'] },
  relu6: { pytorch: (y) => `F.relu6(${y})`, megengine: () => ['y = F.relu6(y)'] },
  elu: { pytorch: (y) => `F.elu(${y})`, megengine: () => ['y = F.where(y > 0, y, F.exp(F.minimum(y, 0)) - 1)'] },
  selu: {
    pytorch: (y) => `F.selu(${y})`,
    megengine: () => ['y = 1.0507009874 * F.where(y > 0, y, 1.6732632423 * (F.exp(F.minimum(y, 0)) - 1))'],
  },
  prelu: {
    pytorch: (y) => `F.prelu(${y}, torch.tensor([0.25]))`,
    megengine: () => ["y = F.prelu(y, mge.tensor([0.25], 'float32'))"],
  },
  softplus: { pytorch: (y) => `F.softplus(${y})`, megengine: () => ['y = F.softplus(y)'] },
  softsign: { pytorch: (y) => `F.softsign(${y})`, megengine: () => ['y = y / (1 + F.abs(y))'] },
  mish: { pytorch: (y) => `F.mish(${y})`, megengine: () => ['y = y * F.tanh(F.softplus(y))'] },
  hardtanh: { pytorch: (y) => `F.hardtanh(${y})`, megengine: () => ['y = F.clip(y, -1, 1)'] },
  hardsigmoid: { pytorch: (y) => `F.hardsigmoid(${y})`, megengine: () => ['y = F.hsigmoid(y)'] },
  hardswish: { pytorch: (y) => `F.hardswish(${y})`, megengine: () => ['y = F.hswish(y)'] },
  snake: {
    pytorch: (y) => `(lambda z: z + torch.sin(z) ** 2)(${y})`,
    megengine: () => ['y = y + F.sin(y) ** 2'],
  },
};

export const activationNames = Object.keys(activations) as ActivationName[];
