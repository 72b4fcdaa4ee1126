import { extname } from 'node:path';
import { preview } from 'vite';

/** The two headers that give a page SharedArrayBuffer, and with it threads. */
export const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** What hosts of packages send. */
export const sharedHeaders = { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' };

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
      { name: 'spoiled', configurePreviewServer: ({ middlewares }) => void middlewares.use(spoil()) },
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

/** What can be wrong with a file; true when there is nothing more to send. */
const faults = {
  missing: (response) => response.writeHead(404).end(),
  octets: (response) => void response.setHeader('Content-Type', 'application/octet-stream'),
  /** A script that loads and then does nothing. */
  empty: (response) => response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(),
  /** As from a host that gives the isolation headers to pages alone. */
  bare: (response) => void response.removeHeader('Cross-Origin-Embedder-Policy'),
};

/**
 * `/spoiled/FAULT-ID/END/PATH` is the file at PATH, with that fault if the path ends with END, and so is whatever a module
 * from there finds beside itself. Once `/mended/FAULT-ID` was asked for it is as it should be.
 */
function spoil() {
  const mended = new Set();
  return (request, response, next) => {
    const [, kind, id, end, ...path] = request.url.split('/');
    if (kind === 'mended') {
      mended.add(id);
      response.end();
      return;
    }
    if (kind === 'spoiled') {
      request.url = `/${path.join('/')}`;
      const isSpoiled = request.url.replace(/\?.*/, '').endsWith(end) && !mended.has(id);
      response.setHeader('Cache-Control', 'no-store'); // a fault is not remembered
      if (isSpoiled && faults[id.split('-')[0]](response)) return;
    }
    next();
  };
}

const declare = (types) => (request, response, next) => {
  const type = types[extname(new URL(request.url, 'http://localhost').pathname)];
  if (type) response.setHeader('Content-Type', type);
  next();
};

const remember = (seen) => (request, _response, next) => {
  seen?.add(new URL(request.url, 'http://localhost').pathname);
  next();
};
