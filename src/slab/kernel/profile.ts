/**
 * A kernel as data: everything in which kernels differ and the engine must follow. Code asks the profile, never the version.
 */
import { ArgumentError } from '../../base/index.js';
import { GFP_NUMBERS_6_1, GFP_NUMBERS_6_12, type PageProfile } from '../../machine/index.js';
import type { BarnProfile } from './barn-profile.js';
import { type Capabilities, SLAB_HAS, SLUB_HAS } from './capabilities.js';
import { DEBUG_6_1, DEBUG_6_12, type DebugProfile } from './debug-profile.js';
import { SLAB } from './flags.js';
import { KMALLOC_SIZES } from './kmalloc-sizes.js';
import { type OrderRule, orderByFewerObjects, orderByMoreWaste } from './order.js';
import { SLAB_6_1, type SlabProfile } from './slab-profile.js';
import { STANDING_6_1, type StandingCache } from './standing-6.1.js';
import { STANDING_6_12 } from './standing-6.12.js';
import { STANDING_ALIASES_6_1, STANDING_ALIASES_6_12, type StandingAliases } from './standing-aliases.js';

/** Which of the kernel's allocators makes the caches. */
export type AllocatorName = 'slub' | 'slab';

/** A kernel: what its allocators do differently from those of other kernels. */
export interface KernelProfile extends PageProfile {
  /** What sheaves and barns of SLUB are, since 7.0; undefined where CPUs have slabs instead. */
  readonly barn?: BarnProfile;
  /** Such as `6.1`. */
  readonly name: string;
  /** The one that makes this profile's caches: `kernelWith` gives that of a kernel built with the other one. */
  readonly allocator: AllocatorName;
  /** What that allocator has. */
  readonly has: Capabilities;
  /** Bytes of a pointer: objects are rounded up to it and the free pointer is one. */
  readonly wordSize: number;
  /** Bytes; `SLAB_HWCACHE_ALIGN`. */
  readonly cacheLineSize: number;
  /** Bytes; every object is aligned to this at least. */
  readonly minAlign: number;
  /** What a caller may pass to kmem_cache_create; another bit is -EINVAL. */
  readonly permittedFlags: number;
  /** What the allocator keeps of it. */
  readonly createMask: number;
  /** How the preferred order of a slab is found. */
  readonly orderRule: OrderRule;
  /** `slub_max_order` unless told: PAGE_ALLOC_COSTLY_ORDER. */
  readonly defaultMaxOrder: number;
  /** Whether a cache's page requests carry __GFP_COMP at order 0 too. */
  readonly alwaysCompound: boolean;
  /** Whether a cache remembers which bytes of its objects user space may copy, and stays unmerged for it. */
  readonly hardenedUsercopy: boolean;
  /** Bytes of one `struct track`: there are two an object with SLAB_STORE_USER. */
  readonly trackSize: number;
  /** Bytes that kmalloc caches add to the tracks, for the size that was asked for. */
  readonly kmallocTrackExtra: number;
  /** `cpu_partial` in objects by slab size in bytes: the first row whose size is reached. */
  readonly cpuPartialBySize: readonly (readonly [minSize: number, objects: number])[];
  /** `min_partial` lies between these. */
  readonly minPartial: readonly [low: number, high: number];
  /** But it is at least as many slabs as these bytes are. */
  readonly minPartialBytes: number;
  /** Object sizes of the kmalloc caches, ascending, with their names. */
  readonly kmallocSizes: readonly (readonly [bytes: number, name: string])[];
  /**
   * Whether a transfer to less than the unit of a machine whose devices do not see the CPUs' caches is bounced. Where it is not, kmalloc
   * has only caches of whole units there (machine/memory-map.ts, `dmaAlign`).
   */
  readonly kmallocBounces: boolean;
  /** What all kmalloc caches are created with. */
  readonly kmallocFlags: number;
  /** Bytes of the kmalloc cache that is made before all others and, unlike the other plain ones, counts as shared by one; 0 for none. */
  readonly kmallocFirst: number;
  /** Whether a kmalloc cache whose size is no power of two is aligned to the largest power of two that divides it. */
  readonly kmallocAlignsToDivisor: boolean;
  /** Kept apart from merging by a reference count of -1 (6.1) or by SLAB_NO_MERGE (6.12): the plain kmalloc caches. */
  readonly plainKmalloc: { readonly flags: number; readonly refcount: number };
  /** Whether a cache of kmalloc remembers the size asked for, so that its free pointer must lie behind a red-zoned object. */
  readonly kmallocRedZonesRequest: boolean;
  /** Whether kmem_cache_create can put the free pointer at an offset inside an object of a TYPESAFE_BY_RCU cache. */
  readonly freeptrOffset: boolean;
  /** How many partial slabs a CPU takes from the node beside the one it needs, by the limit of its own list. */
  readonly extraFromNode: (cpuPartialSlabs: number) => number;
  /** Whether a `slub_min_order` above `slub_max_order`, or the reverse, moves the other along as it is read; the later one wins. */
  readonly ordersFollow: boolean;
  /** Whether a dma_pool uses the block that ends exactly at its page's end. */
  readonly dmaPoolExactFit: boolean;
  /** How the names of boot parameters begin: `slub_min_order`. */
  readonly parameterPrefixes: readonly string[];
  /** The name in the kernel's messages about a create that failed. */
  readonly createFunction: string;
  /** Whether caches have sheaves unless told otherwise (sheaf.ts). */
  readonly sheaves: boolean;
  /** Whether caches of a kind merge unless told otherwise. */
  readonly merges: boolean;
  /** Whether kmalloc has caches for reclaimable and accounted memory beside the plain ones and those of ZONE_DMA. */
  readonly kmallocTypes: boolean;
  /** What the debug checks notice and say. */
  readonly debug: DebugProfile;
  /** The caches of a machine that has just booted, beside kmalloc's, which come behind the first few of them. */
  readonly standing: readonly StandingCache[];
  readonly standingBeforeKmalloc: number;
  /** The names that share them. */
  readonly standingAliases: readonly StandingAliases[];
  /** The kernel's other allocator; null where it was removed ("mm/slab: remove mm/slab.c and slab_def.h", 6.8). */
  readonly slab: SlabProfile | null;
}

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
  extraFromNode: (cpuPartialSlabs) => Math.floor(cpuPartialSlabs / 2) + 1,
  ordersFollow: false,
  dmaPoolExactFit: false,
  parameterPrefixes: ['slub'],
  createFunction: 'kmem_cache_create_usercopy',
  sheaves: false,
  merges: true,
  kmallocTypes: true,
  debug: DEBUG_6_1,
  standing: STANDING_6_1,
  standingBeforeKmalloc: 2,
  standingAliases: STANDING_ALIASES_6_1,
  slab: SLAB_6_1,
};

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
  parameterPrefixes: ['slub', 'slab'],
  createFunction: '__kmem_cache_create_args',
  debug: DEBUG_6_12,
  standing: STANDING_6_12,
  standingAliases: STANDING_ALIASES_6_12,
  slab: null,
};

