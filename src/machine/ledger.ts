/**
 * # The ledger: everything the engine knows, in one buffer
 *
 * The engine never touches the memory that it manages. Page frames, free blocks, slabs, caches, per-CPU areas and one 16-bit link
 * per object live in typed arrays over a single ArrayBuffer or SharedArrayBuffer. Nothing about the state of a machine is kept
 * anywhere else: a copy of the buffer is a snapshot, and whoever opens it goes on from there.
 *
 *     buffer  | header | config | zone | range | cache | names | journal | cpuCache | linkPage | slab… | array… | frame… | link |
 *
 * Large arrays cost nothing until they are touched, so a machine of 1 TiB is as cheap as what happens on it.
 *
 * ## Numbers
 * A *frame* is a page frame counted from the machine's first, `pfn - basePfn`; `basePfn` is a multiple of the largest block, so
 * that buddies of frames are buddies of pfns. References to frames and slabs stored in lists are index + 1, and 0 means none:
 * a fresh buffer is an empty ledger.
 *
 * ## A frame is in exactly one of these states
 *  1. outside RAM or reserved: no zone manages it;
 *  2. virgin: managed, free, never handed out since the machine was made (`range` says which these are);
 *  3. in a free block: `frameState` of its first frame is FREE + order, and the block is on its zone's list of that order;
 *  4. in a block handed out: `frameState` of its first frame is USED + order, and
 *     a. `frameSlab` names the slab that the block is, or
 *     b. `frameSlab` is 0: the block belongs to a caller of the page allocator.
 * All other frames of a block hold 0 in `frameState`.
 *
 * ## A slab is in exactly one of these states
 *  1. active: the current slab of one CPU (frozen); the CPU's own list holds free objects beside the slab's own list;
 *  2. CPU-partial: frozen, on one CPU's partial list;
 *  3. node-partial: on its cache's partial list, with free objects or empty;
 *  4. full: no free object and on no list;
 *  5. disabled: a debug check found it damaged. It is frozen, on no list, and what was free in it is lost. Only in debugged caches.
 *
 * *Frozen* (the bit of `slabCounters`): one CPU owns the slab, and no other moves it. That is the kernel up to 6.7. Since "slub: Delay
 * freezing of partial slabs" (6.8) only the active slab has the bit; here state 2 keeps it for every kernel, which changes no figure but
 * two statistics (docs/slab.md).
 *
 * On a machine with SLAB (slab/slab/slab.ts) no CPU holds slabs, and each slab is on one of its cache's three lists:
 *  6. full: no free object on the slab's own list;
 *  7. partial;
 *  8. free: all of its objects are on its list.
 *
 * An object is live (its link says LIVE), on one list, in one array of free objects (ARRAY; SLAB has one a CPU and one that the CPUs
 * share; SLUB since 7.0 has sheaves), in a sheaf of the library (slab/sheaf/sheaf.ts: its link says ARRAY where the cache checks links,
 * else it still says LIVE), or lost (LOST): a debug check could not find it on the kernel's list any more.
 *
 * ## A sheaf of Linux 7.0 and later (slab/barn/slub.ts) is in exactly one of these states
 *  1. main, spare or rcu_free of one CPU and cache;
 *  2. in a cache's barn, full or empty, on one of its two lists;
 *  3. waiting for a grace period, on its cache's list of those;
 *  4. prefilled: with a caller;
 *  5. no sheaf: a free row. Its slots wait for a sheaf of the same class.
 *
 * ## The equation
 * `validate()` checks exactly this:
 *
 *     for every slab:   objects = live + lost + free on the slab's list + free on its owner's list + in arrays
 *                       inUse   = objects - free on the slab's list        (what a CPU or an array has counts as in use)
 *     for every cache:  slabs, objects and node-partial slabs are what its counters say; with SLAB also free slabs and free objects,
 *                       and what its arrays name are free objects of its own, each once
 *     for every zone:   managed = free + handed out, and each frame is in one state
 *     for every object: what was allocated and not freed is live, once: its link says LIVE, and no list and no sheaf holds it
 *     for every sheaf:  its entries are in use for their slabs, objects of its cache, each once on the whole machine
 *
 * ## Who writes what
 * One writer at a time owns each word. The lock order is table of caches → node (one a cache) → slab, and node → links, and node →
 * zone; a holder never takes a lock to the left of one it holds, and with a slab's lock it takes no other. A ledger in an ordinary
 * ArrayBuffer has one thread that plays all CPUs, and the locks are that thread. How locks work, who pays for them and when: locks.ts.
 *
 * | array | unit | written by |
 * | --- | --- | --- |
 * | `frameState`, `freeNext`, `freePrev` | frame | zone lock |
 * | `zone`, `range` | zone, RAM range | zone lock |
 * | `frameSlab`, `frameCache` | frame | who makes or discards the slab |
 * | `slabCounters` | slab: first free 16 bits, in use 15, frozen 1 | anyone, as one word, which is the slab's lock too |
 * | `slabNext`, `slabPrev` | slab | node lock, or the CPU whose partial list holds it |
 * | `slabCache`, `slabLinks`, `slabShape` | slab | link lock: what has a cache here is in use |
 * | `slabFrame`, `slabOffset`, `slabSerial`, `slabFreelist` | slab | its maker, once |
 * | `link` | object: LINK_END, next + 1, LINK_LIVE, LINK_ARRAY or LINK_LOST | the list's owner: slab lock, or the CPU |
 * | `arrayAddress`, `arrayLink` | entry of an array: an object | the CPU whose array it is; node lock for the shared one |
 * | `sheafAddress`, `sheafLink` | entry of a sheaf: an object | the CPU whose sheaf it is |
 * | `sheaf`, `slotAddress`, `slotLink` | sheaf, and slot of one: an object | the CPU that has it; the barn's lock while it lies there |
 * | `linkPage` | 2048 links | link lock |
 * | `cache`, `cacheName` | cache | node lock; its slabs and objects link lock; created and destroyed under the table's lock |
 * | `journal` | CPU: what it is in the middle of | that CPU; when it is gone, its heir |
 * | `cpuWord` | CPU: who it is | anyone, by compare-exchange (cpus.ts) |
 * | `cacheLink` | a name that is a link to a cache's directory | the table's lock |
 * | `cpuCache`, `statistics` | CPU × cache | that CPU |
 *
 * Links are 16-bit stores of their own: packed two to a word they would be wrong as soon as two CPUs free neighbours.
 */
