/**
 * Whose page is it? For frees that give no name, of objects whose allocation was not seen: a slab is one cache's, so what lies in a page at
 * a whole number of distances from a live object is of that object's cache. What a page held once and holds no more says nothing.
 *
 * Nothing is kept until the first such free asks: kernels from 5.12 on name every free.
 */
import { createPointerTable, NONE, type PointerTable } from './pointer-table.js';

/** Calls back with pointers and their classes. */
type EachObject = (visit: (low: number, high: number, id: number) => void) => void;

interface PageOwners {
  /** Whether somebody asked: from then on allocations must be told. */
  readonly isAsked: boolean;
  /** From now on it is kept; `each` has what is live. */
  ask(each: EachObject): void;
  allocated(low: number, high: number, id: number): void;
  /** The class of a live object in the same page, a whole number of distances away; NONE if there is none. */
  ownerOf(
    low: number,
    high: number,
    bytesOf: (id: number) => number,
    classAt: (low: number, high: number) => number,
  ): number;
}

/** The smallest page of all: a larger one is several, and each of them is the same slab's. */
const PAGE_SHIFT = 12;
const PAGE = 1 << PAGE_SHIFT;

export function createPageOwners(): PageOwners {
  /** By page: the class that allocated there last. */
  let last: PointerTable | undefined;
  const allocated = (low: number, high: number, id: number) => {
    last?.put(low >>> PAGE_SHIFT, high, id);
  };
  return {
    get isAsked() {
      return last !== undefined;
    },
    ask(each) {
      last = createPointerTable();
      each(allocated);
    },
    allocated,
    ownerOf(low, high, bytesOf, classAt) {
      const id = last?.get(low >>> PAGE_SHIFT, high) ?? NONE;
      if (id === NONE) return NONE;
      const bytes = bytesOf(id);
      if (bytes === 0 || bytes >= PAGE) return NONE;
      const at = low & (PAGE - 1);
      for (let other = at % bytes; other < PAGE; other += bytes) {
        const found = other === at ? NONE : classAt(((low & -PAGE) | other) >>> 0, high);
        if (found !== NONE && bytesOf(found) === bytes) return found;
      }
      return NONE;
    },
  };
}
