// A page's side of hosts.mjs: `call(method, ...arguments)`.
import { openSession } from './session.js';

let session;

window.call = async (method, ...args) => {
  if (method === 'open') {
    session = await openSession({ ...args[0], assets: window.assets });
    return session.missing;
  }
  return session[method](...args);
};