import { ArgumentError } from '../base/index.js';

/** How many rows each table has. */
export interface LedgerShape {
  readonly frames: number;
  readonly slabs: number;
  readonly linkPages: number;
  readonly caches: number;
  readonly cpus: number;
  readonly zones: number;
  readonly ranges: number;
  /** 1 if events are counted, 0 if not. */
  readonly statistics: number;
  /** Objects that the arrays of all caches can hold together; 0 on a machine with SLUB, which has none. */
  readonly arrayEntries: number;
  /** Objects that the sheaves of all caches can hold together; 0 on a machine without sheaves. */
  readonly sheafEntries: number;
  /** Sheaves of kernels from 7.0 on, and slots in them: an object each. 0 on a machine that has none. */
  readonly sheaves: number;
  readonly sheafSlots: number;
  /** Words of 32 bits that an entry of a sheaf has: 1 where every address of the machine is an integer of 31 bits, else 2. */
  readonly sheafWords: 1 | 2;
}

// Header words.
const HEADER_WORDS = 192;
const MAGIC = 0x51ab1ab0 | 0;
const VERSION = 7;
const H_MAGIC = 0;
const H_VERSION = 1;
const H_CONFIG_LENGTH = 14;
/** Milliseconds since the machine was made, 64 bits. */
export const H_CLOCK_LOW = 12;
export const H_CLOCK_HIGH = 13;
/** Rows of `cacheLink` in use. */
export const H_CACHE_LINKS = 15;
/** Highest slab id ever used; ids count from 1. */
export const H_SLAB_HIGH = 16;
/** A free slab id, chained by `slabNext`; 0 none. */
export const H_SLAB_FREE = 17;
/** Link pages used so far, and a chain of those given back (index + 1, by LINKPAGE_NEXT). */
export const H_LINKPAGE_HIGH = 18;
export const H_LINKPAGE_FREE = 19;
/** Cache ids count from 1: highest ever used, newest and oldest of the living. */
export const H_CACHE_HIGH = 20;
export const H_CACHE_NEWEST = 21;
export const H_CACHE_OLDEST = 22;
/** First link page with a free slot, one word a size class (index + 1). */
export const H_LINK_CLASSES = 23;
/** Words of the header that are such lists. */
export const LINK_CLASS_WORDS = 41;
// On lines of their own: one that is read at every slow step, and the locks.
/** 1 once another CPU may come at any moment: somebody was given the machine's handle. It stays. */
export const H_CONCURRENT = 64;
export const H_TABLE_LOCK = 80;
/** Caches ever made. */
export const H_CACHES_MADE = 81;
export const H_LINK_LOCK = 96;
/** The shape: a word for each of SHAPE_KEYS, in their order. */
const H_SHAPE = 112;
/** Highest sheaf ever used, ids count from 1, and slots used so far. */
export const H_SHEAF_HIGH = 128;
export const H_SHEAF_SLOTS = 129;
/** First free sheaf, one word a class of sizes, chained by S_NEXT. */
export const H_SHEAF_CLASSES = 130;
export const SHEAF_CLASS_WORDS = 32;

