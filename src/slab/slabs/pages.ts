/**
 * Slabs come and go: pages from the page allocator, cut into objects, and given back.
 *
 * On its way in or out a slab belongs to nobody: its CPU has it *in hand* (ledger.ts, J_HAND), the slab's id as soon as it is taken and as
 * long as it is not given back, and the same of its block. If the CPU dies, what it has in hand goes back (attach.ts). A new slab is
 * put down by whoever gives it a place, when it has one.
 *
 *     block taken ─▸ id and links taken ─▸ frames name it ─▸ objects constructed ─▸ has its place      hand empty
 *     hand: block     block, id                                                      frames name nothing ◂─ id given ◂─ block given
 */
import { ArgumentError, type Gfp, NO_PFN, type Pfn, type PhysAddr } from '../../base/index.js';
import {
  __GFP,
  C_ALLOCFLAGS,
  C_FAILED,
  C_MIN,
  C_NR_SLABS,
  C_OO,
  C_ORDER_FALLBACK,
  C_RED_LEFT_PAD,
  C_SLABS_MADE,
  C_TOTAL_OBJECTS,
  CACHE_WORDS,
  COUNTERS_FROZEN,
  frameCacheOf,
  GFP_KNOWN_BITS,
  GFP_SLAB_BUG_BITS,
  giveLinks,
  giveSlabId,
  H_LINK_LOCK,
  J_HAND,
  J_HAND_FRAME,
  J_HAND_ORDER,
  J_HAND_SLAB,
  JOURNAL_WORDS,
  LINK_END,
  type ManagedBytes,
  type PhysicalMemory,
  packCounters,
  shapeObjects,
  shapeOrder,
  takeLinks,
  takeSlabId,
} from '../../machine/index.js';
import {
  type CacheReports,
  createEventCounter,
  type FreelistOrder,
  STAT,
  unexpectedGfp,
} from '../cache/index.js';

interface SlabPagesOptions {
  construct(cache: number, address: PhysAddr): void;
  hasConstructor(cache: number): boolean;
  readonly reports: CacheReports;
  readonly bytes: ManagedBytes | undefined;
  readonly freelistOrder?: FreelistOrder | undefined;
  objectAddress(slab: number, index: number): PhysAddr;
  /** A slab has its objects, which are not constructed yet; a slab is about to go. */
  onNew(id: number, slab: number): void;
  onDiscard(id: number, slab: number): void;
}

/** `c` is the first word of a cache's row. */
export interface SlabPages {
  /**
   * SLUB's new slab, on no list: of the preferred order or, if that is not available, of the smallest. 0 if there is no memory. Among
   * several CPUs it is frozen and in this one's hand. `p` is the CPU's line of the cache.
   */
  newSlab(id: number, c: number, p: number, callerGfp: Gfp): number;
  /** The caller's gfp without the bits that are wrong in a slab's request, which are reported. Only here anybody looks at them. */
  checkGfp(id: number, callerGfp: Gfp): number;
  /** A block becomes a slab with all objects on its list, ascending, the first one `offset` bytes in. If it throws, they are back. */
  makeSlab(id: number, c: number, pfn: Pfn, shape: number, offset: number): number;
  /** Gives an empty slab's pages back. It is on no list. */
  discard(c: number, slab: number): void;
  /** The slab in hand has a place. */
  putDown(): void;
  /** What this CPU has in hand goes back, however much of that was done before. */
  emptyHand(): void;
}

/** What of a caller's gfp reaches the page allocator. */
export const REQUEST_BITS =
  __GFP.RECLAIM |
  __GFP.HIGH |
  __GFP.IO |
  __GFP.FS |
  __GFP.NOWARN |
  __GFP.RETRY_MAYFAIL |
  __GFP.NOFAIL |
  __GFP.NORETRY |
  __GFP.MEMALLOC |
  __GFP.NOMEMALLOC |
  __GFP.ATOMIC |
  __GFP.HARDWALL |
  __GFP.THISNODE;

