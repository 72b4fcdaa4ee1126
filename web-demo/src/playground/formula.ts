import { element, setText } from '../common/controls';
import type { LayerConfig } from './layer';

/** Fills the numbers of one result into the formula for the output length. */
export function showFormula(
  { dilation, kernelSize, stride }: LayerConfig,
  length: number,
  [padLeft, padRight]: readonly [number, number],
  outLength: number,
): void {
  const terms = { length, padLeft, padRight, dilation, kernelSize, stride, outLength };
  const formula = element('formula');
  for (const [term, value] of Object.entries(terms)) {
    const target = formula.querySelector<HTMLElement>(`[data-term=${term}]`);
    if (target) setText(target, String(value));
  }
  formula.setAttribute(
    'aria-label',
    `Output length ${outLength} = floor((length ${length} + left padding ${padLeft} + right padding ${padRight} ` +
      `- dilation ${dilation} * (kernel size ${kernelSize} - 1) - 1) / stride ${stride}) + 1`,
  );
}