const SHAPE_KEYS = [
  'frames',
  'slabs',
  'linkPages',
  'caches',
  'cpus',
  'zones',
  'ranges',
  'statistics',
  'arrayEntries',
  'sheafEntries',
  'sheafWords',
  'sheaves',
  'sheafSlots',
] as const;
/** Tables that a machine may do without. */
const OPTIONAL_TABLES: ReadonlySet<string> = new Set([
  'statistics',
  'arrayEntries',
  'sheafEntries',
  'sheaves',
  'sheafSlots',
]);
/** Words of counters for a CPU and a cache (slab/cache/statistics.ts). */
export const STATISTICS_WORDS = 64;
const CONFIG_UNITS = 4096;

/** One zone: 64 words. */
export const ZONE_WORDS = 64;
/** First frame, and first behind. */
export const Z_START = 0;
export const Z_END = 1;
/** Frames of RAM, and those of them that the allocator manages. */
export const Z_PRESENT = 2;
export const Z_MANAGED = 3;
export const Z_FREE = 4;
export const Z_WMARK_MIN = 5;
export const Z_WMARK_LOW = 6;
export const Z_WMARK_HIGH = 7;
/** Four words: frames kept from requests whose highest zone is the index. */
export const Z_RESERVE = 8;
/** Rows of `range` that may still hold virgin frames: next and end. */
export const Z_RANGE = 12;
export const Z_RANGE_END = 13;
/** By order: first free block (frame + 1) and how many. */
export const Z_HEAD = 16;
export const Z_COUNT = 32;
/** Frames that were ever given out at the same time. */
export const Z_PEAK = 14;
export const Z_LOCK = 15;

/** One range of managed RAM: 4 words. */
export const RANGE_WORDS = 4;
/** Its first frame, and the first behind. */
export const R_START = 0;
export const R_END = 1;
/** The frames of it that are still virgin. */
export const R_VIRGIN = 2;
export const R_VIRGIN_END = 3;

/** States in `frameState`; the order is added. */
export const FRAME_FREE = 0x40;
export const FRAME_USED = 0x80;
export const FRAME_ORDER = 0x1f;

/** One cache: 64 words. Sizes in bytes. */
export const CACHE_WORDS = 64;
/** One of the CACHE_ states; then the fields of `struct kmem_cache`, as the kernel names them. */
export const C_STATE = 0;
export const C_FLAGS = 1;
export const C_SIZE = 2;
export const C_OBJECT_SIZE = 3;
export const C_INUSE = 4;
export const C_OFFSET = 5;
export const C_ALIGN = 6;
export const C_RED_LEFT_PAD = 7;
/** Orders and objects of a slab as one word, `order << 16 | objects`: preferred and smallest. */
export const C_OO = 8;
export const C_MIN = 9;
export const C_ALLOCFLAGS = 10;
export const C_MIN_PARTIAL = 11;
export const C_CPU_PARTIAL = 12;
export const C_CPU_PARTIAL_SLABS = 13;
export const C_REFCOUNT = 14;
export const C_USEROFFSET = 15;
export const C_USERSIZE = 16;
/** 1 if the cache has a constructor; the function itself cannot live in a buffer. */
export const C_CTOR = 17;
/** Neighbours in the list of all caches, by age. */
export const C_NEWER = 18;
export const C_OLDER = 19;
/** The node: partial list, its length, all slabs, all objects. */
export const C_PARTIAL_HEAD = 20;
export const C_PARTIAL_TAIL = 21;
export const C_NR_PARTIAL = 22;
export const C_NR_SLABS = 23;
export const C_TOTAL_OBJECTS = 24;
/** Slabs ever made: the next one's serial. */
export const C_SLABS_MADE = 25;
/** How often the preferred order was not available. */
export const C_ORDER_FALLBACK = 26;
/** Allocations that found no memory. */
export const C_FAILED = 27;
/** How many more slabs a CPU takes from the node with the one it needs. */
export const C_EXTRA_FROM_NODE = 30;
/** 1 for caches that the kernel itself needs: they cannot be destroyed. */
export const C_KERNEL_OWNED = 31;
/** Object sizes as odd number × 2^shift, to divide by them without dividing (slab/slabs/object-address.ts). */
export const C_ODD_INVERSE = 28;
export const C_SHIFT = 29;
// What SLAB keeps of a cache instead of C_MIN_PARTIAL and what follows it; objects and order of its slabs are C_OO.
/**
 * The node's lists of full and of free slabs. The full list's tail is the word behind its head: lists find a
 * tail at head + 1. The partial list is the one above.
 */
