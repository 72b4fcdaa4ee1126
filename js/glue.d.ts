// What Emscripten writes into dist/wasm/ at build time.
declare module '*/single.js' {
  const factory: import('./runtime/core.js').GlueFactory;
  export default factory;
}

declare module '*/threads.web.js' {
  export { default } from '*/single.js';
}

declare module '*/threads.node.js' {
  export { default } from '*/single.js';
}
