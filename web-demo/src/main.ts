import { init } from 'conv1d-wasm';
import { MachinePanel } from './machine';
import { Playground } from './playground';

const machine = new MachinePanel();
const playground = new Playground(machine);

// The page is there; the library comes when it comes.
try {
  const runtime = await init();
  machine.showRuntime(runtime);
  playground.start(runtime);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  machine.showFailure(message);
  playground.fail(message);
}
