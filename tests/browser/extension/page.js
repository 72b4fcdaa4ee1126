// A page of the extension, which asks its background page: with Manifest V3 a service worker.
import { ask, expectNoImports } from './scope.js';
import { finish, test } from './testing.js';

await test('a background page', async () => {
  const { active } = await navigator.serviceWorker.ready;
  expectNoImports(await ask((...message) => active.postMessage(...message)));
});

finish();
