import type { Runtime } from 'conv1d-wasm';
import { element, setText } from './controls';
import { bytes, operations, plural } from './format';
import type { LayerResult } from './layer';

const builds = { relaxed: 'Relaxed SIMD', simd: 'SIMD' } as const;
const buildNotes = { relaxed: 'fused multiply-add', simd: '128-bit vectors' } as const;

function fill(id: string, value: string, note: string): void {
  setText(element(id), value);
  setText(element(`${id}-note`), note);
}

function pill(state: 'loading' | 'ready' | 'failed', text: string): void {
  element('pill').dataset.state = state;
  setText(element('pill'), text);
}

/** What runs on this machine, and what it takes. */
export class MachinePanel {
  showRuntime(runtime: Runtime): void {
    const { variant, threads, threadsReason } = runtime;
    const isolated = globalThis.crossOriginIsolated;
    fill('build', builds[variant], buildNotes[variant]);
    fill('threads', String(threads), isolated ? 'isolated page' : 'not isolated');
    pill('ready', `${builds[variant]}, ${plural(threads, 'thread')}`);
    const why = threadsReason ?? mostThreads(threads);
    setText(
      element('machine'),
      `The ${variant} build runs here on ${plural(threads, 'thread')}. Why not more: ${why.replace(/\.?$/, '.')}`,
    );
  }

  showFailure(message: string): void {
    pill('failed', 'Not loaded');
    setText(element('machine'), `The library could not be loaded: ${message.replace(/\.?$/, '.')}`);
  }

  showRun(runtime: Runtime, { milliseconds, calls, explanation }: LayerResult): void {
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
}

function mostThreads(threads: number): string {
  const processors = navigator.hardwareConcurrency;
  return threads < processors
    ? `${threads} is the most the library takes by itself`
    : `this machine has ${plural(processors, 'processor')}`;
}
