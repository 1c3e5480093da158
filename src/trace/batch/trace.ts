/**
 * # A trace: what a resolver makes of events
 *
 *     event    kmalloc  call_site=seq_open+0x2a  ptr=ffff888103eb6000  bytes_req=120  bytes_alloc=120  gfp_flags=GFP_KERNEL|__GFP_ZERO
 *     row      op ALLOC   class 17   slot 4031   cpu 0   time …   pid 38   comm snap   site seq_open+0x2a
 *
 * Nobody who replays a trace wants its pointers. They want to know which allocation a free belongs to, and what of an allocation is
 * always the same:
 *
 *  - a *slot* is a live object's number, given back when it is freed, so there are as many as objects were live at once;
 *  - a *class* is everything constant of an allocation: kind, call site's function, bytes, gfp flags, order, the cache's name
 *    where the event gives it (classes.ts says which cache it is where it does not).
 *
 * There is one row for each event, in the file's order, so a row's number is an event's. The columns of rows come in chunks, and a trace
 * can be gone through again and again: each what-if of a replay does.
 *
 * | op | class | slot |
 * | --- | --- | --- |
 * | NONE: a free of NULL, a failed allocation, an event that repeats another | – | – |
 * | ALLOC, + OVER if the slot's object before it was freed without an event, + GREW if the slab allocator took pages for it | yes | its |
 * | FREE | of the allocation | its |
 * | FREE + UNSEEN: of something whose allocation is not in the trace, + AGAIN if its pointer was seen before | of a free | NO_SLOT |
 * | PAGE_ALLOC, + SLAB_PAGES for a slab's own, + LARGE_PAGES for those of a kmalloc of class LARGE, + OVER as above | of pages | its |
 * | PAGE_FREE, + SLAB_PAGES, + LARGE_PAGES | of the allocation | its |
 * | PAGE_FREE + UNSEEN | of a free | NO_SLOT |
 * | MARK | – (`marks` of the trace) | NO_SLOT |
 * | LOST | – | how many events, 0 if unknown |
 */
import type { Strings } from './strings.js';

/** The low bits of a row's `op`. Stored in files: numbers are never reused. */
export const OP = {
  NONE: 0,
  ALLOC: 1,
  FREE: 2,
  PAGE_ALLOC: 3,
  PAGE_FREE: 4,
  MARK: 5,
  LOST: 6,
} as const;
/** The bits of a row's `op` that are one of OP. */
export const OP_MASK = 15;

/** Added to an op, as are the next five. Of an allocation: the slot's object before it was freed without an event. */
export const OVER = 0x10;
/** Of a free: its allocation is not in the trace. */
export const UNSEEN = 0x10;
/** Of an allocation: the slab allocator took pages for it. */
export const GREW = 0x20;
/** Of a free without an allocation: its pointer was seen before. */
export const AGAIN = 0x20;
/** Of pages: they are a slab's. */
export const SLAB_PAGES = 0x40;
/** Of pages: they are a kmalloc's that is larger than any cache. */
export const LARGE_PAGES = 0x80;

/** The slot of a row that has none. */
export const NO_SLOT = -1;

/** The columns of up to CHUNK_ROWS rows. Which are filled is up to who asked for the chunk. Valid until the next chunk is taken. */
export interface TraceChunk {
  /** The number of its first row. */
  readonly first: number;
  readonly rows: number;
  readonly op: Uint8Array;
  readonly cpu: Uint16Array;
  readonly class: Uint32Array;
  readonly slot: Int32Array;
  /** Nanoseconds of the trace's clock. */
  readonly time: Float64Array;
  readonly pid: Int32Array;
  /** Texts of the trace's `strings`. */
  readonly comm: Uint32Array;
  readonly site: Uint32Array;
}

/** A column of a chunk. */
export type TraceColumn = Exclude<keyof TraceChunk, 'first' | 'rows'>;

/** All columns of a chunk. */
export const TRACE_COLUMNS: readonly TraceColumn[] = [
  'op',
  'cpu',
  'class',
  'slot',
  'time',
  'pid',
  'comm',
  'site',
];

/** What a class is of. Stored in files. */
export const CLASS_KIND = {
  /** kmalloc from a cache. */
  KMALLOC: 1,
  /** kmem_cache_alloc. */
  CACHE: 2,
  /** kmalloc of more than a cache has: whole pages, which have an event of their own where pages are traced. */
  LARGE: 3,
  PAGES: 4,
  /** Frees whose allocation was not seen, by the name that the event gives. */
  KFREE: 5,
  CACHE_FREE: 6,
  PAGE_FREE: 7,
} as const;