export const C_FULL_HEAD = 32;
export const C_FREE_HEAD = 34;
export const C_FREE_TAIL = 35;
/** Slabs on the list of free ones. */
export const C_FREE_SLABS = 36;
/** Objects on the slabs' own lists, and how many they may be before free slabs are given back. */
export const C_FREE_OBJECTS = 37;
export const C_FREE_LIMIT = 38;
/** 1 if an allocation looked for a free slab since the reaper last looked at the node. */
export const C_FREE_TOUCHED = 39;
/** How far into a slab its first object can lie: colours, bytes of one, and the one that was given last. */
export const C_COLOURS = 40;
export const C_COLOUR_OFF = 41;
export const C_COLOUR_NEXT = 42;
/** Bytes of a slab's list of free objects, as the kernel stores it. */
export const C_FREELIST_SIZE = 43;
/** Objects that a CPU's array holds, and how many are moved at a time; how many such batches the shared array holds. */
export const C_LIMIT = 44;
export const C_BATCHCOUNT = 45;
export const C_SHARED_FACTOR = 46;
/** Objects in the shared array, and whether it was used since the reaper last looked. */
export const C_SHARED_AVAIL = 47;
export const C_SHARED_TOUCHED = 48;
/** The cache's entries of `arrayAddress`: the first, and how many. CPU 0's come first, the shared ones last. With sheaves see below. */
export const C_ARRAYS = 49;
export const C_ARRAY_ENTRIES = 50;
/** When the reaper looks at the node next: the low word of a time in milliseconds. */
export const C_NEXT_REAP = 51;
// What a cache with sheaves keeps; C_ARRAYS and C_ARRAY_ENTRIES name its entries of `sheafAddress`.
/** Objects of one sheaf; a CPU has two. 0 without sheaves. */
export const C_SHEAF_CAPACITY = 52;
/** 1 if each alloc and free looks at the object's link and writes it. */
export const C_LIVE_CHECK = 53;
// What SLUB keeps of a cache in the same words: SLAB and SLUB are never on one machine.
/** Full slabs of a cache with STORE_USER; the latest is the first. */
export const C_TRACKED_FULL_HEAD = 32;
export const C_TRACKED_FULL_TAIL = 33;
/** The barn of a cache with sheaves of Linux 7.0 and later: first full one and how many, first empty one and how many. */
export const C_BARN_FULL = 34;
export const C_BARN_NR_FULL = 35;
export const C_BARN_EMPTY = 36;
export const C_BARN_NR_EMPTY = 37;
/** First and last sheaf that waits for a grace period. */
export const C_RCU_WAITING = 38;
export const C_RCU_WAITING_TAIL = 39;
/** The barn's own memory, an address of 64 bits; 0 where it came from no kmalloc. */
export const C_BARN_MEMORY_LOW = 40;
/** The node's lock. */
export const C_LOCK = 60;
/** How many caches were made before it. */
export const C_BORN = 61;
/** What was written to `min_partial` beyond the numbers of C_MIN_PARTIAL, as 64 bits (text/sysfs-write.ts). */
export const C_MIN_PARTIAL_LOW = 62;
export const C_MIN_PARTIAL_HIGH = 63;
/** The length of a cache's name and its text, in UTF-16 units. */
export const CACHE_NAME_UNITS = 96;

/** One link of /sys/kernel/slab: the lengths of its name and of its target, and both as text. */
export const CACHE_LINK_UNITS = 128;
/** Rows of `cacheLink` for each row of `cache`. */
export const CACHE_LINKS_PER_CACHE = 2;