export function createSlabPages(memory: PhysicalMemory, options: SlabPagesOptions): SlabPages {
  const { ledger, basePfn, pages } = memory;
  const { pageSize } = memory.profile;
  const { reports, bytes, objectAddress, onNew, onDiscard } = options;
  const count = createEventCounter(ledger);
  const { cache, slabCounters, slabNext, slabPrev, slabCache, slabFrame, slabOffset, slabLinks } = ledger;
  const { slabShape, slabSerial, frameSlab, frameCache, header, journal, link } = ledger;
  const { locks } = memory;
  /** Caches whose new slab is being constructed. */
  const constructing = new Set<number>();
  const objectsOf = (slab: number) => shapeObjects(slabShape[slab]!);

  function checkGfp(id: number, callerGfp: Gfp): number {
    if (constructing.has(id)) {
      throw new ArgumentError(`the constructor of ${reports.cacheName(id)} allocates from its own cache`);
    }
    let gfp = callerGfp as number;
    const wrong = gfp & (GFP_SLAB_BUG_BITS | ~GFP_KNOWN_BITS);
    if (wrong !== 0) {
      gfp &= ~wrong;
      reports.warn(unexpectedGfp(wrong, gfp, memory.profile.gfp));
    }
    if (gfp & __GFP.ZERO && options.hasConstructor(id)) reports.zeroWithConstructor();
    return gfp;
  }

  function newSlab(id: number, c: number, p: number, callerGfp: Gfp): number {
    const gfp = checkGfp(id, callerGfp);
    const request = (gfp & REQUEST_BITS) | cache[c + C_ALLOCFLAGS]!;
    let shape = cache[c + C_OO]!;
    openHand(id);
    let pfn = pages.allocPages(firstTry(request, shape, cache[c + C_MIN]!), shapeOrder(shape));
    if (pfn === NO_PFN) {
      shape = cache[c + C_MIN]!;
      pfn = pages.allocPages(request as Gfp, shapeOrder(shape));
      if (pfn === NO_PFN) {
        putDown();
        countEvent(c + C_FAILED);
        if (!(gfp & __GFP.NOWARN)) reports.outOfMemory(id, callerGfp);
        return 0;
      }
      countEvent(c + C_ORDER_FALLBACK);
      count(p, STAT.order_fallback);
    }
    count(p, STAT.alloc_slab);
    return makeSlab(id, c, pfn, shape, cache[c + C_RED_LEFT_PAD]!);
  }

  /** A cache's counter that no lock guards. */
  function countEvent(at: number): void {
    if (locks.concurrent()) Atomics.add(cache, at, 1);
    else cache[at]!++;
  }

  // ---- what a CPU has in hand --------------------------------------------------------------------------------------

  function openHand(id: number): void {
    if (!locks.concurrent()) return;
    const j = locks.journal;
    if (journal[j + J_HAND] !== 0) {
      throw new ArgumentError(
        `${reports.cacheName(id)} needs a slab while a constructor runs: among several CPUs that cannot be`,
      );
    }
    journal[j + J_HAND_SLAB] = 0;
    journal[j + J_HAND_FRAME] = 0;
    journal[j + J_HAND] = 1;
  }

  function putDown(): void {
    if (locks.concurrent()) journal[locks.journal + J_HAND] = 0;
  }

  function takeInHand(slab: number): void {
    if (!locks.concurrent()) return;
    const j = locks.journal;
    journal[j + J_HAND_SLAB] = slab;
    journal[j + J_HAND_FRAME] = slabFrame[slab]! + 1;
    journal[j + J_HAND_ORDER] = shapeOrder(slabShape[slab]!);
    journal[j + J_HAND] = 1;
  }

  function emptyHand(): void {
    const j = locks.journal;
    if (journal[j + J_HAND] === 0) return;
    const slab = journal[j + J_HAND_SLAB]!;
    const frame = journal[j + J_HAND_FRAME]! - 1;
    const order = journal[j + J_HAND_ORDER]!;
    if (frame >= 0) nameFrames(frame, order, 0, 0);
    if (slab !== 0) giveSlab(slab);
    if (frame >= 0) pages.freePages((frame + basePfn) as Pfn, order);
    journal[j + J_HAND] = 0;
  }

  /** The slab's id and links go back. */
  function giveSlab(slab: number): void {
    const c = slabCache[slab]! * CACHE_WORDS;
    const objects = objectsOf(slab);
    locks.take(header, H_LINK_LOCK, 'the table of links');
    cache[c + C_NR_SLABS]!--;
    cache[c + C_TOTAL_OBJECTS]! -= objects;
    giveLinks(ledger, slabLinks[slab]!, objects);
    giveSlabId(ledger, slab);
    if (locks.concurrent()) journal[locks.journal + J_HAND_SLAB] = 0;
    locks.release(header, H_LINK_LOCK);
  }

  /** The larger order is an offer, not a need: it may not warn, retry hard, reclaim, or use the reserves. */
  function firstTry(request: number, preferred: number, smallest: number): Gfp {
    let gfp = (request | __GFP.NOWARN | __GFP.NORETRY) & ~__GFP.NOFAIL;
    if (gfp & __GFP.DIRECT_RECLAIM && shapeOrder(preferred) > shapeOrder(smallest))
      gfp = (gfp | __GFP.NOMEMALLOC) & ~__GFP.RECLAIM;
    return gfp as Gfp;
  }

  function makeSlab(id: number, c: number, pfn: Pfn, shape: number, offset: number): number {
    const objects = shapeObjects(shape);
    const slab = takeSlab(id, c, pfn, shape);
    const frame = pfn - basePfn;
    slabFrame[slab] = frame;
    slabOffset[slab] = offset;
    slabNext[slab] = 0;
    slabPrev[slab] = 0;
    listAll(id, slab, objects);
    nameFrames(frame, shapeOrder(shape), slab, frameCacheOf(ledger, slab));
    onNew(id, slab);
    if (options.hasConstructor(id)) constructAll(id, c, slab);
    return slab;
  }

  /** All objects of a new slab are on its list, in ascending order unless the kernel shuffles them. */
  function listAll(id: number, slab: number, objects: number): void {
    const links = slabLinks[slab]!;
    const order = options.freelistOrder?.(reports.cacheName(id), slabSerial[slab]!, objects);
    if (order === undefined) {
      for (let i = 0; i < objects; i++) link[links + i] = i + 1 < objects ? i + 2 : LINK_END;
      return;
    }
    for (let i = 0; i < objects; i++)
      link[links + order[i]!] = i + 1 < objects ? order[i + 1]! + 1 : LINK_END;
    slabCounters[slab] = packCounters(order[0]! + 1, 0, slabCounters[slab]! & COUNTERS_FROZEN);
  }

  /** The frames of a block name a slab and its cache (ledger.ts, `frameCache`), or with 0 none. */
  function nameFrames(frame: number, order: number, slab: number, usual: number): void {
    const end = frame + 2 ** order;
    frameSlab.fill(slab, frame, end);
    if (frameCache.length > 0) frameCache.fill(usual, frame, end);
  }

  /** An id and links; the cache has a slab more. */
  function takeSlab(id: number, c: number, pfn: Pfn, shape: number): number {
    const objects = shapeObjects(shape);
    let slab = 0;
    locks.take(header, H_LINK_LOCK, 'the table of links');
    try {
      slab = takeSlabId(ledger);
      // A remote free to the id's last slab may still hold its lock; and a search for partial slabs must not take this one for that.
      if (locks.concurrent()) locks.takeSlab(slab, -1);
      locks.releaseSlab(slab, packCounters(1, 0, locks.concurrent() ? COUNTERS_FROZEN : 0));
      slabLinks[slab] = takeLinks(ledger, objects);
      slabShape[slab] = shape;
      if (locks.concurrent()) journal[locks.journal + J_HAND_SLAB] = slab;
      slabSerial[slab] = cache[c + C_SLABS_MADE]!++;
      cache[c + C_NR_SLABS]!++;
      cache[c + C_TOTAL_OBJECTS]! += objects;
      slabCache[slab] = id;
    } catch (error) {
      // The ledger is full: what was taken so far goes back, and the caller learns which table it was.
      if (slab !== 0) giveSlabId(ledger, slab);
      locks.release(header, H_LINK_LOCK);
      pages.freePages(pfn, shapeOrder(shape));
      putDown();
      throw error;
    }
    locks.release(header, H_LINK_LOCK);
    return slab;
  }

  /** A constructor that throws ends the allocation; the slab goes as it came. */
  function constructAll(id: number, c: number, slab: number): void {
    constructing.add(id);
    try {
      for (let i = 0; i < objectsOf(slab); i++) options.construct(id, objectAddress(slab, i));
    } catch (error) {
      discard(c, slab);
      throw error;
    } finally {
      constructing.delete(id);
    }
  }

  function discard(c: number, slab: number): void {
    const frame = slabFrame[slab]!;
    const order = shapeOrder(slabShape[slab]!);
    const other = inHand(slab);
    takeInHand(slab);
    onDiscard(c / CACHE_WORDS, slab);
    bytes?.forget((frame + basePfn) * pageSize, pageSize * 2 ** order);
    nameFrames(frame, order, 0, 0);
    giveSlab(slab);
    pages.freePages((frame + basePfn) as Pfn, order);
    putDown();
    takeAgain(other);
  }

  /** The journal of a CPU that has another slab in hand: its constructor is at work, and has freed the last object of this one. */
  function inHand(slab: number): Int32Array | undefined {
    const j = locks.journal;
    const other = locks.concurrent() && journal[j + J_HAND] !== 0 && journal[j + J_HAND_SLAB] !== slab;
    return other ? journal.slice(j, j + JOURNAL_WORDS) : undefined;
  }

  function takeAgain(other: Int32Array | undefined): void {
    if (other === undefined) return;
    const j = locks.journal;
    for (const word of [J_HAND_SLAB, J_HAND_FRAME, J_HAND_ORDER, J_HAND]) journal[j + word] = other[word]!;
  }

  return { newSlab, checkGfp, makeSlab, discard, putDown, emptyHand };
}
