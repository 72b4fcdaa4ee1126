import { activations } from '../common/activations';
import { leftOut, list, weightShape, type LayerCode } from './layer-code';
import { activationName, pythonArguments, pythonPadding, remarked, slopeOf } from './python';

export function megengine(layer: LayerCode): string {
  const { config, length, padding: ends, taps, tapCount, repeats, samples } = layer;
  const { inChannels, outChannels, groups, paddingMode, bias, biasValue, dtype, computeMode } = config;
  const isCircular = paddingMode === 'circular' && ends[0] + ends[1] > 0;
  const padding = isCircular
    ? { argument: '0', before: ends, remark: 'MegEngine has no circular padding: the ends are joined by hand' }
    : pythonPadding(layer, []);
  const more = paddingMode !== 'zeros' && padding.argument !== '0' ? [`padding_mode='${paddingMode}'`] : [];
  if (computeMode !== 'default') more.push(`compute_mode='${computeMode}'`);
  const [, inputs = 0, size = 0] = weightShape(config);
  const shape = groups > 1 ? [groups, outChannels / groups, inputs, size] : [outChannels, inputs, size];
  const array = (of: string, to: readonly number[]) => `np.array(${of}, '${dtype}').reshape(${to.join(', ')})`;
  const weight = array(repeats > 1 ? `taps * ${repeats}` : 'taps', shape);
  const lines = [
    'import megengine as mge',
    'import megengine.functional as F',
    'import megengine.module as M',
    'import numpy as np',
    '',
    remarked(
      `layer = M.Conv1d(${pythonArguments(config, padding.argument, more)})`,
      padding.before ? null : padding.remark,
    ),
    taps ? `taps = ${list(taps, '    ')}` : remarked(`taps = [0.0] * ${tapCount}`, leftOut(layer)),
    `layer.weight = mge.Parameter(${weight})`,
  ];
  if (bias) lines.push(`layer.bias = mge.Parameter(np.full((1, ${outChannels}, 1), ${biasValue}, '${dtype}'))`);
  const input = samples ? 'samples' : `np.random.randn(${inChannels * length})`;
  lines.push('');
  if (samples) lines.push(`samples = ${list(samples, '    ')}`);
  lines.push(remarked(`x = mge.tensor(${array(input, [1, inChannels, length])})`, samples ? null : 'your signal here'));
  if (padding.before) lines.push(...padded(padding.before, paddingMode, length, padding.remark));
  const activation = activations[activationName(config)];
  lines.push('y = layer(x)', ...activation.megengine(slopeOf(config)), 'print(y.numpy())');
  return `${lines.join('\n')}\n`;
}

function padded(
  [left, right]: readonly [number, number],
  mode: string,
  length: number,
  remark: string | null,
): string[] {
  if (mode === 'circular') {
    const parts = [
      ...(left > 0 ? [`x[:, :, ${length - left}:]`] : []),
      'x',
      ...(right > 0 ? [`x[:, :, :${right}]`] : []),
    ];
    return [remarked(`x = F.concat([${parts.join(', ')}], axis=2)`, remark)];
  }
  const how = mode === 'zeros' ? '' : `, mode='${mode}'`;
  return [remarked(`x = F.nn.pad(x, ((0, 0), (0, 0), (${left}, ${right}))${how})`, remark)];
}
