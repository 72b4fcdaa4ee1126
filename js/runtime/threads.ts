import type { PoolWorker, WorkerPool } from './core.js';

/** The time for a worker to load its script: many times what a slow machine takes, as waiting forever helps nobody. */
const startLimit = 30_000;
/** In Firefox some workers of a worker never start while the browser is debugged or driven, the more the more start at once. */
const startLimitInFirefox = 5_000;

function isFirefoxWorker(): boolean {
  const { document, navigator } = globalThis as { document?: unknown; navigator?: { userAgent?: string } };
  return document === undefined && /Gecko\/\d/.test(navigator?.userAgent ?? '');
}

/** Adds one worker that has loaded the module; rejects with what went wrong, and leaves no worker then. */
async function addWorker(pool: WorkerPool, limit: number): Promise<void> {
  pool.allocateUnusedWorker();
  const [worker] = pool.unusedWorkers.slice(-1) as [PoolWorker];
  return new Promise((resolve, reject) => {
    const giveUp = (cause: Error) => {
      clearTimeout(timer);
      pool.unusedWorkers.splice(pool.unusedWorkers.indexOf(worker), 1);
      worker.terminate();
      reject(cause);
    };
    const timer = setTimeout(() => giveUp(new Error(`no sign of a thread in ${String(limit / 1000)} s`)), limit);
    void pool.loadWasmModuleToWorker(worker).then(() => {
      clearTimeout(timer);
      worker.onerror = whenRunning;
      worker.unref?.(); // no thread keeps a process alive that is done
      resolve();
    });
    const whenRunning = worker.onerror;
    worker.onerror = (event) => {
      event.preventDefault?.(); // it is handled
      giveUp(event instanceof Error ? event : new Error(event.message ?? 'no cause is given'));
    };
  });
}

/** Adds up to `count` workers to a pool; gives what was in the way of those that are missing, or null. */
export async function addWorkers(pool: WorkerPool, count: number): Promise<Error | null> {
  const [atOnce, limit] = isFirefoxWorker() ? [1, startLimitInFirefox] : [count, startLimit];
  for (let added = 0; added < count; added += atOnce) {
    const starts = await Promise.allSettled(Array.from({ length: atOnce }, () => addWorker(pool, limit)));
    const failed = starts.find((start) => start.status === 'rejected');
    if (failed) return failed.reason as Error;
  }
  return null;
}
