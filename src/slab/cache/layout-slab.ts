/**
 * # What one slab of a SLAB cache looks like
 *
 * SLUB threads its list of free objects through them. SLAB keeps a list beside: an array of one byte an object, the stack of free indices.
 * `active` objects are handed out; the array from there on names the free ones. That array lies in one of three places:
 *
 *     1. in a free object (OBJFREELIST): costs nothing, because the object that is handed out last holds it
 *
 *        |colour| object 0 | object 1 | … | object n-1: 0 1 2 … n-1 |left over|
 *
 *     2. outside (OFF_SLAB): a kmalloc object of its own
 *
 *        |colour| object 0 | object 1 | … | object n-1 |left over|        kmalloc-32: 0 1 2 … n-1
 *
 *     3. in the slab, at its end: each object costs a byte more
 *
 *        |colour| object 0 | object 1 | … | object n-1 |left over| 0 1 2 … n-1|
 *
 * The first place that works is taken:
 *  1. needs objects that nobody reads while they are free (no constructor, not TYPESAFE_BY_RCU), and the array must fit into the size that
 *     was asked for;
 *  2. is refused to NOLEAKTRACE caches. The kmalloc object for the array may take at most half the size that was asked for, so that small
 *     objects do not pay more for their list than for themselves; and if what is left over would hold the array, place 3 is as good;
 *  3. works wherever a block holds an object and its byte.
 *
 * For each place an order is searched, from 0 up to the largest block that kmalloc knows. An order without room for one object is passed
 * over; one with more than 255 ends the search, because an index is one byte. Any other is kept, and ends the search if the
 * cache is RECLAIM_ACCOUNT (a small slab is empty sooner), if it reaches `slab_max_order`, or if at most an eighth of it is left over. The
 * last one kept is the slab; where none was, the place does not work.
 *
 * What is left over is used: each new slab begins its objects one colour further in, so that object 0 of several slabs does
 * not always fall into the same lines of a processor's cache. A colour is a cache line, or the alignment if that is more.
 *
 * An object is its size rounded up to a word and to its alignment, and 16 bytes at least: 256 objects of 16 bytes fit into a page, one
 * more than an index can name, so these have their list in the slab, which leaves room for 240.
 *
 * Sources: truth/README.md, "SLAB geometry", checked against every recorded create. All arithmetic is on 32-bit unsigned numbers as in the
 * kernel: an object of 0xffffffff bytes wraps to nothing and takes 16.
 */
import { alignMask32, orderOf } from '../../base/index.js';
import { __GFP } from '../../machine/index.js';
import { type KernelProfile, SLAB, type SlabKernel } from '../kernel/index.js';
import { calculateAlignment, type LayoutRequest, type SlabShape } from './layout-slub.js';

/**
 * Set by the engine, never by a caller: the list of free objects is a kmalloc object. Like the next one it has the bit of one of SLUB's two
 * (flags.ts), which no machine with SLAB has.
 */
export const CFLGS_OFF_SLAB = 0x80000000;
/** Set by the engine, never by a caller: the list of free objects lies in one of them. */
export const CFLGS_OBJFREELIST_SLAB = 0x40000000;

/** What the kernel was booted with, as far as SLAB's caches see it. */
export interface SlabBoot {
  /** `slab_max_order` */
  readonly slabMaxOrder: number;
  readonly cpus: number;
}

/** What SLAB has to lay out. */
export interface SlabLayoutRequest extends Omit<LayoutRequest, 'freeptrOffset'> {
  /** CPUs that count for `freeLimit`, if not all of them (`cpusCountedEarly`). */
  readonly cpusCounted?: number;
}

/** What SLAB makes of it. Sizes in bytes. */
export interface SlabLayout {
  /** The final flags, unsigned; two of them say where the list of free objects lies. */
  readonly flags: number;
  /** Bytes from one object to the next. */
  readonly size: number;
  readonly objectSize: number;
  readonly align: number;
  /** There is one order only: where it is not available, the allocation fails. */
  readonly oo: SlabShape;
  /** How many colours a slab can have, and bytes of one; with fewer than two colours all slabs begin alike. */
  readonly colours: number;
  readonly colourOff: number;
  /** Bytes of the list of free objects. */
  readonly freelistSize: number;
  /** Objects that a CPU's array holds, and how many are moved at a time. */
  readonly limit: number;
  readonly batchcount: number;
  /** The array of all CPUs holds so many times `batchcount`; 0 for none. */
  readonly sharedFactor: number;
  /** Free objects that the slabs may hold before one of them is given back. */
  readonly freeLimit: number;
  /** gfp bits that every page request of the cache carries. */
  readonly allocflags: number;
}

