// Before version 8, Vite moves its dependencies to another folder in development, and forgets the files beside them.
export default { optimizeDeps: { exclude: ['conv1d-wasm'] } };
