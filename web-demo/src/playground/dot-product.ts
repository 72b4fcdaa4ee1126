import { short } from '../common/format';

/** One product of an output's sum. */
export interface Term {
  /** Which tap of which input channel. */
  k: number;
  c: number;
  /** Where it reads, in samples of the input; outside of it there is padding. */
  index: number;
  weight: number;
  sample: number;
  isPadding: boolean;
}

export interface Sum {
  t: number;
  /** The output channel. */
  o: number;
  terms: readonly Term[];
  bias: number | null;
  activation: string;
  /** What the library computed. */
  result: number;
}

const mostShown = 120;

/** Writes how one output is made. */
export function showDotProduct(host: HTMLElement, sum: Sum | null, hint: string): void {
  if (!sum) {
    host.replaceChildren(part('span', 'hint', hint));
    return;
  }
  const { t, o, terms, bias, activation, result } = sum;
  const hasChannels = terms.some(({ c }) => c > 0);
  const parts: Node[] = [
    part('b', 'y', `y${hasChannels || o > 0 ? `${o + 1}` : ''}[${t}]`),
    operator('='),
    part('b', 'y', short(result)),
    operator('='),
  ];
  if (activation !== 'none') parts.push(operator(`${activation}(`));
  terms.slice(0, mostShown).forEach((term, i) => {
    if (i > 0) parts.push(operator('+'));
    parts.push(product(term));
  });
  if (terms.length > mostShown) parts.push(operator(`+ … ${terms.length - mostShown} more`));
  if (bias !== null) parts.push(operator('+'), part('b', 'bias', short(bias)));
  if (activation !== 'none') parts.push(operator(')'));
  host.replaceChildren(...parts);
}

function product({ k, c, index, weight, sample, isPadding }: Term): HTMLElement {
  const whole = part('span', 'product', '');
  whole.title = `w[${k}] · x${c > 0 ? c + 1 : ''}[${index}]${isPadding ? ', padding' : ''}`;
  whole.append(part('b', 'w', bracketed(weight)), '·', part('b', isPadding ? 'x padding' : 'x', bracketed(sample)));
  return whole;
}

const bracketed = (value: number) => (value < 0 ? `(${short(value)})` : short(value));
const operator = (text: string) => part('span', 'op', text);

function part(tag: 'span' | 'b', className: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
