const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
worker.onmessage = ({ data }) => (window.__result = data);
worker.onerror = ({ message }) => (window.__result = { error: message });
