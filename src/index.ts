/**
 * slablab: Linux's slab memory as an engine.
 *
 *     import { GFP, Machine, SLAB } from 'slablab';
 *
 *     const machine = Machine.create({ machine: 'mt8173', cpus: 4 });
 *     const tables = machine.kmemCacheCreate('tables', 1024, { align: 1024, flags: SLAB.CACHE_DMA32 });
 *     const table = tables?.alloc(GFP.ATOMIC);
 */
export * from './base/index.js';
export * from './iommu/index.js';
export * from './lab/index.js';
export {
  __GFP,
  BOARDS,
  type Board,
  boardMap,
  flatBytes,
  formatGfp,
  GFP,
  KernelLog,
  type ManagedBytes,
  type MemoryMap,
  parseGfp,
  rangesMap,
  sparseBytes,
  type ZoneView,
} from './machine/index.js';
export * from './pools/index.js';
export {
  type AllocatorName,
  type CacheInfo,
  type CacheOptions,
  type Cursor,
  type FieldType,
  formatMachineReport,
  formatSlabFlags,
  KERNELS,
  type KernelProfile,
  KmemCache,
  LIBRARY,
  Machine,
  type MachineOptions,
  type MachineReport,
  parseSlabFlags,
  SLAB,
  type SlabTunables,
  STATISTICS,
  type Statistic,
  type StructLayout,
  statistics,
  structLayout,
  type TypedViews,
  ZERO_SIZE_PTR,
} from './slab/index.js';
export * from './text/index.js';
