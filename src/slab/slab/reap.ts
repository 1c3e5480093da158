/**
 * # The machine's clock, and SLAB's reaper that runs by it
 *
 * What a CPU put into its array, and slabs that became free, would stay for ever where nobody allocates. So each CPU has a reaper
 * (`cache_reap`), which comes every two seconds and looks at all caches, newest first:
 *  1. An array that was used since the last visit is left alone, but its mark is taken off (`touched`; only allocations set it).
 *  2. Of an array that was not, the oldest fifth of what it can hold goes back to the slabs, or half of what it holds if that is less.
 *  3. At most every four seconds, by whichever CPU comes first, a cache's node is looked at: its shared array by 1 and 2, and
 *  4. unless an allocation looked for a free slab since, so many free slabs are destroyed, last first, as hold a fifth of `freeLimit`
 *     objects, rounded up.
 *
 * The reapers do not come together: CPU 0's is due at whole seconds (1, 3, 5, …), each further CPU's 3 ticks of 4 ms earlier. A cache's
 * node is looked at four seconds after the cache was made, or later: a kernel adds up to four seconds that hang on the address of the
 * cache's own structure, which is nobody's to predict, and here they are 0.
 *
 * The clock is two words of the ledger; a copy goes on at the same time. Where a round of all reapers found nothing to do, none will find
 * anything until somebody allocates or frees, and the rest of the time passes at once.
 *
 * Rule: Linux 6.1, mm/slab.c (`cache_reap`), kernel/time/timer.c (`round_jiffies`); a second has 250 ticks as Debian builds it.
 */
import { ArgumentError } from '../../base/index.js';
import { C_NEXT_REAP, CACHE_WORDS, H_CLOCK_HIGH, H_CLOCK_LOW, type Ledger } from '../../machine/index.js';
import { cacheIds, NODE_REAP_MS } from '../cache/index.js';

const SECOND_MS = 1000;
const CPU_REAP_MS = 2000;
const TICK_MS = 4;
const TICKS_BETWEEN_CPUS = 3;
const U32 = 2 ** 32;

/** Milliseconds since the machine was made. */
export function clockOf({ header }: Ledger): number {
  return header[H_CLOCK_HIGH]! * U32 + (header[H_CLOCK_LOW]! >>> 0);
}

function setClock({ header }: Ledger, ms: number): void {
  header[H_CLOCK_LOW] = ms % U32;
  header[H_CLOCK_HIGH] = Math.floor(ms / U32);
}

/** When a CPU's reaper comes first: after a second, rounded to a whole one, down if less than a quarter is over; then its own ticks off. */
export function firstReap(cpu: number): number {
  const early = cpu * TICKS_BETWEEN_CPUS * TICK_MS;
  const over = early % SECOND_MS;
  const rounded = SECOND_MS + early - over + (over < SECOND_MS / 4 ? 0 : SECOND_MS);
  return rounded - early;
}

/** Lets time pass. `reap` is what a reaper does to a cache; it returns whether anything changed. */
export function advanceClock(
  ledger: Ledger,
  milliseconds: number,
  reap: ((cache: number, cpu: number, now: number) => boolean) | undefined,
): void {
  const start = clockOf(ledger);
  let end = start + milliseconds;
  if (!Number.isInteger(milliseconds) || milliseconds < 0 || !Number.isSafeInteger(end))
    throw new ArgumentError(`time passes in whole milliseconds from 0, not ${milliseconds}`);
  if (reap === undefined) return setClock(ledger, end);
  const due = Array.from({ length: ledger.shape.cpus }, (_, cpu) => {
    const first = firstReap(cpu);
    return first + Math.max(Math.floor((start - first) / CPU_REAP_MS) + 1, 0) * CPU_REAP_MS;
  });
  let skipped = 0;
  let changedAt = start;
  for (let cpu = earliest(due); due[cpu]! <= end; cpu = earliest(due)) {
    const now = due[cpu]!;
    due[cpu]! += CPU_REAP_MS;
    setClock(ledger, now);
    for (const id of cacheIds(ledger).reverse()) if (reap(id, cpu, now | 0)) changedAt = now;
    // Each node was looked at twice since then, and each array more often.
    if (now - changedAt < 2 * (NODE_REAP_MS + CPU_REAP_MS) || skipped > 0) continue;
    skipped = Math.floor((end - now) / NODE_REAP_MS) * NODE_REAP_MS;
    end -= skipped;
  }
  setClock(ledger, end + skipped);
  if (skipped > 0)
    for (const id of cacheIds(ledger)) ledger.cache[id * CACHE_WORDS + C_NEXT_REAP]! += skipped;
}

function earliest(due: readonly number[]): number {
  let first = 0;
  for (let cpu = 1; cpu < due.length; cpu++) if (due[cpu]! < due[first]!) first = cpu;
  return first;
}
