import { webPlatform } from './platform.web.js';
import { guardAgainstProxies } from './proxies.js';
import { usePlatform } from './runtime/platform.js';

usePlatform(webPlatform);
guardAgainstProxies();

export * from './api.js';
