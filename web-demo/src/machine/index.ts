import type { Runtime } from 'conv1d-wasm';
import { element, setText } from '../common/controls';
import { copyOnClick } from '../common/copy';
import { builds, bytes, plural } from '../common/format';
import type { Page } from '../page';
import { features, type Feature } from './features';
import html from './machine.html?raw';
import './style.css';

const buildNotes = { relaxed: 'fused multiply-add', simd: 'without relaxed SIMD' } as const;
const memoryInterval = 500;

export function mount(root: HTMLElement, page: Page): void {
  root.innerHTML = html;
  const headers = element('machine-headers-text');
  copyOnClick(
    element('machine-copy'),
    () => headers.textContent ?? '',
    () => {
      getSelection()?.selectAllChildren(headers);
      setText(element('machine-copy-note'), 'The browser does not let this page copy. Ctrl+C copies what is selected.');
    },
  );
  element('machine-features').append(...features.map(row));
  setText(element('machine-processors'), `of ${plural(navigator.hardwareConcurrency, 'processor')}`);
  page.runtime.then(
    (runtime) => {
      showRuntime(runtime);
      showMemory(page, runtime);
    },
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      setText(element('machine-why'), `The library could not be loaded. ${sentence(message)}`);
    },
  );
}

function showRuntime({ variant, threads, threadsReason }: Runtime): void {
  element('machine-build').dataset.variant = variant;
  setText(element('machine-build'), builds[variant]);
  setText(element('machine-build-note'), buildNotes[variant]);
  setText(element('machine-threads'), String(threads));
  setText(element('machine-why'), sentence(threadsReason ?? mostThreads(threads)));
  element('machine-headers').hidden = globalThis.crossOriginIsolated;
}

function mostThreads(threads: number): string {
  const processors = navigator.hardwareConcurrency;
  return threads < processors
    ? `${threads} is the most the library takes by itself`
    : `this machine has ${plural(processors, 'processor')}, and each has its thread`;
}

/** Keeps telling as long as somebody looks. */
function showMemory(page: Page, runtime: Runtime): void {
  const show = () => {
    const { used, total } = runtime.memory;
    setText(element('machine-memory'), bytes(used));
    setText(element('machine-memory-note'), `of ${bytes(total)} taken from the browser`);
  };
  let timer = 0;
  page.onShown('machine', (shown) => {
    clearInterval(timer);
    if (!shown) return;
    show();
    timer = window.setInterval(show, memoryInterval);
  });
}

function row({ name, has, brings }: Feature): HTMLTableRowElement {
  const made = document.createElement('tr');
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = name;
  const here = document.createElement('td');
  here.textContent = '…';
  const text = document.createElement('td');
  text.textContent = brings;
  made.append(head, here, text);
  void Promise.resolve(has()).then((isThere) => {
    here.textContent = isThere ? 'yes' : 'no';
    here.dataset.has = String(isThere);
  });
  return made;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.?$/, '.')}`;
}
