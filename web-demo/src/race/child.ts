// Workers that the page starts on behalf of a lane's worker. Firefox (153) hangs now and then when a worker starts another, and
// every library here that has threads would start them from its lane.
import type { FromChild, ToChild } from './messages';

/** The addresses of all that were started. */
export const childUrls = new Set<string>();

const ask = (message: ToChild) => postMessage(message);
let count = 0;

/** As Worker, as far as libraries use it for their threads. */
class ChildWorker extends EventTarget {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  readonly #child = count++;

  constructor(url: string | URL, options: WorkerOptions = {}) {
    super();
    const { href } = new URL(url, location.href);
    childUrls.add(href);
    ask({ child: this.#child, start: { href, options } });
    this.addEventListener('message', (event) => this.onmessage?.(event as MessageEvent));
    this.addEventListener('error', (event) => this.onerror?.(event as ErrorEvent));
    addEventListener('message', ({ data }: MessageEvent<FromChild>) => {
      if (data.child !== this.#child) return;
      this.dispatchEvent('error' in data ? new ErrorEvent('error', data.error) : new MessageEvent('message', data));
    });
  }

  postMessage(data: unknown): void {
    ask({ child: this.#child, data });
  }

  terminate(): void {
    ask({ child: this.#child, end: true });
  }
}

/** From now on what this worker starts is started by the page. */
export function startChildrenFromPage(): void {
  Object.assign(globalThis, { Worker: ChildWorker });
}
