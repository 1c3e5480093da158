/**
 * # To look at a replay, at any of its rows
 *
 *     recorded ─╮
 *     what-if ──┴─▸ createLook ─▸ Look ─▸ result, levels          the whole of it: figures and curves
 *                                 │
 *                                 └──▸ at(row) ─▸ Moment        the machine as it was in front of a row
 *
 *     const look = createLook(recorded, parseWhatIf(['dentry.size=200']));
 *     const peak = look.at(look.result.peak.row);
 *     peak.caches()[0];                                   // the cache that held most at the peak
 *     const slab = peak.slabOf(4711);                     // its objects, and who allocated them
 *
 * A Look has one machine, and `at` moves it: a Moment is good until the next one is asked for. Its answers are plain data that can be
 * posted from one thread to another. Where a row was asked for before, a copy of what had changed is near (checkpoints.ts).
 *
 * Numbers: a *frame* is a page frame counted from the machine's first (machine/ledger.ts), a *row* an event of the trace; a moment's row
 * is that of the event that comes next, so that row 0 is the machine in front of the trace and `rows` the machine at its end.
 */
import type { Machine } from '../../slab/index.js';
import type { CacheLayout } from '../layout/index.js';
import type { Fullness, Pin, Recorded, ReplayResult } from '../replay/index.js';
import type { WhatIf } from '../what-if/index.js';
import type { Levels } from './levels.js';

/** A replay that can be looked at at any row. */
export interface Look {
  readonly recorded: Recorded;
  readonly whatIf: WhatIf;
  /** The finished run, the same that `replay` returns. */
  readonly result: ReplayResult;
  readonly rows: number;
  /** Least and most of bytes over rows, for drawing. */
  readonly levels: Levels;
  /**
   * The machine as it was in front of a row, 0 to `rows`; quick near a row that was asked for before. The moment before this one is no
   * good afterwards. Throws ArgumentError for what is no such row.
   */
  at(row: number): Moment;
  /** The last row in front of this one, or the first from this one on, whose event is wanted; undefined if there is none. */
  seek(row: number, step: -1 | 1, wanted?: Wanted): number | undefined;
}

/** Which events a step goes to; all of those that are named must hold. */
export interface Wanted {
  /** Of objects of this cache, by a name of it. */
  readonly cache?: string;
}

/** The machine in front of a row. */
export interface Moment {
  readonly row: number;
  /** Nanoseconds of the trace's clock: the row's, at the end the last one's. */
  readonly time: number;
  /** To read only: what is done to it is undone by nothing. */
  readonly machine: Machine;
  zones(): ZoneMap[];
  /** What holds each of `cells` equal stretches of the frames from `from` to in front of `to`. */
  frames(from: number, to: number, cells: number): FrameCells;
  /** What a frame is part of. Throws ArgumentError for a frame that the machine does not have. */
  frame(frame: number): FrameAt;
  /** The slab that a frame is part of. */
  slabOf(frame: number): SlabMap | undefined;
  /** All slabs that have one of the frames from `from` to in front of `to`, by frame. */
  slabs(from: number, to: number): SlabBrief[];
  /** Those that hold most first; without those that have no slab and never had one. */
  caches(): CacheAt[];
  cache(name: string): CacheDetail | undefined;
  /** Who keeps sparse slabs, as in a result; at most `limit`. */
  pins(limit: number): Pin[];
  /** The slabs that these objects keep, the sparsest first; at most `limit`. */
  pinned(pin: Pick<Pin, 'cache' | 'site' | 'comm'>, limit: number): CacheSlab[];
  /** The row's own event, and what it does; undefined at the end. */
  event(): EventAt | undefined;
}

// ---- memory ----------------------------------------------------------------------------------------------------------------

/** A zone. Counts are of frames. */
export interface ZoneMap {
  readonly name: string;
  /** Its first frame and how many it spans, holes and reserved ones among them. */
  readonly firstFrame: number;
  readonly frames: number;
  readonly present: number;
  readonly managed: number;
  readonly free: number;
  /** Handed out: to slabs, and to others. */
  readonly slabs: number;
  readonly pages: number;
  /** The most that was handed out up to now. */
  readonly peakTaken: number;
  /** The address of its first frame. */
  readonly address: number;
  readonly pageSize: number;
  readonly min: number;
  readonly low: number;
  readonly high: number;
  /** Free blocks by order. */
  readonly freeBlocks: readonly number[];
  /** The frame that begins at 4 GiB, if that lies within the zone or at its beginning; null elsewhere. */
  readonly line4GiB: number | null;
}

