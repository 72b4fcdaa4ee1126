// What Emscripten writes into dist/wasm/ at build time.
declare module '*.mjs' {
  const factory: unknown;
  export default factory;
}
