import type { Callout } from '../common/controls';
import type { Problem } from './layer';

// Where a problem is shown when its field is not one that the page has.
const standIns: Record<string, string> = { padding: 'padLeft', input: 'length' };

/**
 * Which field shows a problem: the one edited last if the problem's words name it or it is about the whole input, else
 * the one at fault.
 */
export function fieldFor(problem: Problem, edited: string, callouts: readonly Callout[]): string {
  const exists = (field: string) => callouts.some((callout) => callout.has(field));
  if (exists(edited) && (problem.field === 'input' || new RegExp(`\\b${edited}\\b`).test(problem.detail)))
    return edited;
  if (problem.field === 'padding' && /^pad(Left|Right)$/.test(edited)) return edited;
  if (problem.field === 'activation') return 'slope';
  const field = standIns[problem.field] ?? problem.field;
  return exists(field) ? field : 'length';
}
