/** SLUB since Linux 7.0: sheaves of each CPU, and a barn of them for each cache. */
export { type CacheSheaves, cacheSheaves } from './cache-sheaves.js';
export { createSheafMemory, type PlainKmalloc } from './memory.js';
export { readAddress } from './sheaves.js';
export { createSheafSlub, type SheafSlub } from './slub.js';
