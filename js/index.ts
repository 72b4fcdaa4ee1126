import { usePlatform } from './runtime/platform.js';
import { webPlatform } from './platform.web.js';
import { guardAgainstProxies } from './proxies.js';

usePlatform(webPlatform);
guardAgainstProxies();

export * from './api.js';
