import type { Runtime } from 'conv1d-wasm';
import { element, setText } from '../common/controls';
import { builds, plural } from '../common/format';
import type { Page } from '../page';
import html from './machine.html?raw';

export async function mount(root: HTMLElement, page: Page): Promise<void> {
  root.innerHTML = html;
  try {
    showRuntime(await page.runtime);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    setText(element('machine-why'), `The library could not be loaded. ${sentence(message)}`);
  }
}

function showRuntime({ variant, threads, threadsReason }: Runtime): void {
  element('machine-build').dataset.variant = variant;
  setText(element('machine-build'), builds[variant]);
  setText(element('machine-threads'), String(threads));
  setText(element('machine-why'), sentence(threadsReason ?? mostThreads(threads)));
}

function mostThreads(threads: number): string {
  const processors = navigator.hardwareConcurrency;
  return threads < processors
    ? `${threads} is the most the library takes by itself`
    : `this machine has ${plural(processors, 'processor')}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.?$/, '.')}`;
}
