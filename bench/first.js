// From a blank page to the first result of one library: `firstResult` becomes { milliseconds, files }.
import { describeLayer, makeData } from './layer.js';

const { key, shape } = JSON.parse(decodeURIComponent(location.hash.slice(1)));

async function firstResult() {
  const layer = describeLayer(shape);
  const data = makeData(layer);
  const { load } = await import(`./peers/${key}.js`);
  const [contender] = await load({ threads: 1, variants: ['auto'], assets: window.assets });
  const prepared = await contender.prepare(layer, data);
  await prepared.run();
  prepared.output();
  const milliseconds = performance.now();
  const files = performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname);
  // What writes a peer's model is no part of the peer.
  const isOfBench = (file) => file.startsWith('/bench/') || file.includes('/@bufbuild/');
  return { milliseconds, files: files.filter((file) => !isOfBench(file)) };
}

window.firstResult = firstResult();
