async function main() {
  const { check } = await import('./check.js');
  const checked = await check();
  if (process.features.require_module) {
    if (require('conv1d-wasm') !== (await import('conv1d-wasm'))) throw new Error('require() gives another copy');
    checked.push('require');
  }
  console.log(JSON.stringify(checked));
}

main();
