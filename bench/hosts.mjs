// Where sessions run: a fresh page of a browser, or a Node process of its own. Both are `{ call(method, ...args), close() }`.
import { fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { engines } from '../tests/browser/engines.mjs';
import { serve } from '../tests/browser/server.mjs';

const callLimit = 600_000; // what takes longer has hung

async function withLimit(promise, what) {
  const timer = new AbortController();
  const limit = sleep(callLimit, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what} did not answer in ${callLimit / 1000} s`);
  });
  limit.catch(() => {}); // the abort below rejects it
  try {
    return await Promise.race([promise, limit]);
  } finally {
    timer.abort();
  }
}

const root = fileURLToPath(new URL('..', import.meta.url));

/** A browser with a server of this repository: `openPage(path)` and `open()`, which gives a host. */
export async function startBrowser(name) {
  const engine = await engines[name]();
  if (!engine) throw new Error(`there is no ${name} here`);
  const server = await serve({ root, isolated: true });
  const openPage = (path) => engine.open(server.url + path);
  return {
    version: engine.version,
    openPage,
    async open() {
      const page = await openPage('bench/page.html');
      const list = (args) => args.map((arg) => JSON.stringify(arg)).join(', ');
      return {
        async call(method, ...args) {
          try {
            return await withLimit(page.evaluate(`call(${list([method, ...args])})`), `${name}: ${method}`);
          } catch (error) {
            throw new Error([error.message, ...page.log].join('\n'), { cause: error });
          }
        },
        close: () => page.close(),
      };
    },
    async close() {
      await engine.close();
      await server.close();
    },
  };
}

/** A host in a Node process of its own. */
export async function startNode() {
  const child = fork(fileURLToPath(new URL('node-host.mjs', import.meta.url)), { serialization: 'advanced' });
  const ended = new Promise((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`the Node process ended: ${signal ?? code}`)));
  });
  ended.catch(() => {}); // closing ends it too
  return {
    async call(method, ...args) {
      const answer = new Promise((resolve) => child.once('message', resolve));
      child.send({ method, args });
      const { value, error } = await withLimit(Promise.race([answer, ended]), `node: ${method}`);
      if (error) throw new Error(error);
      return value;
    },
    close: async () => child.kill(),
  };
}

/** Hands `use` a host in a page of the browser `engine`, or in a Node process, and closes it. */
export async function withHost({ node, engine }, use) {
  const browser = node ? null : await startBrowser(engine);
  try {
    const host = await (browser ? browser.open() : startNode());
    try {
      return await use(host);
    } finally {
      await host.close();
    }
  } finally {
    await browser?.close();
  }
}
