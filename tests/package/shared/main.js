import { check } from './check.js';

check().then(
  (checked) => (window.__result = { checked }),
  (error) => (window.__result = { error: String(error.stack ?? error) }),
);
