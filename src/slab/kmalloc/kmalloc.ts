/**
 * # kmalloc: memory by size
 *
 *     kmalloc(1000, GFP_KERNEL)      ─▸ kmalloc-1k           13 sizes × 4 types of caches
 *     kmalloc(1000, GFP_DMA)         ─▸ dma-kmalloc-1k
 *     kmalloc(9000, GFP_KERNEL)      ─▸ 2^2 pages, no cache
 *
 * The type is looked up in this order: `__GFP_DMA`, `__GFP_RECLAIMABLE`, `__GFP_ACCOUNT`, none. There is no type for `__GFP_DMA32`, on
 * purpose: such a request is warned about where a slab has to grow, loses the bit, and is served from anywhere. That is why the page
 * tables which must lie below 4 GiB could not simply use kmalloc.
 */
import {
  ArgumentError,
  BadFreeError,
  formatAddress,
  type Gfp,
  isPowerOfTwo,
  NO_PFN,
  NULL,
  orderOf,
  type Pfn,
  type PhysAddr,
} from '../../base/index.js';
import {
  __GFP,
  C_ALIGN,
  C_FLAGS,
  C_INUSE,
  C_LIVE_CHECK,
  C_OBJECT_SIZE,
  C_RED_LEFT_PAD,
  C_SHEAF_CAPACITY,
  C_SIZE,
  CACHE_WORDS,
  CPU_WORDS,
  checkCpu,
  FRAME_ORDER,
  FRAME_USED,
  GFP,
  GFP_KNOWN_BITS,
  GFP_SLAB_BUG_BITS,
  KMALLOC_DMA,
  KMALLOC_NORMAL,
  KMALLOC_TYPES,
  type KmallocType,
  kmallocTypeOf,
  type ManagedBytes,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  P_ODD_INVERSE,
  P_SHIFT,
  P_SLAB_MASK,
  P_SLAB_OBJECTS,
  type PhysicalMemory,
} from '../../machine/index.js';
import {
  addCache,
  type CacheAllocator,
  type CacheLayout,
  type CacheRow,
  cacheLayout,
  cpusCountedEarly,
  type MachineBoot,
  removeCache,
  sheafCapacity,
  unexpectedGfp,
  withBootDebug,
} from '../cache/index.js';
import { type KernelProfile, SLAB } from '../kernel/index.js';
import { type HotKmalloc, hotKmalloc } from './hot.js';
import { kmallocCacheFlags } from './types.js';

/** What kmalloc(0) returns: an address that may be freed and must not be used. */
export const ZERO_SIZE_PTR = 16 as PhysAddr;

/** Those that a machine has. */
function typesOf(profile: KernelProfile, hasDma: boolean): readonly KmallocType[] {
  if (!profile.kmallocTypes) return KMALLOC_TYPES.slice(0, KMALLOC_NORMAL + 1);
  return hasDma ? KMALLOC_TYPES : KMALLOC_TYPES.slice(0, KMALLOC_DMA);
}

/** kmalloc: memory of any size, from caches of a few sizes or, above the largest, from whole pages. */
export interface Kmalloc extends HotKmalloc {
  /** `size` bytes from the smallest cache that fits, or NULL. The CPU is this thread's unless told. */
  alloc(size: number, gfp?: Gfp, cpu?: number): PhysAddr;
  /** Frees what `alloc` returned; NULL and ZERO_SIZE_PTR are no-ops. Throws BadFreeError. */
  free(address: PhysAddr, cpu?: number): void;
  /**
   * `size` bytes at a multiple of `align`, or NULL: from the smallest cache all of whose objects are so aligned, or from pages. Throws
   * ArgumentError unless `align` is a power of two.
   */
  allocAligned(size: number, align: number, gfp: Gfp, cpu: number): PhysAddr;
  /**
   * At least `size` bytes with what lay at `address`: there, if that is large enough, else elsewhere, and the old ones are freed. NULL if
   * there is no memory; then the old ones stay. Without bytes attached, what lay there is the caller's to copy. NULL as an address
   * allocates, a size of 0 frees. Throws BadFreeError for what was not handed out.
   */
  realloc(address: PhysAddr, size: number, gfp: Gfp, cpu: number): PhysAddr;
  /** Bytes that the caller of `alloc` may use at an address. */
  usableSize(address: PhysAddr): number;
  /** The size of the allocation that is going on, where a cache wants to know; else 0. */
  asked(): number;
}

