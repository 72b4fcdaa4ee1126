import { activations } from '../common/activations';
import { leftOut, list, weightShape, type LayerCode } from './layer-code';
import { activationName, pythonArguments, pythonPadding, remarked, slopeOf } from './python';

const padModes = { zeros: 'constant', reflect: 'reflect', replicate: 'replicate', circular: 'circular' } as const;

export function pytorch(layer: LayerCode): string {
  const { config, length, taps, tapCount, repeats, samples } = layer;
  const { inChannels, paddingMode, bias, biasValue } = config;
  const padding = pythonPadding(layer, ['same']);
  const isHalf = config.dtype === 'float16';
  const more = paddingMode !== 'zeros' && !padding.before ? [`padding_mode='${paddingMode}'`] : [];
  const made = `layer = nn.Conv1d(${pythonArguments(config, padding.argument, more)})`;
  const shape = weightShape(config);
  const weight =
    repeats > 1 ? `torch.tensor(taps).expand(${shape.join(', ')})` : `torch.tensor(taps).reshape(${shape.join(', ')})`;
  const lines = [
    'import torch',
    'from torch import nn',
    'from torch.nn import functional as F',
    '',
    remarked(made, padding.before ? null : padding.remark),
    taps ? `taps = ${list(taps, '    ')}` : remarked(`taps = [0.0] * ${tapCount}`, leftOut(layer)),
    'with torch.no_grad():',
    `    layer.weight.copy_(${weight})`,
  ];
  if (bias) lines.push(`    layer.bias.fill_(${biasValue})`);
  if (isHalf) lines.push('layer = layer.half()  # sums as your device forms them; not every CPU build has it');

  const size = `1, ${inChannels}, ${length}`;
  const input = samples ? `torch.tensor(samples, dtype=torch.float32).reshape(${size})` : `torch.randn(${size})`;
  lines.push('');
  if (samples) lines.push(`samples = ${list(samples, '    ')}`);
  lines.push(
    remarked(`x = ${input}${isHalf ? '.half()' : ''}`, samples ? null : 'your signal here'),
    'with torch.no_grad():',
  );
  if (padding.before) {
    const mode = paddingMode === 'zeros' ? '' : `, mode='${padModes[paddingMode]}'`;
    lines.push(remarked(`    x = F.pad(x, (${padding.before.join(', ')})${mode})`, padding.remark));
  }
  const activation = activations[activationName(config)];
  lines.push(`    y = ${activation.pytorch('layer(x)', slopeOf(config))}`, 'print(y)');
  return `${lines.join('\n')}\n`;
}
