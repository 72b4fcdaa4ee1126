// Starts a test page without a bundler: package.json's `exports` and `imports` become the page's import map, then the module
// named by data-entry runs. Whatever goes wrong ends up in window.__result, where the runner looks.
'use strict';

(() => {
  const entry = new URL(document.currentScript.dataset.entry, document.baseURI);

  const fail = (error, where = '') => {
    const message = String(error?.message ?? error);
    const stack = error?.stack ?? ''; // in Chromium it starts with the message, elsewhere it is without
    const text = stack.includes(message) ? stack : `${message}\n${stack}`;
    window.__result ??= { error: `${text.trim()}\n${where}`.trim() };
  };
  addEventListener('error', (event) => fail(event.error ?? event.message, `${event.filename}:${event.lineno}`));
  addEventListener('unhandledrejection', (event) => fail(event.reason));

  const conditions = new Set(['browser', 'import', 'default']);
  const target = (value) =>
    typeof value === 'string' ? value : target(Object.entries(value).find(([key]) => conditions.has(key))[1]);
  const rooted = (file) => new URL(file, `${location.origin}/`).href;

  async function start() {
    const { name, exports, imports } = await (await fetch('/package.json')).json();
    const map = {};
    const add = (specifier, value) => {
      if (!specifier.includes('*')) map[specifier] = rooted(target(value));
    };
    for (const [key, value] of Object.entries(exports)) add(name + key.slice(1), value);
    for (const [key, value] of Object.entries(imports ?? {})) add(key, value);
    append({ type: 'importmap', text: JSON.stringify({ imports: map }) });
    append({ type: 'module', src: entry.href, onerror: () => fail(`${entry} or something it imports did not load`) });
  }

  function append(properties) {
    document.head.append(Object.assign(document.createElement('script'), properties));
  }

  start().catch(fail);
})();
