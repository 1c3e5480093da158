/**
 * Pointers that were freed and are no free objects: freed twice, freed with an offset. A kernel that does not check puts them on the
 * slab's list, and hands them out again. The ledger's list takes free objects only, so here they wait beside it: a stray is handed out
 * when the list is again where it was when the stray came, as the last that came goes first.
 *
 * What a kernel does after that depends on what the pointer's owners write: a list that leads back to itself hands out the same object
 * for ever. Here a stray is handed out once.
 */
export interface Strays {
  /** Any at all: the question that costs nothing. */
  readonly some: boolean;
  /** `below` is the slab's first free object when the stray came. */
  push(slab: number, address: number, below: number): void;
  /** The stray that is next if the slab's first free object is `first`, taken off; undefined if there is none. */
  take(slab: number, first: number): number | undefined;
  /** The same, left where it is. */
  first(slab: number, first: number): number | undefined;
  /** The newest stray of a slab, whatever its list holds, taken off. */
  takeAny(slab: number): number | undefined;
  count(slab: number): number;
  drop(slab: number): void;
}

export function createStrays(): Strays {
  const bySlab = new Map<number, { address: number; below: number }[]>();

  function last(slab: number) {
    return bySlab.get(slab)?.at(-1);
  }

  function pop(slab: number): number | undefined {
    const strays = bySlab.get(slab);
    const taken = strays?.pop();
    if (strays?.length === 0) bySlab.delete(slab);
    return taken?.address;
  }

  return {
    get some() {
      return bySlab.size > 0;
    },
    push(slab, address, below) {
      const strays = bySlab.get(slab);
      if (strays === undefined) bySlab.set(slab, [{ address, below }]);
      else strays.push({ address, below });
    },
    take: (slab, first) => (last(slab)?.below === first ? pop(slab) : undefined),
    first(slab, first) {
      const stray = last(slab);
      return stray?.below === first ? stray.address : undefined;
    },
    takeAny: pop,
    count: (slab) => bySlab.get(slab)?.length ?? 0,
    drop: (slab) => void bySlab.delete(slab),
  };
}
