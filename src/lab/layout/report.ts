/**
 * # What kmem_cache_create would make of a request
 *
 *     const report = layoutReport({ size: 1024, align: 1024, flags: SLAB.CACHE_DMA32 });
 *     report.alone!.order                       // 2: 16 objects in 16 KiB
 *     report.merged                             // null, or the standing cache that the request joins
 *
 * One object is told as segments that cover its bytes exactly once, in order:
 *
 *     0        redLeftPad                          inuse                                           size
 *     | left red zone | object | free pointer | object | red zone | free pointer | tracks | padding |
 *                     ↑ the address that callers see
 *
 * The free pointer is at one of the two places: inside the object, where it is used only while the object is
 * free, or behind it. SLAB has nothing around its objects but padding, and a list of indices for the whole slab
 * (slab/cache/layout-slab.ts).
 */
import { ArgumentError, KernelPanicError } from '../../base/index.js';
import { formatGfp, GFP, type MemoryMap, memoryMapOf, type ZoneName } from '../../machine/index.js';
import {
  type CacheInfo,
  type CacheLayout as CacheShape,
  cacheLayout,
  checkAskedCapacity,
  type FreelistTrial,
  formatSlabFlags,
  formatSlubDebug,
  freelistPlace,
  freelistTrials,
  type KernelProfile,
  type KmemCache,
  Machine,
  type MachineOptions,
  SLAB,
  type SlabPart,
  type SlubLayout,
  slabKernel,
  sysfsId,
  withBootDebug,
} from '../../slab/index.js';
import type {
  CacheLayout,
  LayoutMachineSummary,
  LayoutReport,
  Segment,
  SegmentKind,
  SlabCacheLayout,
} from './result.js';

/** The cache whose layout is asked for, and the machine that it is created on. */
export interface LayoutOptions {
  /** The cache's name, `new_cache` unless told. */
  readonly name?: string;
  /** Bytes. */
  readonly size: number;
  readonly align?: number;
  /** `SLAB_*` bits. */
  readonly flags?: number;
  readonly ctor?: boolean;
  /** The bytes that user space may copy. */
  readonly useroffset?: number;
  readonly usersize?: number;
  /** Objects of a sheaf that the cache asks for, 0 for none in particular; ArgumentError on a kernel without sheaves. */
  readonly sheafCapacity?: number;
  /** Made with the standing caches of a booted kernel unless told otherwise. */
  readonly machine?: MachineOptions;
}

/**
 * Throws KernelWouldCrashError and ArgumentError as Machine.kmemCacheCreate does. A request that the kernel
 * refuses is a report; with SLAB.PANIC it is one too.
 */
export function layoutReport(options: LayoutOptions): LayoutReport {
  const {
    name = 'new_cache',
    size,
    align = 0,
    flags = 0,
    ctor = false,
    useroffset = 0,
    usersize = 0,
    sheafCapacity,
  } = options;
  const machine = Machine.create({ standing: true, ...options.machine });
  const before = new Map(machine.caches().map((cache) => [cache.id, cache.info]));
  machine.log.clear();
  if (sheafCapacity !== undefined) checkAskedCapacity(machine.kernel, sheafCapacity);
  const create = {
    ...{ align, flags, useroffset, usersize },
    ...(sheafCapacity !== undefined && { sheafCapacity }),
    ...(ctor && { ctor: () => {} }),
  };
  const { cache, panic } = orPanic(() => machine.kmemCacheCreate(name, size, create));
  const lines = [...machine.log.lines];
  const report = {
    request: {
      ...{ name, size, align, flags, flagNames: formatSlabFlags(flags), ctor, useroffset, usersize },
      ...(sheafCapacity !== undefined && { sheafCapacity }),
    },
    machine: summarizeMachine(machine, options.machine),
  };
  if (cache === null) {
    const refused = panic ?? lines.at(-1) ?? 'kmem_cache_create returned NULL';
    return {
      ...report,
      refused,
      merged: null,
      alone: null,
      warnings: lines.filter((line) => line !== refused),
    };
  }
  const standing = before.get(cache.id);
  const map = memoryMapOf(options.machine?.machine, options.machine?.memory);
  const own = trialsOf(machine, { size, align, flags: flags & machine.kernel.createMask, ctor });
  return {
    ...report,
    refused: null,
    merged: standing
      ? {
          name: cache.name,
          sharedBy: cache.info.refcount,
          objectSizeBefore: standing.objectSize,
          // What it was created with is not known, so neither is what else was tried.
          layout: describeCache(machine, map, cache.info, cache.sysfsId, []),
        }
      : null,
    alone: standing
      ? aloneLayout(machine, map, options, own)
      : describeCache(machine, map, cache.info, cache.sysfsId, own),
    warnings: lines,
  };
}

