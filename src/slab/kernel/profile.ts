/**
 * A kernel as data: everything in which kernels differ and the engine must follow. Code asks the profile, never the version.
 */
import { ArgumentError } from '../../base/index.js';
import type { PageProfile } from '../../machine/index.js';
import { type Capabilities, SLAB_HAS } from './capabilities.js';
import type { DebugProfile } from './debug-profile.js';
import type { FlagBit } from './flags.js';
import type { OrderRule } from './order.js';
import type { SlabProfile } from './slab-profile.js';
import type { StandingCache } from './standing-6.1.js';
import type { StandingAliases } from './standing-aliases.js';

/** Which of the kernel's allocators makes the caches. */
export type AllocatorName = 'slub' | 'slab';

/** A file of /sys/kernel/slab that not every kernel has. */
export type MoreSysfsFile = 'remote_node_defrag_ratio' | 'sheaf_capacity' | 'skip_kfence' | 'usersize';

/** The sheaves and barns that SLUB has since Linux 7.0: what they hold, and what they are made of. */
export interface SheafRule {
  /** Objects by slab size in bytes, before the sheaf's own size is rounded up: the first row whose size is reached. */
  readonly capacityBySize: readonly (readonly [minSize: number, objects: number])[];
  /** Bytes of a sheaf in front of its pointers to objects. */
  readonly headerBytes: number;
  /** Bytes of a barn. */
  readonly barnBytes: number;
  /** Full sheaves that a barn holds at most, and empty ones where a sheaf comes back from a grace period. */
  readonly barnFull: number;
  readonly barnEmpty: number;
  /** Objects of main that go back to the slabs at a time when a CPU is flushed. */
  readonly flushPiece: number;
}

/** A kernel: what its allocators do differently from those of other kernels. */
export interface KernelProfile extends PageProfile {
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
  /** What kmem_cache_create adds to it. */
  readonly createAdds: number;
  /** A cache with one of these is never merged with another. */
  readonly neverMerge: number;
  /** Caches that merge agree in these. */
  readonly mergeSame: number;
  /** The bits that this kernel has for the engine's flags, and for those alone. */
  readonly flagBits: readonly FlagBit[];
  /** Whether SLAB_OBJ_EXT_IN_OBJ is set where padding has room for it. */
  readonly objExtInObject: boolean;
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
  /** `cpu_partial` in objects by slab size in bytes: the first row whose size is reached. None where CPUs keep no slabs. */
  readonly cpuPartialBySize: readonly (readonly [minSize: number, objects: number])[];
  /** What the kernel itself has in front of the slabs instead: sheaves and a barn. Null where CPUs keep slabs. */
  readonly sheafRule: SheafRule | null;
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
  /** And in a cache with a constructor. */
  readonly freeptrOffsetWithCtor: boolean;
  /** How many partial slabs a CPU takes from the node beside the one it needs, by the limit of its own list. */
  readonly extraFromNode: (cpuPartialSlabs: number) => number;
  /** Whether a `slub_min_order` above `slub_max_order`, or the reverse, moves the other along as it is read; the later one wins. */
  readonly ordersFollow: boolean;
  /** Whether a dma_pool uses the block that ends exactly at its page's end. */
  readonly dmaPoolExactFit: boolean;
  /** Files of a cache's directory in /sys/kernel/slab beside those that every kernel has. */
  readonly moreSysfsFiles: readonly MoreSysfsFile[];
  /** How the names of boot parameters begin: `slub_min_order`. */
  readonly parameterPrefixes: readonly string[];
  /** The name in the kernel's messages about a create that failed. */
  readonly createFunction: string;
  /** Whether caches have the library's sheaves unless told otherwise (sheaf.ts). They are none of `sheafRule`. */
  readonly sheaves: boolean;
  /** Whether caches of a kind merge unless told otherwise. */
  readonly merges: boolean;
  /** Whether kmalloc has caches for reclaimable and accounted memory beside the plain ones and those of ZONE_DMA. */
  readonly kmallocTypes: boolean;
  /** The order in which they are made: indices of KMALLOC_TYPES. */
  readonly kmallocTypeOrder: readonly number[];
  /** Whether of one type those whose size is no power of two are made before all others, and not by their size among them. */
  readonly kmallocOddFirst: boolean;
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