/** C_STATE */
export const CACHE_ABSENT = 0;
export const CACHE_ALIVE = 1;
/** Destroyed while it had objects: its slabs stay, its name is gone. */
export const CACHE_LEAKED = 2;

/** A CPU's view of a cache: one line of 64 bytes. */
export const CPU_WORDS = 16;
/** First free object of the active slab that this CPU owns, index + 1; 0 none. */
export const P_OWN = 0;
/** The active slab's id; 0 none. */
export const P_SLAB = 1;
/** Its first link and how many objects it has: copies, so that the fast path stays in this line. */
export const P_LINKS = 2;
export const P_OBJECTS = 3;
/** CPU-partial slabs: first, chained by `slabNext`, and how many. */
export const P_PARTIAL = 4;
export const P_PARTIAL_COUNT = 5;
/** The cache's constants, copied when it is made. */
export const P_SIZE = 6;
export const P_ODD_INVERSE = 7;
export const P_SHIFT = 8;
/**
 * Each of these has other meanings with sheaves, below. With SLAB: objects in this CPU's array, how many it holds, whether it was used
 * since the reaper last looked, its first entry.
 */
export const P_AVAIL = 9;
export const P_LIMIT = 10;
export const P_TOUCHED = 11;
export const P_ENTRIES = 14;
// With sheaves: P_AVAIL objects in this CPU's two, P_LIMIT the most that they hold, P_ENTRIES their first entry; and of a slab of the
// preferred order the mask of an offset into it, and how many objects it has.
/** The word that is P_TOUCHED with SLAB. */
export const P_SLAB_MASK = 11;
export const P_SLAB_OBJECTS = 15;
/** The address of the active slab's first object: a double, by its index in `cpuDouble`, where a line is eight of them. */
export const PD_FIRST = 6;
// With sheaves of Linux 7.0 and later, where no CPU has slabs: P_AVAIL objects in main, P_LIMIT the most that it holds, P_ENTRIES its first
// slot; and the ids of main, spare and rcu_free, 0 none.
export const P_RCU_FREE = 11;
export const P_MAIN = 12;
export const P_SPARE = 13;

/** A sheaf: 8 words. Its cache, 0 for a free row. */
export const SHEAF_WORDS = 8;
export const S_CACHE = 0;
/** Objects that it can hold, and that it holds: of a main sheaf the CPU's line says that. */
export const S_CAPACITY = 1;
export const S_COUNT = 2;
/** Its first slot. */
export const S_SLOTS = 3;
/** The next on its list; 0 none. */
export const S_NEXT = 4;
/** One of the SHEAF_ places. */
export const S_PLACE = 5;
/** Its own memory: the address of an object of kmalloc, 64 bits; 0 where it came from no kmalloc. */
export const S_MEMORY_LOW = 6;

/** S_PLACE */
export const SHEAF_NOWHERE = 0;
export const SHEAF_MAIN = 1;
export const SHEAF_SPARE = 2;
export const SHEAF_RCU_FREE = 3;
export const SHEAF_BARN_FULL = 4;
export const SHEAF_BARN_EMPTY = 5;
export const SHEAF_WAITING = 6;
export const SHEAF_PREFILLED = 7;

/** A CPU's journal: what whoever takes its place must know if it dies in the middle (slab/workers/attach.ts). Two lines of 64 bytes. */
export const JOURNAL_WORDS = 32;
/** Who is this CPU, as one word of 64 bits (cpus.ts): state and heir, and generation. */
export const J_STATE = 0;
export const J_GENERATION = 1;
/** Words of `cpuWord` from one CPU's to the next one's. */
export const CPU_WORD_STRIDE = JOURNAL_WORDS / 2;
/** The slab whose lock it has or wants; 0 none. The rest of the group speaks of that. */
export const J_SLAB = 2;
/** The slab's word as it was. */
export const J_WORD = 3;
/** First object + 1 of the chain that is being freed, and what their links held before; 0 if none is. */
export const J_CHAIN = 4;
export const J_CHAIN_WAS = 5;
/** The line of `cpuCache` that gets or gives the slab, + 1; 0 where another CPU keeps it and goes on doing so. */
export const J_LINE = 6;
/** Of the heir, while it undoes a chain: `object << 16 | next`, so that it may die too. */
export const J_UNDOING = 7;
/** 1 while the CPU has in hand what belongs to nobody else: a slab id, a block, or both. The rest of the group speaks of that. */
export const J_HAND = 8;
/** A slab that is being made or discarded; 0 none. */
export const J_HAND_SLAB = 9;
/** The first frame + 1 of a block that is on its way into a slab or out of it, and its order; 0 none. */
export const J_HAND_FRAME = 10;
export const J_HAND_ORDER = 11;
/** 1 when the objects of a sheaf that are on their way are on their slab's list (slab/sheaf/flush.ts). */
export const J_SENT = 12;
/** A line of `cpuCache` whose sheaf is being filled, + 1, and the entries of it that are: from, and up to. */
export const J_FILLING = 13;
export const J_FILLED_FROM = 14;
export const J_FILLED_TO = 15;

