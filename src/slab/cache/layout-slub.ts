/**
 * # What one object of a SLUB cache looks like
 *
 *     plain, 100 bytes:   | object 0 … 48 [free pointer] 56 … 99 |pad to 104|
 *
 *     with a constructor, TYPESAFE_BY_RCU or poison the object must not be written while it is free:
 *                         | object 0 … 99 |pad| free pointer | → 112
 *
 *     slub_debug=FZPU:    | left red zone | object | red zone | free pointer | alloc track | free track | right pad |
 *                           redLeftPad      ↑ the address that callers see
 *
 * 1. The object is rounded up to a word. Red zoning needs at least one byte behind it, so a full last word adds one more.
 * 2. `inuse` ends here: where metadata begins.
 * 3. The free pointer lies in the *middle* of the object, where an overrun of a neighbour reaches it last, or behind it.
 * 4. Tracks, then the red zone of the next object (left of it, a whole alignment wide so that objects stay aligned).
 * 5. All is rounded up to the alignment.
 *
 * In slablab nothing is written inside objects: the free pointer's place is computed and reported, the links lie in the ledger.
 *
 * All arithmetic is on 32-bit unsigned numbers as in the kernel, so that absurd sizes wrap the same way.
 * Rules: truth/README.md, "SLUB geometry"; checked against every recorded create.
 */
import { alignMask32, KernelWouldCrashError, log2Floor, orderOf } from '../../base/index.js';
import { __GFP } from '../../machine/index.js';
import {
  debugBlockFlags,
  type KernelProfile,
  objectsInOrder,
  SLAB,
  SLAB_CMPXCHG_DOUBLE,
  SLAB_DEBUG_FLAGS,
  SLAB_DEBUG_METADATA_FLAGS,
  SLAB_MAY_ACCOUNT,
  SLAB_OBJ_EXT_IN_OBJ,
  SLAB_OBJECT_POISON,
  type SlubDebug,
} from '../kernel/index.js';
import { sheafCapacity } from './sheaf-capacity.js';

/** What the kernel was booted with, as far as caches see it. */
export interface BootParameters {
  /** `slub_min_order` */
  readonly minOrder: number;
  /** `slub_max_order` */
  readonly maxOrder: number;
  /** `slub_min_objects`; 0 lets the number of CPUs decide. */
  readonly minObjects: number;
  /** `slub_nomerge` */
  readonly noMerge: boolean;
  /** `slub_debug=` for all caches. */
  readonly debug: SlubDebug;
  readonly cpus: number;
}

/** What SLUB has to lay out. Sizes in bytes. */
export interface LayoutRequest {
  /** Bytes of one object, 32 bits. */
  readonly size: number;
  readonly align: number;
  /** With the boot's debug flags already in. */
  readonly flags: number;
  readonly ctor: boolean;
  /** Where the caller wants the free pointer, in bytes from the object's start, in a cache that may have one inside nevertheless. */
  readonly freeptrOffset?: number | undefined;
  /** Bytes that user space may copy; 0 unless told. */
  readonly usersize?: number | undefined;
  /** Objects of a sheaf that the caller wants at least, on a kernel that has sheaves; 0 or nothing for the usual number. */
  readonly sheafCapacity?: number | undefined;
}

/** Orders and objects of a slab. */
export interface SlabShape {
  readonly order: number;
  readonly objects: number;
}

/** What SLUB makes of it. Sizes in bytes. */
export interface SlubLayout {
  /** The final flags, unsigned. */
  readonly flags: number;
  /** Bytes from one object to the next. */
  readonly size: number;
  readonly objectSize: number;
  /** Bytes up to where metadata begins. */
  readonly inuse: number;
  /** Where the kernel keeps the free pointer, in bytes from the object's start. */
  readonly offset: number;
  readonly align: number;
  /** Bytes of red zone in front of each object. */
  readonly redLeftPad: number;
  /** Preferred, and what is tried when that is not available. */
  readonly oo: SlabShape;
  readonly min: SlabShape;
  /** gfp bits that every page request of the cache carries. */
  readonly allocflags: number;
  readonly minPartial: number;
  /** In objects, as sysfs shows it; and in slabs, which is the limit that counts. */
  readonly cpuPartial: number;
  readonly cpuPartialSlabs: number;
  /** How many more partial slabs a CPU takes from the node with the one it needs. */
  readonly extraFromNode: number;
  /** Objects of a sheaf, 0 without; on a kernel that has sheaves. */
  readonly sheafCapacity?: number;
}

