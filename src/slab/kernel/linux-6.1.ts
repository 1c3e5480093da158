/** Linux 6.1 as data: SLUB, and SLAB where it is booted with that. */
import { GFP_NUMBERS_6_1 } from '../../machine/index.js';
import { SLUB_HAS } from './capabilities.js';
import { DEBUG_6_1 } from './debug-profile.js';
import { SLAB, SLAB_CMPXCHG_DOUBLE, SLAB_OBJECT_POISON } from './flags.js';
import { KMALLOC_SIZES } from './kmalloc-sizes.js';
import { orderByFewerObjects } from './order.js';
import type { KernelProfile } from './profile.js';
import { SLAB_6_1 } from './slab-profile.js';
import { STANDING_6_1 } from './standing-6.1.js';
import { STANDING_ALIASES_6_1 } from './standing-aliases.js';

const NEVER_MERGE =
  SLAB.RED_ZONE |
  SLAB.POISON |
  SLAB.STORE_USER |
  SLAB.TRACE |
  SLAB.TYPESAFE_BY_RCU |
  SLAB.NOLEAKTRACE |
  SLAB.NO_MERGE;

/** Linux 6.1, x86_64, as recorded in truth/. */
export const LINUX_6_1: KernelProfile = {
  name: '6.1',
  allocator: 'slub',
  has: SLUB_HAS,
  pageSize: 4096,
  orders: 11,
  watermarkScaleFactor: 10,
  gfp: GFP_NUMBERS_6_1,
  lowmemReserveRatio: { DMA: 256, DMA32: 256, Normal: 32 },
  wordSize: 8,
  cacheLineSize: 64,
  minAlign: 8,
  permittedFlags: 0x14bfed00,
  createMask: 0x14bfed00 & ~SLAB.MEM_SPREAD,
  createAdds: SLAB.NONE,
  neverMerge: NEVER_MERGE,
  mergeSame: SLAB.RECLAIM_ACCOUNT | SLAB.CACHE_DMA | SLAB.CACHE_DMA32 | SLAB.ACCOUNT,
  // The engine's values are those of 6.1, where it has the flag.
  flagBits: [...Object.values(SLAB), SLAB_OBJECT_POISON, SLAB_CMPXCHG_DOUBLE]
    .filter((flag) => flag !== SLAB.NONE && flag !== SLAB.NO_MERGE)
    .map((flag) => [flag, flag]),
  objExtInObject: false,
  orderRule: orderByFewerObjects,
  defaultMaxOrder: 3,
  alwaysCompound: false,
  hardenedUsercopy: true,
  trackSize: 32,
  kmallocTrackExtra: 4,
  cpuPartialBySize: [
    [4096, 6],
    [1024, 24],
    [256, 52],
    [0, 120],
  ],
  sheafRule: null,
  minPartial: [5, 10],
  minPartialBytes: 0,
  kmallocSizes: KMALLOC_SIZES,
  kmallocBounces: false,
  kmallocFlags: SLAB.NONE,
  kmallocFirst: 0,
  kmallocAlignsToDivisor: false,
  plainKmalloc: { flags: SLAB.NONE, refcount: -1 },
  kmallocRedZonesRequest: false,
  freeptrOffset: false,
  freeptrOffsetWithCtor: false,
  extraFromNode: (cpuPartialSlabs) => Math.floor(cpuPartialSlabs / 2) + 1,
  ordersFollow: false,
  dmaPoolExactFit: false,
  moreSysfsFiles: ['usersize'],
  parameterPrefixes: ['slub'],
  createFunction: 'kmem_cache_create_usercopy',
  sheaves: false,
  merges: true,
  kmallocTypes: true,
  kmallocOddFirst: false,
  kmallocTypeOrder: [0, 1, 2, 3],
  debug: DEBUG_6_1,
  standing: STANDING_6_1,
  standingBeforeKmalloc: 2,
  standingAliases: STANDING_ALIASES_6_1,
  slab: SLAB_6_1,
};