/** J_STATE of a CPU without an heir. */
export const CPU_ABSENT = 0;
export const CPU_ATTACHED = 1;
/** Gone, and not yet put in order. */
export const CPU_LEFT = 2;
/** For a thread that has not come yet. */
export const CPU_RESERVED = 3;

/** Values of `link`, beside `next + 1`: the last of a list; handed out. */
export const LINK_END = 0;
export const LINK_LIVE = 0xffff;
/** Free, in an array. */
export const LINK_ARRAY = 0xfffe;
/** Neither free nor anybody's: given up by a debug check with the rest of its slab's list. */
export const LINK_LOST = 0xfffd;
/** The most objects a slab can have: 15 bits of `slabCounters`. */
export const MAX_OBJECTS_PER_SLAB = 32767;
/** Links of a row of `linkPage`. */
export const LINKS_PER_PAGE = 2048;
/** One page of links: 5 words. */
export const LINKPAGE_WORDS = 5;
/** The class of its slots, how many are used, the first free one, and its neighbours on the list of its class. */
export const L_CLASS = 0;
export const L_USED = 1;
export const L_FREE_SLOT = 2;
export const L_NEXT = 3;
export const L_PREV = 4;

/** `slabCounters`: first free object + 1, objects in use, frozen. */
export const COUNTERS_FREE = 0xffff;
export const COUNTERS_INUSE_SHIFT = 16;
const COUNTERS_INUSE = 0x7fff;
export const COUNTERS_FROZEN = 0x80000000 | 0;
/** Locked: the 15 bits below are the holder's CPU + 1, and its journal has the first free object (locks.ts). */
export const COUNTERS_LOCKED = 0x8000;

/** Objects in use, of a word of `slabCounters`. */
export function countersInUse(counters: number): number {
  return (counters >>> COUNTERS_INUSE_SHIFT) & COUNTERS_INUSE;
}

/** A word of `slabCounters`; `frozen` is COUNTERS_FROZEN or 0. */
export function packCounters(free: number, inUse: number, frozen: number): number {
  return free | (inUse << COUNTERS_INUSE_SHIFT) | frozen;
}

/** Objects of a slab, of a word of `slabShape`, C_OO or C_MIN. */
export function shapeObjects(shape: number): number {
  return shape & 0xffff;
}

/** Its order. */
export function shapeOrder(shape: number): number {
  return shape >> 16;
}

/** The largest id of a cache that `frameCache` can name. */
const FRAME_CACHE_MAX = 0xffff;

/** What `frameCache` says of the frames of a slab. */
export function frameCacheOf(ledger: Ledger, slab: number): number {
  const id = ledger.slabCache[slab]!;
  const usual =
    ledger.slabShape[slab] === ledger.cache[id * CACHE_WORDS + C_OO] && ledger.slabOffset[slab] === 0;
  return usual && id <= FRAME_CACHE_MAX ? id : 0;
}

/** Addresses in sheaves: integers where all of a machine's are small enough, which is a seventh of a pair and half of the lines. */
export type SheafAddresses = Int32Array | Float64Array;

