import laneUrl from './lane.worker?worker&url';
import type { Answer, FromChild, LaneCalls, LaneKey, ToChild } from './messages';

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** The page's side of a lane's worker. */
export class Lane {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #children = new Map<number, Worker>();
  #gone: Error | null = null;
  #calls = 0;

  constructor(readonly key: LaneKey) {
    // WebKit refuses every second worker of the same address when a service worker answers.
    const url = `${laneUrl}?${Date.now()}-${key}`;
    this.#worker = new Worker(url, { type: 'module', name: `race-${key}` });
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Answer | ToChild>) => {
      if ('child' in data) this.#manage(data);
      else this.#settle(data);
    });
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.end(new Error(`its worker failed: ${event.message || 'its script did not load'}`));
    });
  }

  call<Name extends keyof LaneCalls>(method: Name, ...args: Parameters<LaneCalls[Name]>): ReturnType<LaneCalls[Name]> {
    const answer = new Promise((resolve, reject) => {
      if (this.#gone) throw this.#gone;
      const id = this.#calls++;
      this.#pending.set(id, { resolve, reject });
      const moved = args.flatMap((arg: unknown) => (arg instanceof Float32Array ? arg.buffer : []));
      this.#worker.postMessage({ id, method, args }, moved);
    });
    return answer as ReturnType<LaneCalls[Name]>;
  }

  /** Ends the worker, whatever it does; calls that it has not answered reject with `reason`. */
  end(reason: Error): void {
    this.#gone ??= reason;
    for (const worker of [this.#worker, ...this.#children.values()]) worker.terminate();
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }

  #settle(answer: Answer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if ('error' in answer) pending?.reject(new Error(answer.error));
    else pending?.resolve(answer.value);
  }

  /** Does with a worker what the lane's own worker asks for. */
  #manage(message: ToChild): void {
    const { child } = message;
    if ('start' in message) {
      const { href, options } = message.start;
      const worker = new Worker(href, options);
      const tell = (answer: FromChild) => this.#worker.postMessage(answer);
      worker.addEventListener('message', ({ data }) => tell({ child, data }));
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        const { message, filename, lineno } = event;
        tell({ child, error: { message, filename, lineno } });
      });
      this.#children.set(child, worker);
    } else if ('end' in message) {
      this.#children.get(child)?.terminate();
      this.#children.delete(child);
    } else {
      this.#children.get(child)?.postMessage(message.data);
    }
  }
}
