/** Caches as rows of the ledger: layouts, merging, the table in which they stand, what is counted and said of them. */
export type { AllocatorOptions, CacheAllocator, Caller, WholeCacheChecks } from './allocator.js';
export { arrayEntries, findEntries, type SlabTunables, setArrays } from './array-entries.js';
export { divide } from './divide.js';
export { type CacheLayout, cacheLayout, type MachineBoot, type SlabPart, withSlabPart } from './layout.js';
export {
  CFLGS_OBJFREELIST_SLAB,
  CFLGS_OFF_SLAB,
  cpusCountedEarly,
  type Fit,
  type FreelistPlace,
  type FreelistTrial,
  freelistPlace,
  freelistTrials,
  type SlabBoot,
  type SlabLayout,
  type SlabLayoutRequest,
  slabFreeLimit,
  slabLayout,
} from './layout-slab.js';
export {
  type BootParameters,
  calculateAlignment,
  cpuPartialSlabsOf,
  type LayoutRequest,
  type SlabShape,
  type SlubLayout,
  slubLayout,
  withBootDebug,
} from './layout-slub.js';
export { type CacheLink, cacheLinks, linkCache, unlinkCache } from './links.js';
export { findMergeable, isMergeable, joinCache, type MergeRequest, sysfsId } from './merge.js';
export { type Named, named } from './named.js';
export {
  type CacheReports,
  machineReports,
  type OutOfMemoryFacts,
  outOfMemoryBlock,
  unexpectedGfp,
} from './reports.js';
export {
  clearStatistics,
  createEventCounter,
  STAT,
  STATISTICS,
  type Statistic,
  type StatisticCounts,
  statistics,
  statisticsOf,
} from './statistics.js';
export {
  addCache,
  type CacheInfo,
  type CacheRow,
  cacheIds,
  cacheName,
  eachCpuLine,
  eachSheaf,
  hasArrays,
  isCache,
  leakCache,
  NODE_REAP_MS,
  readCache,
  removeCache,
  type SlabInfo,
  sheafObjects,
} from './table.js';
export { type CacheView, plainView } from './view.js';
export { zeroTaken } from './zero.js';
