/**
 * # Sheaves: free objects in front of the slabs
 *
 *     CPU 0                                       CPU 1
 *     top ─▸ │ o │ ┐                              │   │
 *            │ o │ ┘ main                         │   │
 *            │ o │ ┐               ─ capacity ─   │ o │ ◂─ top
 *            │ o │ │ spare                        │ o │
 *            │ o │ ┘                              │ o │
 *            └───┘                                └───┘
 *              ▴ │  a batch of `capacity` objects at a time       ▴ │
 *              │ ▾                                                │ ▾
 *            slabs of the cache (slub.ts): active, CPU-partial, node-partial
 *
 * With SLUB alone a CPU is fast on one slab, the active one: a free to any other is a slow path, and so is an alloc when the active one
 * has run out. A sheaf is a stack of free objects of any slabs. Bonwick's magazines are the idea, SLAB's arrays (slab.ts) the older
 * brother; Linux 6.18 has them as an option of a cache ("slab: add opt-in caching layer of percpu sheaves"). These are the library's, and
 * no model of those: Linux keeps a barn of full and empty sheaves for each node, has a sheaf for kfree_rcu, gives a sheaf another capacity,
 * and takes its sheaves from kmalloc, where these lie in the ledger.
 *
 * A CPU has two sheaves of a cache, main and spare, so that a load that goes up and down by one at the edge of a sheaf does not move a
 * batch each time. Linux swaps two arrays; here the two lie one on the other in one run of entries: the upper is main, the lower spare.
 *
 * ## An object of such a cache is in one of these states
 *  1. with its slab: on the slab's list, or on the list of the CPU whose active slab that is;
 *  2. in a sheaf: free for its CPU, in use for its slab;
 *  3. live.
 *
 * ## alloc and free
 *  a. alloc takes the top (2 → 3). An empty stack is first filled by the steps of slub.ts (1 → 2), so that the first in SLUB's order is
 *     the first to be handed out: a new slab's objects come in ascending order. It gets `capacity` objects, but in a small cache no more
 *     than a slab has, or a 32nd of the cache's objects: what lies idle is to be a part of what is used. If not one is available: NULL.
 *  b. free puts the object on top (3 → 2). A full stack first gives up its *oldest* `capacity` objects (2 → 1): the lower sheaf, cold by
 *     now. They are freed in groups of one slab, with a lookahead of three neighbours, by the step of slub.ts that a bulk free takes.
 *  c. A cache that is shrunk, and a CPU that goes, give up all of them.
 *
 * ## What is checked
 * Each free learns from the address its frame and index: what lies in no slab, in another cache's, or not at the start of an object is
 * refused at once, before anything changed. That is one look into the ledger, at `frameCache`: blocks are aligned to their size, so that
 * where a slab begins follows from the address, and a slab of the preferred order has nothing else to say. Each further line of a table
 * would be one more to wait for when the caller has gone through other memory since. A slab of the fallback order takes the slow way.
 *
 * A *second free* is noticed
 *  - with `liveCheck`: at once, for state 2 stands in the object's link (ARRAY), and state 3 too (LIVE). A load and two stores a pair;
 *  - without: the link says LIVE in both states, and the object lies in the sheaf twice. If both entries leave together, or one after the
 *    other without having been handed out, the second is dropped with a line in the log; `validate()` finds it before. An object that was
 *    handed out twice meanwhile has two owners, as with any allocator that does not look.
 *
 * ## What it costs
 * At most 2 × capacity objects a CPU and cache lie idle: `CacheInfo.sheafObjects` counts them, and `machine.report()` says which
 * share of the memory held they are. They also keep their slabs from going back. When memory has run out, an alloc does not look
 * into other CPUs' sheaves.
 *
 * A debugged cache has none: its checks want to see every object.
 *
 * ## A CPU that dies
 * On the hot path an entry is written before the count that covers it, and a link that says LIVE before the count that leaves it out: at
 * any cut the object is in the sheaf, or live for the CPU that died. What a batch on its way may leave behind: flush.ts.
 *
 * Ideas: Bonwick and Adams, "Magazines and Vmem" (USENIX 2001); Vlastimil Babka's series "SLUB percpu sheaves" (2025).
 */
