// What importing the package changes: nothing. The argument is what to import.
const calls = [];
const watch = (target, name) => {
  const original = target[name];
  target[name] = new Proxy(original, {
    apply: (callee, self, args) => (calls.push(name), Reflect.apply(callee, self, args)),
    construct: (callee, args) => (calls.push(name), Reflect.construct(callee, args)),
  });
};
for (const name of ['fetch', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'SharedArrayBuffer'])
  watch(globalThis, name);
for (const name of ['compile', 'instantiate', 'validate', 'Memory', 'Module', 'Instance', 'compileStreaming'])
  if (name in WebAssembly) watch(WebAssembly, name);
const workers = (await import('node:worker_threads')).default;
watch(workers, 'Worker');

/** Every property of the globals and of their prototypes, with what tells a change: the value's identity. */
function snapshot() {
  const seen = new Map();
  for (const name of Reflect.ownKeys(globalThis)) {
    const { value } = Object.getOwnPropertyDescriptor(globalThis, name);
    seen.set(`globalThis.${String(name)}`, value);
    if (typeof value !== 'function') continue;
    for (const [holder, of] of [
      [value, ''],
      [value.prototype, '.prototype'],
    ]) {
      if (!holder) continue;
      for (const key of Reflect.ownKeys(holder)) {
        const descriptor = Object.getOwnPropertyDescriptor(holder, key);
        seen.set(`${String(name)}${of}.${String(key)}`, descriptor.value ?? descriptor.get);
      }
    }
  }
  for (const event of process.eventNames()) seen.set(`on ${String(event)}`, process.listenerCount(event));
  for (const [i, resource] of process.getActiveResourcesInfo().sort().entries()) seen.set(`active ${i}`, resource);
  return seen;
}

// The machinery of import() itself may start things when it is used first.
await import('node:fs/promises');
await import('data:text/javascript,export default 1');
snapshot(); // Node makes some globals when they are looked at first
const before = snapshot();
calls.length = 0;
const library = await import(process.argv[2]);
const called = [...calls];
const after = snapshot();
const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
  (key) => !Object.is(before.get(key), after.get(key)),
);
console.log(JSON.stringify({ names: Object.keys(library).sort(), called, changed }));
