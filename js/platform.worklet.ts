import { Conv1dError } from './common/errors.js';
import type { Platform } from './runtime/platform.js';

function refuse(): never {
  throw new Conv1dError('ERR_UNSUPPORTED', 'runtime', 'an AudioWorklet can load nothing: call initSync(module)');
}

export const workletPlatform: Platform = {
  hardwareThreads: () => 1,
  whyNoWorkers: () => 'an AudioWorklet cannot start workers',
  loadGlue: refuse,
  threadScript: refuse,
  read: refuse,
  startWorker: refuse,
};
