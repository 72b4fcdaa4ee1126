import type { Answer, LaneCalls, LaneKey } from './messages';

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** The page's side of a lane's worker. */
export class Lane {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #gone: Error | null = null;
  #calls = 0;

  constructor(readonly key: LaneKey) {
    this.#worker = new Worker(new URL('./lane.worker.ts', import.meta.url), { type: 'module', name: `race-${key}` });
    this.#worker.addEventListener('message', (event: MessageEvent<Answer>) => {
      const { id } = event.data;
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if ('error' in event.data) pending?.reject(new Error(event.data.error));
      else pending?.resolve(event.data.value);
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
      this.#worker.postMessage({ id, method, args });
    });
    return answer as ReturnType<LaneCalls[Name]>;
  }

  /** Ends the worker, whatever it does; calls that it has not answered reject with `reason`. */
  end(reason: Error): void {
    this.#gone ??= reason;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }
}