/** The arrays over one buffer. All are views: there is no state beside the buffer. */
export interface Ledger {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  readonly shape: LedgerShape;
  readonly header: Int32Array;
  readonly config: Uint16Array;
  readonly zone: Int32Array;
  readonly range: Int32Array;
  readonly cache: Int32Array;
  readonly cacheName: Uint16Array;
  readonly cacheLink: Uint16Array;
  readonly journal: Int32Array;
  /** The same bytes as `journal`. */
  readonly cpuWord: BigUint64Array;
  readonly cpuCache: Int32Array;
  /** The same bytes as `cpuCache`. */
  readonly cpuDouble: Float64Array;
  /** Counters of events by CPU and cache; empty unless the machine counts. */
  readonly statistics: Int32Array;
  readonly linkPage: Int32Array;
  readonly slabCounters: Int32Array;
  readonly slabNext: Int32Array;
  readonly slabPrev: Int32Array;
  readonly slabCache: Int32Array;
  readonly slabFrame: Int32Array;
  /** Bytes from a slab's first byte to its first object: a red zone, or SLAB's colour. */
  readonly slabOffset: Int32Array;
  readonly slabLinks: Int32Array;
  /** `order << 16 | objects`: a fallback slab has fewer objects than its cache's preferred order gives. */
  readonly slabShape: Int32Array;
  /** Which slab of its cache, counted from 0 over the cache's life. */
  readonly slabSerial: Int32Array;
  /** The object of kmalloc that the kernel's list of free objects takes, where it lies outside the slab; 0 none. Empty with SLUB. */
  readonly slabFreelist: Float64Array;
  /** What an array holds: the address of an object, and its link; -1 for an address that a kernel takes without looking. */
  readonly arrayAddress: Float64Array;
  readonly arrayLink: Int32Array;
  /** What a sheaf holds: the address of an object and, where the cache checks links, its link. */
  readonly sheafAddress: SheafAddresses;
  readonly sheafLink: Int32Array;
  /** Sheaves of kernels from 7.0 on, by id, and what their slots hold: the address of an object, and its link; -1 for one not looked at. */
  readonly sheaf: Int32Array;
  readonly slotAddress: Float64Array;
  readonly slotLink: Int32Array;
  readonly frameSlab: Int32Array;
  /**
   * The cache of the slab that a frame is of, if that slab has the cache's preferred order and its first object at its first byte; else 0,
   * which says nothing. A free in front of sheaves learns from it all that it wants to know of a slab. Empty without sheaves.
   */
  readonly frameCache: Uint16Array;
  readonly freeNext: Int32Array;
  readonly freePrev: Int32Array;
  readonly frameState: Uint8Array;
  readonly link: Uint16Array;
}

type Field = readonly [name: keyof Ledger, bytesEach: 1 | 2 | 4 | 8, count: number];

/** The order of the arrays in the buffer. Slab and cache ids count from 1, so their tables have a row 0 that stays empty. */
function fields(shape: LedgerShape): Field[] {
  const slabRows = shape.slabs + 1;
  const cacheRows = shape.caches + 1;
  return [
    ['header', 4, HEADER_WORDS],
    ['config', 2, CONFIG_UNITS],
    ['zone', 4, shape.zones * ZONE_WORDS],
    ['range', 4, shape.ranges * RANGE_WORDS],
    ['cache', 4, cacheRows * CACHE_WORDS],
    ['cacheName', 2, cacheRows * CACHE_NAME_UNITS],
    ['cacheLink', 2, CACHE_LINKS_PER_CACHE * shape.caches * CACHE_LINK_UNITS],
    ['journal', 4, shape.cpus * JOURNAL_WORDS],
    ['cpuCache', 4, shape.cpus * cacheRows * CPU_WORDS],
    ['linkPage', 4, shape.linkPages * LINKPAGE_WORDS],
    ['slabCounters', 4, slabRows],
    ['slabNext', 4, slabRows],
    ['slabPrev', 4, slabRows],
    ['slabCache', 4, slabRows],
    ['slabFrame', 4, slabRows],
    ['slabOffset', 4, slabRows],
    ['slabLinks', 4, slabRows],
    ['slabShape', 4, slabRows],
    ['slabSerial', 4, slabRows],
    ['slabFreelist', 8, shape.arrayEntries > 0 ? slabRows : 0],
    ['arrayAddress', 8, shape.arrayEntries],
    ['arrayLink', 4, shape.arrayEntries],
    ['sheafAddress', shape.sheafWords === 1 ? 4 : 8, shape.sheafEntries],
    ['sheafLink', 4, shape.sheafEntries],
    ['sheaf', 4, shape.sheaves > 0 ? (shape.sheaves + 1) * SHEAF_WORDS : 0],
    ['slotAddress', 8, shape.sheafSlots],
    ['slotLink', 4, shape.sheafSlots],
    ['frameSlab', 4, shape.frames],
    ['frameCache', 2, shape.sheafEntries > 0 ? shape.frames : 0],
    ['freeNext', 4, shape.frames],
    ['freePrev', 4, shape.frames],
    ['frameState', 1, shape.frames],
    ['statistics', 4, shape.statistics * shape.cpus * cacheRows * STATISTICS_WORDS],
    ['link', 2, shape.linkPages * LINKS_PER_PAGE],
  ];
}

