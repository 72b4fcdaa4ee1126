// A training step on PyTorch, by the Python that is installed, on one thread.
import { batch, convolutions, layerCount, learningRate, makeData } from '../amp.js';

const python = '/usr/bin/python3'; // Debian's, which finds the package python3-torch

export const torch = () => ({
  name: 'PyTorch',
  images: batch,
  async prepare() {
    if (typeof document !== 'undefined') throw new Error('not from a page');
    const [{ spawn }, { createInterface }] = [await import('node:child_process'), await import('node:readline')];
    const { fileURLToPath } = await import('node:url');
    const script = fileURLToPath(new URL('./torch-step.py', import.meta.url));
    const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'pipe'] });
    const errors = [];
    child.stdin.on('error', () => {}); // it ended, which is told below
    child.stderr.on('data', (text) => errors.push(text));
    const ended = new Promise((_, reject) => {
      child.once('error', reject);
      child.once('close', () => reject(new Error(Buffer.concat(errors).toString().trim().split('\n').at(-1))));
    });
    ended.catch(() => {}); // closing ends it too
    const lines = createInterface({ input: child.stdout });
    const ask = async (value) => {
      const answer = new Promise((resolve) => lines.once('line', resolve));
      child.stdin.write(`${JSON.stringify(value)}\n`);
      return JSON.parse(await Promise.race([answer, ended]));
    };
    const plain = convolutions.map(({ weight, bias, ...size }) => ({
      ...size,
      weight: [...weight],
      bias: bias && [...bias],
    }));
    const { input, target, shape } = makeData(batch);
    const data = {
      input: [...input],
      target: [...target],
      shape,
      convolutions: plain,
      layers: layerCount,
      learningRate,
    };
    const version = await ask(data);
    return {
      version,
      run: () => ask('step'),
      check: () => ask('gradients'),
      dispose: () => child.kill(),
    };
  },
});
