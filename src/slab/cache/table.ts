/**
 * The table of caches in the ledger: rows by id, and the list of all caches by age.
 */
import { ArgumentError, LedgerCorruptError, LedgerFullError, type SlabFlags } from '../../base/index.js';
import {
  C_ALIGN,
  C_ALLOCFLAGS,
  C_BATCHCOUNT,
  C_BORN,
  C_COLOUR_NEXT,
  C_COLOUR_OFF,
  C_COLOURS,
  C_CPU_PARTIAL,
  C_CPU_PARTIAL_SLABS,
  C_CTOR,
  C_EXTRA_FROM_NODE,
  C_FAILED,
  C_FLAGS,
  C_FREE_LIMIT,
  C_FREE_OBJECTS,
  C_FREE_SLABS,
  C_FREELIST_SIZE,
  C_INUSE,
  C_KERNEL_OWNED,
  C_LIMIT,
  C_LIVE_CHECK,
  C_MIN,
  C_MIN_PARTIAL,
  C_NEWER,
  C_NEXT_REAP,
  C_NR_PARTIAL,
  C_NR_SLABS,
  C_OBJECT_SIZE,
  C_ODD_INVERSE,
  C_OFFSET,
  C_OLDER,
  C_OO,
  C_ORDER_FALLBACK,
  C_RED_LEFT_PAD,
  C_REFCOUNT,
  C_SHARED_AVAIL,
  C_SHARED_FACTOR,
  C_SHEAF_CAPACITY,
  C_SHIFT,
  C_SIZE,
  C_SLABS_MADE,
  C_STATE,
  C_TOTAL_OBJECTS,
  C_USEROFFSET,
  C_USERSIZE,
  CACHE_ABSENT,
  CACHE_ALIVE,
  CACHE_LEAKED,
  CACHE_NAME_UNITS,
  CACHE_WORDS,
  CPU_WORDS,
  H_CACHE_HIGH,
  H_CACHE_NEWEST,
  H_CACHE_OLDEST,
  H_CACHES_MADE,
  H_CLOCK_LOW,
  H_SHEAF_HIGH,
  type Ledger,
  P_AVAIL,
  P_ODD_INVERSE,
  P_SHIFT,
  P_SIZE,
  readText,
  S_CACHE,
  S_COUNT,
  S_PLACE,
  SHEAF_MAIN,
  SHEAF_WORDS,
  shapeObjects,
  shapeOrder,
  writeText,
} from '../../machine/index.js';
import { arrayEntries, findEntries, setArrays } from './array-entries.js';
import { oddInverse } from './divide.js';
import type { CacheLayout, SlabPart } from './layout.js';
import type { SlabShape, SlubLayout } from './layout-slub.js';

/** What of a cache only SLAB has, as it is now. */
export interface SlabInfo extends SlabPart {
  /** Objects on the lists of the slabs: what an array holds is not among them. */
  readonly freeObjects: number;
  /** Slabs on the node's list of free ones. */
  readonly freeSlabs: number;
  /** Objects in the shared array. */
  readonly sharedAvail: number;
  /** The colour of the slab that was made last; the next one gets the next. */
  readonly colourNext: number;
}

/** A cache as the ledger has it now. Sizes in bytes. */
export interface CacheInfo extends SlubLayout {
  /** On a machine with SLAB, which has all this instead of the limits of SLUB. */
  readonly slab?: SlabInfo;
  /** On a machine with the library's sheaves, beside `sheafCapacity`: whether each free looks at the link; and how many lie in them. */
  readonly liveCheck?: boolean;
  readonly sheafObjects?: number;
  readonly id: number;
  readonly name: string;
  readonly flags: SlabFlags;
  /** How many creations share it; -1 for caches that are never merged with. */
  readonly refcount: number;
  /** The bytes of an object that user space may copy. */
  readonly useroffset: number;
  readonly usersize: number;
  readonly ctor: boolean;
  readonly nrSlabs: number;
  readonly totalObjects: number;
  readonly nrPartial: number;
  /** Slabs made over the cache's life. */
  readonly slabsMade: number;
  /** How often the preferred order was not available. */
  readonly orderFallbacks: number;
  /** Allocations that found no memory. */
  readonly failed: number;
}

