const load = process.features.require_module ? () => require('./check.js') : () => import('./check.js');

Promise.resolve(load())
  .then(({ check }) => check())
  .then((checked) => console.log(JSON.stringify(checked)));
