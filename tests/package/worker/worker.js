import { check } from './check.js';

check().then(
  (checked) => postMessage({ checked }),
  (error) => postMessage({ error: String(error.stack ?? error) }),
);