/** The kernels that `kernel` can name, by their version. */
export const KERNELS: ReadonlyMap<string, KernelProfile> = new Map(
  [LINUX_6_1, LINUX_6_12].map((profile) => [profile.name, profile]),
);

/** Profiles are compared as objects: a kernel on machines of one kind is one. */
const onMachines = new WeakMap<KernelProfile, Map<number, KernelProfile>>();

/** A kernel on a machine with such a `dmaAlign`. */
export function kernelOn(kernel: KernelProfile, dmaAlign: number | undefined): KernelProfile {
  if (dmaAlign === undefined || kernel.kmallocBounces) return kernel;
  const known = onMachines.get(kernel) ?? new Map<number, KernelProfile>();
  onMachines.set(kernel, known);
  let made = known.get(dmaAlign);
  if (made === undefined) {
    const whole = (sizes: KernelProfile['kmallocSizes']) => sizes.filter(([bytes]) => bytes % dmaAlign === 0);
    const { slab } = kernel;
    made = {
      ...kernel,
      kmallocSizes: whole(kernel.kmallocSizes),
      slab: slab && { ...slab, kernel: { ...slab.kernel, kmallocSizes: whole(slab.kernel.kmallocSizes) } },
    };
    known.set(dmaAlign, made);
  }
  return made;
}

/** The profile of a kernel that was built with SLAB. */
export type SlabKernel = KernelProfile & { readonly slab: SlabProfile };

/** The profile of a kernel that was built with SLAB instead of SLUB. Throws ArgumentError where there is no SLAB any more. */
export function slabKernel(kernel: KernelProfile): SlabKernel {
  const { slab } = kernel;
  if (slab === null) {
    throw new ArgumentError(
      `Linux ${kernel.name} has no SLAB: it was removed in 6.8 ("mm/slab: remove mm/slab.c and slab_def.h"); 6.1 still has it`,
    );
  }
  return { ...kernel, ...slab.kernel, allocator: 'slab', has: SLAB_HAS, slab };
}

/** The profile of a kernel that was built with one of its allocators. Throws ArgumentError where it lacks that. */
export function kernelWith(kernel: KernelProfile, allocator: AllocatorName): KernelProfile {
  return allocator === 'slab' ? slabKernel(kernel) : kernel;
}

/** Whether a kernel can be built with an allocator. */
export function hasAllocator(kernel: KernelProfile, allocator: AllocatorName): boolean {
  return allocator !== 'slab' || kernel.slab !== null;
}
