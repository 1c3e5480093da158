/**
 * Where SLAB's arrays of free objects lie: each cache has a run of the ledger's entries.
 *
 *     entries   | … | CPU 0: limit | CPU 1: limit | … | shared: sharedFactor × batchcount | …
 *                   ▴ C_ARRAYS
 *
 * The caches' rows are the only record of which entries are taken: a run goes into the first gap between those of the caches that there
 * are, and is free again when its cache is gone.
 */
import { LedgerFullError } from '../../base/index.js';
import {
  C_ARRAY_ENTRIES,
  C_ARRAYS,
  C_BATCHCOUNT,
  C_LIMIT,
  C_SHARED_AVAIL,
  C_SHARED_FACTOR,
  C_SHARED_TOUCHED,
  C_STATE,
  CACHE_ABSENT,
  CACHE_WORDS,
  CPU_WORDS,
  H_CACHE_HIGH,
  type Ledger,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  P_TOUCHED,
} from '../../machine/index.js';

/** What is written to /proc/slabinfo. Objects, objects, and how many times `batchcount` the shared array holds; 0 for none. */
export interface SlabTunables {
  readonly limit: number;
  readonly batchcount: number;
  readonly sharedFactor: number;
}

/** Entries that the arrays of a cache take. */
export function arrayEntries(cpus: number, { limit, batchcount, sharedFactor }: SlabTunables): number {
  return cpus * limit + sharedFactor * batchcount;
}

/**
 * The first of so many entries of a table that no cache has: of SLAB's arrays, or of sheaves (sheaf.ts). Throws LedgerFullError; nothing is
 * taken before the cache's row says so.
 */
export function findEntries(
  { cache, header, shape }: Ledger,
  wanted: number,
  table: 'arrayEntries' | 'sheafEntries' = 'arrayEntries',
): number {
  const runs: (readonly [first: number, end: number])[] = [];
  for (let id = 1; id <= header[H_CACHE_HIGH]!; id++) {
    const c = id * CACHE_WORDS;
    if (cache[c + C_STATE] === CACHE_ABSENT) continue;
    runs.push([cache[c + C_ARRAYS]!, cache[c + C_ARRAYS]! + cache[c + C_ARRAY_ENTRIES]!]);
  }
  let free = 0;
  for (const [first, end] of runs.sort(([a], [b]) => a - b)) {
    if (first - free >= wanted) break;
    free = Math.max(free, end);
  }
  if (free + wanted > shape[table]) {
    const what = table === 'arrayEntries' ? 'array entries' : 'sheaf entries';
    throw new LedgerFullError(what, shape[table], `ledger.${table}`);
  }
  return free;
}

/** Gives a cache empty arrays at entries that `findEntries` found. */
export function setArrays(ledger: Ledger, id: number, first: number, tunables: SlabTunables): void {
  const { cache, cpuCache, shape } = ledger;
  const { limit, batchcount, sharedFactor } = tunables;
  const c = id * CACHE_WORDS;
  cache[c + C_LIMIT] = limit;
  cache[c + C_BATCHCOUNT] = batchcount;
  cache[c + C_SHARED_FACTOR] = sharedFactor;
  cache[c + C_SHARED_AVAIL] = 0;
  cache[c + C_SHARED_TOUCHED] = 0;
  cache[c + C_ARRAYS] = first;
  cache[c + C_ARRAY_ENTRIES] = arrayEntries(shape.cpus, tunables);
  for (let cpu = 0; cpu < shape.cpus; cpu++) {
    const p = (cpu * (shape.caches + 1) + id) * CPU_WORDS;
    cpuCache[p + P_AVAIL] = 0;
    cpuCache[p + P_LIMIT] = limit;
    cpuCache[p + P_TOUCHED] = 0;
    cpuCache[p + P_ENTRIES] = first + cpu * limit;
  }
}
