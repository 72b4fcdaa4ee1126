// What a network has to show before it is timed: that every library computes the same.
import { text } from '../contenders.js';

const checkedRuns = 3; // more than one, because of states
const usuallyTolerated = 1e-4; // of the largest output

/** The largest difference, as a part of the largest of `expected`; throws when it is more than `tolerated`. */
function differenceOf(got, expected, tolerated = usuallyTolerated) {
  if (got.length !== expected.length) throw new Error(`${got.length} outputs instead of ${expected.length}`);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i])), 0) / largest;
  if (!(difference <= tolerated)) throw new Error(`an output differs by ${difference.toPrecision(2)} of the largest`);
  return difference;
}

async function enter({ prepare, ...marks }, expected) {
  try {
    const prepared = await prepare();
    for (let i = 0; i < checkedRuns; i++) await prepared.run();
    const outputs = Float32Array.from(await prepared.check());
    return { ...marks, ...prepared, outputs, difference: differenceOf(outputs, expected ?? outputs, marks.tolerated) };
  } catch (error) {
    return { ...marks, error: text(error) };
  }
}

/** The contenders of a network of networks.js, prepared; those that cannot be timed have an `error`. `files` are base64. */
export async function enterNetwork({ prepare, seconds }, runtime, files) {
  const decode = (content) => Uint8Array.from(atob(content), (char) => char.charCodeAt(0));
  const decoded = Object.fromEntries(Object.entries(files).map(([name, content]) => [name, decode(content)]));
  const { contenders, flops } = await prepare({ runtime, files: decoded });
  const entries = [];
  for (const contender of contenders) {
    entries.push(await enter({ seconds, flops, ...contender }, entries[0]?.outputs));
  }
  for (const entry of entries) delete entry.outputs;
  return entries;
}
