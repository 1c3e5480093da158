/** kmalloc: caches by size and type. */

export { addKmallocCaches, createKmalloc, type Kmalloc, kmallocNames, ZERO_SIZE_PTR } from './kmalloc.js';
export { kmallocCacheFlags } from './types.js';