/** Where a slab's list of free objects lies: in one of them, in a kmalloc object, or at the slab's end. */
export type FreelistPlace = 'object' | 'outside' | 'slab';

/** Where a cache's slabs have their lists of free objects, by its final flags. */
export function freelistPlace(flags: number): FreelistPlace {
  if (flags & CFLGS_OBJFREELIST_SLAB) return 'object';
  return flags & CFLGS_OFF_SLAB ? 'outside' : 'slab';
}

/** The layout, or null where no slab can hold an object (the kernel's -E2BIG). Throws KernelWouldCrashError where the kernel would hang. */
export function slabLayout(
  profile: SlabKernel,
  boot: SlabBoot,
  request: SlabLayoutRequest,
): SlabLayout | null {
  const { slab, cacheLineSize } = profile;
  const { place, refused, fit } = freelistTrials(profile, boot.slabMaxOrder, request).at(-1)!;
  if (refused !== null || fit === null) return null;
  const { order, objects, leftOver } = fit;
  const size = slotSize(profile, request);
  const align = alignmentOf(profile, request);
  const colourOff = Math.max(cacheLineSize, align);
  const { limit, batchcount, sharedFactor } = defaultTunables(profile, boot.cpus, size);
  return {
    flags: (request.flags | FLAG_OF_PLACE[place]) >>> 0,
    size,
    objectSize: request.size,
    align,
    oo: { order, objects },
    colours: Math.floor(leftOver / colourOff),
    colourOff,
    freelistSize: objects * slab.indexBytes,
    limit,
    batchcount,
    sharedFactor,
    freeLimit: slabFreeLimit(request.cpusCounted ?? boot.cpus, batchcount, objects),
    allocflags: pageFlags(request.flags),
  };
}

function alignmentOf(profile: KernelProfile, { flags, align, size }: SlabLayoutRequest): number {
  return calculateAlignment(profile, flags, align, size);
}

/** Bytes from one object to the next. */
function slotSize(profile: SlabKernel, request: SlabLayoutRequest): number {
  const align = alignmentOf(profile, request);
  const size = alignMask32(alignMask32(request.size, profile.wordSize), align);
  return size < profile.slab.minObjectSize ? alignMask32(profile.slab.minObjectSize, align) : size;
}

const FLAG_OF_PLACE: Readonly<Record<FreelistPlace, number>> = {
  object: CFLGS_OBJFREELIST_SLAB,
  outside: CFLGS_OFF_SLAB,
  slab: 0,
};

/** What fits into a block, and the bytes that no object has. */
interface Fit extends SlabShape {
  readonly leftOver: number;
}

/** One place, and why it does not work; null where it does. */
export interface FreelistTrial {
  readonly place: FreelistPlace;
  readonly refused: string | null;
  /** The slab that it makes, or would; null where there is none. */
  readonly fit: Fit | null;
}

/** The places in their order, up to the first that works. */
export function freelistTrials(
  profile: SlabKernel,
  maxOrder: number,
  request: SlabLayoutRequest,
): FreelistTrial[] {
  const trials: FreelistTrial[] = [];
  const size = slotSize(profile, request);
  for (const tryPlace of [inFreeObject, outsideSlab, atSlabEnd]) {
    const trial = tryPlace(profile, maxOrder, request, size);
    trials.push(trial);
    if (trial.refused === null) break;
  }
  return trials;
}

type TryPlace = (
  profile: SlabKernel,
  maxOrder: number,
  request: SlabLayoutRequest,
  size: number,
) => FreelistTrial;

const inFreeObject: TryPlace = (profile, maxOrder, { flags, ctor, size: asked }, size) => {
  const trial = (refused: string | null, fit: Fit | null = null) => ({
    place: 'object' as const,
    refused,
    fit,
  });
  if (ctor) return trial('what the constructor wrote must stay while an object is free');
  if (flags & SLAB.TYPESAFE_BY_RCU) return trial('with TYPESAFE_BY_RCU a free object may still be read');
  const fit = searchOrder(profile, { bytes: size, maxOrder, flags });
  if (fit === null) return trial(tooMany(profile, size));
  const bytes = fit.objects * profile.slab.indexBytes;
  return trial(
    bytes <= asked ? null : `${fit.objects} indices do not fit into the ${asked} bytes asked for`,
    fit,
  );
};

