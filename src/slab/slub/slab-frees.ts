/**
 * SLUB's step g (slub.ts): objects go on their slab's own list, by a CPU of which it is not the active slab.
 *
 * A slab that some CPU keeps stays with it. One that was full becomes this CPU's, the first of its partial list. What happens to a slab on
 * the node's list is the node's (node.ts, step 2). Among several CPUs the slab is locked first, and with it what that may change.
 */
import {
  CACHE_WORDS,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  countersInUse,
  LINK_END,
  type PhysicalMemory,
  packCounters,
} from '../../machine/index.js';
import { createEventCounter, STAT } from '../cache/index.js';
import type { SlabLocks } from '../slabs/index.js';
import type { CpuSlabs } from './cpu-slab.js';
import type { SlubNode } from './node.js';

/** `p` is the line of the CPU that frees. */
export interface SlabFrees {
  /**
   * Among several CPUs: locks a slab of which objects will be freed, and the node too if the slab may leave its list; makes room on the
   * CPU's partial list if the slab will go there. Returns the slab's word. Until it is locked the slab may go, and its id may become
   * another's: the caller checks again which slab it is.
   */
  takeForFree(id: number, p: number, slab: number, freed: number): number;
  /** Under its lock: the slab is one of this cache, and has so many objects in use. An empty one may be on its way out. */
  isStill(id: number, slab: number, counters: number, freed: number): boolean;
  /** Unlocks what `takeForFree` locked; nothing was freed. */
  letGo(id: number, slab: number, counters: number, freed: number): void;
  /**
   * Puts a chain of `freed` objects on the own list of a slab, which `takeForFree` locked among several CPUs; `head` is the first object
   * + 1, `tailLink` the last one's link.
   */
  freeToSlab(
    id: number,
    p: number,
    slab: number,
    counters: number,
    head: number,
    tailLink: number,
    freed: number,
  ): void;
}

export function createSlabFrees(
  memory: PhysicalMemory,
  node: SlubNode,
  { makeRoom, keep }: CpuSlabs,
  { concurrent, takeNode, releaseNode, releaseSlab }: SlabLocks,
): SlabFrees {
  const { ledger, locks } = memory;
  const { slabCache, slabCounters } = ledger;
  const { emptiesPartial, isFull } = node;
  const count = createEventCounter(ledger);

  function takeForFree(id: number, p: number, slab: number, freed: number): number {
    const c = id * CACHE_WORDS;
    // Each round that begins again saw another CPU's step succeed.
    while (true) {
      const seen = slabCounters[slab]!;
      const leaves = emptiesPartial(slab, seen, freed);
      if (leaves) takeNode(c);
      else if (isFull(slab, seen)) makeRoom(c, p);
      const counters = locks.takeSlab(slab, p, true);
      if (emptiesPartial(slab, counters, freed) === leaves) return counters;
      releaseSlab(slab, counters);
      if (leaves) releaseNode(c);
    }
  }

  function isStill(id: number, slab: number, counters: number, freed: number): boolean {
    return slabCache[slab] === id && countersInUse(counters) >= freed;
  }

  function letGo(id: number, slab: number, counters: number, freed: number): void {
    const leaves = emptiesPartial(slab, counters, freed);
    releaseSlab(slab, counters);
    if (leaves) releaseNode(id * CACHE_WORDS);
  }

  function freeToSlab(
    id: number,
    p: number,
    slab: number,
    counters: number,
    head: number,
    tailLink: number,
    freed: number,
  ): void {
    const c = id * CACHE_WORDS;
    const prior = counters & COUNTERS_FREE;
    const frozen = counters & COUNTERS_FROZEN;
    count(p, STAT.free_slowpath);
    if (frozen === 0 && prior !== LINK_END) return node.give(c, p, slab, counters, head, tailLink, freed);
    const used = countersInUse(counters) - freed;
    node.join(tailLink, prior);
    if (frozen !== 0) {
      releaseSlab(slab, packCounters(head, used, frozen));
      count(p, STAT.free_frozen);
    } else {
      // Among several CPUs there is room already: the node comes before the slab.
      if (!concurrent()) makeRoom(c, p);
      keep(p, slab);
      releaseSlab(slab, packCounters(head, used, COUNTERS_FROZEN));
      count(p, STAT.cpu_partial_free);
    }
  }

  return { takeForFree, isStill, letGo, freeToSlab };
}
