/**
 * What `slablab layout` says about a cache, as data: the shape that `--json` prints. report.ts fills it in.
 */
import type { ZoneName } from '../../machine/index.js';
import type { AllocatorName, FreelistPlace, SlabShape } from '../../slab/index.js';

/** The report as `--json` prints it. Sizes in bytes. */
export interface LayoutReport {
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

/** What was asked for. Bytes. */
export interface LayoutRequestSummary {
  readonly name: string;
  readonly size: number;
  readonly align: number;
  readonly flags: number;
  readonly flagNames: string;
  readonly ctor: boolean;
  readonly useroffset: number;
  readonly usersize: number;
  /** Objects of a sheaf, where it asks for a number. */
  readonly sheafCapacity?: number;
}

/** The machine that it was created on. */
export interface LayoutMachineSummary {
  readonly name: string;
  readonly kernel: string;
  readonly allocator: AllocatorName;
  readonly cpus: number;
  readonly pageSize: number;
  readonly slubMinOrder: number;
  readonly slubMaxOrder: number;
  /** 0: the number of CPUs decides. */
  readonly slubMinObjects: number;
  readonly slubNomerge: boolean;
  /** The letters of `slub_debug`, '' without. */
  readonly slubDebug: string;
  readonly slabMaxOrder: number;
}

/** The layout of a cache, by the allocator that made it. */
export type CacheLayout = SlubCacheLayout | SheafCacheLayout | SlabCacheLayout;

/** What a cache of either allocator has. */
export interface CommonLayout {
  readonly slabSize: number;
  readonly objectSize: number;
  readonly align: number;
  readonly order: number;
  readonly objects: number;
  readonly slabBytes: number;
  /** Bytes of a slab that belong to no object (nor, with SLAB, to its list of free objects), and their share. */
  readonly wasteBytes: number;
  readonly wasteShare: number;
  /** The gfp bits of each page request, and their names as the kernel prints them. */
  readonly allocflags: number;
  readonly allocflagNames: string;
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

/** What SLUB says of a cache, whatever its CPUs keep. Bytes, but for orders and what counts objects or slabs. */
export interface SlubCommonLayout extends CommonLayout {
  readonly allocator: 'slub';
  /** Its directory in /sys/kernel/slab. */
  readonly id: string;
  readonly inuse: number;
  /**
   * Bytes from the object's address; `insideObject` says whether the object's own bytes are used while it is
   * free.
   */
  readonly freePointer: { readonly offset: number; readonly bytes: number; readonly insideObject: boolean };
  readonly redLeftPad: number;
  /** What is tried when a block of that order is not available. */
  readonly fallback: SlabShape;
  readonly minPartial: number;
}

/** A cache of SLUB whose CPUs keep slabs. */
export interface SlubCacheLayout extends SlubCommonLayout {
  /** In objects, and the limit in slabs that follows from it. */
  readonly cpuPartial: number;
  readonly cpuPartialSlabs: number;
}

/** A cache of SLUB whose CPUs have sheaves. */
export interface SheafCacheLayout extends SlubCommonLayout {
  /** Objects of one sheaf; 0 for a cache that has none. */
  readonly sheafCapacity: number;
}

/** A cache of SLAB. Bytes, but for orders and what counts objects. */
export interface SlabCacheLayout extends CommonLayout {
  readonly allocator: 'slab';
  /** A slab's list of free objects: where it lies, its bytes, and the kmalloc cache that it comes from where it lies outside. */
  readonly freelist: {
    readonly place: FreelistPlace;
    readonly bytes: number;
    readonly kmalloc: { readonly cache: string; readonly bytes: number } | null;
    /** Why the places that come before do not work. */
    readonly refused: readonly { readonly place: FreelistPlace; readonly why: string }[];
  };
  /** How many colours a slab can have, and bytes of one; and where slabs begin their objects, the first slab first. */
  readonly colours: number;
  readonly colourBytes: number;
  readonly colourOffsets: readonly number[];
  /** Objects that a CPU's array holds, how many are moved at a time, how many such batches the CPUs share, and objects of that. */
  readonly limit: number;
  readonly batchcount: number;
  readonly sharedFactor: number;
  readonly sharedLimit: number;
  /** Free objects that the slabs hold before one is given back. */
  readonly freeLimit: number;
}

/** The standing cache that a creation shares. */
export interface MergedCache {
  readonly name: string;
  /** Creations that share it, this one included. */
  readonly sharedBy: number;
  readonly objectSizeBefore: number;
  readonly layout: CacheLayout;
}

/** What some bytes of an object are for. */
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
