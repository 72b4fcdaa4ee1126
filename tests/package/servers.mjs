// Ways in which a page reaches a browser; each gives { url, close }.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { isolationHeaders, serve } from '../browser/server.mjs';
import { there, tool } from './install.mjs';

// As nginx does, and many a host of static files.
const types = { '.mjs': 'application/octet-stream' };

/** The files of `root` in the consumer's folder, and in there the page at `path`. */
export const files =
  ({ root = '.', path = '', isolated = true, headers }) =>
  async (folder) => {
    const { url, close } = await serve({ root: join(folder, root), isolated, headers, types });
    return { url: url + path, close };
  };

/** Vite's own server, which builds nothing. */
export const viteDev = (vite) => async (root) => {
  const { createServer } = await import(there('node_modules', vite, 'dist/node/index.js'));
  const server = await createServer({
    root,
    logLevel: 'error',
    server: { host: '127.0.0.1', port: 0, headers: isolationHeaders },
  });
  await server.listen();
  return { url: server.resolvedUrls.local[0], close: () => server.close() };
};

export async function nextStart(folder) {
  const child = spawn(process.execPath, [tool('next'), 'start', '--port', '0'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const close = async () => {
    child.kill();
    await ended;
  };
  let text = '';
  for await (const part of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    const url = (text += part).match(/http:\/\/localhost:\d+/)?.[0];
    if (url) {
      child.stdout.resume();
      return { url, close };
    }
  }
  throw new Error(`next start ended: ${text}`);
}
