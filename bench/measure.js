// Times contenders in turn, so that whatever else the machine does meets them all alike.

const sampleMilliseconds = 0.4; // one sample: long beside the clock's step, 5 us in an isolated page
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

/** Runs until the engine has compiled it well, and gives the milliseconds of a run. */
async function warmUp(run, milliseconds) {
  const start = performance.now();
  let best = Infinity;
  let times = 1;
  do {
    best = Math.min(best, (await time(run, times)) / times);
    times = Math.max(1, Math.min(2 * times, Math.floor(milliseconds / 4 / best)));
  } while (performance.now() - start < milliseconds);
  return best;
}

function summarize(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return { median, min: sorted[0], samples: sorted.length };
}

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
  for (const run of runs) contenders.push({ run, samples: [], estimate: await warmUp(run, warmMilliseconds / 2) });
  const burst = (1000 * seconds) / rounds / runs.length;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const { run, samples, estimate } = contenders[(i + round) % contenders.length];
      const times = Math.max(1, Math.ceil(sampleMilliseconds / estimate));
      if (settle > 0) await pause(settle);
      if (estimate < coldMilliseconds) await time(run, 1);
      let left = burst;
      do {
        const elapsed = await time(run, times);
        samples.push(elapsed / times);
        left -= elapsed;
      } while (left > 0);
    }
  }
  return contenders.map(({ samples }) => summarize(samples));
}