/** Who holds a cell: the kind in the upper 16 bits, in the lower ones an order of free blocks or the id of a cache. */
export const HOLDER = {
  /** No RAM, or reserved before the page allocator was there. */
  NONE: 0,
  FREE: 1,
  /** Handed out, and no slab. */
  PAGES: 2,
  SLAB: 3,
} as const;

/** The first bit of the kind in a code of HOLDER. */
export const HOLDER_SHIFT = 16;

/** Columns of cells. */
export interface FrameCells {
  readonly from: number;
  readonly to: number;
  /** Frames of a cell; the last one may have fewer. */
  readonly framesPerCell: number;
  /** `HOLDER << HOLDER_SHIFT | order or cache id` of what holds most frames of the cell. */
  readonly holder: Uint32Array;
  /** Shares of the cell's frames: that which it holds, the free ones, and those that are handed out, to slabs or as pages. */
  readonly share: Float32Array;
  readonly free: Float32Array;
  readonly used: Float32Array;
  /** Of the frames that are slabs the share of bytes that live objects take; 0 without slabs. */
  readonly use: Float32Array;
  /** Names of the caches that occur, by id. */
  readonly caches: ReadonlyMap<number, string>;
}

/** A free block, a block that was handed out, a slab, or none of them. */
export interface FrameAt {
  readonly frame: number;
  readonly pfn: number;
  readonly address: number;
  readonly zone: string;
  readonly what: 'none' | 'free' | 'pages' | 'slab';
  /** The block: its first frame and its order. Frames that were never handed out are told as the largest block that they lie in. */
  readonly first: number;
  readonly order: number;
  /** The cache, of a slab. */
  readonly cache: string | null;
  /** Who allocated it, of pages; null for a slab, and where nobody knows. */
  readonly by: Allocated | null;
}

/** Who allocated something, and when. */
export interface Allocated {
  /** The event. */
  readonly row: number;
  /** Nanoseconds of the trace's clock, and from then to the moment. */
  readonly time: number;
  readonly age: number;
  readonly cpu: number;
  readonly pid: number;
  readonly comm: string;
  /** The calling function with its offset; '' for pages. */
  readonly site: string;
  /** Bytes that were asked for. */
  readonly bytes: number;
}

/** Which list a slab is on. */
export type SlabState = 'active' | 'cpu partial' | 'partial' | 'full' | 'free' | 'disabled';

/** A slab. */
export interface SlabMap {
  readonly cache: string;
  readonly names: readonly string[];
  /** Its number over the cache's life. */
  readonly serial: number;
  readonly firstFrame: number;
  readonly frames: number;
  readonly address: number;
  readonly zone: string;
  readonly order: number;
  /** Bytes: of a slab, to the first object's slot, from one slot to the next, within one of them to the object, and of the object. */
  readonly bytes: number;
  readonly offset: number;
  readonly size: number;
  readonly objectAt: number;
  readonly objectSize: number;
  readonly state: SlabState;
  /** Whose active slab it is, or on whose partial list it waits; null for none. */
  readonly cpu: number | null;
  readonly live: number;
  /** By index. */
  readonly objects: readonly ObjectMap[];
  /** Indices in the order in which they would be handed out: the owner CPU's own list, then the slab's. */
  readonly cpuList: readonly number[];
  readonly slabList: readonly number[];
  /** Whether at most a quarter of its objects, of two and more, are live: then those pin it. */
  readonly sparse: boolean;
}

/** A slab in a few words, for a map of many. */
export interface SlabBrief {
  readonly cache: string;
  readonly serial: number;
  readonly firstFrame: number;
  readonly frames: number;
  /** Bytes to the first object's slot, and from one slot to the next. */
  readonly offset: number;
  readonly size: number;
  readonly live: number;
  /** OBJECT_STATES by index. */
  readonly states: Uint8Array;
}

