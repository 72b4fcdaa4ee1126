// Times contenders in turn, so that whatever else the machine does meets them all alike.
import { median } from './statistics.js';

const leastSample = 0.5; // milliseconds
const leastSteps = 25; // of the clock in a sample; one is 5 to 20 us in isolated pages, up to 1 ms in others
const coldMilliseconds = 20; // runs that take longer hardly feel whose data the caches hold

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Milliseconds from one reading of the clock to the next that differs. */
function clockStep() {
  const steps = Array.from({ length: 5 }, () => {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    return now - start;
  });
  return median(steps);
}

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

/** Times one contender; samples are milliseconds a run. */
export function stopwatch(run) {
  const sampleMilliseconds = Math.max(leastSample, leastSteps * clockStep());
  let times = 1; // runs in a sample
  let isShort = true;
  return {
    /** Gives how long a run took at last. */
    async warmUp(milliseconds) {
      const each = await warmUp(run, milliseconds);
      times = Math.ceil(sampleMilliseconds / each);
      isShort = each < coldMilliseconds;
      return each;
    },

    /** Samples for so many milliseconds, at least one, after a run that refills the caches. */
    async burst(milliseconds) {
      const samples = [];
      if (isShort) await time(run, 1);
      for (let left = milliseconds; left > 0 || samples.length === 0;) {
        const elapsed = await time(run, times);
        left -= elapsed;
        if (elapsed < sampleMilliseconds / 2) {
          times *= 2; // it had been slowed down when its time was estimated
        } else {
          samples.push(elapsed / times);
        }
      }
      return samples;
    },
  };
}

/**
 * Times contenders by their stopwatches, which may be elsewhere, so that its methods only have to promise what they give.
 *
 * In each of `rounds` rounds every one has a burst of samples. `seconds` is for all of them together; a long run has one sample
 * a round however long that takes. `settle` milliseconds pass before a burst: the threads of some peers spin on for a while
 * after their work. Hands every burst's samples to `take(index, samples)`.
 */
export async function measureInTurn(watches, { seconds, rounds, settle }, take) {
  const warmMilliseconds = Math.min(150, (500 * seconds) / watches.length);
  for (const watch of watches) await watch.warmUp(warmMilliseconds);
  // Once more: engines compile well in the background, and by now they had the time.
  for (const watch of watches) await watch.warmUp(warmMilliseconds / 2);
  const burst = (1000 * seconds) / rounds / watches.length;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < watches.length; i++) {
      const index = (i + round) % watches.length;
      if (settle > 0) await pause(settle);
      take(index, await watches[index].burst(burst));
    }
  }
}

export const summarize = (samples) => ({ median: median(samples), min: Math.min(...samples), samples: samples.length });

/** Times each of `runs` as `measureInTurn` does and gives { median, min, samples } for each, in milliseconds a run. */
export async function measure(runs, options) {
  const samples = runs.map(() => []);
  await measureInTurn(runs.map(stopwatch), options, (index, burst) => samples[index].push(...burst));
  return samples.map(summarize);
}
