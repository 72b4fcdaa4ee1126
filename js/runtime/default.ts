import { classError, Conv1dError } from '../common/errors.js';
import { LoadedRuntime, type Runtime } from './runtime.js';

let defaultRuntime: LoadedRuntime | null = null;

/** The default runtime, if there is one that works. */
export function usableDefault(): LoadedRuntime | null {
  return defaultRuntime?.usable === true ? defaultRuntime : null;
}

export function setDefault(runtime: LoadedRuntime): LoadedRuntime {
  return (defaultRuntime = runtime);
}

/** `runtime`, or the default one. Throws ERR_NOT_INITIALIZED when there is none yet. */
export function requireRuntime(runtime?: Runtime): LoadedRuntime {
  if (runtime !== undefined) {
    if (LoadedRuntime.owns(runtime)) return runtime;
    throw classError('ERR_OPTION', 'runtime', 'Runtime', runtime, ' from init() or createRuntime()');
  }
  if (!defaultRuntime) {
    throw new Conv1dError('ERR_NOT_INITIALIZED', 'runtime', 'the library is not loaded yet: call await init() first');
  }
  return defaultRuntime;
}
