/**
 * # SLUB's node: slabs that no CPU keeps
 *
 *     partial ─▸ [slab] ⇄ [slab] ⇄ [slab]      live and free objects; the first slab is used first
 *     full slabs are on no list; empty ones are, as long as the node has fewer than minPartial
 *
 * What stands in front of it takes slabs from here and gives objects back: the slabs of a CPU (cpu-slab.ts), or nothing, in a cache with a
 * debug flag (debugged.ts). Steps:
 *  1. `pull` takes the first slab off the list, with all that is free on it. When there is none, a new one is made (slabs/pages.ts).
 *     `take` takes n objects: slabs leave the list from its head until they hold so many free ones; each hands out its own list from the
 *     head. What is left of the last one goes to the list's tail. Are there still too few, new slabs come, one at a time, and what is
 *     left of the last of them goes to the head. `takeOne` takes a single object of the first slab, which leaves the list when it is
 *     full.
 *  2. `give` puts a chain of objects in front of the own list of a slab that is on the node's list, and leaves it where it is. If it is
 *     empty by that, and the node has at least minPartial partial slabs, this one included, it is discarded. A slab that was full goes to
 *     the list's tail; if it is empty by that and the node has minPartial slabs without it, it is discarded.
 *  3. `place` finds a place for a slab that some CPU kept up to now: full slabs go on no list, an empty one is discarded where the node has
 *     minPartial slabs without it, all others come first or last, as the caller says.
 *  4. `shrink` discards all empty slabs. Those with up to 32 free objects come first, fewest free first, equals in reverse: nearly full
 *     slabs fill up, sparse ones drain.
 *
 * Among several CPUs the list changes under the node's lock, a slab's own list under the slab's, and the node's is taken first. So who
 * frees looks at a slab's word to know whether it will leave the list (`emptiesPartial`), and begins again if that is another one once it
 * is locked.
 *
 * Rules: truth/README.md, "SLUB at run time".
 */
import { type Gfp, NULL, type PhysAddr } from '../../base/index.js';
import {
  C_MIN_PARTIAL,
  C_NR_PARTIAL,
  C_PARTIAL_HEAD,
  C_SIZE,
  CACHE_WORDS,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  countersInUse,
  J_SENT,
  LINK_ARRAY,
  LINK_END,
  LINK_LIVE,
  type PhysicalMemory,
  packCounters,
  shapeObjects,
} from '../../machine/index.js';
import { createEventCounter, STAT } from '../cache/index.js';
import type { NodeLists, SlabLocks, SlabPages } from '../slabs/index.js';
import { whileOnNode } from '../workers/index.js';

/** `c` is the first word of a cache's row, `p` the line of the CPU for which it is done: its events are counted there. */
export interface SlubNode {
  /** The first partial slab, on no list any more; 0 if there is none. The node is locked. */
  pull(c: number): number;
  /**
   * Puts a chain of `freed` objects on the own list of a slab on the node's list, which is locked, and so is the node if the slab is
   * empty by it; both are unlocked. `head` is the first object + 1, `tailLink` the last one's link.
   */
  give(
    c: number,
    p: number,
    slab: number,
    counters: number,
    head: number,
    tailLink: number,
    freed: number,
  ): void;
  /**
   * n objects at once, or as many as memory is there for: their addresses and links are written into two arrays, from `at` on. Each one's
   * link says LINK_ARRAY. Returns how many.
   */
  take(
    id: number,
    c: number,
    p: number,
    gfp: Gfp,
    wanted: number,
    addresses: Float64Array,
    links: Int32Array,
    at: number,
  ): number;
  /** One object, live; NULL if there is no memory. */
  takeOne(id: number, c: number, p: number, gfp: Gfp): PhysAddr;
  /** The same as `give` for a slab that is not locked yet. No CPU keeps slabs. */
  giveGroup(c: number, p: number, slab: number, head: number, tailLink: number, freed: number): void;
  /** Joins a chain to what is on a slab's own list already. */
  join(tailLink: number, prior: number): void;
  /**
   * Gives a slab that is on no list, and not frozen any more, its place. `counters` is its word as it was when it left its CPU, `listed`
   * the event that is counted if it goes on the list. The node is locked.
   */
  place(c: number, p: number, slab: number, counters: number, toFront: boolean, listed: number): void;
  /** The slab is on the node's list, and these are its last objects in use. Holds for a locked word too. */
  emptiesPartial(slab: number, counters: number, freed: number): boolean;
  /** Nothing is free, and no CPU keeps it. */
  isFull(slab: number, counters: number): boolean;
  /** A new slab that no CPU will keep, on no list; 0 if there is no memory. The node is locked. */
  newSlab(id: number, c: number, p: number, gfp: Gfp): number;
  shrink(c: number): void;
}