/** What the kmalloc caches are, by type and size. Types of a zone that the machine lacks are left out. */
function kmallocRows(memory: PhysicalMemory, profile: KernelProfile, boot: MachineBoot): CacheRow[][] {
  return typesOf(profile, memory.zoneNames.includes('DMA')).map(({ prefix }, type) =>
    profile.kmallocSizes.map(([bytes, suffix]) => {
      const powerOfTwo = (bytes & (bytes - 1)) === 0;
      const align = powerOfTwo || profile.kmallocAlignsToDivisor ? bytes & -bytes : profile.minAlign;
      const name = `${prefix}${suffix}`;
      const flags = withBootDebug(kmallocCacheFlags(type, profile), boot.debug, name);
      const cpusCounted = cpusCountedEarly(boot.cpus);
      const usersize = profile.hardenedUsercopy ? bytes : 0;
      const request = { size: bytes, align, flags, ctor: false, cpusCounted, usersize };
      const layout = cacheLayout(profile, boot, request);
      if (layout === null) throw new ArgumentError(`${name} has no layout under these boot parameters`);
      // The very first one is made before that rule holds.
      const isPlain = type === KMALLOC_NORMAL && bytes !== profile.kmallocFirst;
      return {
        ...layout,
        ...withBootSheaves(profile, layout),
        name,
        refcount: isPlain ? profile.plainKmalloc.refcount : 1,
        useroffset: 0,
        usersize,
        ctor: false,
        kernelOwned: true,
      };
    }),
  );
}

/** Sheaves are memory of kmalloc: its own caches get theirs when all of them are there, whatever SLAB_KMALLOC says of others. */
function withBootSheaves(profile: KernelProfile, { size, flags }: CacheLayout): Partial<CacheLayout> {
  if (profile.sheafRule === null) return {};
  return { sheafCapacity: sheafCapacity(profile, { size, flags: flags & ~SLAB.KMALLOC }) };
}

/** Adds the kmalloc caches as the newest, each completed by `complete`. Returns ids by type and size; throws LedgerFullError, adds none. */
export function addKmallocCaches(
  memory: PhysicalMemory,
  profile: KernelProfile,
  boot: MachineBoot,
  complete: (id: number, row: CacheRow) => void,
): number[][] {
  const added: number[] = [];
  try {
    const rowsByType = kmallocRows(memory, profile, boot);
    const add = (row: CacheRow) => {
      const id = addCache(memory.ledger, row, (cache) => complete(cache, row));
      added.push(id);
      return id;
    };
    const first = profile.kmallocSizes.findIndex(([bytes]) => bytes === profile.kmallocFirst);
    const firstId = first < 0 ? 0 : add(rowsByType[KMALLOC_NORMAL]![first]!);
    const ids = new Map<CacheRow, number>(first < 0 ? [] : [[rowsByType[KMALLOC_NORMAL]![first]!, firstId]]);
    const odd = ({ size }: CacheRow) => (profile.kmallocOddFirst && !isPowerOfTwo(size) ? 0 : 1);
    for (const type of profile.kmallocTypeOrder)
      for (const row of [...(rowsByType[type] ?? [])].sort((a, b) => odd(a) - odd(b)))
        if (!ids.has(row)) ids.set(row, add(row));
    return rowsByType.map((rows) => rows.map((row) => ids.get(row)!));
  } catch (error) {
    for (const id of added.reverse()) removeCache(memory.ledger, id);
    throw error;
  }
}

