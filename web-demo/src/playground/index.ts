import type { Page } from '../page';
import html from './playground.html?raw';
import { Playground } from './playground';
import './style.css';

export function mount(root: HTMLElement, page: Page): void {
  root.innerHTML = html;
  const playground = new Playground(page);
  page.runtime.then(
    (runtime) => playground.start(runtime),
    (error: unknown) => playground.fail(error instanceof Error ? error.message : String(error)),
  );
}