/** Bytes of a ledger of this shape, most of which are never touched. */
function ledgerBytes(shape: LedgerShape): number {
  let bytes = 0;
  for (const [, each, count] of fields(shape)) bytes += alignField(each * count);
  return bytes;
}

/** Each array begins on a line of its own. */
function alignField(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/** Makes an empty ledger. `config` is what its machine was made from, as text, so that the buffer explains itself. */
export function createLedger(shape: LedgerShape, config: string, shared = false): Ledger {
  for (const key of SHAPE_KEYS) {
    const rows = shape[key];
    if (!Number.isInteger(rows) || rows < (OPTIONAL_TABLES.has(key) ? 0 : 1) || rows > 0x7ffffffe) {
      throw new ArgumentError(`a ledger cannot have ${rows} ${key}`);
    }
  }
  if (config.length > CONFIG_UNITS) {
    throw new ArgumentError(
      `the machine's description is ${config.length} characters long, at most ${CONFIG_UNITS} fit`,
    );
  }
  if (shared && typeof SharedArrayBuffer !== 'function') {
    throw new ArgumentError(
      'a shared ledger lies in a SharedArrayBuffer, which is not there: a page has it where it is cross-origin isolated ' +
        '(the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp)',
    );
  }
  const bytes = ledgerBytes(shape);
  const ledger = view(shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes), shape);
  ledger.header[H_MAGIC] = MAGIC;
  ledger.header[H_VERSION] = VERSION;
  SHAPE_KEYS.forEach((key, i) => {
    ledger.header[H_SHAPE + i] = shape[key];
  });
  ledger.header[H_CONFIG_LENGTH] = config.length;
  writeText(ledger.config, 0, config);
  return ledger;
}

/** Opens a buffer that holds a ledger. Throws ArgumentError if it does not. */
export function openLedger(buffer: ArrayBuffer | SharedArrayBuffer): Ledger {
  if (buffer.byteLength < HEADER_WORDS * 4)
    throw new ArgumentError('this buffer is too small to hold a ledger');
  const header = new Int32Array(buffer, 0, HEADER_WORDS);
  if (header[H_MAGIC] !== MAGIC) throw new ArgumentError('this buffer holds no ledger');
  if (header[H_VERSION] !== VERSION) {
    throw new ArgumentError(`this ledger has version ${header[H_VERSION]}, expected ${VERSION}`);
  }
  const shape = Object.fromEntries(
    SHAPE_KEYS.map((key, i) => [key, header[H_SHAPE + i]]),
  ) as unknown as LedgerShape;
  if (buffer.byteLength !== ledgerBytes(shape)) {
    throw new ArgumentError(
      `this ledger is ${buffer.byteLength} bytes long, its header says ${ledgerBytes(shape)}`,
    );
  }
  return view(buffer, shape);
}

function view(buffer: ArrayBuffer | SharedArrayBuffer, shape: LedgerShape): Ledger {
  const arrays: Record<string, unknown> = { buffer, shape };
  let offset = 0;
  for (const [name, each, count] of fields(shape)) {
    if (each === 1) arrays[name] = new Uint8Array(buffer, offset, count);
    else if (each === 2) arrays[name] = new Uint16Array(buffer, offset, count);
    else if (each === 8) arrays[name] = new Float64Array(buffer, offset, count);
    else arrays[name] = new Int32Array(buffer, offset, count);
    if (name === 'journal') arrays.cpuWord = new BigUint64Array(buffer, offset, count / 2);
    if (name === 'cpuCache') arrays.cpuDouble = new Float64Array(buffer, offset, count / 2);
    offset += alignField(each * count);
  }
  return arrays as unknown as Ledger;
}

/** The text that the ledger was made with. */
export function ledgerConfig(ledger: Ledger): string {
  return readText(ledger.config, 0, ledger.header[H_CONFIG_LENGTH]!);
}

/** Writes a text as UTF-16 units, from index `at` on. */
export function writeText(into: Uint16Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) into[at + i] = text.charCodeAt(i);
}

/** A text of `length` UTF-16 units, from index `at` on. */
export function readText(from: Uint16Array, at: number, length: number): string {
  let text = '';
  for (let i = 0; i < length; i++) text += String.fromCharCode(from[at + i]!);
  return text;
}