/** All that makes a cache, before it has any slab. */
export interface CacheRow extends CacheLayout {
  readonly name: string;
  readonly refcount: number;
  readonly useroffset: number;
  readonly usersize: number;
  readonly ctor: boolean;
  /** The kernel itself needs it: it cannot be destroyed. */
  readonly kernelOwned?: boolean;
  /** What its maker said of sheaves, on a machine that has them. */
  readonly sheaves?: { readonly sheafCapacity?: number; readonly liveCheck?: boolean };
}

const pack = ({ order, objects }: SlabShape) => (order << 16) | objects;
const unpack = (word: number): SlabShape => ({ order: shapeOrder(word), objects: shapeObjects(word) });

/** A cache's name, by its row in the ledger. */
export function cacheName(ledger: Ledger, id: number): string {
  const at = id * CACHE_NAME_UNITS;
  return readText(ledger.cacheName, at + 1, ledger.cacheName[at]!);
}

/** Everything that the ledger knows of a cache, copied; `id` is its row. */
export function readCache(ledger: Ledger, id: number): CacheInfo {
  const word = (at: number) => ledger.cache[id * CACHE_WORDS + at]!;
  const unsigned = (at: number) => word(at) >>> 0;
  const sheafCapacity = word(C_SHEAF_CAPACITY);
  return {
    id,
    name: cacheName(ledger, id),
    flags: unsigned(C_FLAGS) as SlabFlags,
    size: unsigned(C_SIZE),
    objectSize: unsigned(C_OBJECT_SIZE),
    inuse: unsigned(C_INUSE),
    offset: unsigned(C_OFFSET),
    align: unsigned(C_ALIGN),
    redLeftPad: unsigned(C_RED_LEFT_PAD),
    oo: unpack(word(C_OO)),
    min: unpack(word(C_MIN)),
    allocflags: unsigned(C_ALLOCFLAGS),
    minPartial: unsigned(C_MIN_PARTIAL),
    cpuPartial: unsigned(C_CPU_PARTIAL),
    cpuPartialSlabs: unsigned(C_CPU_PARTIAL_SLABS),
    extraFromNode: unsigned(C_EXTRA_FROM_NODE),
    refcount: word(C_REFCOUNT),
    useroffset: unsigned(C_USEROFFSET),
    usersize: unsigned(C_USERSIZE),
    ctor: word(C_CTOR) !== 0,
    nrSlabs: word(C_NR_SLABS),
    totalObjects: word(C_TOTAL_OBJECTS),
    nrPartial: word(C_NR_PARTIAL),
    slabsMade: unsigned(C_SLABS_MADE),
    orderFallbacks: unsigned(C_ORDER_FALLBACK),
    failed: unsigned(C_FAILED),
    ...(hasArrays(ledger) && { slab: readSlabInfo(word) }),
    ...((sheafCapacity > 0 || ledger.shape.sheafEntries > 0) && { sheafCapacity }),
    ...(ledger.shape.sheaves > 0 && { sheafObjects: sheafObjects(ledger, id) }),
    ...(ledger.shape.sheafEntries > 0 && {
      liveCheck: word(C_LIVE_CHECK) !== 0,
      sheafObjects: sheafObjects(ledger, id),
    }),
  };
}

/** Whether a row still is the cache that was made after so many others. */
export function isCache({ cache }: Ledger, id: number, born: number): boolean {
  const c = id * CACHE_WORDS;
  return cache[c + C_BORN] === born && cache[c + C_STATE] !== CACHE_ABSENT;
}

/** Objects in sheaves: of all CPUs, and with 7.0's SLUB also in the barn and with callers. */
export function sheafObjects(ledger: Ledger, id: number): number {
  let count = 0;
  if (ledger.cache[id * CACHE_WORDS + C_SHEAF_CAPACITY] !== 0) {
    eachCpuLine(ledger, id, (p) => {
      count += ledger.cpuCache[p + P_AVAIL]!;
    });
  }
  eachSheaf(ledger, id, (s) => {
    if (ledger.sheaf[s + S_PLACE] !== SHEAF_MAIN) count += ledger.sheaf[s + S_COUNT]!;
  });
  return count;
}

