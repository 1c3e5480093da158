/**
 * The engine, and what stands on it: strategies compared, traces replayed, the kernel's own reports written and read.
 *
 *     import { compare, steadyWorkload } from 'slablab-cli';
 *
 * This is what the package `slablab-cli` has by its name alone.
 */
export * from './index.js';
// The engine has a type of this name too, the layout itself; this is the report of it.
export type { CacheLayout } from './lab/index.js';
export * from './lab/index.js';
export type { CacheLayout as CacheShape, FreelistPlace } from './slab/index.js';
export * from './text/index.js';
