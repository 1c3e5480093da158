/** A cache's node: the list of its partial slabs. Written under the node's lock. */
import { EngineError } from '../../base/index.js';
import {
  C_FLAGS,
  C_NR_PARTIAL,
  C_PARTIAL_HEAD,
  C_TRACKED_FULL_HEAD,
  countersInUse,
  type Ledger,
  shapeObjects,
} from '../../machine/index.js';
import { SLAB } from '../kernel/index.js';
import { createSlabLists } from './slab-lists.js';

/** `c` is the first word of the cache's row. */
export interface NodeLists {
  listFirst(c: number, slab: number): void;
  listLast(c: number, slab: number): void;
  /** Takes a slab off the list it is on. */
  unlist(c: number, slab: number): void;
  /** A slab came to be full: a cache with SLAB_STORE_USER lists those too, the latest first. */
  listFull(c: number, slab: number): void;
  /** A full slab has free objects again, or goes. */
  unlistFull(c: number, slab: number): void;
  /** Step 4 of slub/node.ts: empty slabs are discarded, those that are nearly full come first. */
  shrinkNode(c: number, discard: (c: number, slab: number) => void): void;
}

/** Slabs with more free objects than this keep their place when a cache is shrunk. */
const SHRINK_PROMOTE_MAX = 32;

export function createNodeLists(ledger: Ledger): NodeLists {
  const { cache, slabCounters, slabNext, slabShape } = ledger;
  const { listAdd, listAddTail, listDel } = createSlabLists(ledger);

  function listFirst(c: number, slab: number): void {
    listAdd(c + C_PARTIAL_HEAD, slab);
    cache[c + C_NR_PARTIAL]!++;
  }

  function listLast(c: number, slab: number): void {
    listAddTail(c + C_PARTIAL_HEAD, slab);
    cache[c + C_NR_PARTIAL]!++;
  }

  function unlist(c: number, slab: number): void {
    if (!listDel(c + C_PARTIAL_HEAD, slab)) throw new EngineError(`slab ${slab} is not on its node's list`);
    cache[c + C_NR_PARTIAL]!--;
  }

  const tracksFull = (c: number) => (cache[c + C_FLAGS]! & SLAB.STORE_USER) !== 0;

  function listFull(c: number, slab: number): void {
    if (tracksFull(c)) listAdd(c + C_TRACKED_FULL_HEAD, slab);
  }

  function unlistFull(c: number, slab: number): void {
    if (tracksFull(c) && !listDel(c + C_TRACKED_FULL_HEAD, slab))
      throw new EngineError(`slab ${slab} is not on its node's list of full ones`);
  }

  function shrinkNode(c: number, discard: (c: number, slab: number) => void): void {
    const byFree: number[][] = Array.from({ length: SHRINK_PROMOTE_MAX }, () => []);
    const rest: number[] = [];
    for (let slab = cache[c + C_PARTIAL_HEAD]!; slab !== 0; ) {
      const next = slabNext[slab]!;
      const objects = shapeObjects(slabShape[slab]!);
      const freeObjects = objects - countersInUse(slabCounters[slab]!);
      unlist(c, slab);
      if (freeObjects === objects) discard(c, slab);
      else if (freeObjects <= SHRINK_PROMOTE_MAX) byFree[freeObjects - 1]!.push(slab);
      else rest.push(slab);
      slab = next;
    }
    // Fewest free objects first, so that nearly full slabs fill up and sparse ones drain; equals come out in reverse.
    for (const slabs of byFree) for (const slab of slabs.reverse()) listLast(c, slab);
    for (const slab of rest) listLast(c, slab);
  }

  return { listFirst, listLast, unlist, listFull, unlistFull, shrinkNode };
}
