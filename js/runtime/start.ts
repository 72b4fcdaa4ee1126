import { workerRule } from '../background/background.js';
import { Conv1dError } from '../common/errors.js';
import { policyRefusal } from './compile.js';
import type { Core, GlueFactory, GlueOptions } from './core.js';
import type { RuntimeOptions } from './runtime-options.js';
import { LoadedRuntime } from './runtime.js';
import { addWorkers } from './threads.js';

async function instantiate(
  glue: GlueFactory,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  { threadScript }: RuntimeOptions,
): Promise<Core> {
  return new Promise((resolve, reject) => {
    glue({
      wasmMemory: memory,
      threadScript,
      instantiateWasm(imports, done) {
        WebAssembly.instantiate(module, imports)
          .then((instance) => {
            done(instance, module);
          })
          .catch(reject);
        return {};
      },
    }).then(resolve, reject);
  });
}

function startError(cause: unknown): Conv1dError {
  const text = `the wasm module does not start: ${policyRefusal(cause) ?? String(cause)}`;
  return new Conv1dError('ERR_WASM_LOAD', 'runtime', text, undefined, cause);
}

/** Starts the threads that were chosen, or as many as there can be; gives the options of what came of it. */
async function startThreads(core: Core, options: RuntimeOptions): Promise<RuntimeOptions> {
  const { PThread: pool } = core;
  const failure = pool ? await addWorkers(pool, options.threads - 1) : null;
  if (!pool || !failure) return options;
  const threads = 1 + pool.unusedWorkers.length;
  const some = threads > 1 ? `${String(threads)} of ${String(options.threads)} threads run: ` : '';
  const threadsReason = `${some}the threads' script ${options.threadScript} does not load (${failure.message}); ${workerRule}`;
  return { ...options, threads, threadsReason };
}

function started(core: Core, memory: WebAssembly.Memory, options: RuntimeOptions): LoadedRuntime {
  core.startThreads(options.threads);
  return new LoadedRuntime(core, memory, options);
}

/** With fewer threads than `options` say where they do not start. Throws Conv1dError ERR_WASM_LOAD. */
export async function start(
  options: RuntimeOptions,
  memory: WebAssembly.Memory,
  glue: GlueFactory,
): Promise<LoadedRuntime> {
  try {
    const core = await instantiate(glue, options.module, memory, options);
    return started(core, memory, await startThreads(core, options));
  } catch (error) {
    throw startError(error);
  }
}

/** As `start`, at once: with one thread, and not on a page's main thread, where engines refuse to. */
export function startSync(options: RuntimeOptions, memory: WebAssembly.Memory, glue: GlueFactory): LoadedRuntime {
  const given: GlueOptions = {
    wasmMemory: memory,
    threadScript: options.threadScript,
    instantiateWasm(imports, done) {
      const instance = new WebAssembly.Instance(options.module, imports);
      done(instance, options.module);
      return instance.exports;
    },
  };
  try {
    // It fills what it is given before its promise is settled.
    void glue(given);
    return started(given as GlueOptions & Core, memory, options);
  } catch (error) {
    throw startError(error);
  }
}
