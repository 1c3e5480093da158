/** kmem caches: layout, create and merge, SLUB, kmalloc, and the machine that has them. */

export type { CacheSheaves } from './barn/index.js';
export { ALLOCATORS, capabilitiesOf } from './boot.js';
export {
  ALL_STATISTICS,
  type BootParameters,
  type CacheInfo,
  type CacheLayout,
  type CacheLink,
  type CacheRow,
  type CacheView,
  type Caller,
  cacheIds,
  cacheLayout,
  cacheName,
  checkAskedCapacity,
  clearStatistics,
  cpuPartialSlabsOf,
  eachCpuLine,
  type FreelistOrder,
  type FreelistPlace,
  type FreelistTrial,
  freelistPlace,
  freelistTrials,
  type MachineBoot,
  readCache,
  type SlabBoot,
  type SlabInfo,
  type SlabLayout,
  type SlabPart,
  type SlabShape,
  type SlabTunables,
  type SlubLayout,
  STATISTICS,
  type Statistic,
  type StatisticCounts,
  statistics,
  sysfsId,
  withBootDebug,
  withSlabPart,
} from './cache/index.js';

export {
  type AllocatorName,
  builtWith,
  type Capabilities,
  type DebugProfile,
  type FlagBit,
  formatSlabFlags,
  formatSlubDebug,
  hasAllocator,
  KERNELS,
  type KernelProfile,
  kernelBefore,
  kernelNamed,
  kernelWith,
  LIBRARY,
  LINUX_6_1,
  LINUX_6_12,
  type MoreSysfsFile,
  type OrderRule,
  type OrderSearch,
  objectsInOrder,
  parseSlabFlags,
  parseSlubDebug,
  type SheafRule,
  SLAB,
  SLAB_CMPXCHG_DOUBLE,
  SLAB_DEBUG_FLAGS,
  SLAB_FLAG_NAMES,
  SLAB_INTERNAL_FLAGS,
  SLAB_OBJ_EXT_IN_OBJ,
  SLAB_OBJECT_POISON,
  type SlabProfile,
  type SlubDebug,
  type SlubDebugBlock,
  type StandingAliases,
  type StandingCache,
  slabKernel,
} from './kernel/index.js';
export { kmallocCacheFlags, kmallocNames, ZERO_SIZE_PTR } from './kmalloc/index.js';
export { KmemCache } from './kmem-cache.js';
export {
  type CacheReport,
  formatMachineReport,
  type LiveGroup,
  type LivePages,
  type MachineReport,
} from './leaks/index.js';
export * from './machine.js';
export { SLUB_MIN_OBJECTS_MAX } from './machine-options.js';
export { SHEAF_CAPACITY_MAX, type SheafOptions } from './sheaf/index.js';

export { checkSysfs, type SysfsCounters, sysfsCounters } from './slabs/index.js';

export * from './typed-view.js';
export type { MachineHandle, ManagedBuffer } from './workers/index.js';
