import { extname } from 'node:path';
import { preview } from 'vite';

/** The two headers that give a page SharedArrayBuffer, and with it threads. */
export const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/**
 * Serves the files of `root` as they lie, on a port that the system chooses.
 * @param {{ root: string, isolated: boolean, headers?: Record<string, string>, types?: Record<string, string>, base?: string,
 *   seen?: Set<string> }} options  `headers` are further ones; `types` are media types of file name extensions, where they are
 *   not the usual ones; `base` is the path under which all lies; `seen` gets the paths that were asked for
 * @returns {Promise<{ url: string, close(): Promise<void> }>} `url` ends with a slash
 */
export async function serve({ root, isolated, headers = {}, types = {}, base = '/', seen }) {
  const server = await preview({
    root,
    base,
    configFile: false,
    appType: 'mpa',
    // 'error' because vite warns that a build would overwrite its sources; nothing is built here
    logLevel: 'error',
    build: { outDir: '.' },
    preview: { host: '127.0.0.1', port: 0 },
    plugins: [
      { name: 'headers', configurePreviewServer: sendAlways({ ...(isolated && isolationHeaders), ...headers }) },
      { name: 'types', configurePreviewServer: ({ middlewares }) => void middlewares.use(declare(types)) },
      { name: 'seen', configurePreviewServer: ({ middlewares }) => void middlewares.use(remember(seen)) },
    ],
  });
  return { url: server.resolvedUrls.local[0], close: () => server.close() };
}

/** Vite's own option leaves them out of "304 Not Modified", and WebKit then refuses a worker that it has in its cache. */
const sendAlways =
  (headers) =>
  ({ middlewares }) => {
    middlewares.use((_request, response, next) => {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      next();
    });
  };

const declare = (types) => (request, response, next) => {
  const type = types[extname(new URL(request.url, 'http://localhost').pathname)];
  if (type) response.setHeader('Content-Type', type);
  next();
};

const remember = (seen) => (request, _response, next) => {
  seen?.add(new URL(request.url, 'http://localhost').pathname);
  next();
};
