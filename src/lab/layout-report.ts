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
 * free, or behind it.
 */
import { ArgumentError, KernelPanicError } from '../base/index.js';
import { boardMap, formatGfp, GFP, type MemoryMap, type ZoneName } from '../machine/index.js';
import {
  type CacheInfo,
  formatSlabFlags,
  type KernelProfile,
  Machine,
  type MachineOptions,
  SLAB,
  SLAB_NEVER_MERGE,
  type SlabShape,
  type SlubLayout,
  slubLayout,
  sysfsId,
  withBootDebug,
} from '../slab/index.js';

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
  /** Made with the standing caches of a booted kernel unless told otherwise. */
  readonly machine?: MachineOptions;
}

/** The report as `--json` prints it. Sizes in bytes. */
export interface LayoutReport {
  readonly version: 1;
  readonly request: LayoutRequestSummary;
  readonly machine: LayoutMachineSummary;
  /** The line that the kernel logs when it refuses; then there is no cache. */
  readonly refused: string | null;
  /** The standing cache that the request joins, as it is then; null for a cache of its own. */
  readonly merged: MergedCache | null;
  /** What the request makes where nothing merges with it; null if refused. */
  readonly alone: CacheLayout | null;
  /** What else the kernel logs. */
  readonly warnings: readonly string[];
}

export interface LayoutRequestSummary {
  readonly name: string;
  readonly size: number;
  readonly align: number;
  readonly flags: number;
  readonly flagNames: string;
  readonly ctor: boolean;
  readonly useroffset: number;
  readonly usersize: number;
}

export interface LayoutMachineSummary {
  readonly name: string;
  readonly kernel: string;
  readonly cpus: number;
  readonly pageSize: number;
  readonly slubMinOrder: number;
  readonly slubMaxOrder: number;
  /** 0: the number of CPUs decides. */
  readonly slubMinObjects: number;
  readonly slubNomerge: boolean;
  /** The letters of `slub_debug`, '' without. */
  readonly slubDebug: string;
}

export interface CacheLayout {
  /** Its directory in /sys/kernel/slab. */
  readonly id: string;
  readonly slabSize: number;
  readonly objectSize: number;
  readonly inuse: number;
  readonly align: number;
  /**
   * Bytes from the object's address; `insideObject` says whether the object's own bytes are used while it is
   * free.
   */
  readonly freePointer: { readonly offset: number; readonly bytes: number; readonly insideObject: boolean };
  readonly redLeftPad: number;
  readonly order: number;
  readonly objects: number;
  /** What is tried when a block of that order is not to be had. */
  readonly fallback: SlabShape;
  readonly slabBytes: number;
  /** Bytes of a slab that belong to no object, and their share. */
  readonly wasteBytes: number;
  readonly wasteShare: number;
  /** The gfp bits of each page request, and their names as the kernel prints them. */
  readonly allocflags: number;
  readonly allocflagNames: string;
  readonly minPartial: number;
  /** In objects, and the limit in slabs that follows from it. */
  readonly cpuPartial: number;
  readonly cpuPartialSlabs: number;
  readonly flags: number;
  readonly flagNames: string;
  /**
   * The zone of its first slab on this machine, and whether slabs may lie above 4 GiB; null where it has no
   * page for one.
   */
  readonly firstZone: ZoneName | null;
  readonly mayLieAbove4GiB: boolean;
  readonly segments: readonly Segment[];
}

export interface MergedCache {
  readonly name: string;
  /** Creations that share it, this one included. */
  readonly sharedBy: number;
  readonly objectSizeBefore: number;
  readonly layout: CacheLayout;
}

export type SegmentKind =
  | 'left red zone'
  | 'object'
  | 'alignment'
  | 'red zone'
  | 'free pointer'
  | 'alloc track'
  | 'free track'
  | 'requested size'
  | 'padding';