import { ArgumentError, type Gfp, LedgerFullError, NULL, type PhysAddr } from '../../base/index.js';
import {
  __GFP,
  C_ARRAY_ENTRIES,
  C_ARRAYS,
  C_BORN,
  C_CTOR,
  C_LIVE_CHECK,
  C_OBJECT_SIZE,
  C_OO,
  C_SHEAF_CAPACITY,
  C_TOTAL_OBJECTS,
  CACHE_WORDS,
  CPU_WORDS,
  GFP,
  J_FILLED_FROM,
  type Ledger,
  LINK_ARRAY,
  LINK_LIVE,
  type ManagedBytes,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  P_ODD_INVERSE,
  P_SHIFT,
  P_SLAB_MASK,
  P_SLAB_OBJECTS,
  type PhysicalMemory,
  shapeObjects,
  shapeOrder,
} from '../../machine/index.js';
import {
  type CacheView,
  divide,
  eachCpuLine,
  findEntries,
  isCache,
  plainView,
  sheafObjects,
  zeroTaken,
} from '../cache/index.js';
import { createObjectAddresses, findGroup } from '../slabs/index.js';
import type { Slub } from '../slub/index.js';
import { createSheafFlush, type SheafFlush, secondFree } from './flush.js';
import { hotView, type SlowPath } from './hot.js';

/** How a cache uses sheaves. */
export interface SheafOptions {
  /** Objects of one sheaf; 0 for none. */
  readonly sheafCapacity: number;
  /** Whether each alloc and free looks at the object's link, so that a second free is noticed at once. */
  readonly liveCheck: boolean;
}

/** The most that a cache may ask for. */
export const SHEAF_CAPACITY_MAX = 1024;
/** A sheaf is filled with at most this part of its cache's objects, if that is more than a slab of them: 1 / 2^shift. */
const REFILL_SHIFT = 5;
const USUAL_CAPACITY_MAX = 128;
const USUAL_CAPACITY_MIN = 4;
/** Bytes of objects in one sheaf, where that makes a capacity between the two. */
const USUAL_BYTES = 131072;

/** Objects of a sheaf where nobody says otherwise: 128 up to 1 KiB, then as many as 128 KiB hold, 4 at least. */
export function usualSheafCapacity(size: number): number {
  return Math.min(Math.max(Math.floor(USUAL_BYTES / size), USUAL_CAPACITY_MIN), USUAL_CAPACITY_MAX);
}

/** Entries that a cache's sheaves take at most on a machine of so many CPUs whose caches have this capacity, or with null the usual one. */
export function sheafEntries(cpus: number, capacity: number | null): number {
  return cpus * 2 * Math.max(capacity ?? 0, USUAL_CAPACITY_MAX);
}

export interface SheafAllocator extends Slub, Pick<SheafFlush, 'mendSheaf'> {
  /** Gives a new cache its sheaves. Throws LedgerFullError and changes nothing. */
  addSheaves(cache: number, options: SheafOptions): void;
  /** The hot path of one cache on one CPU, with everything constant in it. */
  view(cache: number, cpu: number): CacheView;
}

