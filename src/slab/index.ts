/** kmem caches: layout, create and merge, SLUB, kmalloc, and the machine that has them. */
export * from './cache-links.js';
export * from './cache-table.js';
export * from './debug-profile.js';
export type { Caller } from './debug-track.js';
export * from './flags.js';
export * from './kmalloc.js';
export * from './kmem-cache.js';
export * from './layout-slub.js';
export * from './machine.js';
export * from './merge.js';
export * from './profile.js';
export * from './reports.js';
export { countOnNode } from './slab-counts.js';
export * from './slab-order.js';
export * from './slub.js';
export * from './statistics.js';
