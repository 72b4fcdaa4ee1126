import { usePlatform } from './platform.js';
import { nodePlatform } from './platform.node.js';

usePlatform(nodePlatform);

export * from './api.js';
