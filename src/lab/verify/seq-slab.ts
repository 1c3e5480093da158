/**
 * What the recorder read from a SLAB cache at a checkpoint, read from ours.
 */

import type { PhysAddr } from '../../base/index.js';
import {
  C_ARRAYS,
  C_BATCHCOUNT,
  C_COLOUR_NEXT,
  C_FREE_HEAD,
  C_FREE_LIMIT,
  C_FREE_OBJECTS,
  C_FREE_SLABS,
  C_FULL_HEAD,
  C_LIMIT,
  C_NR_SLABS,
  C_PARTIAL_HEAD,
  C_SHARED_AVAIL,
  C_SHARED_FACTOR,
  CACHE_WORDS,
  countersInUse,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
} from '../../machine/index.js';
import { eachCpuLine, type KmemCache, type Machine } from '../../slab/index.js';

type Place = readonly [ordinal: number, index: number];

interface RecordedArray {
  readonly avail: number;
  readonly limit: number;
  readonly batchcount: number;
  /** From the bottom to the top, which is handed out first. */
  readonly e: readonly Place[];
}

/** Slabs by ordinal, from the head of their list. */
interface SlabCacheState {
  readonly cpu: readonly RecordedArray[];
  readonly shared: RecordedArray | null;
  readonly slabs_full: readonly (readonly [ordinal: number, active: number])[];
  readonly slabs_partial: readonly (readonly [ordinal: number, active: number])[];
  readonly slabs_free: readonly (readonly [ordinal: number, active: number])[];
  readonly total_slabs: number;
  readonly free_slabs: number;
  readonly free_objects: number;
  readonly free_limit: number;
  readonly colour_next: number;
}

/** The kernel gives the shared array a batchcount that nobody is to use. */
const NO_BATCHCOUNT = 0xbaadf00d;

export function slabCacheState(machine: Machine, { id }: KmemCache): SlabCacheState {
  const { ledger } = machine;
  const c = id * CACHE_WORDS;
  const word = (at: number) => ledger.cache[c + at]!;
  const entries = (first: number, avail: number): Place[] =>
    Array.from(ledger.arrayAddress.subarray(first, first + avail), (address) => {
      const { slab, index } = machine.whereIs(address as PhysAddr)!;
      return [slab, index];
    });
  const slabs = (head: number) => {
    const found: [number, number][] = [];
    for (let slab = word(head); slab !== 0; slab = ledger.slabNext[slab]!)
      found.push([ledger.slabSerial[slab]!, countersInUse(ledger.slabCounters[slab]!)]);
    return found;
  };
  const cpu: RecordedArray[] = [];
  eachCpuLine(ledger, id, (p) => {
    const avail = ledger.cpuCache[p + P_AVAIL]!;
    cpu.push({
      avail,
      limit: ledger.cpuCache[p + P_LIMIT]!,
      batchcount: word(C_BATCHCOUNT),
      e: entries(ledger.cpuCache[p + P_ENTRIES]!, avail),
    });
  });
  const sharedAvail = word(C_SHARED_AVAIL);
  const shared = {
    avail: sharedAvail,
    limit: word(C_SHARED_FACTOR) * word(C_BATCHCOUNT),
    batchcount: NO_BATCHCOUNT,
    e: entries(word(C_ARRAYS) + machine.cpus * word(C_LIMIT), sharedAvail),
  };
  return {
    cpu,
    shared: word(C_SHARED_FACTOR) === 0 ? null : shared,
    slabs_full: slabs(C_FULL_HEAD),
    slabs_partial: slabs(C_PARTIAL_HEAD),
    slabs_free: slabs(C_FREE_HEAD),
    total_slabs: word(C_NR_SLABS),
    free_slabs: word(C_FREE_SLABS),
    free_objects: word(C_FREE_OBJECTS),
    free_limit: word(C_FREE_LIMIT),
    colour_next: word(C_COLOUR_NEXT),
  };
}
