/** What the kernel and its tools print, written from a machine's state, and read again. */

export {
  type BuddyinfoRow,
  buddyinfoRows,
  formatBuddyinfo,
  formatSlabinfo,
  formatZoneinfo,
  parseBuddyinfo,
  parseSlabinfo,
  type SlabinfoRow,
  type SlabPages,
  slabinfoRows,
  slabPages,
  zoneinfo,
} from './proc.js';
export { slabinfoWrite } from './proc-write.js';
export { slabinfoReport } from './slabinfo-cache.js';
export {
  type AliasGroup,
  aliasGroups,
  aliasLines,
  type CachesOptions,
  flagLetters,
  type ListOptions,
  SLABINFO_SORTS,
  type SlabinfoCache,
  type SlabinfoMarks,
  type SlabinfoSort,
  slabinfoCaches,
  slabinfoList,
  sortCaches,
} from './slabinfo-report.js';
export {
  type PerCache,
  type PerObject,
  type SlabinfoTotals,
  type Spread,
  slabinfoTotals,
  totalsLines,
} from './slabinfo-totals.js';
export {
  type SysfsTree,
  type SysfsView,
  sysfsFiles,
  sysfsMode,
  sysfsTree,
} from './sysfs.js';
export { sysfsWrite } from './sysfs-write.js';
