/**
 * A machine whose kernel has sheaves in front of its slabs, as long as these have no engine: its caches are made, merge and are described,
 * and those that are debugged, which have no sheaves, work; of any other nothing can be allocated.
 */
import { ArgumentError } from '../base/index.js';
import { C_FLAGS, CACHE_WORDS, type Ledger } from '../machine/index.js';
import { type KernelProfile, SLAB_DEBUG_FLAGS } from './kernel/index.js';
import type { Slub } from './slub/index.js';

/** An operation of a kernel's allocator that has no engine. */
class NoRunTimeError extends ArgumentError {}

export function withoutRunTime(slub: Slub, { cache }: Ledger, { name }: KernelProfile): Slub {
  const check = (id: number) => {
    if (id !== 0 && (cache[id * CACHE_WORDS + C_FLAGS]! & SLAB_DEBUG_FLAGS) === 0)
      throw new NoRunTimeError(
        `Linux ${name}: caches can be made and described, but what its sheaves do at run time is not modelled; take 6.12`,
      );
  };
  return {
    ...slub,
    alloc: (id, gfp, cpu) => {
      check(id);
      return slub.alloc(id, gfp, cpu);
    },
    allocHeld: (id, gfp, cpu) => {
      check(id);
      return slub.allocHeld(id, gfp, cpu);
    },
    free: (id, address, cpu) => {
      check(id);
      slub.free(id, address, cpu);
    },
    freeBulk: (id, addresses, cpu) => {
      check(id);
      slub.freeBulk(id, addresses, cpu);
    },
  };
}
