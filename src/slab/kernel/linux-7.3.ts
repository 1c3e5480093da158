/** Linux 7.3 as data, from what 6.12 has: the caches look the same, what stands in front of their slabs is another allocator. */
import { SLUB_WITH_SHEAVES_HAS } from './capabilities.js';
import {
  flagBits,
  SLAB,
  SLAB_CMPXCHG_DOUBLE,
  SLAB_MAY_ACCOUNT,
  SLAB_NO_OBJ_EXT,
  SLAB_NO_SHEAVES,
  SLAB_OBJ_EXT_IN_OBJ,
  SLAB_OBJECT_POISON,
} from './flags.js';
import { LINUX_6_12 } from './linux-6.12.js';
import type { KernelProfile } from './profile.js';
import { STANDING_7_3 } from './standing-7.3.js';
import { STANDING_ALIASES_7_3 } from './standing-aliases.js';

/** `enum _slab_flag_bits`, as the recorded kernel was built. */
const FLAG_ORDER = [
  SLAB.CONSISTENCY_CHECKS,
  SLAB.RED_ZONE,
  SLAB.POISON,
  SLAB.KMALLOC,
  SLAB.HWCACHE_ALIGN,
  SLAB.CACHE_DMA,
  SLAB.CACHE_DMA32,
  SLAB.STORE_USER,
  SLAB.PANIC,
  SLAB.TYPESAFE_BY_RCU,
  SLAB.TRACE,
  SLAB.NOLEAKTRACE,
  SLAB.NO_MERGE,
  SLAB.ACCOUNT,
  SLAB_MAY_ACCOUNT,
  SLAB.NO_USER_FLAGS,
  SLAB.RECLAIM_ACCOUNT,
  SLAB_OBJECT_POISON,
  SLAB_CMPXCHG_DOUBLE,
  SLAB_NO_OBJ_EXT,
  SLAB_OBJ_EXT_IN_OBJ,
  SLAB_NO_SHEAVES,
];

/** Linux 7.3, x86_64, as recorded in truth/7.3. What is not named here is as in 6.12. */
export const LINUX_7_3: KernelProfile = {
  ...LINUX_6_12,
  name: '7.3',
  has: SLUB_WITH_SHEAVES_HAS,
  createAdds: SLAB_MAY_ACCOUNT,
  // "slab: add SLAB_CONSISTENCY_CHECKS to SLAB_NEVER_MERGE", 7.0; "mm/slab: only allow SLAB_OBJ_EXT_IN_OBJ for unmergeable caches".
  neverMerge: LINUX_6_12.neverMerge | SLAB.CONSISTENCY_CHECKS | SLAB_OBJ_EXT_IN_OBJ,
  mergeSame: LINUX_6_12.mergeSame | SLAB_MAY_ACCOUNT,
  flagBits: flagBits(FLAG_ORDER),
  // "mm/slab: place slabobj_ext metadata in unused space within s->size".
  objExtInObject: true,
  // "slab: remove SLUB_CPU_PARTIAL", 7.0: no CPU keeps slabs, and none takes more from the node than it needs.
  cpuPartialBySize: [],
  extraFromNode: () => 0,
  // "slab: add sheaves to most caches", 7.0.
  sheafRule: {
    capacityBySize: [
      [4096, 4],
      [1024, 12],
      [256, 26],
      [0, 60],
    ],
    headerBytes: 32,
    barnBytes: 48,
    barnFull: 10,
    barnEmpty: 10,
    flushPiece: 32,
  },
  kmallocOddFirst: true,
  kmallocTypeOrder: [0, 2, 3, 1],
  // "mm/slab: allow freeptr_offset to be used with ctor".
  freeptrOffsetWithCtor: true,
  moreSysfsFiles: ['sheaf_capacity'],
  standing: STANDING_7_3,
  standingAliases: STANDING_ALIASES_7_3,
};