/** Where the list of free objects of a request was to lie, if a slab has such a list. */
function trialsOf(
  { kernel, boot }: Machine,
  request: { size: number; align: number; flags: number; ctor: boolean },
): FreelistTrial[] {
  return kernel.has.indexFreelist ? freelistTrials(slabKernel(kernel), boot.slabMaxOrder, request) : [];
}

/** A panic is the kernel's way to refuse a cache that it cannot do without. */
function orPanic<T>(create: () => T | null): { cache: T | null; panic?: string } {
  try {
    return { cache: create() };
  } catch (error) {
    if (error instanceof KernelPanicError) return { cache: null, panic: error.message };
    throw error;
  }
}

function summarizeMachine(machine: Machine, options: MachineOptions | undefined): LayoutMachineSummary {
  const { boot, kernel, cpus } = machine;
  return {
    name: memoryMapOf(options?.machine, options?.memory).name,
    kernel: kernel.name,
    allocator: boot.allocator,
    cpus,
    pageSize: kernel.pageSize,
    slubMinOrder: boot.minOrder,
    slubMaxOrder: boot.maxOrder,
    slubMinObjects: boot.minObjects,
    slubNomerge: boot.noMerge,
    slubDebug: formatSlubDebug(options?.slubDebug ?? ''),
    slabMaxOrder: boot.slabMaxOrder,
  };
}

/** What a request that merges would have been by itself. */
function aloneLayout(
  machine: Machine,
  map: MemoryMap,
  options: LayoutOptions,
  trials: readonly FreelistTrial[],
): CacheLayout | null {
  const { name = 'new_cache', size, align = 0, flags = 0 } = options;
  // What merges has neither a constructor nor a region for user space.
  const { kernel, boot } = machine;
  const kept = withBootDebug((flags & kernel.createMask) | kernel.createAdds, boot.debug);
  const layout = cacheLayout(kernel, boot, { size, align, flags: kept, ctor: false });
  if (layout === null) return null;
  const mergeable = (layout.flags & kernel.neverMerge) === 0;
  const id = sysfsId({ name, flags: layout.flags, size: layout.size, mergeable }, machine.boot);
  return describeCache(machine, map, layout, id, trials);
}

/**
 * The layout of a cache that a machine has, made with these options. The machine stays as it is: the zone of the cache's first slab is for
 * the caller to know.
 */
export function layoutOfCache(
  machine: Machine,
  options: MachineOptions | undefined,
  { info, sysfsId: id }: KmemCache,
  firstZone: ZoneName | null,
): CacheLayout {
  return describeCache(machine, memoryMapOf(options?.machine, options?.memory), info, id, [], firstZone);
}

function describeCache(
  machine: Machine,
  map: MemoryMap,
  layout: CacheShape | CacheInfo,
  id: string,
  trials: readonly FreelistTrial[],
  firstZone = zoneOfFirstSlab(machine, layout),
): CacheLayout {
  const { kernel } = machine;
  const slabBytes = kernel.pageSize * 2 ** layout.oo.order;
  const inSlab = layout.slab && freelistPlace(layout.flags) === 'slab' ? layout.slab.freelistSize : 0;
  const wasteBytes = slabBytes - layout.oo.objects * layout.size - inSlab;
  const common = {
    slabSize: layout.size,
    objectSize: layout.objectSize,
    align: layout.align,
    order: layout.oo.order,
    objects: layout.oo.objects,
    slabBytes,
    wasteBytes,
    wasteShare: wasteBytes / slabBytes,
    allocflags: layout.allocflags,
    allocflagNames: formatGfp(layout.allocflags),
    flags: layout.flags,
    flagNames: flagNames(layout),
    firstZone,
    mayLieAbove4GiB: firstZone === 'Normal' && map.ram.some((range) => range.end > 2 ** 32),
  };
  if (layout.slab !== undefined)
    return {
      allocator: 'slab',
      ...common,
      ...slabFacts(kernel, layout.flags, layout.slab, trials),
      segments: slotSegments(layout),
    };
  return {
    allocator: 'slub',
    id,
    ...common,
    inuse: layout.inuse,
    freePointer: {
      offset: layout.offset,
      bytes: kernel.wordSize,
      insideObject: layout.offset < layout.inuse,
    },
    redLeftPad: layout.redLeftPad,
    fallback: { order: layout.min.order, objects: layout.min.objects },
    minPartial: layout.minPartial,
    ...(kernel.has.sheaves
      ? { sheafCapacity: layout.sheafCapacity ?? 0 }
      : { cpuPartial: layout.cpuPartial, cpuPartialSlabs: layout.cpuPartialSlabs }),
    segments: objectSegments(layout, kernel),
  };
}

