/**
 * A machine whose kernel has sheaves and whose ledger has no room for any (`ledger: { sheaves: 0 }`), because its caches are to be made,
 * merged and described, and nothing else. Those that are debugged, which have no sheaves, work; of any other nothing can be allocated.
 */
import { ArgumentError } from '../base/index.js';
import { C_FLAGS, CACHE_WORDS, type Ledger } from '../machine/index.js';
import { type KernelProfile, SLAB_DEBUG_FLAGS } from './kernel/index.js';
import type { Slub } from './slub/index.js';

export function withoutRunTime(slub: Slub, { cache }: Ledger, { name }: KernelProfile): Slub {
  const check = (id: number) => {
    if (id !== 0 && (cache[id * CACHE_WORDS + C_FLAGS]! & SLAB_DEBUG_FLAGS) === 0)
      throw new ArgumentError(
        `Linux ${name}: this machine was made with a ledger without sheaves, so its caches are described and not used`,
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
