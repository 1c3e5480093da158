/** ARMv7 short-descriptor page tables, the user that asked for all this. */
export {
  type ArmV7sOptions,
  ArmV7sPageTable,
  type Gather,
  type LiveTable,
} from './armv7s.js';
export {
  type CompleteConfig,
  ERRNO,
  formatQuirks,
  IO_PGTABLE_QUIRK,
  IOMMU,
  type IoPgtableConfig,
  PAGE_SIZES,
  type Registers,
} from './config.js';
export type { Level } from './descriptor.js';
export type { TlbOps } from './domain.js';
export type { DescriptorField, EntryKind } from './fields.js';
export * from './iommu-core.js';
export type { MapResult } from './map.js';
export type { DriverBug, DriverBugKind } from './reports.js';
export { L2_CACHE_NAME, type TableMemoryOptions, type TableSource } from './table-memory.js';
export type { WalkStep } from './walk.js';
