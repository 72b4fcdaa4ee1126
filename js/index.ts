import { usePlatform } from './platform.js';
import { webPlatform } from './platform.web.js';

usePlatform(webPlatform);

export * from './api.js';