export function createSlubNode(
  memory: PhysicalMemory,
  lists: NodeLists,
  pages: SlabPages,
  { concurrent, releaseSlab, takeNode, releaseNode }: SlabLocks,
  objectAddress: (slab: number, index: number) => PhysAddr,
): SlubNode {
  const { ledger, locks } = memory;
  const { cache, slabCache, slabCounters, slabLinks, slabShape, link, journal } = ledger;
  const { listFirst, listLast, unlist } = lists;
  const { discard } = pages;
  const count = createEventCounter(ledger);
  const objectsOf = (slab: number) => shapeObjects(slabShape[slab]!);

  function pull(c: number): number {
    const first = cache[c + C_PARTIAL_HEAD]!;
    if (first !== 0) unlist(c, first);
    return first;
  }

  function give(
    c: number,
    p: number,
    slab: number,
    counters: number,
    head: number,
    tailLink: number,
    freed: number,
  ): void {
    const used = countersInUse(counters) - freed;
    const prior = counters & COUNTERS_FREE;
    join(tailLink, prior);
    releaseSlab(slab, packCounters(head, used, 0));
    if (prior === LINK_END) comeBack(c, p, slab, used);
    else if (used === 0) leave(c, p, slab);
  }

  /** A slab that was full has free objects. It does not count itself among the partial ones. */
  function comeBack(c: number, p: number, slab: number, used: number): void {
    if (used === 0 && cache[c + C_NR_PARTIAL]! >= cache[c + C_MIN_PARTIAL]!) {
      count(p, STAT.free_slab);
      discard(c, slab);
    } else {
      count(p, STAT.free_add_partial);
      listLast(c, slab);
    }
    releaseNode(c);
  }

  function giveGroup(
    c: number,
    p: number,
    slab: number,
    head: number,
    tailLink: number,
    freed: number,
  ): void {
    give(c, p, slab, lockToGive(c, p, slab, freed), head, tailLink, freed);
  }

  /** Locks a slab, and the node where the slab will come to its list or leave it. Returns the slab's word. */
  function lockToGive(c: number, p: number, slab: number, freed: number): number {
    if (!concurrent()) return slabCounters[slab]!;
    const moves = (counters: number) => isFull(slab, counters) || emptiesPartial(slab, counters, freed);
    // Each round that begins again saw another CPU's step succeed.
    while (true) {
      const seen = moves(slabCounters[slab]!);
      if (seen) takeNode(c);
      const counters = locks.takeSlab(slab, p, true);
      if (moves(counters) === seen) return counters;
      releaseSlab(slab, counters);
      if (seen) releaseNode(c);
    }
  }

  /** Slabs that `take` has off the list. */
  let pulled = new Int32Array(16);

  function take(
    id: number,
    c: number,
    p: number,
    gfp: Gfp,
    wanted: number,
    addresses: Float64Array,
    links: Int32Array,
    at: number,
  ): number {
    const end = at + wanted;
    let to = at;
    takeNode(c);
    const slabs = pullFor(c, wanted);
    for (let i = 0; i < slabs; i++) {
      const slab = pulled[i]!;
      to = handOut(slab, addresses, links, to, end);
      if ((slabCounters[slab]! & COUNTERS_FREE) !== LINK_END) listLast(c, slab);
    }
    releaseNode(c);
    while (to < end) {
      const slab = newSlab(id, c, p, gfp);
      if (slab === 0) break;
      to = handOut(slab, addresses, links, to, end);
      if ((slabCounters[slab]! & COUNTERS_FREE) === LINK_END) continue;
      takeNode(c);
      listFirst(c, slab);
      releaseNode(c);
    }
    return to - at;
  }

  /** Takes slabs off the list until they have so many free objects. Returns how many slabs that were. */
  function pullFor(c: number, wanted: number): number {
    let slabs = 0;
    for (let held = 0; held < wanted; ) {
      const slab = pull(c);
      if (slab === 0) break;
      held += objectsOf(slab) - countersInUse(slabCounters[slab]!);
      if (slabs === pulled.length) {
        const more = new Int32Array(2 * slabs);
        more.set(pulled);
        pulled = more;
      }
      pulled[slabs++] = slab;
    }
    return slabs;
  }

  /** Writes a slab's free objects into two arrays until these are full or it has no more. Returns the first place that is not written. */
  function handOut(
    slab: number,
    addresses: Float64Array,
    links: Int32Array,
    from: number,
    end: number,
  ): number {
    const counters = slabCounters[slab]!;
    const base = slabLinks[slab]! - 1;
    const first = objectAddress(slab, 0);
    const size = cache[slabCache[slab]! * CACHE_WORDS + C_SIZE]!;
    let object = counters & COUNTERS_FREE;
    let to = from;
    for (; to < end && object !== LINK_END; to++) {
      addresses[to] = first + (object - 1) * size;
      links[to] = base + object;
      object = link[base + object]!;
      link[links[to]!] = LINK_ARRAY;
    }
    slabCounters[slab] = packCounters(object, countersInUse(counters) + to - from, 0);
    return to;
  }

  function takeOne(id: number, c: number, p: number, gfp: Gfp): PhysAddr {
    takeNode(c);
    const listed = cache[c + C_PARTIAL_HEAD]!;
    const slab = listed !== 0 ? listed : newSlab(id, c, p, gfp);
    let address = NULL;
    if (slab !== 0) {
      handOut(slab, one, oneLink, 0, 1);
      address = one[0] as PhysAddr;
      link[oneLink[0]!] = LINK_LIVE;
      const isFullNow = (slabCounters[slab]! & COUNTERS_FREE) === LINK_END;
      if (listed !== 0 && isFullNow) unlist(c, slab);
      if (listed === 0 && !isFullNow) listFirst(c, slab);
    }
    releaseNode(c);
    return address;
  }

  const one = new Float64Array(1);
  const oneLink = new Int32Array(1);

  function join(tailLink: number, prior: number): void {
    link[tailLink] = prior;
    // Whatever else this CPU notes of the group (sheaf/flush.ts): it is gone when the slab is unlocked.
    if (concurrent()) journal[locks.journal + J_SENT] = 1;
  }

  /** A node-partial slab is empty now. */
  function leave(c: number, p: number, slab: number): void {
    if (cache[c + C_NR_PARTIAL]! >= cache[c + C_MIN_PARTIAL]!) {
      count(p, STAT.free_remove_partial);
      count(p, STAT.free_slab);
      unlist(c, slab);
      discard(c, slab);
    }
    releaseNode(c);
  }

  function place(
    c: number,
    p: number,
    slab: number,
    counters: number,
    toFront: boolean,
    listed: number,
  ): void {
    if (countersInUse(counters) === 0 && cache[c + C_NR_PARTIAL]! >= cache[c + C_MIN_PARTIAL]!) {
      count(p, STAT.deactivate_empty);
      count(p, STAT.free_slab);
      discard(c, slab);
      return;
    }
    if (countersInUse(counters) === objectsOf(slab)) return;
    count(p, listed);
    if (toFront) listFirst(c, slab);
    else listLast(c, slab);
  }

  function emptiesPartial(slab: number, counters: number, freed: number): boolean {
    const used = countersInUse(counters);
    return counters >= 0 && used === freed && used !== objectsOf(slab);
  }

  function isFull(slab: number, counters: number): boolean {
    return counters >= 0 && countersInUse(counters) === objectsOf(slab);
  }

  function newSlab(id: number, c: number, p: number, gfp: Gfp): number {
    const slab = pages.newSlab(id, c, p, gfp);
    // Nobody else can look at the node before it has a place.
    if (slab !== 0 && concurrent()) {
      slabCounters[slab]! &= ~COUNTERS_FROZEN;
      pages.putDown();
    }
    return slab;
  }

  const shrink = (c: number) => whileOnNode(memory, c, () => lists.shrinkNode(c, discard));

  return {
    pull,
    take,
    takeOne,
    give,
    giveGroup,
    join,
    place,
    emptiesPartial,
    isFull,
    newSlab,
    shrink,
  };
}
