// Bundles each worker as Wrangler does, .wasm files left as modules of their own, and asks it in Cloudflare's runtime.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

async function answerOf(entry) {
  const { outputFiles } = await build({
    entryPoints: [`${entry}.js`],
    bundle: true,
    format: 'esm',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['*.wasm'],
    logLevel: 'error',
    write: false,
  });
  const [{ text }] = outputFiles;
  const binaries = [...new Set(text.match(/conv1d-wasm\/[\w-]+\.wasm/g))];
  const miniflare = new Miniflare({
    compatibilityDate: '2026-01-01',
    modules: [
      { type: 'ESModule', path: 'main.js', contents: text },
      ...binaries.map((path) => ({
        type: 'CompiledWasm',
        path,
        contents: readFileSync(fileURLToPath(import.meta.resolve(path))),
      })),
    ],
  });
  try {
    const response = await miniflare.dispatchFetch('http://localhost/');
    if (!response.ok) throw new Error(await response.text());
    return await response.json();
  } finally {
    await miniflare.dispose();
  }
}

const checked = [];
for (const entry of ['worklet', 'whole']) {
  const { output, threads } = await answerOf(entry);
  checked.push(`${entry}: ${JSON.stringify(output)}, threads ${threads}`);
}
console.log(JSON.stringify(checked));
