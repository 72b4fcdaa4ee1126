// The Node side of hosts.mjs: answers calls that come as messages.
import { openSession } from './session.js';

let session;

async function call(method, args) {
  if (method === 'open') {
    session = await openSession(args[0]);
    return session.missing;
  }
  return session[method](...args);
}

process.on('message', async ({ method, args }) => {
  try {
    process.send({ value: await call(method, args) });
  } catch (error) {
    process.send({ error: String(error?.stack ?? error) });
  }
});
