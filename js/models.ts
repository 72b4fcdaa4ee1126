export { readNam, type NamMetadata, type NamModel, type NamOptions } from './models/nam.js';
