/** Caches as rows of the ledger: layouts, merging, the table in which they stand, what is counted and said of them. */
export type {
  AllocatorOptions,
  CacheAllocator,
  Caller,
  FreelistOrder,
  WholeCacheChecks,
} from './allocator.js';
export { arrayEntries, findEntries, type SlabTunables, setArrays } from './array-entries.js';
export { divide } from './divide.js';
export { type CacheLayout, cacheLayout, type MachineBoot, type SlabPart, withSlabPart } from './layout.js';
export {
  CFLGS_OFF_SLAB,
  cpusCountedEarly,
  type FreelistPlace,
  type FreelistTrial,
  freelistPlace,
  freelistTrials,
  type SlabBoot,
  type SlabLayout,
  slabFreeLimit,
} from './layout-slab.js';
export {
  type BootParameters,
  cpuPartialSlabsOf,
  type SlabShape,
  type SlubLayout,
  withBootDebug,
} from './layout-slub.js';
export { type CacheLink, cacheLinks, linkCache, unlinkCache } from './links.js';
export { findMergeable, isMergeable, joinCache, sysfsId } from './merge.js';
export { type Named, named } from './named.js';
export { type CacheReports, machineReports, unexpectedGfp } from './reports.js';
export { checkAskedCapacity, sheafCapacity } from './sheaf-capacity.js';
export {
  ALL_STATISTICS,
  clearStatistics,
  createEventCounter,
  STAT,
  STATISTICS,
  type Statistic,
  type StatisticCounts,
  statistics,
} from './statistics.js';
export {
  addCache,
  type CacheInfo,
  type CacheRow,
  cacheIds,
  cacheName,
  eachCpuLine,
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
