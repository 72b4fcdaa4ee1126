// What the examples have in common as commands.
import { readFile, writeFile } from 'node:fs/promises';
import { Conv1dError } from 'conv1d-wasm';

/** What the user did wrong, in one line. */
export class Misuse extends Error {}

export async function readInput(path) {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Misuse(`cannot read ${path}: ${error.message}`);
  }
}

export async function writeOutput(path, bytes) {
  try {
    await writeFile(path, bytes);
  } catch (error) {
    throw new Misuse(`cannot write ${path}: ${error.message}`);
  }
}

/** Runs `main`; what the user did wrong is told in one line. */
export async function runCommand(name, main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof Misuse || error instanceof Conv1dError)) throw error;
    console.error(`${name}: ${error.message}`);
    process.exitCode = 1;
  }
}

/** The paths on the command line, as many as `usage` has words in capitals. */
export function takePaths(usage) {
  const paths = process.argv.slice(2);
  if (paths.length !== usage.match(/ [A-Z]+\.\w+/g).length) throw new Misuse(`usage: ${usage}`);
  return paths;
}

/** A bar on the terminal, of which a share is full. */
export function showBar(share) {
  const width = 40;
  const done = '#'.repeat(Math.round(width * share));
  if (process.stderr.isTTY) process.stderr.write(`\r[${done.padEnd(width)}]${share < 1 ? '' : '\n'}`);
}

/** Computes in pieces, with a bar on the terminal, by `step(begin, end)`. Gives the seconds that it took. */
export function inPieces(length, size, step) {
  const start = performance.now();
  for (let begin = 0; begin < length; begin += size) {
    const end = Math.min(begin + size, length);
    step(begin, end);
    showBar(end / length);
  }
  return (performance.now() - start) / 1000;
}