/** SLUB with sheaves in front of those caches that have them. */
export function createSheaves(
  memory: PhysicalMemory,
  slub: Slub,
  bytes: ManagedBytes | undefined,
): SheafAllocator {
  const { ledger, basePfn, log } = memory;
  const { pageSize } = memory.profile;
  const { cache, cpuCache, frameCache, frameSlab, journal, link, sheafAddress, sheafLink } = ledger;
  const { slabCache, slabFrame, slabLinks, slabShape } = ledger;
  const { slabAt, indexIn, linkOf, badFree } = createObjectAddresses(memory);
  const cacheRows = ledger.shape.caches + 1;
  const { cpus } = ledger.shape;
  const basePhys = basePfn * pageSize;
  const pageShift = Math.log2(pageSize);
  /** Every offset is an integer of 31 bits, and so can the arithmetic of the hot path be. */
  const small = ledger.shape.frames * pageSize <= 2 ** 31;

  const { locks } = memory;
  const among = createSheafFlush(memory, slub, 2 * SHEAF_CAPACITY_MAX);

  /** Slabs and indices of objects on their way from a sheaf, and places of a group: scratch, nothing while no call is going on. */
  const goingSlab = new Int32Array(2 * SHEAF_CAPACITY_MAX);
  const goingIndex = new Int32Array(2 * SHEAF_CAPACITY_MAX);
  const places = new Int32Array(2 * SHEAF_CAPACITY_MAX);

  // ---- between sheaf and slabs -------------------------------------------------------------------------------------------

  /** Step a, when the stack is empty. Returns the first object, or NULL. */
  function allocSlow(id: number, gfp: Gfp, cpu: number): PhysAddr {
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const first = slub.alloc(id, gfp, cpu);
    const capacity = cpuCache[p + P_LIMIT]! >> 1;
    // A constructor may have freed objects meanwhile: then there are some.
    if (capacity === 0 || first === NULL || cpuCache[p + P_AVAIL] !== 0) return first;
    try {
      fill(id, p, refill(id, capacity) - 1, gfp, cpu);
    } catch (error) {
      // The caller has its object: that there is no room for more is no failure of its call. Nothing else goes by, and nothing is lost.
      if (error instanceof LedgerFullError) return first;
      free(id, first, cpu);
      throw error;
    }
    return first;
  }

  /** Puts up to `wanted` objects into an empty stack, the last one lowest. Whatever ends it, those that came are in it. */
  function fill(id: number, p: number, wanted: number, gfp: Gfp, cpu: number): void {
    const entries = cpuCache[p + P_ENTRIES]!;
    const c = id * CACHE_WORDS;
    const checked = cache[c + C_LIVE_CHECK] !== 0;
    const quiet = (gfp | __GFP.NOWARN) as Gfp;
    // A constructor can fail, and free to this very stack: where there is one, none runs for more than was asked for.
    const take = cache[c + C_CTOR] !== 0 ? slub.allocHeld : slub.alloc;
    let left = wanted;
    try {
      while (left > 0) {
        const address = take(id, quiet, cpu);
        if (address === NULL) break;
        sheafAddress[entries + --left] = address;
        if (locks.concurrent()) {
          if (left === wanted - 1) among.filling(p, entries + left, entries + wanted);
          else journal[locks.journal + J_FILLED_FROM] = entries + left;
        }
        if (checked) {
          const at = linkOf(address);
          sheafLink[entries + left] = at;
          link[at] = LINK_ARRAY;
        }
      }
    } finally {
      settle(p, entries, wanted, left);
    }
  }

  /** The uppermost entries of those that were to be filled are: they move down, and count. */
  function settle(p: number, entries: number, wanted: number, left: number): void {
    // The sheaf of a thread that has lost its CPU is another's.
    if (locks.cpu < 0) return;
    if (left > 0) {
      if (locks.concurrent()) {
        sheafAddress.fill(0, entries, entries + left);
        among.filling(p, entries, entries + wanted);
      }
      sheafAddress.copyWithin(entries, entries + left, entries + wanted);
      sheafLink.copyWithin(entries, entries + left, entries + wanted);
    }
    cpuCache[p + P_AVAIL] = wanted - left;
    if (locks.concurrent()) among.filled();
  }

  /** How many objects an empty sheaf is filled with: a whole one, unless the cache is small. Then a slab's, which are held anyway. */
  function refill(id: number, capacity: number): number {
    const c = id * CACHE_WORDS;
    const share = cache[c + C_TOTAL_OBJECTS]! >> REFILL_SHIFT;
    return Math.min(capacity, Math.max(share, shapeObjects(cache[c + C_OO]!)));
  }

  /** -1 also for a slab that is another cache's by now: the object was freed twice, and the first free let its slab go. */
  function indexOf(id: number, slab: number, address: number): number {
    return slab !== 0 && slabCache[slab] === id ? indexIn(slab, address) : -1;
  }

  /** The oldest `count` objects of a stack go back to their slabs. */
  function flush(id: number, cpu: number, count: number): void {
    if (locks.concurrent()) return among.flush(id, cpu, count);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const entries = cpuCache[p + P_ENTRIES]!;
    const avail = cpuCache[p + P_AVAIL]!;
    const inSheaf = cache[id * CACHE_WORDS + C_LIVE_CHECK] !== 0 ? LINK_ARRAY : LINK_LIVE;
    let kept = 0;
    const mask = cpuCache[p + P_SLAB_MASK]!;
    const inverse = cpuCache[p + P_ODD_INVERSE]!;
    const shift = cpuCache[p + P_SHIFT]!;
    for (let entry = entries; entry < entries + count; entry++) {
      const address = sheafAddress[entry]!;
      const offset = (address - basePhys) | 0;
      const frame = offset >>> pageShift;
      const slab = small ? frameSlab[frame]! : slabAt(address);
      const usual = small && frameCache[frame] === id;
      const index = usual ? divide(offset & mask, inverse, shift) : indexOf(id, slab, address);
      const at = slabLinks[slab]! + index;
      if (index < 0 || (inSheaf === LINK_LIVE && link[at] !== LINK_LIVE)) {
        log.add(secondFree(ledger, id, address));
        continue;
      }
      link[at] = LINK_ARRAY;
      goingSlab[kept] = slab;
      goingIndex[kept++] = index;
    }
    sheafAddress.copyWithin(entries, entries + count, entries + avail);
    sheafLink.copyWithin(entries, entries + count, entries + avail);
    cpuCache[p + P_AVAIL] = avail - count;
    for (let left = kept; left > 0; ) left = sendGroup(id, cpu, left);
  }

  /**
   * The last of `left` objects on their way goes to its slab, with the others of its group, as in a bulk free (bulk-free.ts), without its
   * addresses. Returns how many are left.
   */
  function sendGroup(id: number, cpu: number, left: number): number {
    let start = left - 1;
    const slab = goingSlab[start]!;
    const links = slabLinks[slab]!;
    const head = goingIndex[start]! + 1;
    let at = links + head - 1;
    const count = findGroup(goingSlab, start, places);
    for (let k = 1; k < count; k++) {
      const i = places[k]!;
      const index = goingIndex[i]!;
      // What was passed over moves to the front.
      start--;
      goingSlab[i] = goingSlab[start]!;
      goingIndex[i] = goingIndex[start]!;
      link[at] = index + 1;
      at = links + index;
    }
    slub.freeChain(id, cpu, slab, head, at, left - start);
    return start;
  }

  function flushSheaf(id: number, cpu: number): void {
    // Another thread's sheaf is that thread's.
    if (locks.concurrent() && cpu !== locks.cpu) return;
    const avail = cpuCache[(cpu * cacheRows + id) * CPU_WORDS + P_AVAIL]!;
    if (avail > 0) flush(id, cpu, avail);
  }

  /** Step b, when the stack is full or the cache has none; also what refuses an address that the fast path would not take. */
  function freeSlow(id: number, address: PhysAddr, cpu: number): void {
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const limit = cpuCache[p + P_LIMIT]!;
    if (limit === 0) return slub.free(id, address, cpu);
    const slab = slabAt(address);
    const index = indexOf(id, slab, address);
    const at = slabLinks[slab]! + index;
    // SLUB finds the words for what is wrong.
    if (index < 0 || link[at] !== LINK_LIVE) return slub.free(id, address, cpu);
    if (cpuCache[p + P_AVAIL] === limit) flush(id, cpu, limit >> 1);
    const avail = cpuCache[p + P_AVAIL]!;
    const entry = cpuCache[p + P_ENTRIES]! + avail;
    sheafAddress[entry] = address;
    sheafLink[entry] = at;
    cpuCache[p + P_AVAIL] = avail + 1;
    if (cache[id * CACHE_WORDS + C_LIVE_CHECK] !== 0) link[at] = LINK_ARRAY;
  }

  // ---- any cache on any CPU ------------------------------------------------------------------------------------------------

  function alloc(id: number, gfp: Gfp, cpu: number): PhysAddr {
    if (cpu >>> 0 !== cpu || cpu >= cpus) return slub.alloc(id, gfp, cpu);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const avail = cpuCache[p + P_AVAIL]! - 1;
    if (avail < 0) return allocSlow(id, gfp, cpu);
    const entry = cpuCache[p + P_ENTRIES]! + avail;
    const address = sheafAddress[entry]! as PhysAddr;
    if (cache[id * CACHE_WORDS + C_LIVE_CHECK] !== 0) link[sheafLink[entry]!] = LINK_LIVE;
    cpuCache[p + P_AVAIL] = avail;
    if (bytes !== undefined && gfp & __GFP.ZERO) zero(id, address, cpu);
    return address;
  }

  function zero(id: number, address: number, cpu: number): void {
    zeroTaken(bytes!, cache[id * CACHE_WORDS + C_OBJECT_SIZE]! >>> 0, free, id, address as PhysAddr, cpu);
  }

  function free(id: number, address: PhysAddr, cpu: number): void {
    if (cpu >>> 0 !== cpu || cpu >= cpus) return slub.free(id, address, cpu);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const avail = cpuCache[p + P_AVAIL]!;
    const slab = slabAt(address);
    const distance = address - basePhys - slabFrame[slab]! * pageSize;
    const offset = distance | 0;
    const index = divide(offset, cpuCache[p + P_ODD_INVERSE]!, cpuCache[p + P_SHIFT]!);
    const misses = index >= shapeObjects(slabShape[slab]!) || offset !== distance || slabCache[slab] !== id;
    if (misses || avail === cpuCache[p + P_LIMIT]!) return freeSlow(id, address, cpu);
    const entry = cpuCache[p + P_ENTRIES]! + avail;
    if (cache[id * CACHE_WORDS + C_LIVE_CHECK] === 0) {
      sheafAddress[entry] = address;
      cpuCache[p + P_AVAIL] = avail + 1;
      return;
    }
    const at = slabLinks[slab]! + index;
    if (link[at] !== LINK_LIVE) return freeSlow(id, address, cpu);
    sheafAddress[entry] = address;
    sheafLink[entry] = at;
    cpuCache[p + P_AVAIL] = avail + 1;
    link[at] = LINK_ARRAY;
  }

  function freeBulk(id: number, objects: PhysAddr[], cpu: number): void {
    if (cache[id * CACHE_WORDS + C_SHEAF_CAPACITY] === 0 || cpu >>> 0 !== cpu || cpu >= cpus)
      return slub.freeBulk(id, objects, cpu);
    // All or none: what is wrong with one of them is found before the first goes.
    const seen = new Set<number>();
    for (const address of objects) {
      const slab = slabAt(address);
      const known = slab !== 0 && slabCache[slab] === id && indexIn(slab, address) >= 0;
      if (!known || link[linkOf(address)] !== LINK_LIVE || seen.has(address)) throw badFree(id, address);
      seen.add(address);
    }
    for (const address of objects) free(id, address, cpu);
  }

  // ---- one cache on one CPU --------------------------------------------------------------------------------------------------

  function view(id: number, ownCpu: number): CacheView {
    const p = (ownCpu * cacheRows + id) * CPU_WORDS;
    if (cpuCache[p + P_LIMIT] === 0) return plainView(sheaves, ledger, id, ownCpu);
    const bornAt = id * CACHE_WORDS + C_BORN;
    const born = cache[bornAt]!;
    // A view that was closed, or whose row is another cache's by now, asks for an object of no cache, which throws.
    const open = Int32Array.of(born);
    const reached = () => (open[0] === born && isCache(ledger, id, born) ? id : 0);
    const slow: SlowPath = {
      alloc: (gfp, cpu) => alloc(reached(), gfp, cpu),
      free: (address, cpu) => free(reached(), address, cpu),
      zero: (address) => zero(id, address, ownCpu),
    };
    const hot = hotView({
      KERNEL: GFP.KERNEL,
      LIVE: LINK_LIVE,
      INSIDE: LINK_ARRAY,
      cpuCache,
      sheafAddress,
      sheafLink,
      link,
      frameCache,
      frameSlab,
      slabLinks,
      basePhys,
      pageShift,
      slabMask: cpuCache[p + P_SLAB_MASK]!,
      slabObjects: cpuCache[p + P_SLAB_OBJECTS]!,
      limit: cpuCache[p + P_LIMIT]!,
      entries: cpuCache[p + P_ENTRIES]!,
      inverse: cpuCache[p + P_ODD_INVERSE]!,
      shift: cpuCache[p + P_SHIFT]!,
      CHECKED: cache[id * CACHE_WORDS + C_LIVE_CHECK] !== 0,
      ZEROES: bytes !== undefined,
      SHARED: locks.shared,
      LOW: ledger.shape.sheafWords === 1,
      rows: cache,
      bornAt,
      open,
      slow,
      ownCpu,
      count: p + P_AVAIL,
      owner: id,
    });
    // Offsets beyond 31 bits need another arithmetic, which the general path has.
    return small ? hot : { ...hot, free: (address, cpu = ownCpu) => slow.free(address, cpu) };
  }

  // ---- a cache as a whole ------------------------------------------------------------------------------------------------------

  function addSheaves(id: number, { sheafCapacity, liveCheck }: SheafOptions): void {
    checkCapacity(sheafCapacity);
    if (sheafCapacity === 0) return;
    const entries = findEntries(ledger, cpus * 2 * sheafCapacity, 'sheafEntries');
    const c = id * CACHE_WORDS;
    cache[c + C_SHEAF_CAPACITY] = sheafCapacity;
    cache[c + C_LIVE_CHECK] = liveCheck ? 1 : 0;
    cache[c + C_ARRAYS] = entries;
    cache[c + C_ARRAY_ENTRIES] = cpus * 2 * sheafCapacity;
    eachCpuLine(ledger, id, (p, cpu) => {
      cpuCache[p + P_AVAIL] = 0;
      cpuCache[p + P_LIMIT] = 2 * sheafCapacity;
      cpuCache[p + P_ENTRIES] = entries + cpu * 2 * sheafCapacity;
      cpuCache[p + P_SLAB_MASK] = pageSize * 2 ** shapeOrder(cache[c + C_OO]!) - 1;
      cpuCache[p + P_SLAB_OBJECTS] = shapeObjects(cache[c + C_OO]!);
    });
  }

  function flushCpu(id: number, cpu: number): void {
    flushSheaf(id, cpu);
    slub.flushCpu(id, cpu);
  }

  function shrink(id: number): boolean {
    for (let cpu = 0; cpu < cpus; cpu++) flushSheaf(id, cpu);
    return slub.shrink(id);
  }

  const sheaves: SheafAllocator = {
    ...slub,
    alloc,
    free,
    freeBulk,
    shrink,
    flushCpu,
    live: (id) => slub.live(id) - sheafObjects(ledger, id),
    addSheaves,
    view,
    mendSheaf: among.mendSheaf,
  };
  return sheaves;
}

/** Throws ArgumentError unless so many objects can be a sheaf. */
export function checkCapacity(capacity: number): void {
  if (!Number.isInteger(capacity) || capacity < 0 || capacity > SHEAF_CAPACITY_MAX) {
    throw new ArgumentError(
      `a sheaf holds 1 to ${SHEAF_CAPACITY_MAX} objects, or 0 for no sheaves, not ${capacity}`,
    );
  }
}

/** Whether an object lies in a sheaf of its cache. Looks through all of them. */
export function isInSheaf(ledger: Ledger, id: number, address: number): boolean {
  const { cache, cpuCache, sheafAddress } = ledger;
  if (cache[id * CACHE_WORDS + C_SHEAF_CAPACITY] === 0) return false;
  let found = false;
  eachCpuLine(ledger, id, (p) => {
    const entries = cpuCache[p + P_ENTRIES]!;
    for (let entry = entries; entry < entries + cpuCache[p + P_AVAIL]!; entry++)
      if (sheafAddress[entry] === address) found = true;
  });
  return found;
}
