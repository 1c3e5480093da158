/**
 * kfree_rcu through sheaves: an object that readers may still look at goes into its CPU's rcu_free sheaf.
 *
 *     rcu_free ─ full ─▸ waiting ─ grace period ─▸ barn, or the slabs
 *
 *  1. Where a CPU has no rcu_free sheaf, its spare becomes it if that is empty, else an empty one of the barn, else a new one.
 *  2. A full one is handed over. When its grace period ends it goes to the barn if that takes a full one; else it is flushed, and kept as
 *     an empty one where the barn has few.
 *  3. One that is not full stays until somebody waits for it (kvfree_rcu_barrier, a shrink, a CPU that goes): then it is flushed and freed.
 *
 * Rules: truth/7.3/README.md, 3.7.
 */
import type { PhysAddr } from '../../base/index.js';
import {
  C_BARN_NR_EMPTY,
  C_RCU_WAITING,
  C_RCU_WAITING_TAIL,
  CACHE_WORDS,
  GFP,
  P_RCU_FREE,
  P_SPARE,
  type PhysicalMemory,
  S_CAPACITY,
  S_COUNT,
  S_NEXT,
  S_PLACE,
  S_SLOTS,
  SHEAF_RCU_FREE,
  SHEAF_WAITING,
  SHEAF_WORDS,
} from '../../machine/index.js';
import { createEventCounter, STAT } from '../cache/index.js';
import type { SheafRule } from '../kernel/index.js';
import type { Barn } from './barn.js';
import type { CpuSheaves } from './cpu-sheaves.js';

/** `id` is a cache with sheaves, `p` the line of a CPU. */
interface RcuSheaves {
  /** Puts an object off. Its link says already that a sheaf has it. Returns false if there was no memory for a sheaf. */
  add(id: number, p: number, address: PhysAddr, at: number): boolean;
  /** The grace period of all sheaves that wait is over, in the order in which they were handed over. */
  endGracePeriod(id: number, p: number): void;
  /** Step 3 for one CPU. */
  flush(id: number, p: number): void;
}

export function createRcuSheaves(
  { ledger }: PhysicalMemory,
  barn: Barn,
  cpuSheaves: CpuSheaves,
  rule: SheafRule,
): RcuSheaves {
  const { cache, cpuCache, sheaf: rows, slotAddress, slotLink } = ledger;
  const count = createEventCounter(ledger);

  function add(id: number, p: number, address: PhysAddr, at: number): boolean {
    const sheaf = cpuCache[p + P_RCU_FREE]! || openSheaf(id, p);
    if (sheaf === 0) {
      count(p, STAT.free_rcu_sheaf_fail);
      return false;
    }
    const s = sheaf * SHEAF_WORDS;
    const slot = rows[s + S_SLOTS]! + rows[s + S_COUNT]!;
    slotAddress[slot] = address;
    slotLink[slot] = at;
    rows[s + S_COUNT]!++;
    count(p, STAT.free_rcu_sheaf);
    if (rows[s + S_COUNT] === rows[s + S_CAPACITY]) handOver(id * CACHE_WORDS, p, sheaf);
    return true;
  }

  function openSheaf(id: number, p: number): number {
    const c = id * CACHE_WORDS;
    const spare = cpuCache[p + P_SPARE]!;
    const isEmpty = spare !== 0 && rows[spare * SHEAF_WORDS + S_COUNT] === 0;
    const sheaf = isEmpty ? cpuSheaves.takeSpare(p) : barn.emptySheaf(id, c, p, GFP.NOWAIT);
    if (sheaf === 0) return 0;
    rows[sheaf * SHEAF_WORDS + S_PLACE] = SHEAF_RCU_FREE;
    cpuCache[p + P_RCU_FREE] = sheaf;
    return sheaf;
  }

  function handOver(c: number, p: number, sheaf: number): void {
    cpuCache[p + P_RCU_FREE] = 0;
    rows[sheaf * SHEAF_WORDS + S_PLACE] = SHEAF_WAITING;
    const last = cache[c + C_RCU_WAITING_TAIL]!;
    if (last === 0) cache[c + C_RCU_WAITING] = sheaf;
    else rows[last * SHEAF_WORDS + S_NEXT] = sheaf;
    cache[c + C_RCU_WAITING_TAIL] = sheaf;
  }

  function endGracePeriod(id: number, p: number): void {
    const c = id * CACHE_WORDS;
    for (let sheaf = cache[c + C_RCU_WAITING]!; sheaf !== 0; sheaf = cache[c + C_RCU_WAITING]!) {
      const s = sheaf * SHEAF_WORDS;
      cache[c + C_RCU_WAITING] = rows[s + S_NEXT]!;
      if (cache[c + C_RCU_WAITING_TAIL] === sheaf) cache[c + C_RCU_WAITING_TAIL] = 0;
      rows[s + S_NEXT] = 0;
      comeBack(id, c, p, sheaf);
    }
  }

  function comeBack(id: number, c: number, p: number, sheaf: number): void {
    if (barn.hasRoom(c)) return barn.putFull(c, p, sheaf);
    count(p, STAT.barn_put_fail);
    barn.flush(p, sheaf);
    if (cache[c + C_BARN_NR_EMPTY]! < rule.barnEmpty) barn.putEmpty(c, sheaf);
    else barn.free(id, p, sheaf);
  }

  function flush(id: number, p: number): void {
    const sheaf = cpuCache[p + P_RCU_FREE]!;
    if (sheaf === 0) return;
    cpuCache[p + P_RCU_FREE] = 0;
    barn.flushAndFree(id, p, sheaf);
  }

  return { add, endGracePeriod, flush };
}