/** Calls back with the first word of each sheaf of a cache, by id. Only 7.0's SLUB has such. */
function eachSheaf({ header, sheaf }: Ledger, id: number, visit: (s: number) => void): void {
  const end = (header[H_SHEAF_HIGH]! + 1) * SHEAF_WORDS;
  for (let s = SHEAF_WORDS; s < end; s += SHEAF_WORDS) if (sheaf[s + S_CACHE] === id) visit(s);
}

/** Whether the ledger's machine has SLAB. */
export function hasArrays(ledger: Ledger): boolean {
  return ledger.shape.arrayEntries > 0;
}

function readSlabInfo(word: (at: number) => number): SlabInfo {
  return {
    colours: word(C_COLOURS),
    colourOff: word(C_COLOUR_OFF),
    freelistSize: word(C_FREELIST_SIZE),
    limit: word(C_LIMIT),
    batchcount: word(C_BATCHCOUNT),
    sharedFactor: word(C_SHARED_FACTOR),
    freeLimit: word(C_FREE_LIMIT),
    freeObjects: word(C_FREE_OBJECTS),
    freeSlabs: word(C_FREE_SLABS),
    sharedAvail: word(C_SHARED_AVAIL),
    colourNext: word(C_COLOUR_NEXT),
  };
}

/**
 * Adds a cache as the newest. `complete` gives its row what else it needs, before anybody can see it. Returns its id; throws
 * LedgerFullError or ArgumentError and adds nothing.
 */
export function addCache(ledger: Ledger, row: CacheRow, complete?: (id: number) => void): number {
  if (row.name.length >= CACHE_NAME_UNITS) {
    throw new ArgumentError(
      `a cache's name has at most ${CACHE_NAME_UNITS - 1} characters, '${row.name.slice(0, 20)}…' has ${row.name.length}`,
    );
  }
  if ((row.slab !== undefined) !== hasArrays(ledger)) {
    throw new ArgumentError(
      `${row.name} is laid out for ${row.slab ? 'SLAB' : 'SLUB'}, the machine has ${row.slab ? 'SLUB' : 'SLAB'}`,
    );
  }
  const { header, cache } = ledger;
  const entries = row.slab && findEntries(ledger, arrayEntries(ledger.shape.cpus, row.slab));
  const id = freeId(ledger);
  const c = id * CACHE_WORDS;
  cache.fill(0, c, c + CACHE_WORDS);
  const set = (at: number, value: number) => {
    cache[c + at] = value;
  };
  set(C_FLAGS, row.flags);
  set(C_SIZE, row.size);
  set(C_OBJECT_SIZE, row.objectSize);
  set(C_INUSE, row.inuse);
  set(C_OFFSET, row.offset);
  const shift = 31 - Math.clz32(row.size & -row.size);
  set(C_SHIFT, shift);
  set(C_ODD_INVERSE, oddInverse(row.size >>> shift));
  set(C_ALIGN, row.align);
  set(C_RED_LEFT_PAD, row.redLeftPad);
  set(C_OO, pack(row.oo));
  set(C_MIN, pack(row.min));
  set(C_ALLOCFLAGS, row.allocflags);
  set(C_MIN_PARTIAL, row.minPartial);
  set(C_CPU_PARTIAL, row.cpuPartial);
  set(C_CPU_PARTIAL_SLABS, row.cpuPartialSlabs);
  set(C_EXTRA_FROM_NODE, row.extraFromNode);
  // The library's sheaves say so themselves, when they are made.
  if (ledger.shape.sheafEntries === 0) set(C_SHEAF_CAPACITY, row.sheafCapacity ?? 0);
  set(C_REFCOUNT, row.refcount);
  set(C_USEROFFSET, row.useroffset);
  set(C_USERSIZE, row.usersize);
  set(C_CTOR, row.ctor ? 1 : 0);
  set(C_KERNEL_OWNED, row.kernelOwned || row.refcount < 0 ? 1 : 0);
  ledger.cacheName[id * CACHE_NAME_UNITS] = row.name.length;
  writeText(ledger.cacheName, id * CACHE_NAME_UNITS + 1, row.name);
  eachCpuLine(ledger, id, (p) => {
    ledger.cpuCache.fill(0, p, p + CPU_WORDS);
    ledger.cpuCache[p + P_SIZE] = row.size;
    ledger.cpuCache[p + P_SHIFT] = shift;
    ledger.cpuCache[p + P_ODD_INVERSE] = oddInverse(row.size >>> shift);
  });
  if (row.slab !== undefined) setSlabPart(ledger, id, row.slab, entries!);
  complete?.(id);
  const newest = header[H_CACHE_NEWEST]!;
  set(C_OLDER, newest);
  set(C_BORN, header[H_CACHES_MADE]!++);
  if (newest !== 0) cache[newest * CACHE_WORDS + C_NEWER] = id;
  else header[H_CACHE_OLDEST] = id;
  header[H_CACHE_NEWEST] = id;
  set(C_STATE, CACHE_ALIVE);
  return id;
}