/**
 * The alignment that a cache gets: what was asked, at least a word, and with HWCACHE_ALIGN a cache line, halved as long as
 * two objects fit into half of it. Alignments that are no power of two are not refused by the kernel.
 */
export function calculateAlignment(
  profile: KernelProfile,
  flags: number,
  align: number,
  size: number,
): number {
  let wanted = align;
  if (flags & SLAB.HWCACHE_ALIGN) {
    if (size === 0)
      throw new KernelWouldCrashError(
        'size 0 with SLAB_HWCACHE_ALIGN',
        'hang: an endless loop halves the line',
      );
    let line = profile.cacheLineSize;
    while (size <= line / 2) line /= 2;
    wanted = Math.max(wanted, line);
  }
  return alignMask32(Math.max(wanted, profile.minAlign), profile.wordSize);
}

/** The flags of a request with what `slub_debug` adds to it. A block that names the cache is taken as it is, instead of the rest. */
export function withBootDebug(flags: number, debug: SlubDebug, name?: string): number {
  if (flags & SLAB.NO_USER_FLAGS) return flags;
  const own = name === undefined ? undefined : debugBlockFlags(debug, name);
  if (own !== undefined) return (flags | own) >>> 0;
  // A cache that must not be tracked for leaks must not record its users either.
  const added = flags & SLAB.NOLEAKTRACE ? debug.flags & ~SLAB.STORE_USER : debug.flags;
  return (flags | added) >>> 0;
}

/** The layout, or null where no slab can hold an object (the kernel's -EINVAL). Throws KernelWouldCrashError for sizes that wrap to 0. */
export function slubLayout(
  profile: KernelProfile,
  boot: BootParameters,
  request: LayoutRequest,
): SlubLayout | null {
  const layout = layoutWithFlags(profile, boot, request, request.flags);
  if (layout === null || !boot.debug.avoidHigherOrders) return layout;
  const grew = orderOf(layout.size, profile.pageSize) > orderOf(layout.objectSize, profile.pageSize);
  if (!grew) return layout;
  // What the first layout found room for stays said of the second.
  const kept = (request.flags & ~SLAB_DEBUG_METADATA_FLAGS) | (layout.flags & SLAB_OBJ_EXT_IN_OBJ);
  return layoutWithFlags(profile, boot, request, kept);
}

function layoutWithFlags(
  profile: KernelProfile,
  boot: BootParameters,
  request: LayoutRequest,
  requestFlags: number,
): SlubLayout | null {
  const { wordSize } = profile;
  const { ctor } = request;
  const objectSize = request.size;
  const align = calculateAlignment(profile, requestFlags, request.align, objectSize);
  let flags = requestFlags;
  let size = alignMask32(objectSize, wordSize);
  if (flags & SLAB.POISON && !(flags & SLAB.TYPESAFE_BY_RCU) && !ctor) flags |= SLAB_OBJECT_POISON;
  if (flags & SLAB.RED_ZONE && size === objectSize) size += wordSize;
  const inuse = size >>> 0;

  const { offset, outside } = freePointer(profile, request, flags, inuse);
  if (outside) size += wordSize;
  if (flags & SLAB.STORE_USER) {
    size += 2 * profile.trackSize;
    if (flags & SLAB.KMALLOC) size += profile.kmallocTrackExtra;
  }
  let redLeftPad = 0;
  if (flags & SLAB.RED_ZONE) {
    redLeftPad = alignMask32(wordSize, align);
    size += wordSize + redLeftPad;
  }
  const used = size >>> 0;
  size = alignMask32(used, align);
  if (accountsInObject(profile, boot, request, flags, size - used)) flags |= SLAB_OBJ_EXT_IN_OBJ;
  if (size === 0)
    throw new KernelWouldCrashError(
      `an object of ${objectSize} bytes makes a slab size of 0`,
      'divide error',
    );

  const order = profile.orderRule({ size, ...boot, pageSize: profile.pageSize, orders: profile.orders });
  if (order < 0) return null;
  const oo = { order, objects: objectsInOrder(order, size, profile.pageSize) };
  const minOrder = orderOf(size, profile.pageSize);
  if (oo.objects === 0) return null;
  if (!(flags & (SLAB.CONSISTENCY_CHECKS | SLAB.STORE_USER | SLAB.TRACE))) flags |= SLAB_CMPXCHG_DOUBLE;
  const cpuPartial = defaultCpuPartial(profile, flags, size);
  const cpuPartialSlabs = cpuPartialSlabsOf(cpuPartial, oo.objects);
  return {
    flags: flags >>> 0,
    size,
    objectSize,
    inuse,
    offset,
    align,
    redLeftPad,
    oo,
    min: { order: minOrder, objects: objectsInOrder(minOrder, size, profile.pageSize) },
    allocflags: pageFlags(profile, flags, order),
    minPartial: defaultMinPartial(profile, size, order),
    cpuPartial,
    cpuPartialSlabs,
    extraFromNode: profile.extraFromNode(cpuPartialSlabs),
    ...(profile.sheafRule !== null && {
      sheafCapacity: sheafCapacity(profile, { size, flags }, request.sheafCapacity),
    }),
  };
}

