/**
 * Prefilled sheaves: objects that a caller has in hand before it must not fail.
 *
 *     const sheaf = cache.prefillSheaf(32)!;        // at least 32 objects
 *     const node = cache.allocFromSheaf(sheaf);     // one of them; NULL when it is empty, and nothing else is asked
 *     cache.returnSheaf(sheaf);
 *
 *  1. Of n objects above the cache's capacity: a sheaf made to measure, filled from the slabs. Else the spare, full or not; else a full one
 *     of the barn, an empty one, a new one. If it holds fewer than n it is filled to its capacity.
 *  2. One that comes back and was made to measure is flushed and freed. Any other becomes the spare, as it is, where there is none; else
 *     it is filled and goes to the barn; else, where that has no room, it is flushed and freed.
 *
 * Rules: truth/7.3/README.md, 3.7.
 */
import { ArgumentError, type Gfp, NULL, type PhysAddr } from '../../base/index.js';
import {
  C_SHEAF_CAPACITY,
  CACHE_WORDS,
  H_SHEAF_HIGH,
  LINK_LIVE,
  P_SPARE,
  type PhysicalMemory,
  S_CACHE,
  S_CAPACITY,
  S_COUNT,
  S_PLACE,
  S_SLOTS,
  SHEAF_PREFILLED,
  SHEAF_WORDS,
} from '../../machine/index.js';
import { type CacheReports, createEventCounter, STAT } from '../cache/index.js';
import type { Barn } from './barn.js';
import type { CpuSheaves } from './cpu-sheaves.js';

/** Sheaves are named by their ids: throws ArgumentError for any that no caller has. `p` is the line of a CPU. */
interface PrefilledSheaves {
  /** A sheaf with at least n objects; 0 for n = 0, and where memory ran out. */
  prefill(id: number, p: number, n: number, gfp: Gfp): number;
  /** The sheaf's top; NULL when it is empty. */
  alloc(id: number, sheaf: number): PhysAddr;
  /** Step 2. */
  giveBack(id: number, p: number, sheaf: number, gfp: Gfp): void;
  /**
   * The sheaf that holds at least n objects afterwards, which may be another one, for it replaces one that is too small; 0 if memory ran
   * out: then the sheaf is as it was, or fuller.
   */
  refill(id: number, p: number, sheaf: number, n: number, gfp: Gfp): number;
}

export function createPrefilledSheaves(
  { ledger }: PhysicalMemory,
  barn: Barn,
  cpuSheaves: CpuSheaves,
  { cacheName }: CacheReports,
): PrefilledSheaves {
  const { header, cache, cpuCache, sheaf: rows, slotAddress, slotLink, link } = ledger;
  const count = createEventCounter(ledger);

  function prefill(id: number, p: number, n: number, gfp: Gfp): number {
    if (n === 0) return 0;
    const capacity = cache[id * CACHE_WORDS + C_SHEAF_CAPACITY]!;
    const toMeasure = n > capacity;
    if (toMeasure) count(p, STAT.sheaf_prefill_oversize);
    const sheaf = toMeasure ? barn.make(id, p, n, gfp) : sheafToFill(id, p, gfp);
    if (sheaf === 0) return 0;
    const s = sheaf * SHEAF_WORDS;
    rows[s + S_PLACE] = SHEAF_PREFILLED;
    if (rows[s + S_COUNT]! >= n || barn.fill(id, p, sheaf, rows[s + S_CAPACITY]!, gfp)) return sheaf;
    barn.flushAndFree(id, p, sheaf);
    return 0;
  }

  function sheafToFill(id: number, p: number, gfp: Gfp): number {
    if (cpuCache[p + P_SPARE] !== 0) {
      count(p, STAT.sheaf_prefill_fast);
      return cpuSheaves.takeSpare(p);
    }
    const c = id * CACHE_WORDS;
    count(p, STAT.sheaf_prefill_slow);
    const full = barn.takeFull(c, p);
    return full !== 0 ? full : barn.emptySheaf(id, c, p, gfp);
  }

  /** The first word of a sheaf that a caller has of this cache. */
  function rowOf(id: number, sheaf: number): number {
    const s = sheaf * SHEAF_WORDS;
    const known = Number.isInteger(sheaf) && sheaf >= 1 && sheaf <= header[H_SHEAF_HIGH]!;
    if (!known || rows[s + S_CACHE] !== id || rows[s + S_PLACE] !== SHEAF_PREFILLED)
      throw new ArgumentError(`${sheaf} is no prefilled sheaf of ${cacheName(id)}`);
    return s;
  }

  function alloc(id: number, sheaf: number): PhysAddr {
    const s = rowOf(id, sheaf);
    if (rows[s + S_COUNT] === 0) return NULL;
    const slot = rows[s + S_SLOTS]! + --rows[s + S_COUNT]!;
    if (slotLink[slot]! >= 0) link[slotLink[slot]!] = LINK_LIVE;
    return slotAddress[slot]! as PhysAddr;
  }

  function giveBack(id: number, p: number, sheaf: number, gfp: Gfp): void {
    const s = rowOf(id, sheaf);
    const c = id * CACHE_WORDS;
    const capacity = cache[c + C_SHEAF_CAPACITY]!;
    if (rows[s + S_CAPACITY] !== capacity) return barn.flushAndFree(id, p, sheaf);
    if (cpuCache[p + P_SPARE] === 0) {
      count(p, STAT.sheaf_return_fast);
      return cpuSheaves.putSpare(p, sheaf);
    }
    count(p, STAT.sheaf_return_slow);
    if (!barn.hasRoom(c) || !barn.fill(id, p, sheaf, capacity, gfp)) return barn.flushAndFree(id, p, sheaf);
    barn.putFull(c, p, sheaf);
  }

  function refill(id: number, p: number, sheaf: number, n: number, gfp: Gfp): number {
    const s = rowOf(id, sheaf);
    if (rows[s + S_COUNT]! >= n) return sheaf;
    const capacity = rows[s + S_CAPACITY]!;
    if (n <= capacity) return barn.fill(id, p, sheaf, capacity, gfp) ? sheaf : 0;
    const larger = prefill(id, p, n, gfp);
    if (larger !== 0) giveBack(id, p, sheaf, gfp);
    return larger;
  }

  return { prefill, alloc, giveBack, refill };
}