/** What is constant of some rows, and how often it came. */
export interface TraceClass {
  /** CLASS_KIND. */
  readonly kind: number;
  /**
   * The calling function, with its module if it has one; '' for pages, and for an unseen free that gave a name. Of one that gave none its
   * caller.
   */
  readonly site: string;
  readonly bytesReq: number;
  /** Bytes from one object to the next. Of an unseen free without a name: of the live objects between which it lay, 0 without any. */
  readonly bytesAlloc: number;
  /** As of 6.1 (machine/gfp.ts). */
  readonly gfp: number;
  /** Of pages. */
  readonly order: number;
  /** ACCOUNTED. */
  readonly accounted: number;
  /** Of unseen frees: the name in the event, '' where there is none. */
  readonly freedAs: string;
  /** Of kmem_cache_alloc: the cache's name in the event, of kernels after 6.17; '' where there is none. */
  readonly allocatedAs: string;
  readonly allocs: number;
  readonly frees: number;
  /** At the end. */
  readonly live: number;
  /** Allocations for which the slab allocator took pages, by the order of those. */
  readonly grew: readonly (readonly [order: number, count: number])[];
  /** Names that frees of its objects gave, with their counts, most first. */
  readonly names: readonly (readonly [name: string, count: number])[];
  /**
   * Other classes of caches that had live objects in the same pages at the end, with how many pages. Of an unseen free without a name: the
   * classes of live objects that lay whole distances away in the same page when it came, with how many frees.
   */
  readonly neighbours: readonly (readonly [classId: number, pages: number])[];
}

/** Something written to trace_marker. */
export interface TraceMark {
  readonly row: number;
  readonly time: number;
  readonly text: string;
  /** Objects live, and pages that were allocated and not freed, in front of it. */
  readonly live: number;
  readonly livePages: number;
}

/** What a resolver noticed. All of it can be written as JSON. */
export interface ResolveReport {
  readonly rows: number;
  readonly firstTime: number;
  readonly lastTime: number;
  /** The highest CPU that an event names, plus one. */
  readonly cpus: number;
  /**
   * CPUs that the events make believable, and those that they do not, with their events: a damaged line can name any. Not in files of
   * before.
   */
  readonly believedCpus?: {
    readonly cpus: number;
    readonly odd: readonly (readonly [cpu: number, events: number])[];
  };
  /** Rows whose time is before that of the row above on the same CPU. */
  readonly backwards: number;
  readonly objects: {
    readonly allocs: number;
    readonly frees: number;
    /** Allocations that gave NULL. */
    readonly failed: number;
    readonly peakLive: number;
    readonly live: number;
    /** Allocated at a pointer that was live: freed without an event, or two pointers that print alike. By who had it, most first. */
    readonly over: number;
    readonly overSites: readonly (readonly [site: string, count: number])[];
    /** Frees of NULL, and of ZERO_SIZE_PTR. */
    readonly freesOfNothing: number;
    /** Frees whose allocation is not in the trace, and how many of those had a pointer that was seen before. By name or function. */
    readonly unseen: number;
    readonly unseenAgain: number;
    readonly unseenBy: readonly (readonly [who: string, count: number])[];
    /** Pointers that kfree got three times and more without an allocation, and those frees: ZERO_SIZE_PTR, where pointers are hashed. */
    readonly zeroSizeLike: readonly [pointers: number, frees: number];
    /** kfree of what a cache gave, and the reverse. */
    readonly mixed: number;
  };
  readonly pages: {
    /** Blocks. */
    readonly allocs: number;
    readonly frees: number;
    readonly failed: number;
    readonly live: number;
    readonly livePages: number;
    readonly over: number;
    readonly unseen: number;
    /** Blocks that were freed piece by piece. */
    readonly split: number;
    /** Blocks that were a slab's own. */
    readonly slabs: number;
  };
  readonly lost: number;
  /** Markers beyond the first MARKS_MAX are counted only. */
  readonly marksLeftOut: number;
  /** What pointers are, and by what it was seen. */
  readonly pointers: 'real' | 'hashed' | 'unclear';
  /** Bytes of a page as far as real pointers tell, else 0. */
  readonly pageSize: number;
}

/** Whether a stretch of rows is wanted: the first of them, and how many. */
export type WantsRows = (first: number, rows: number) => boolean;

/** What was recorded, row by row (trace/batch/trace.ts). */
export interface Trace {
  readonly rows: number;
  /** Slots are numbers below this. */
  readonly slots: number;
  /** The highest CPU that an event names, plus one. */
  readonly cpus: number;
  readonly strings: Strings;
  readonly classes: readonly TraceClass[];
  readonly marks: readonly TraceMark[];
  readonly report: ResolveReport;
  /**
   * All rows from the first on; a chunk's other columns than these may be left as they are. Chunks of which `wants` says no, by their
   * first row and how many they have, may be left out.
   */
  chunks(columns?: readonly TraceColumn[], wants?: WantsRows): Iterable<TraceChunk>;
}

/** A chunk with room for so many rows. */
export function createChunk(first: number, rows: number): TraceChunk {
  return {
    first,
    rows,
    op: new Uint8Array(rows),
    cpu: new Uint16Array(rows),
    class: new Uint32Array(rows),
    slot: new Int32Array(rows),
    time: new Float64Array(rows),
    pid: new Int32Array(rows),
    comm: new Uint32Array(rows),
    site: new Uint32Array(rows),
  };
}
