import { nodePlatform } from './platform.node.js';
import { guardAgainstProxies } from './proxies.js';
import { usePlatform } from './runtime/platform.js';

usePlatform(nodePlatform);
guardAgainstProxies();

export * from './api.js';
