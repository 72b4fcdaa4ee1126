import { nextTurn } from '../common/next-turn.js';
import { bytesBefore } from '../layer/output.js';
import type { GlueFactory } from '../runtime/core.js';
import { makeMemory } from '../runtime/memory.js';
import type { RuntimeOptions } from '../runtime/runtime-options.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import { start } from '../runtime/start.js';
import { asMessage, type FromWorker, type GraphMessage, type RunMessage, type ToWorker } from './messages.js';
import { createNetwork } from './from-copy.js';

/** How the worker hears and speaks. */
export interface Port {
  listen(onMessage: (message: ToWorker) => void): void;
  post(message: FromWorker, transfer: ArrayBuffer[]): void;
}

type Task = Extract<ToWorker, { type: 'graph' | 'run' | 'free' }>;

/** Milliseconds of computing between looks at the mailbox: at least this, at most about three times this. */
const sliceMilliseconds = 15;

/** Does what comes through the port, in order, and listens for aborts meanwhile. */
class Queue {
  readonly #port: Port;
  readonly #starting: Promise<LoadedRuntime>;
  readonly #tasks: Task[] = [];
  #working = false;
  #lastTurn = 0;
  /** Calls that are neither answered nor aborted. */
  readonly #wanted = new Set<number>();
  /** Handles, or what to make them of: one that finds no room has another chance with its next run. */
  readonly #graphs = new Map<number, number | GraphMessage>();

  constructor(port: Port, starting: Promise<LoadedRuntime>) {
    this.#port = port;
    this.#starting = starting;
    void this.#work();
  }

  receive(message: Exclude<ToWorker, { type: 'start' }>): void {
    if (message.type === 'abort') {
      this.#wanted.delete(message.call);
      return;
    }
    if (message.type === 'run') this.#wanted.add(message.call);
    this.#tasks.push(message);
    void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    try {
      const runtime = await this.#starting;
      this.#lastTurn = performance.now();
      for (let task = this.#tasks.shift(); task; task = this.#tasks.shift()) await this.#do(runtime, task);
      this.#working = false;
    } catch (error) {
      this.#port.post({ type: 'down', error: asMessage(error) }, []);
    }
  }

  async #do(runtime: LoadedRuntime, task: Task): Promise<void> {
    if (task.type === 'run') {
      await this.#answer(runtime, task);
    } else if (task.type === 'graph') {
      this.#graphs.set(task.graph, task);
    } else {
      const handle = this.#graphs.get(task.graph);
      this.#graphs.delete(task.graph);
      if (typeof handle === 'number') runtime.free((core) => core.destroyGraph(handle));
    }
  }

  async #answer(runtime: LoadedRuntime, run: RunMessage): Promise<void> {
    const { call } = run;
    if (this.#isTurnDue()) await this.#turn();
    if (!this.#wanted.has(call)) return;
    try {
      const output = await this.#compute(runtime, run);
      if (output) this.#port.post({ type: 'output', call, output }, [output]);
    } catch (error) {
      if (!runtime.usable) throw error;
      this.#port.post({ type: 'error', call, error: asMessage(error) }, []);
    } finally {
      this.#wanted.delete(call);
    }
  }

  /** The output, or null if the call was aborted. */
  async #compute(runtime: LoadedRuntime, run: RunMessage): Promise<ArrayBuffer | null> {
    const { input, outputBytes } = run;
    const graph = this.#handleOf(runtime, run.graph);
    if (runtime.guard((core) => core.prepare(graph, run.batch, run.length)) === 0) throw runtime.lastError(undefined);
    const outputOffset = bytesBefore(input.byteLength);
    const pointer = runtime.allocate(outputOffset + outputBytes, 'input and output');
    try {
      runtime.halves.set(new Uint16Array(input), pointer / 2);
      const output = pointer + outputOffset;
      await this.#runSlices(runtime, run, graph, pointer, output);
      if (!this.#wanted.has(run.call)) return null;
      // A slice of shared memory is not shared.
      return runtime.halves.slice(output / 2, (output + outputBytes) / 2).buffer;
    } finally {
      runtime.release(pointer);
    }
  }

  #handleOf(runtime: LoadedRuntime, id: number): number {
    const graph = this.#graphs.get(id);
    if (typeof graph !== 'object') return graph ?? 0;
    const handle = createNetwork(runtime, graph);
    this.#graphs.set(id, handle);
    return handle;
  }

  /** Computes until all is done or the call was aborted. */
  async #runSlices(
    runtime: LoadedRuntime,
    { call, progress }: RunMessage,
    graph: number,
    input: number,
    output: number,
  ): Promise<void> {
    const pieces = runtime.guard((core) => core.pieces(graph));
    let count = runtime.threads;
    for (let begin = 0; begin < pieces && this.#wanted.has(call);) {
      const end = Math.min(pieces, begin + count);
      const since = performance.now();
      runtime.guard((core) => core.runPieces(graph, input, output, begin, end));
      begin = end;
      const milliseconds = performance.now() - since;
      if (milliseconds < sliceMilliseconds) count *= 2;
      else if (milliseconds > 2 * sliceMilliseconds) count = Math.max(runtime.threads, count / 2);
      if (begin < pieces && this.#isTurnDue()) {
        if (progress) this.#port.post({ type: 'progress', call, fraction: begin / pieces }, []);
        await this.#turn();
      }
    }
  }

  #isTurnDue(): boolean {
    return performance.now() - this.#lastTurn >= sliceMilliseconds;
  }

  /** Lets messages come in. */
  async #turn(): Promise<void> {
    await nextTurn();
    this.#lastTurn = performance.now();
  }
}

/** What the worker does: it starts a runtime as the first message says, then does what the others say. */
export function serve(port: Port, glue: (threaded: boolean) => GlueFactory): void {
  const startRuntime = async (options: RuntimeOptions): Promise<LoadedRuntime> => {
    const threaded = options.threads > 1;
    return start(options, makeMemory(options, threaded), glue(threaded));
  };
  let queue: Queue;
  port.listen((message) => {
    if (message.type === 'start') {
      port.post({ type: 'here' }, []);
      queue = new Queue(port, startRuntime(message.options));
    } else queue.receive(message);
  });
}