/** Bytes of one object with all that surrounds it, counted from its left red zone. */
export interface Segment {
  readonly what: SegmentKind;
  readonly from: number;
  /** The first byte behind it. */
  readonly to: number;
  /** The free pointer is kept here while the object is free. */
  readonly freePointer: boolean;
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
  } = options;
  const machine = Machine.create({ standing: true, ...options.machine });
  const before = new Map(machine.caches().map((cache) => [cache.id, cache.info]));
  machine.log.clear();
  const create = { align, flags, useroffset, usersize, ...(ctor && { ctor: () => {} }) };
  const { cache, panic } = orPanic(() => machine.kmemCacheCreate(name, size, create));
  const lines = [...machine.log.lines];
  const report = {
    version: 1 as const,
    request: { name, size, align, flags, flagNames: formatSlabFlags(flags), ctor, useroffset, usersize },
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
  const map = memoryMap(options.machine);
  return {
    ...report,
    refused: null,
    merged: standing
      ? {
          name: cache.name,
          sharedBy: cache.info.refcount,
          objectSizeBefore: standing.objectSize,
          layout: describeCache(machine, map, cache.info, cache.sysfsId),
        }
      : null,
    alone: standing
      ? aloneLayout(machine, map, options)
      : describeCache(machine, map, cache.info, cache.sysfsId),
    warnings: lines,
  };
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

function memoryMap({ machine = 'x86_64', memory }: MachineOptions = {}): MemoryMap {
  return typeof machine === 'object' ? machine : boardMap(machine, memory);
}

function summarizeMachine(machine: Machine, options: MachineOptions | undefined): LayoutMachineSummary {
  const { boot, kernel, cpus } = machine;
  return {
    name: memoryMap(options).name,
    kernel: kernel.name,
    cpus,
    pageSize: kernel.pageSize,
    slubMinOrder: boot.minOrder,
    slubMaxOrder: boot.maxOrder,
    slubMinObjects: boot.minObjects,
    slubNomerge: boot.noMerge,
    slubDebug: options?.slubDebug?.toUpperCase() ?? '',
  };
}

/** What a request that merges would have been by itself. */
function aloneLayout(machine: Machine, map: MemoryMap, options: LayoutOptions): CacheLayout | null {
  const { name = 'new_cache', size, align = 0, flags = 0 } = options;
  // What merges has neither a constructor nor a region for user space.
  const kept = withBootDebug(flags & machine.kernel.createMask, machine.boot.debug);
  const layout = slubLayout(machine.kernel, machine.boot, { size, align, flags: kept, ctor: false });
  if (layout === null) return null;
  const mergeable = (layout.flags & SLAB_NEVER_MERGE) === 0;
  const id = sysfsId({ name, flags: layout.flags, size: layout.size, mergeable }, machine.boot);
  return describeCache(machine, map, layout, id);
}

function describeCache(
  machine: Machine,
  map: MemoryMap,
  layout: SlubLayout | CacheInfo,
  id: string,
): CacheLayout {
  const { kernel } = machine;
  const slabBytes = kernel.pageSize * 2 ** layout.oo.order;
  const wasteBytes = slabBytes - layout.oo.objects * layout.size;
  const firstZone = zoneOfFirstSlab(machine, layout);
  return {
    id,
    slabSize: layout.size,
    objectSize: layout.objectSize,
    inuse: layout.inuse,
    align: layout.align,
    freePointer: {
      offset: layout.offset,
      bytes: kernel.wordSize,
      insideObject: layout.offset < layout.inuse,
    },
    redLeftPad: layout.redLeftPad,
    order: layout.oo.order,
    objects: layout.oo.objects,
    fallback: { order: layout.min.order, objects: layout.min.objects },
    slabBytes,
    wasteBytes,
    wasteShare: wasteBytes / slabBytes,
    allocflags: layout.allocflags,
    allocflagNames: formatGfp(layout.allocflags),
    minPartial: layout.minPartial,
    cpuPartial: layout.cpuPartial,
    cpuPartialSlabs: layout.cpuPartialSlabs,
    flags: layout.flags,
    flagNames: formatSlabFlags(layout.flags),
    firstZone,
    mayLieAbove4GiB: firstZone === 'Normal' && map.ram.some((range) => range.end > 2 ** 32),
    segments: objectSegments(layout, kernel),
  };
}

/** Asks the page allocator, and gives the block back. */
function zoneOfFirstSlab(machine: Machine, { allocflags, oo, min }: SlubLayout): ZoneName | null {
  for (const order of [oo.order, min.order]) {
    const pfn = machine.allocPages((GFP.KERNEL | allocflags) as typeof GFP.KERNEL, order);
    if (pfn < 0) continue;
    machine.freePages(pfn, order);
    return machine.zoneOf(pfn * machine.kernel.pageSize) ?? null;
  }
  return null;
}

/** The bytes of one object with its surroundings, exactly once each, in order. */
export function objectSegments(layout: SlubLayout, profile: KernelProfile): Segment[] {
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
