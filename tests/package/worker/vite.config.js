// Vite makes classic scripts of workers unless told so, and those cannot import() the part of the library that they need.
export default { worker: { format: 'es' } };
