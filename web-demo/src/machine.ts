import type { Runtime } from 'conv1d-wasm';
import { element, setText } from './controls';
import { bytes, count, plural, short } from './format';
import { clockStep, type LayerResult } from './layer';

const builds = { relaxed: 'Relaxed SIMD', simd: 'SIMD' } as const;
const buildNotes = { relaxed: 'multiply-add in one', simd: '128-bit vectors' } as const;

function fill(id: string, value: string, note: string): void {
  setText(element(id), value);
  setText(element(`${id}-note`), note);
}

function pill(state: 'loading' | 'ready' | 'failed', text: string): void {
  element('pill').dataset['state'] = state;
  setText(element('pill'), text);
}

/** What runs on this machine, and what it takes. */
export class MachinePanel {
  #clockStep = 0;

  showRuntime(runtime: Runtime): void {
    const { variant, threads, threadsReason } = runtime;
    this.#clockStep = clockStep();
    const isolated = globalThis.crossOriginIsolated;
    fill('build', builds[variant], buildNotes[variant]);
    fill('threads', String(threads), isolated ? 'isolated page' : 'page not isolated');
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

  showRun(runtime: Runtime, { milliseconds, explanation }: LayerResult): void {
    const { used, total } = runtime.memory;
    const { algorithm, kernel, flops, scratchBytes, threads } = explanation;
    const measurable = milliseconds >= this.#clockStep && milliseconds > 0;
    const rate = flops / milliseconds / 1e6;
    fill(
      'time',
      measurable
        ? `${short(Number(milliseconds.toPrecision(2)))} ms`
        : `< ${short(Number(this.#clockStep.toPrecision(1)))} ms`,
      measurable && milliseconds >= 4 * this.#clockStep
        ? `${rate.toPrecision(2)} GFLOP/s, copies included`
        : `${count(flops)} operations`,
    );
    fill('memory', bytes(used), `of ${bytes(total)}`);
    fill(
      'explain',
      `${algorithm}, ${kernel}`,
      `${plural(flops, 'operation')}, ${bytes(scratchBytes)} of scratch, ${plural(threads, 'thread')}`,
    );
  }
}

function mostThreads(threads: number): string {
  const processors = navigator.hardwareConcurrency;
  return threads < processors
    ? `${threads} is the most the library takes by itself`
    : `this machine has ${plural(processors, 'processor')}`;
}
