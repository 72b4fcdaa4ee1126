/** package.json's version; each .wasm file carries it too. */
export const version = '0.1.0';
