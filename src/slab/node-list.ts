/**
 * A cache's node: the list of its partial slabs, doubly linked through `slabNext` and `slabPrev`. Written under the node's lock.
 */
import { EngineError } from '../base/index.js';
import { C_NR_PARTIAL, C_PARTIAL_HEAD, C_PARTIAL_TAIL, type Ledger } from '../machine/index.js';

/** `c` is the first word of the cache's row. */
export interface NodeLists {
  listFirst(c: number, slab: number): void;
  listLast(c: number, slab: number): void;
  /** Takes a slab off the list it is on. */
  unlist(c: number, slab: number): void;
}

export function createNodeLists(ledger: Ledger): NodeLists {
  const { cache, slabNext, slabPrev } = ledger;

  function listFirst(c: number, slab: number): void {
    const next = cache[c + C_PARTIAL_HEAD]!;
    slabNext[slab] = next;
    slabPrev[slab] = 0;
    if (next !== 0) slabPrev[next] = slab;
    else cache[c + C_PARTIAL_TAIL] = slab;
    cache[c + C_PARTIAL_HEAD] = slab;
    cache[c + C_NR_PARTIAL]!++;
  }

  function listLast(c: number, slab: number): void {
    const prev = cache[c + C_PARTIAL_TAIL]!;
    slabNext[slab] = 0;
    slabPrev[slab] = prev;
    if (prev !== 0) slabNext[prev] = slab;
    else cache[c + C_PARTIAL_HEAD] = slab;
    cache[c + C_PARTIAL_TAIL] = slab;
    cache[c + C_NR_PARTIAL]!++;
  }

  function unlist(c: number, slab: number): void {
    const next = slabNext[slab]!;
    const prev = slabPrev[slab]!;
    if (prev !== 0) slabNext[prev] = next;
    else if (cache[c + C_PARTIAL_HEAD] === slab) cache[c + C_PARTIAL_HEAD] = next;
    else throw new EngineError(`slab ${slab} is not on its node's list`);
    if (next !== 0) slabPrev[next] = prev;
    else cache[c + C_PARTIAL_TAIL] = prev;
    cache[c + C_NR_PARTIAL]!--;
  }

  return { listFirst, listLast, unlist };
}
