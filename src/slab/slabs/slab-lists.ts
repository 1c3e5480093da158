/**
 * Lists of a cache's slabs, doubly linked through `slabNext` and `slabPrev`. A word of the cache's row names a list's first slab, the word
 * behind it the last; 0 is none. Written under the node's lock.
 *
 * Free blocks (machine/free-blocks.ts) and pages of links (machine/links.ts) are on lists of their own kind: those have no last member, a
 * member's row is one less than its number, and a link page's two words lie in a row of others. One list for all three has to add and to
 * multiply at each step: halving and joining blocks takes a fifth longer so.
 */
import type { Ledger } from '../../machine/index.js';

interface SlabLists {
  /** Puts a slab first on a list. `head` is the place in the cache table of the word that names its first slab. */
  listAdd(head: number, slab: number): void;
  listAddTail(head: number, slab: number): void;
  /** Takes a slab off the list it is on. False, and nothing was changed, where the list does not lead to it. */
  listDel(head: number, slab: number): boolean;
}

export function createSlabLists({ cache, slabNext, slabPrev }: Ledger): SlabLists {
  return {
    listAdd(head, slab) {
      const next = cache[head]!;
      slabNext[slab] = next;
      slabPrev[slab] = 0;
      if (next !== 0) slabPrev[next] = slab;
      else cache[head + 1] = slab;
      cache[head] = slab;
    },
    listAddTail(head, slab) {
      const prev = cache[head + 1]!;
      slabNext[slab] = 0;
      slabPrev[slab] = prev;
      if (prev !== 0) slabNext[prev] = slab;
      else cache[head] = slab;
      cache[head + 1] = slab;
    },
    listDel(head, slab) {
      const next = slabNext[slab]!;
      const prev = slabPrev[slab]!;
      if (prev !== 0) slabNext[prev] = next;
      else if (cache[head] === slab) cache[head] = next;
      else return false;
      if (next !== 0) slabPrev[next] = prev;
      else cache[head + 1] = prev;
      return true;
    },
  };
}