/** Milliseconds between two looks of the reaper at a node (slab/reap.ts). */
export const NODE_REAP_MS = 4000;

function setSlabPart(ledger: Ledger, id: number, slab: SlabPart, entries: number): void {
  const { cache, header } = ledger;
  const c = id * CACHE_WORDS;
  cache[c + C_COLOURS] = slab.colours;
  cache[c + C_COLOUR_OFF] = slab.colourOff;
  cache[c + C_FREELIST_SIZE] = slab.freelistSize;
  cache[c + C_FREE_LIMIT] = slab.freeLimit;
  cache[c + C_NEXT_REAP] = header[H_CLOCK_LOW]! + NODE_REAP_MS;
  setArrays(ledger, id, entries, slab);
}

/** Takes a cache without slabs out of the table. */
export function removeCache(ledger: Ledger, id: number): void {
  leakCache(ledger, id);
  ledger.cache[id * CACHE_WORDS + C_STATE] = CACHE_ABSENT;
  // A view of it that somebody kept finds nothing to take and no room to put (sheaf.ts).
  eachCpuLine(ledger, id, (p) => ledger.cpuCache.fill(0, p, p + CPU_WORDS));
}

/** Takes a cache off the list: its name is free. Its row and its slabs stay, and nobody can use them. */
export function leakCache(ledger: Ledger, id: number): void {
  const { header, cache } = ledger;
  const c = id * CACHE_WORDS;
  const older = cache[c + C_OLDER]!;
  const newer = cache[c + C_NEWER]!;
  if (older !== 0) cache[older * CACHE_WORDS + C_NEWER] = newer;
  else header[H_CACHE_OLDEST] = newer;
  if (newer !== 0) cache[newer * CACHE_WORDS + C_OLDER] = older;
  else header[H_CACHE_NEWEST] = older;
  cache[c + C_STATE] = CACHE_LEAKED;
}

/** Ids of all caches, oldest first. */
export function cacheIds(ledger: Ledger): number[] {
  const ids: number[] = [];
  for (let id = ledger.header[H_CACHE_OLDEST]!; id !== 0; id = ledger.cache[id * CACHE_WORDS + C_NEWER]!) {
    if (id > ledger.shape.caches || ids.length === ledger.shape.caches) {
      throw new LedgerCorruptError(
        'cache.list',
        `the list of caches leads to ${id}, which is none or was met before`,
      );
    }
    ids.push(id);
  }
  return ids;
}

/** Calls back with the first word of each CPU's line of a cache. */
export function eachCpuLine(ledger: Ledger, id: number, visit: (p: number, cpu: number) => void): void {
  for (let cpu = 0; cpu < ledger.shape.cpus; cpu++)
    visit((cpu * (ledger.shape.caches + 1) + id) * CPU_WORDS, cpu);
}

/** The lowest id that no cache has. With sheaves, one that no cache ever had, as long as there is one: somebody may have kept a view. */
function freeId(ledger: Ledger): number {
  const { header, cache, shape } = ledger;
  const high = header[H_CACHE_HIGH]!;
  const fresh = shape.sheafEntries > 0 && high < shape.caches;
  if (!fresh)
    for (let id = 1; id <= high; id++) if (cache[id * CACHE_WORDS + C_STATE] === CACHE_ABSENT) return id;
  if (high >= shape.caches) throw new LedgerFullError('caches', shape.caches, 'ledger.caches');
  header[H_CACHE_HIGH] = high + 1;
  return high + 1;
}