/** With SLAB also the one that says where the list of free objects lies, by its name in the kernel's source. */
function flagNames({ flags, slab }: CacheShape): string {
  const names = formatSlabFlags(flags);
  const place = { object: 'CFLGS_OBJFREELIST_SLAB', outside: 'CFLGS_OFF_SLAB', slab: null }[
    freelistPlace(flags)
  ];
  if (slab === undefined || place === null) return names;
  return names === 'none' ? place : `${names}|${place}`;
}

type SlabFacts = Pick<
  SlabCacheLayout,
  | 'freelist'
  | 'colours'
  | 'colourBytes'
  | 'colourOffsets'
  | 'limit'
  | 'batchcount'
  | 'sharedFactor'
  | 'sharedLimit'
  | 'freeLimit'
>;

/** What only SLAB's caches have. */
function slabFacts(
  kernel: KernelProfile,
  flags: number,
  slab: SlabPart,
  trials: readonly FreelistTrial[],
): SlabFacts {
  const place = freelistPlace(flags);
  const bytes = slab.freelistSize;
  const [kmallocBytes, suffix] = kernel.kmallocSizes.find(([most]) => most >= bytes)!;
  return {
    freelist: {
      place,
      bytes,
      kmalloc: place === 'outside' ? { cache: `kmalloc-${suffix}`, bytes: kmallocBytes } : null,
      refused: trials.flatMap((t) => (t.refused === null ? [] : [{ place: t.place, why: t.refused }])),
    },
    colours: slab.colours,
    colourBytes: slab.colourOff,
    colourOffsets: colourOffsets(slab),
    limit: slab.limit,
    batchcount: slab.batchcount,
    sharedFactor: slab.sharedFactor,
    sharedLimit: slab.sharedFactor * slab.batchcount,
    freeLimit: slab.freeLimit,
  };
}

/** The colour is stepped before it is used, so the first slab has the second one. */
function colourOffsets({ colours, colourOff }: SlabPart): number[] {
  const count = Math.max(colours, 1);
  return Array.from({ length: count }, (_, slab) => ((slab + 1) % count) * colourOff);
}

/** An object of SLAB and what its alignment adds. */
function slotSegments({ objectSize, size }: CacheShape): Segment[] {
  // An object that wraps at 32 bits is larger than its place.
  const end = Math.min(objectSize, size);
  const segments: Segment[] = [];
  if (end > 0) segments.push({ what: 'object', from: 0, to: end, freePointer: false });
  if (end < size) segments.push({ what: 'padding', from: end, to: size, freePointer: false });
  return segments;
}

/** Asks the page allocator, and gives the block back. */
function zoneOfFirstSlab(machine: Machine, { allocflags, oo, min }: CacheShape): ZoneName | null {
  for (const order of [oo.order, min.order]) {
    const pfn = machine.allocPages((GFP.KERNEL | allocflags) as typeof GFP.KERNEL, order);
    if (pfn < 0) continue;
    machine.freePages(pfn, order);
    return machine.zoneOf(pfn * machine.kernel.pageSize) ?? null;
  }
  return null;
}

/** The bytes of one object with its surroundings, exactly once each, in order. */
function objectSegments(layout: SlubLayout, profile: KernelProfile): Segment[] {
  const { redLeftPad, objectSize, inuse, offset, size, flags } = layout;
  const { wordSize, trackSize, kmallocTrackExtra } = profile;
  if (size <= 0) throw new ArgumentError(`an object of ${size} bytes has no segments`);
  const segments: Segment[] = [];
  let at = 0;
  const add = (what: SegmentKind, to: number, freePointer = false) => {
    // Sizes that wrap at 32 bits leave less room than their parts ask for.
    const end = Math.min(to, size);
    if (end <= at) return;
    segments.push({ what, from: at, to: end, freePointer });
    at = end;
  };
  /** Adds a part in which the free pointer may lie. */
  const addAround = (what: SegmentKind, to: number) => {
    const pointer = redLeftPad + offset;
    if (offset < inuse) {
      add(what, Math.min(to, pointer));
      add(what, Math.min(to, pointer + wordSize), true);
    }
    add(what, to);
  };
  add('left red zone', redLeftPad);
  addAround('object', redLeftPad + objectSize);
  addAround(flags & SLAB.RED_ZONE ? 'red zone' : 'alignment', redLeftPad + inuse);
  if (offset >= inuse) add('free pointer', redLeftPad + offset + wordSize, true);
  if (flags & SLAB.STORE_USER) {
    add('alloc track', at + trackSize);
    add('free track', at + trackSize);
    if (flags & SLAB.KMALLOC) add('requested size', at + kmallocTrackExtra);
  }
  add('padding', size);
  return segments;
}
