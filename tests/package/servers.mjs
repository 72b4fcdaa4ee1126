// Ways in which a page reaches a browser; each gives { url, close }.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { isolationHeaders, serve } from '../browser/server.mjs';
import { there, toolEnvironment } from './install.mjs';

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

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** A server that `command` starts and that says where it is, and there the page at `path`. Its port is in the environment. */
export const started =
  (command, path = '') =>
  async (folder) => {
    const [program, ...args] = command;
    const env = { ...toolEnvironment, HOST: '127.0.0.1', PORT: await freePort() };
    const child = spawn(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const close = async () => {
      child.kill();
      await ended;
    };
    let text = '';
    for await (const part of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      const url = (text += part).match(/http:\/\/[\w.]+:\d+/)?.[0];
      if (url) {
        child.stdout.resume();
        return { url: url + path, close };
      }
    }
    throw new Error(`${command.join(' ')} ended: ${text}`);
  };

/** What `serve` serves, behind a proxy that adds the isolation headers to every answer. */
export const behindProxy = (serve) => async (folder) => {
  const { url, close } = await serve(folder);
  const proxy = createServer(({ url: path, method, headers }, response) => {
    const asked = request(new URL(path, url), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, { ...answer.headers, ...isolationHeaders });
      answer.pipe(response);
    });
    asked.on('error', () => response.destroy()).end();
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    close: async () => {
      proxy.closeAllConnections();
      proxy.close();
      await close();
    },
  };
};
