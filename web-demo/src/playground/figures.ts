import type { Runtime } from 'conv1d-wasm';
import { element, setText } from '../common/controls';
import { builds, bytes, operations, plural } from '../common/format';
import type { LayerResult } from './layer';

const buildNotes = { relaxed: 'fused multiply-add', simd: '128-bit vectors' } as const;

function fill(id: string, value: string, note: string): void {
  setText(element(id), value);
  setText(element(`${id}-note`), note);
}

export function showBuild({ variant, threads }: Runtime): void {
  fill('build', builds[variant], buildNotes[variant]);
  fill('threads', String(threads), globalThis.crossOriginIsolated ? 'isolated page' : 'not isolated');
}

/** What the last `forward` took. */
export function showRun(runtime: Runtime, { milliseconds, calls, explanation }: LayerResult): void {
  const { used, total } = runtime.memory;
  const { algorithm, kernel, flops, scratchBytes, threads } = explanation;
  const isMeasured = milliseconds > 0;
  fill(
    'time',
    isMeasured ? `${milliseconds.toPrecision(2)} ms` : 'too short to tell',
    isMeasured ? `${operations(flops / milliseconds / 1e-3)}/s` : '',
  );
  element('time').title = `The mean of ${plural(calls, 'call')}, each with its copies in and out`;
  fill('memory', bytes(used), `of ${bytes(total)}`);
  fill(
    'explain',
    `${algorithm}, ${kernel}`,
    `${operations(flops)}, ${bytes(scratchBytes)} scratch, ${plural(threads, 'thread')}`,
  );
}
