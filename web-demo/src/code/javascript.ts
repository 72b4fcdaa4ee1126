import type { LayerConfig } from '../playground/layer';
import { leftOut, list, weightShape, type LayerCode } from './layer-code';

const standard: Partial<LayerConfig> = {
  stride: 1,
  dilation: 1,
  padding: 0,
  groups: 1,
  bias: true,
  paddingMode: 'zeros',
  activation: 'none',
  dtype: 'float32',
  computeMode: 'default',
  algorithm: 'auto',
  convMode: 'cross_correlation',
};

export function javascript(layer: LayerCode): string {
  const { config, length, taps, tapCount, repeats, samples } = layer;
  const { biasValue, ...options } = config;
  const given = Object.entries(options).filter(([name, value]) => value !== standard[name as keyof LayerConfig]);
  const dtype = config.dtype === 'float16' ? ", 'float16'" : '';
  const weight = repeats > 1 ? `Array(${repeats}).fill(taps).flat()` : 'taps';
  const lines = [
    "import { init, Conv1d, Tensor } from 'conv1d-wasm';",
    '',
    'await init();',
    'const layer = new Conv1d({',
    ...given.map(([name, value]) => `  ${name}: ${literal(value)},`),
    '});',
    taps ? `const taps = ${list(taps, '  ')};` : `const taps = Array(${tapCount}).fill(0); // ${leftOut(layer)}`,
    `layer.weight = new Tensor(${weight}, [${weightShape(config).join(', ')}]${dtype});`,
  ];
  if (config.bias && biasValue !== 0) {
    const values = Array<number>(config.outChannels).fill(biasValue);
    lines.push(`layer.bias = new Tensor([${values.join(', ')}], [${values.length}]${dtype});`);
  }
  const size = config.inChannels * length;
  lines.push(
    '',
    samples
      ? `const samples = ${list(samples, '  ')};`
      : `const samples = Array.from({ length: ${size} }, (_, i) => Math.sin(i / 10)); // your signal here`,
    `const output = layer.forward(new Tensor(samples, [${config.inChannels}, ${length}]${dtype}));`,
    'console.log(output.toArray());',
  );
  return `${lines.join('\n')}\n`;
}

function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.join(', ')}]`;
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value !== 'object' || value === null) return String(value);
  const pairs = Object.entries(value).map(([name, part]) => `${name}: ${literal(part)}`);
  return `{ ${pairs.join(', ')} }`;
}
