/** Page frames in zones: the ledger, gfp flags, memory maps of real boards, the page allocator. */
export * from './bytes.js';
export * from './check-frames.js';
export * from './cpus.js';
export * from './flat-map.js';
export * from './gfp.js';
export * from './kmalloc-types.js';
export * from './ledger.js';
export * from './links.js';
export * from './locks.js';
export * from './log.js';
export * from './memory-map.js';
export * from './page-allocator.js';
export * from './physical-memory.js';
export * from './profile.js';
export * from './rebuild.js';
export * from './watermarks.js';
