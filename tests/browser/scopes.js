// The library where there are no threads whatever the page sends: in a SharedWorker and in a service worker.
import { ask, expectNoImports, right } from './scope.js';
import { expect, expectEqual, finish, result, skip, test } from './testing.js';

const script = new URL('scope-worker.js', location.href);
await test('a SharedWorker', async () => {
  const worker = new SharedWorker(script, { type: 'module' });
  const failed = new Promise((_resolve, reject) => (worker.onerror = () => reject(new Error('it does not load'))));
  const { main, worklet } = await Promise.race([ask((...message) => worker.port.postMessage(...message)), failed]);
  expectEqual([main.threads, main.output, worklet.output], [1, right, right], 'what it computes');
  expect(
    /^threads need SharedArrayBuffer, which a SharedWorker never has/.test(main.threadsReason),
    `the reason is "${main.threadsReason}"`,
  );
  result.builds.push(main);
});

/** The service worker's registration, or null in engines that know none of modules. */
async function register() {
  try {
    return await navigator.serviceWorker.register(script, { type: 'module' });
  } catch (error) {
    skip('a service worker', 1, String(error));
    return null;
  }
}

const registration = await register();
if (registration) {
  await test('a service worker', async () => {
    const worker = registration.installing ?? registration.waiting ?? registration.active;
    const answer = await ask((...message) => worker.postMessage(...message));
    await registration.unregister();
    expectNoImports(answer);
  });
}

finish();
