// npm run bench -- --training: gradients of layers beside the machine's own limits, and a training step beside other libraries.
import { withHost } from '../hosts.mjs';
import { trainingReport } from './report.mjs';

/** The name that a training step has among those of layers. */
export const stepName = 'amp.step';

/** Measures layers, and the step where it is among them, prints what they come to, and gives all figures. */
export async function runTraining(chosen, shapes, { variants, quick, ...where }) {
  const timing = quick ? { seconds: 1, rounds: 4, settle: 0 } : { seconds: 8, rounds: 10, settle: 0 };
  const measured = { layers: [], step: null };
  await withHost(where, async (host) => {
    const missing = await host.call('open', { threads: 1, variants, peers: ['ours'], limits: true });
    if (missing.ours) throw new Error(missing.ours);
    for (const shape of chosen) {
      const start = performance.now();
      if (shape.name === stepName) measured.step = await host.call('measureTrainingStep', timing);
      else measured.layers.push(await host.call('measureGradients', shape, timing));
      console.log(`${shape.name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
    }
  });
  const names = new Set(shapes.map(({ name }) => name));
  console.log(`\n${trainingReport(measured, ({ name }) => names.has(name))}`);
  return measured;
}
