import type { Runtime } from 'conv1d-wasm';
import { element, setText } from '../common/controls';
import { bytes, operations, plural } from '../common/format';
import type { LayerResult } from './layer';

function fill(id: string, value: string, note: string): void {
  setText(element(id), value);
  setText(element(`${id}-note`), note);
}

/** How each of explain()'s numbers is written; what it tells besides is shown as it is. */
const figures: Record<string, (value: number) => string> = {
  flops: operations,
  bytes: (value) => `${bytes(value)} moved`,
  scratchBytes: (value) => `${bytes(value)} scratch`,
  threads: (value) => plural(value, 'thread'),
};

function show(name: string, value: unknown): string {
  const figure = figures[name];
  return figure && typeof value === 'number' ? figure(value) : `${name} ${String(value)}`;
}

/** What the last `forward` took. */
export function showRun(runtime: Runtime, { milliseconds, calls, explanation }: LayerResult): void {
  const { used, total } = runtime.memory;
  const { algorithm, kernel, ...others } = explanation;
  const isMeasured = milliseconds > 0;
  fill(
    'time',
    isMeasured ? `${milliseconds.toPrecision(2)} ms` : 'too short to tell',
    isMeasured ? `${operations(explanation.flops / milliseconds / 1e-3)}/s` : '',
  );
  element('time').title = `The mean of ${plural(calls, 'call')}, each with its copies in and out`;
  fill('memory', bytes(used), `of ${bytes(total)}`);
  const notes = Object.entries(others).map(([name, value]) => show(name, value));
  fill('explain', `${algorithm}, ${kernel}`, notes.join(', '));
}
