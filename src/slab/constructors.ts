/**
 * The constructors of a machine's caches. They are no data: they do not travel with a ledger, and another thread has none of them.
 */
import type { PhysAddr } from '../base/index.js';
import { C_BORN, C_CTOR, CACHE_WORDS, type Ledger } from '../machine/index.js';
import type { AllocatorOptions } from './cache/index.js';

type Constructor = (address: PhysAddr) => void;

export interface Constructors extends Pick<AllocatorOptions, 'construct' | 'hasConstructor'> {
  add(id: number, ctor: Constructor): void;
  /** The row becomes another cache's. */
  forget(id: number): void;
}

export function createConstructors({ cache }: Ledger): Constructors {
  const bornOf = (id: number) => cache[id * CACHE_WORDS + C_BORN]!;
  /** By row; the row may have come to be another's, who was made after it. */
  const byRow = new Map<number, { born: number; ctor: Constructor }>();
  return {
    construct: (id, address) => {
      const known = byRow.get(id);
      if (known !== undefined && known.born === bornOf(id)) known.ctor(address);
    },
    // Also of caches that another thread made.
    hasConstructor: (id) => cache[id * CACHE_WORDS + C_CTOR] !== 0,
    add: (id, ctor) => byRow.set(id, { born: bornOf(id), ctor }),
    forget: (id) => byRow.delete(id),
  };
}
