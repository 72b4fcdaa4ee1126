import { useEffect } from 'react';

// React Router sends them with the page alone. Without them on its scripts too, the browser starts no worker.
export const headers = () => ({
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
});

async function main() {
  const { conv1d, init, Tensor } = await import('conv1d-wasm');
  const { threads, threadsReason } = await init();
  const [[output]] = conv1d(new Tensor([1, 2], [1, 2]), new Tensor([1, 10], [1, 1, 2])).toArray();
  const what = { crossOriginIsolated, threads, threadsReason, output };
  if (crossOriginIsolated && threads === 1 && threadsReason && output === 21) return { checked: ['one thread'] };
  return { error: JSON.stringify(what) };
}

export default function Page() {
  useEffect(() => {
    main().then(
      (result) => (window.__result = result),
      (error) => (window.__result = { error: String(error.stack ?? error) }),
    );
  }, []);
  return <p>isolated by its own headers</p>;
}
