/**
 * What a kernel that has SLAB does otherwise when it is booted with it: the numbers of its layout (layout-slab.ts), and what of the rest of
 * the profile is not as with SLUB.
 */
import { SLAB } from './flags.js';
import { KMALLOC_SIZES } from './kmalloc-sizes.js';
import type { StandingCache } from './standing-6.1.js';
import type { StandingAliases } from './standing-aliases.js';
import { STANDING_SLAB_6_1 } from './standing-slab-6.1.js';

/** What a kernel's SLAB does differently from other kernels'. */
export interface SlabProfile {
  /** Bytes of one index of a slab's list of free objects; and the most objects that a slab can therefore have. */
  readonly indexBytes: number;
  readonly maxObjects: number;
  /** Bytes; a smaller object is made as large, so that slabs of one page seldom have more objects than that. */
  readonly minObjectSize: number;
  /** `slab_max_order` unless told: the second one on machines with more bytes of memory than this. */
  readonly maxOrder: { readonly small: number; readonly large: number; readonly largeAbove: number };
  /** Objects that a CPU's array holds, by slab size in bytes: the first row whose size is exceeded. */
  readonly limitBySize: readonly (readonly [above: number, objects: number])[];
  /** How many times `batchcount` the array holds that the CPUs share, where there is one. */
  readonly sharedFactor: number;
  /** Of the standing caches, how many are made before a second CPU is up. */
  readonly standingBeforeCpus: number;
  /** Fields of the kernel's profile (profile.ts) that are not as with SLUB. */
  readonly kernel: {
    readonly alwaysCompound: boolean;
    readonly createMask: number;
    readonly kmallocFlags: number;
    readonly kmallocSizes: readonly (readonly [bytes: number, name: string])[];
    readonly kmallocFirst: number;
    readonly standing: readonly StandingCache[];
    readonly standingBeforeKmalloc: number;
    readonly standingAliases: readonly StandingAliases[];
  };
}

/** Debug flags and NO_USER_FLAGS are dropped, because without CONFIG_DEBUG_SLAB nothing would look at them; MEM_SPREAD is kept. */
const CREATE_MASK =
  SLAB.HWCACHE_ALIGN |
  SLAB.CACHE_DMA |
  SLAB.CACHE_DMA32 |
  SLAB.RECLAIM_ACCOUNT |
  SLAB.PANIC |
  SLAB.TYPESAFE_BY_RCU |
  SLAB.MEM_SPREAD |
  SLAB.NOLEAKTRACE |
  SLAB.ACCOUNT;

/** Linux 6.1, as recorded in truth/. */
export const SLAB_6_1: SlabProfile = {
  indexBytes: 1,
  maxObjects: 255,
  minObjectSize: 16,
  maxOrder: { small: 0, large: 1, largeAbove: 32 * 2 ** 20 },
  limitBySize: [
    [131072, 1],
    [4096, 8],
    [1024, 24],
    [256, 54],
    [-1, 120],
  ],
  sharedFactor: 8,
  standingBeforeCpus: 36,
  kernel: {
    alwaysCompound: true,
    createMask: CREATE_MASK,
    kmallocFlags: SLAB.HWCACHE_ALIGN,
    // With SLAB there is none below 32 bytes (KMALLOC_SHIFT_LOW).
    kmallocSizes: KMALLOC_SIZES.filter(([bytes]) => bytes >= 32),
    // It holds the nodes of all caches, its own too.
    kmallocFirst: 128,
    standing: STANDING_SLAB_6_1,
    // Only /sys/kernel/slab knows the names that share a cache, and SLAB has none.
    standingAliases: [],
    standingBeforeKmalloc: 1,
  },
};
