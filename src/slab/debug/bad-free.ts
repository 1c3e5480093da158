/**
 * A free of what is not a live object of the cache: an error, or in the faithful mode what a kernel does that does not look. Nothing
 * is said then. What is left to do for who has the slabs of CPUs is the answer.
 *  1. An object of another cache goes to its own slab's list.
 *  2. Any other pointer into a slab becomes a stray on top of the list that it would have been put on (strays.ts).
 *  3. A pointer into no slab is lost if this CPU has no active slab, for "no slab" is then the active one; else it is an oops.
 */
import { KernelWouldCrashError, type PhysAddr } from '../../base/index.js';
import { COUNTERS_FREE, type Ledger, LINK_LIVE, P_SLAB } from '../../machine/index.js';
import type { ObjectAddresses } from '../slabs/index.js';
import { BAD_FREE, type BadFreeOutcome, type DebugSlabs } from './slabs.js';
import type { Strays } from './strays.js';

interface BadFreeOptions extends ObjectAddresses {
  readonly faithful: boolean;
  readonly strays: Strays;
  readonly debug: DebugSlabs;
  isDebug(id: number): boolean;
}

/** `p` is the CPU's line of the cache. */
type FreeBad = (id: number, p: number, address: PhysAddr, cpu: number) => BadFreeOutcome;

export function createFreeBad(ledger: Ledger, options: BadFreeOptions): FreeBad {
  const { faithful, strays, debug, isDebug, slabAt, indexIn, badFree } = options;
  const { cpuCache, slabCache, slabCounters, slabLinks, link } = ledger;

  return (id, p, address, cpu) => {
    if (!faithful) throw badFree(id, address);
    const slab = slabAt(address);
    if (slab === 0) {
      if (cpuCache[p + P_SLAB] === 0) return BAD_FREE.DONE;
      throw new KernelWouldCrashError(`${badFree(id, address).message}: a NULL slab is read`, 'oops');
    }
    const owner = slabCache[slab]!;
    if (isDebug(owner)) return debug.free(owner, p, address, cpu);
    const index = indexIn(slab, address);
    if (owner !== id && index >= 0 && link[slabLinks[slab]! + index] === LINK_LIVE) return BAD_FREE.ELSEWHERE;
    strays.push(slab, address, slabCounters[slab]! & COUNTERS_FREE);
    return BAD_FREE.STRAY;
  };
}