/** Whether the padding behind an object has room for what it is accounted to. A cache that others may join has no such rule for them. */
function accountsInObject(
  { objExtInObject, neverMerge, wordSize }: KernelProfile,
  { noMerge }: BootParameters,
  { ctor, usersize = 0 }: LayoutRequest,
  flags: number,
  padding: number,
): boolean {
  const alone = noMerge || ctor || usersize !== 0 || (flags & neverMerge) !== 0;
  return objExtInObject && alone && padding >= (flags & SLAB_MAY_ACCOUNT ? wordSize : 0);
}

function defaultMinPartial(profile: KernelProfile, size: number, order: number): number {
  const [low, high] = profile.minPartial;
  const bySize = Math.min(Math.max(Math.floor(log2Floor(size) / 2), low), high);
  return Math.max(bySize, Math.floor(profile.minPartialBytes / (profile.pageSize * 2 ** order)));
}

/** Where the free pointer goes: into the middle of the object, unless the object must stay as it is while it is free. */
function freePointer(
  profile: KernelProfile,
  request: LayoutRequest,
  flags: number,
  inuse: number,
): { offset: number; outside: boolean } {
  const { wordSize } = profile;
  const { size: objectSize, ctor, freeptrOffset } = request;
  const rcu = (flags & SLAB.TYPESAFE_BY_RCU) !== 0;
  // The owner of such a cache says which bytes nobody reads after a free; poison leaves no such bytes.
  const given =
    freeptrOffset !== undefined && profile.freeptrOffset && (ctor ? profile.freeptrOffsetWithCtor : rcu);
  const reserved = (rcu || ctor) && !given;
  const redZoned = flags & SLAB.RED_ZONE;
  const asked = flags & SLAB.KMALLOC && flags & SLAB.STORE_USER && profile.kmallocRedZonesRequest;
  if (reserved || flags & SLAB.POISON || (redZoned && (objectSize < wordSize || asked))) {
    return { offset: inuse, outside: true };
  }
  if (given) return { offset: freeptrOffset, outside: false };
  return { offset: Math.floor(objectSize / 2 / wordSize) * wordSize, outside: false };
}

/** Debugging takes the per-CPU slabs away, so there is nothing to keep partial. */
function defaultCpuPartial(profile: KernelProfile, flags: number, size: number): number {
  if (flags & SLAB_DEBUG_FLAGS) return 0;
  return profile.cpuPartialBySize.find(([minSize]) => size >= minSize)?.[1] ?? 0;
}

/**
 * The limit in slabs that `cpu_partial` comes to, as if each slab were half free. Twice the objects in 32 bits, rounded up to slabs in 32
 * bits: the largest number wraps to none.
 */
export function cpuPartialSlabsOf(cpuPartial: number, objectsPerSlab: number): number {
  return Math.floor(((2 * cpuPartial + objectsPerSlab - 1) >>> 0) / objectsPerSlab);
}

function pageFlags(profile: KernelProfile, flags: number, order: number): number {
  let gfp = order > 0 || profile.alwaysCompound ? __GFP.COMP : 0;
  if (flags & SLAB.CACHE_DMA) gfp |= __GFP.DMA;
  if (flags & SLAB.CACHE_DMA32) gfp |= __GFP.DMA32;
  if (flags & SLAB.RECLAIM_ACCOUNT) gfp |= __GFP.RECLAIMABLE;
  return gfp;
}