/** kmalloc over caches that are there: `idsByType` has their rows in the ledger, by type and then by size. */
export function createKmalloc(
  memory: PhysicalMemory,
  profile: KernelProfile,
  allocator: CacheAllocator,
  idsByType: readonly (readonly number[])[],
  bytes: ManagedBytes | undefined,
  ownCpu: number,
): Kmalloc {
  const { ledger, basePfn, pages, log } = memory;
  const { pageSize } = profile;
  const sizes = profile.kmallocSizes.map(([bytes]) => bytes);
  const largest = sizes.at(-1)!;
  // One entry a word up to the largest class: the index of the class that fits.
  const classOfWord = Uint8Array.from({ length: largest / profile.wordSize + 1 }, (_, words) =>
    sizes.findIndex((bytes) => bytes >= words * profile.wordSize),
  );

  // Only a cache that records its users has room for the size that was asked for.
  const tracked = idsByType.some((ids) =>
    ids.some((id) => (ledger.cache[id * CACHE_WORDS + C_FLAGS]! & SLAB.STORE_USER) !== 0),
  );
  let asked = 0;
  const TYPES = idsByType.length;
  const ONE_TYPE = TYPES === 1;

  function alloc(size: number, gfp: Gfp = GFP.KERNEL, cpu = ownCpu): PhysAddr {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new ArgumentError(`kmalloc takes a whole number of bytes, not ${size}`);
    checkCpu(ledger, cpu);
    if (size === 0) return ZERO_SIZE_PTR;
    if (size > largest) return allocLarge(size, gfp);
    const id =
      idsByType[ONE_TYPE ? KMALLOC_NORMAL : kmallocTypeOf(gfp, TYPES)]![
        classOfWord[Math.ceil(size / profile.wordSize)]!
      ]!;
    if (!tracked) return allocator.alloc(id, gfp, cpu);
    asked = size;
    try {
      return allocator.alloc(id, gfp, cpu);
    } finally {
      asked = 0;
    }
  }

  /** Whole pages. Here the caller's gfp chooses the zone, but DMA32 and HIGHMEM are as wrong as in a slab. */
  function allocLarge(size: number, callerGfp: Gfp): PhysAddr {
    let gfp = callerGfp as number;
    const wrong = gfp & (GFP_SLAB_BUG_BITS | ~GFP_KNOWN_BITS);
    if (wrong !== 0) {
      gfp &= ~wrong;
      log.add(unexpectedGfp(wrong, gfp, profile.gfp));
    }
    const pfn = pages.allocPages((gfp | __GFP.COMP) as Gfp, orderOf(size, pageSize));
    return pfn === NO_PFN ? NULL : ((pfn * pageSize) as PhysAddr);
  }

  /** The order of the page block that begins at an address, or -1. */
  function largeOrder(address: number): number {
    const frame = address / pageSize - basePfn;
    if (!Number.isInteger(frame) || frame < 0 || frame >= ledger.shape.frames) return -1;
    const state = ledger.frameState[frame]!;
    return state & FRAME_USED && ledger.frameSlab[frame] === 0 ? state & FRAME_ORDER : -1;
  }

  function free(address: PhysAddr, cpu = ownCpu): void {
    checkCpu(ledger, cpu);
    if (address === NULL || address === ZERO_SIZE_PTR) return;
    const slab = allocator.slabAt(address);
    if (slab !== 0) return allocator.free(ledger.slabCache[slab]!, address, cpu);
    const order = largeOrder(address);
    if (order < 0) {
      throw new BadFreeError(
        address,
        'unknown-address',
        `kfree(${formatAddress(address)}): no object and no page block begins there`,
      );
    }
    pages.freePages((address / pageSize) as Pfn, order);
  }

  function usableSize(address: PhysAddr): number {
    if (address === NULL || address === ZERO_SIZE_PTR) return 0;
    const slab = allocator.slabAt(address);
    if (slab === 0) {
      const order = largeOrder(address);
      if (order < 0)
        throw new ArgumentError(`ksize(${formatAddress(address)}): nothing was handed out there`);
      return pageSize * 2 ** order;
    }
    const c = ledger.slabCache[slab]! * CACHE_WORDS;
    const flags = ledger.cache[c + C_FLAGS]!;
    // The caller of ksize may use all of it from now on.
    allocator.debug.useWhole(ledger.slabCache[slab]!, address);
    // SLAB promises what was asked of it and no more.
    if (profile.allocator === 'slab') return ledger.cache[c + C_OBJECT_SIZE]!;
    // What lies behind the object belongs to red zones, poison or tracks where there are any.
    if (flags & (SLAB.RED_ZONE | SLAB.POISON)) return ledger.cache[c + C_OBJECT_SIZE]!;
    return ledger.cache[c + (flags & (SLAB.TYPESAFE_BY_RCU | SLAB.STORE_USER) ? C_INUSE : C_SIZE)]!;
  }

  /** Caches by size whose objects all lie at multiples of an alignment: by the power of two of the alignment. */
  const alignedIds: number[][] = [];

  /** Objects lie at multiples of their size from a page's start, unless a red zone is in front of them. */
  function idsAlignedTo(align: number): number[] {
    const power = Math.log2(align);
    alignedIds[power] ??= idsByType[KMALLOC_NORMAL]!.filter((id) => {
      const word = (at: number) => ledger.cache[id * CACHE_WORDS + at]! >>> 0;
      return word(C_ALIGN) % align === 0 || (word(C_RED_LEFT_PAD) === 0 && word(C_SIZE) % align === 0);
    });
    return alignedIds[power];
  }

  function allocAligned(size: number, align: number, gfp: Gfp, cpu: number): PhysAddr {
    if (!isPowerOfTwo(align)) throw new ArgumentError(`an alignment is a power of two, not ${align}`);
    if (align <= profile.minAlign || size === 0) return hotPath.alloc(size, gfp, cpu);
    if (!Number.isSafeInteger(size) || size < 0)
      throw new ArgumentError(`kmalloc takes a whole number of bytes, not ${size}`);
    checkCpu(ledger, cpu);
    const fits = (id: number) => ledger.cache[id * CACHE_WORDS + C_OBJECT_SIZE]! >= size;
    const id = align <= pageSize ? idsAlignedTo(align).find(fits) : undefined;
    // A block of pages is aligned to its own size.
    return id === undefined ? allocLarge(Math.max(size, align), gfp) : allocator.alloc(id, gfp, cpu);
  }

  function realloc(address: PhysAddr, size: number, gfp: Gfp, cpu: number): PhysAddr {
    if (address === NULL || address === ZERO_SIZE_PTR) return hotPath.alloc(size, gfp, cpu);
    checkCpu(ledger, cpu);
    const slab = allocator.slabAt(address);
    if (slab !== 0 && allocator.indexIn(slab, address) < 0) {
      const where = formatAddress(address);
      throw new BadFreeError(address, 'misaligned', `krealloc(${where}): no object begins there`);
    }
    const had = usableSize(address);
    if (size === 0) {
      free(address, cpu);
      return ZERO_SIZE_PTR;
    }
    if (size <= had) return address;
    const moved = hotPath.alloc(size, gfp, cpu);
    if (moved === NULL) return NULL;
    try {
      bytes?.write(moved, bytes.read(address, had));
      free(address, cpu);
    } catch (error) {
      // It was no object that is live, or could not be copied: nothing is to be changed.
      free(moved, cpu);
      throw error;
    }
    return moved;
  }

  /** The hot path where there is one: a single type, sheaves that do not look at links, nobody who wants to know the size. */
  function hot(): HotKmalloc {
    const slow = { alloc, free };
    const ids = idsByType[KMALLOC_NORMAL]!;
    const { cache, cpuCache, sheafAddress, frameCache, shape } = ledger;
    const plain = ids.every((id) => {
      const c = id * CACHE_WORDS;
      return cache[c + C_SHEAF_CAPACITY] !== 0 && cache[c + C_LIVE_CHECK] === 0;
    });
    if (!plain || !ONE_TYPE || tracked || shape.frames * pageSize > 2 ** 31) return slow;
    // No words at all is the class of none: its line holds nothing.
    const idOfWord = Int32Array.from(classOfWord, (each, words) => (words === 0 ? 0 : ids[each]!));
    const isKmalloc = new Uint8Array(shape.caches + 1);
    for (const id of ids) isKmalloc[id] = 1;
    return hotKmalloc({
      cpuCache,
      sheafAddress,
      frameCache,
      idOfWord,
      isKmalloc,
      basePhys: basePfn * pageSize,
      pageShift: Math.log2(pageSize),
      wordShift: Math.log2(profile.wordSize),
      largest,
      cpus: shape.cpus,
      linesPerCpu: shape.caches + 1,
      lineWords: CPU_WORDS,
      AVAIL: P_AVAIL,
      LIMIT: P_LIMIT,
      ENTRIES: P_ENTRIES,
      INVERSE: P_ODD_INVERSE,
      SHIFT: P_SHIFT,
      SLAB_MASK: P_SLAB_MASK,
      SLAB_OBJECTS: P_SLAB_OBJECTS,
      ZERO: __GFP.ZERO,
      KERNEL: GFP.KERNEL,
      ownCpu,
      LOW: shape.sheafWords === 1,
      slow,
    });
  }

  const hotPath = hot();
  return { ...hotPath, allocAligned, realloc, usableSize, asked: () => asked };
}

/** Names of the kmalloc caches of a machine by type and size, to find them again in a ledger. */
export function kmallocNames(profile: KernelProfile, hasDma: boolean): string[][] {
  return typesOf(profile, hasDma).map((type) =>
    profile.kmallocSizes.map(([, suffix]) => `${type.prefix}${suffix}`),
  );
}
