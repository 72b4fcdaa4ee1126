// Times contenders in turn, so that whatever else the machine does meets them all alike.
import { median } from './statistics.js';

const sampleMilliseconds = 0.5; // a sample lasts as long at least: long beside the clock's step, 5 to 20 us in isolated pages
const coldMilliseconds = 20; // runs that take longer hardly feel whose data the caches hold

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Milliseconds for `times` runs, one after another. */
async function time(run, times) {
  const start = performance.now();
  for (let i = 0; i < times; i++) {
    const pending = run();
    if (pending) await pending; // what answers at once is not made to wait
  }
  return performance.now() - start;
}

/** Runs until the engine has compiled it well, and gives the milliseconds of a run, or rather more. */
async function warmUp(run, milliseconds) {
  const start = performance.now();
  let times = 1;
  let elapsed = await time(run, times);
  while (performance.now() - start < milliseconds) {
    if (elapsed < milliseconds / 4) times *= 2;
    elapsed = await time(run, times);
  }
  return elapsed / times;
}

const summarize = (samples) => ({ median: median(samples), min: Math.min(...samples), samples: samples.length });

/**
 * Times each of `runs` and gives { median, min, samples } for each, in milliseconds a run.
 *
 * In each of `rounds` rounds every one has a burst of samples, after a run of its own that refills the caches. `seconds` is for
 * all of them together; a long run has one sample a round however long that takes. `settle` milliseconds pass before a burst:
 * the threads of some peers spin on for a while after their work.
 */
export async function measure(runs, { seconds, rounds, settle }) {
  const warmMilliseconds = Math.min(150, (500 * seconds) / runs.length);
  for (const run of runs) await warmUp(run, warmMilliseconds);
  // Once more: engines compile well in the background, and by now they had the time.
  const contenders = [];
  for (const run of runs) {
    const milliseconds = await warmUp(run, warmMilliseconds / 2);
    const times = Math.ceil(sampleMilliseconds / milliseconds);
    contenders.push({ run, times, samples: [], isShort: milliseconds < coldMilliseconds });
  }
  const burst = (1000 * seconds) / rounds / runs.length;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + round) % contenders.length];
      const { run, samples, isShort } = contender;
      if (settle > 0) await pause(settle);
      if (isShort) await time(run, 1);
      for (let left = burst, taken = 0; left > 0 || taken === 0;) {
        const elapsed = await time(run, contender.times);
        left -= elapsed;
        if (elapsed < sampleMilliseconds / 2) {
          contender.times *= 2; // it had been slowed down when its time was estimated
        } else {
          samples.push(elapsed / contender.times);
          taken++;
        }
      }
    }
  }
  return contenders.map(({ samples }) => summarize(samples));
}
