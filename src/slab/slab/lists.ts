/**
 * A SLAB cache's node: its slabs on three lists. Written under the node's lock.
 *
 *     full      [3] ⇄ [1]             no free object on the slab's own list
 *     partial   [7] ⇄ [4] ⇄ [6]
 *     free      [8]                   all objects are on its list
 */
import { EngineError } from '../../base/index.js';
import {
  C_FREE_HEAD,
  C_FREE_SLABS,
  C_FULL_HEAD,
  C_NR_PARTIAL,
  C_PARTIAL_HEAD,
  countersInUse,
  type Ledger,
  shapeObjects,
} from '../../machine/index.js';
import { createSlabLists } from '../slabs/index.js';

/** A list by the word of a cache's row that names its first slab; the next word names the last. */
export const FULL = C_FULL_HEAD;
export const PARTIAL = C_PARTIAL_HEAD;
export const FREE = C_FREE_HEAD;
type SlabList = typeof FULL | typeof PARTIAL | typeof FREE;

/** `c` is the first word of the cache's row. */
interface NodeSlabs {
  /** The list that a slab belongs on by what is in use of it. */
  listOf(slab: number): SlabList;
  addFirst(c: number, list: SlabList, slab: number): void;
  addLast(c: number, list: SlabList, slab: number): void;
  /** Takes a slab off the list it is on. */
  remove(c: number, list: SlabList, slab: number): void;
}

export function createNodeSlabs(ledger: Ledger): NodeSlabs {
  const { cache, slabCounters, slabShape } = ledger;
  const { listAdd, listAddTail, listDel } = createSlabLists(ledger);

  function count(c: number, list: SlabList, by: 1 | -1): void {
    if (list === PARTIAL) cache[c + C_NR_PARTIAL]! += by;
    else if (list === FREE) cache[c + C_FREE_SLABS]! += by;
  }

  return {
    listOf(slab) {
      const inUse = countersInUse(slabCounters[slab]!);
      if (inUse === 0) return FREE;
      return inUse === shapeObjects(slabShape[slab]!) ? FULL : PARTIAL;
    },
    addFirst(c, list, slab) {
      listAdd(c + list, slab);
      count(c, list, 1);
    },
    addLast(c, list, slab) {
      listAddTail(c + list, slab);
      count(c, list, 1);
    },
    remove(c, list, slab) {
      if (!listDel(c + list, slab))
        throw new EngineError(`slab ${slab} is not on the list that it should be on`);
      count(c, list, -1);
    },
  };
}
