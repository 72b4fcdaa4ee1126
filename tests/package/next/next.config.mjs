import { fileURLToPath } from 'node:url';

const headers = [
  { key: 'Cross-Origin-Opener-Policy', value: 'same-origin' },
  { key: 'Cross-Origin-Embedder-Policy', value: 'require-corp' },
];

export default {
  headers: () => [{ source: '/:path*', headers }],
  // Where the packages lie: above this folder, as in a monorepo.
  turbopack: { root: fileURLToPath(new URL('..', import.meta.url)) },
};