/** What an object can be, in the order of the numbers of SlabBrief. */
export const OBJECT_STATES = ['live', 'free', 'cached', 'lost'] as const;

/** An object of a slab. */
export interface ObjectMap {
  readonly index: number;
  readonly address: number;
  /** live; free on a list; free in an array (SLAB) or a sheaf; lost to a debug check. */
  readonly state: (typeof OBJECT_STATES)[number];
  /** Where in `cpuList` or `slabList` it stands, from 0 on; null for what is on no list. */
  readonly place: number | null;
  /** Of a live object; null for one of before the trace. */
  readonly by: Allocated | null;
}

// ---- caches ----------------------------------------------------------------------------------------------------------------

/** A cache, like a row of slabtop. */
export interface CacheAt {
  readonly id: number;
  readonly name: string;
  /** All names that lead to it. */
  readonly names: readonly string[];
  /** Letters as `slablab info` prints them, such as `*DA`. */
  readonly flags: string;
  /** Bytes asked for, and from one object to the next. */
  readonly objectSize: number;
  readonly size: number;
  readonly objectsPerSlab: number;
  readonly order: number;
  readonly slabs: number;
  /** Bytes of its slabs. */
  readonly bytes: number;
  readonly live: number;
  /** Objects that its slabs have room for. */
  readonly objects: number;
  /** Live ones of those; 0 without slabs. */
  readonly use: number;
  /** Bytes of its slabs that are no live object's. */
  readonly wasted: number;
  /** Bytes of slabs that would be left over if its live objects lay side by side; and of slabs that hold none. */
  readonly recoverable: number;
  readonly emptyBytes: number;
  readonly fullness: Fullness;
  readonly slabsMade: number;
  readonly orderFallbacks: number;
  readonly failed: number;
}

/** A function and how much of a cache is its. */
export interface SiteAt {
  readonly site: string;
  readonly live: number;
  /** What it asked for. */
  readonly bytes: number;
  /** Slabs in which its objects lie. */
  readonly slabs: number;
  /** In the whole trace. */
  readonly allocs: number;
  readonly frees: number;
}

/** A cache in front of a row, with all that is known of it. */
export interface CacheDetail {
  readonly at: CacheAt;
  /** What `slablab layout` draws. `firstZone` is the zone of its oldest slab. */
  readonly layout: CacheLayout;
  /** Slabs by how many of their objects are live: index 0 to objectsPerSlab. */
  readonly histogram: readonly number[];
  /** Who allocated what is live, most first; '' where no event says so. */
  readonly sites: readonly SiteAt[];
  /** /sys/kernel/slab/…: name and text; with SLAB, which has none, empty. */
  readonly files: readonly (readonly [name: string, text: string])[];
  /** Its directory there, and its line of /proc/slabinfo. */
  readonly directory: string | null;
  readonly slabinfo: string;
  /** First frames of its slabs, the sparsest first; at most 1,000. */
  readonly slabs: readonly CacheSlab[];
}

/** A slab of a cache, in short. */
export interface CacheSlab {
  readonly frame: number;
  readonly serial: number;
  readonly live: number;
  readonly objects: number;
}

// ---- events ----------------------------------------------------------------------------------------------------------------

/** What an event is, in words. */
export type EventKind = 'alloc' | 'free' | 'page alloc' | 'page free' | 'mark' | 'lost' | 'none';

/** An event, and what it does to this machine. */
export interface EventAt {
  readonly row: number;
  readonly kind: EventKind;
  readonly time: number;
  readonly cpu: number;
  readonly pid: number;
  readonly comm: string;
  readonly site: string;
  /** The cache, of an object. */
  readonly cache: string | null;
  /** Bytes that were asked for, of an allocation; the order, of pages. */
  readonly bytes: number;
  readonly order: number;
  /** Where the object or the pages lie that came or went; 0 for nowhere. */
  readonly address: number;
  /** The frame of that address, and in a slab the object's index; null without. */
  readonly frame: number | null;
  readonly index: number | null;
  /** Of a free: who had allocated it. */
  readonly by: Allocated | null;
  /** Slabs of the cache and pages of the machine that came (or went: negative) with it. */
  readonly slabs: number;
  readonly pages: number;
  /** All that in a sentence. */
  readonly words: string;
}