const outsideSlab: TryPlace = (profile, maxOrder, { flags, size: asked }, size) => {
  const trial = (refused: string | null, fit: Fit | null = null) => ({
    place: 'outside' as const,
    refused,
    fit,
  });
  if (flags & SLAB.NOLEAKTRACE)
    return trial('NOLEAKTRACE: the leak tracer would be called for it from within itself');
  const { indexBytes } = profile.slab;
  const most = Math.floor(asked / 2);
  const accepts = (objects: number) => kmallocSlotSize(profile, objects * indexBytes) <= most;
  const fit = searchOrder(profile, { bytes: size, maxOrder, flags, accepts });
  if (fit === null) {
    const small = searchOrder(profile, { bytes: size, maxOrder, flags }) !== null;
    return trial(
      small
        ? `its kmalloc object would take more than half of the ${asked} bytes asked for`
        : tooMany(profile, size),
    );
  }
  const fitsInside = fit.leftOver >= fit.objects * indexBytes;
  return trial(
    fitsInside ? `the ${fit.leftOver} bytes left over hold ${fit.objects} indices anyway` : null,
    fit,
  );
};

const atSlabEnd: TryPlace = (profile, maxOrder, { flags }, size) => {
  const bytes = size + profile.slab.indexBytes;
  const fit = searchOrder(profile, { bytes, maxOrder, flags });
  return { place: 'slab', refused: fit === null ? tooMany(profile, bytes) : null, fit };
};

function tooMany({ pageSize, orders, slab }: SlabKernel, bytes: number): string {
  const large = bytes > pageSize * 2 ** (orders - 1);
  return large
    ? 'no block is large enough'
    : `a page holds more than ${slab.maxObjects}, which is what an index can name`;
}

interface OrderQuestion {
  /** Of an object, with its index where that lies in the slab. */
  readonly bytes: number;
  readonly maxOrder: number;
  readonly flags: number;
  /** Whether a slab with so many objects can have its list where it is to lie. */
  readonly accepts?: (objects: number) => boolean;
}

function searchOrder(
  { pageSize, orders, slab }: SlabKernel,
  { bytes, maxOrder, flags, accepts }: OrderQuestion,
): Fit | null {
  let kept: Fit | null = null;
  for (let order = 0; order < orders; order++) {
    const slabBytes = pageSize * 2 ** order;
    const objects = Math.floor(slabBytes / bytes);
    if (objects === 0) continue;
    if (objects > slab.maxObjects) break;
    if (accepts?.(objects) === false) continue;
    const leftOver = slabBytes % bytes;
    kept = { order, objects, leftOver };
    if (flags & SLAB.RECLAIM_ACCOUNT || order >= maxOrder || leftOver * 8 <= slabBytes) break;
  }
  return kept;
}

/** Bytes that kmalloc takes for so many bytes: whole pages where they are more than its largest cache has. */
function kmallocSlotSize({ kmallocSizes, cacheLineSize, pageSize }: KernelProfile, bytes: number): number {
  const [objectSize] = kmallocSizes.find(([most]) => most >= bytes) ?? [];
  if (objectSize === undefined) return pageSize * 2 ** orderOf(bytes, pageSize);
  // kmalloc-96 is aligned to cache lines too.
  return objectSize < cacheLineSize ? objectSize : alignMask32(objectSize, cacheLineSize);
}

/** Objects of a CPU's array and of what is moved at a time, and how many such batches the CPUs share. */
function defaultTunables(
  { slab, pageSize }: SlabKernel,
  cpus: number,
  size: number,
): Pick<SlabLayout, 'limit' | 'batchcount' | 'sharedFactor'> {
  const [, limit] = slab.limitBySize.find(([above]) => size > above)!;
  // Objects go from the CPU that frees to the one that allocates without a way through the slabs; alone there is nobody to share with.
  const sharedFactor = size <= pageSize && cpus > 1 ? slab.sharedFactor : 0;
  return { limit, batchcount: Math.floor((limit + 1) / 2), sharedFactor };
}

/** A batch for each CPU, one more, and a slab's objects. */
export function slabFreeLimit(cpus: number, batchcount: number, objectsPerSlab: number): number {
  return (1 + cpus) * batchcount + objectsPerSlab;
}

/**
 * The CPUs that `freeLimit` counts in caches which are made before a second CPU is up: each CPU that comes sets it anew, but does not count
 * itself yet.
 */
export function cpusCountedEarly(cpus: number): number {
  return Math.max(1, cpus - 1);
}

function pageFlags(flags: number): number {
  let gfp: number = __GFP.COMP;
  if (flags & SLAB.CACHE_DMA) gfp |= __GFP.DMA;
  if (flags & SLAB.CACHE_DMA32) gfp |= __GFP.DMA32;
  if (flags & SLAB.RECLAIM_ACCOUNT) gfp |= __GFP.RECLAIMABLE;
  return gfp;
}
