/**
 * # SLUB's node: slabs that no CPU keeps
 *
 *     partial ─▸ [slab] ⇄ [slab] ⇄ [slab]      live and free objects; the first slab is used first
 *     full slabs are on no list; empty ones are, as long as the node has fewer than minPartial
 *
 * What stands in front of it takes slabs from here and gives objects back: the slabs of a CPU (cpu-slab.ts), or nothing, in a cache with a
 * debug flag (debugged.ts). Steps:
 *  1. `pull` takes the first slab off the list, with all that is free on it. When there is none, a new one is made (slabs/pages.ts).
 *  2. `give` puts a chain of objects in front of the own list of a slab that is on the node's list, and leaves it where it is. If it is
 *     empty by that, and the node has at least minPartial partial slabs, this one included, it is discarded.
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
import type { Gfp } from '../../base/index.js';
import {
  C_MIN_PARTIAL,
  C_NR_PARTIAL,
  C_PARTIAL_HEAD,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  countersInUse,
  J_SENT,
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
  { concurrent, releaseSlab, releaseNode }: SlabLocks,
): SlubNode {
  const { ledger, locks } = memory;
  const { cache, slabCounters, slabShape, link, journal } = ledger;
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
    join(tailLink, counters & COUNTERS_FREE);
    releaseSlab(slab, packCounters(head, used, 0));
    if (used === 0) leave(c, p, slab);
  }

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

  return { pull, give, join, place, emptiesPartial, isFull, newSlab, shrink };
}
