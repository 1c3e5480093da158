/** Linux 6.12 as data, from what 6.1 has. */
import { GFP_NUMBERS_6_12 } from '../../machine/index.js';
import { DEBUG_6_12 } from './debug-profile.js';
import { flagBits, SLAB, SLAB_CMPXCHG_DOUBLE, SLAB_NO_OBJ_EXT, SLAB_OBJECT_POISON } from './flags.js';
import { LINUX_6_1 } from './linux-6.1.js';
import { orderByMoreWaste } from './order.js';
import type { KernelProfile } from './profile.js';
import { STANDING_6_12 } from './standing-6.12.js';
import { STANDING_ALIASES_6_12 } from './standing-aliases.js';

/** `enum _slab_flag_bits`, as the recorded kernel was built ("mm, slab: use an enum to define SLAB_ cache creation flags", 6.9). */
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
  SLAB.NO_USER_FLAGS,
  SLAB.RECLAIM_ACCOUNT,
  SLAB_OBJECT_POISON,
  SLAB_CMPXCHG_DOUBLE,
  SLAB_NO_OBJ_EXT,
];

/** Linux 6.12, x86_64, as recorded in truth/6.12. What is not named here is as in 6.1. */
export const LINUX_6_12: KernelProfile = {
  ...LINUX_6_1,
  name: '6.12',
  // SLAB_KMALLOC may come from outside ("mm/slub, kunit: Add a test case for kmalloc redzone check", 6.2); SLAB_NO_MERGE is new ("mm/slab:
  // introduce kmem_cache flag SLAB_NO_MERGE", 6.5); SLAB_MEM_SPREAD is gone ("mm, slab: deprecate SLAB_MEM_SPREAD flag", 6.9).
  permittedFlags: (LINUX_6_1.permittedFlags | SLAB.KMALLOC | SLAB.NO_MERGE) & ~SLAB.MEM_SPREAD,
  createMask: (LINUX_6_1.createMask | SLAB.KMALLOC | SLAB.NO_MERGE) & ~SLAB.MEM_SPREAD,
  orderRule: orderByMoreWaste,
  // "slub: Set __GFP_COMP in kmem_cache by default", 6.10.
  alwaysCompound: true,
  // Only with CONFIG_HARDENED_USERCOPY: "mm, slab: ignore hardened usercopy parameters when disabled", 6.2.
  hardenedUsercopy: false,
  flagBits: flagBits(FLAG_ORDER),
  gfp: GFP_NUMBERS_6_12,
  kmallocTrackExtra: 8,
  // "arm64: enable the DMA bouncing of unaligned kmalloc caches" (DMA_BOUNCE_UNALIGNED_KMALLOC), 6.5.
  kmallocBounces: true,
  // "slab, rust: extend kmalloc() alignment guarantees to remove Rust padding", 6.11.
  kmallocAlignsToDivisor: true,
  plainKmalloc: { flags: SLAB.NO_MERGE, refcount: 1 },
  // "mm/slub: extend redzone check to extra allocated kmalloc space than requested", 6.2.
  kmallocRedZonesRequest: true,
  // "mm: add kmem_cache_create_rcu()", 6.12.
  freeptrOffset: true,
  // "mm/slub: simplify get_partial_node()", 6.10: a CPU that may keep none takes just the one it needs.
  extraFromNode: (cpuPartialSlabs) => (cpuPartialSlabs === 0 ? 0 : Math.floor(cpuPartialSlabs / 2) + 1),
  // "mm/slub: add sanity check for slub_min/max_order cmdline setup", 6.7.
  ordersFollow: true,
  // "dmapool: fix boundary comparison", merged between the two.
  dmaPoolExactFit: true,
  // "mm/slub: unify all sl[au]b parameters with "slab_$param"", 6.9; the old names still work.
  moreSysfsFiles: [],
  parameterPrefixes: ['slub', 'slab'],
  createFunction: '__kmem_cache_create_args',
  debug: DEBUG_6_12,
  standing: STANDING_6_12,
  standingAliases: STANDING_ALIASES_6_12,
  slab: null,
};
