import { usePlatform } from './runtime/platform.js';
import { nodePlatform } from './platform.node.js';
import { guardAgainstProxies } from './proxies.js';

usePlatform(nodePlatform);
guardAgainstProxies();

export * from './api.js';
