/**
 * # The sheaves of a CPU
 *
 *     main ─▸ [o o o o · ·]      alloc takes the top, free puts there
 *     spare ─▸ [· · · · · ·]     none, empty, full, or partly filled where somebody gave back a prefilled one
 *     rcu_free ─▸ [o o · · · ·]  what kfree_rcu put off (rcu.ts)
 *
 * What main holds and can hold lies in the CPU's line, where the hot path is; its row knows it when it is main no more.
 *
 * ## Main is empty, and an object is wanted
 *  a. the spare holds some: the two are exchanged;
 *  b. else the barn's first full sheaf becomes main, and the old one the first of the barn's empty ones, however many these are;
 *  c. else an empty sheaf is filled from the slabs: the spare, or one of the barn, or a new one. It becomes main, the old main the spare;
 *  d. else there is no memory for that: the caller takes a single object.
 *
 * ## Main is full, and an object comes back
 *  e. there is no spare: main becomes the spare, and an empty sheaf, of the barn or a new one, main;
 *  f. the spare is not full: the two are exchanged;
 *  g. the barn takes a full sheaf: main goes there, and an empty one becomes main as in e;
 *  h. else the spare is flushed to the slabs and becomes main; the full main becomes the spare;
 *  i. where no empty sheaf can be had, main is flushed, from the top in pieces.
 *
 * ## Many at once
 *  j. Bulk allocation takes from main's top as many as it needs, in the order in which they lie, and goes on by a and b. What is still
 *     missing comes from the slabs, past the sheaves.
 *  k. Bulk free fills main from the array's start, and goes on by e, f and g, but with empty sheaves of the barn alone: it makes none and
 *     flushes none. Where that does not go on, the rest goes to the slabs.
 *
 * Rules: truth/7.3/README.md, 3.2, 3.3 and 3.7; step i and d are from the source, not recorded.
 */
import type { Gfp } from '../../base/index.js';
import {
  C_SHEAF_CAPACITY,
  GFP,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  P_MAIN,
  P_SPARE,
  type PhysicalMemory,
  S_CAPACITY,
  S_COUNT,
  S_PLACE,
  S_SLOTS,
  SHEAF_MAIN,
  SHEAF_NOWHERE,
  SHEAF_SPARE,
  SHEAF_WORDS,
} from '../../machine/index.js';
import { createEventCounter, STAT } from '../cache/index.js';
import type { SheafRule } from '../kernel/index.js';
import type { Barn } from './barn.js';

/** `id` is a cache with sheaves, `c` its row's first word, `p` the line of a CPU. */
export interface CpuSheaves {
  /** An empty sheaf becomes the first main of a CPU. */
  open(p: number, sheaf: number): void;
  /** Steps a to d: main is empty. Returns false if it still is. */
  refill(id: number, c: number, p: number, gfp: Gfp): boolean;
  /** Steps a and b, for a bulk. Returns false if main still is empty. */
  refillHeld(c: number, p: number): boolean;
  /** Steps e to i: main is full. It has room then. */
  makeRoom(id: number, c: number, p: number): void;
  /** Steps e to g with the barn's empty sheaves alone. Returns false if main still is full. */
  makeRoomHeld(c: number, p: number): boolean;
  /** The spare, which the CPU has no more; 0 if there is none. */
  takeSpare(p: number): number;
  /** Becomes the spare of a CPU that has none. */
  putSpare(p: number, sheaf: number): void;
  /** Spare and main give all objects back to the slabs: main in pieces from the top, or as a whole where the CPU goes offline. */
  flush(id: number, p: number, whole: boolean): void;
  /** The main sheaf is taken from a CPU that needs none any more. Returns it, or 0. It has to be empty. */
  close(p: number): number;
}

export function createCpuSheaves(memory: PhysicalMemory, barn: Barn, rule: SheafRule): CpuSheaves {
  const { cache, cpuCache, sheaf: rows } = memory.ledger;
  const count = createEventCounter(memory.ledger);
  const holds = (sheaf: number) => rows[sheaf * SHEAF_WORDS + S_COUNT]!;
  const capacityOf = (sheaf: number) => rows[sheaf * SHEAF_WORDS + S_CAPACITY]!;

  function open(p: number, sheaf: number): void {
    const s = sheaf * SHEAF_WORDS;
    rows[s + S_PLACE] = SHEAF_MAIN;
    cpuCache[p + P_MAIN] = sheaf;
    cpuCache[p + P_AVAIL] = rows[s + S_COUNT]!;
    cpuCache[p + P_LIMIT] = rows[s + S_CAPACITY]!;
    cpuCache[p + P_ENTRIES] = rows[s + S_SLOTS]!;
  }

  /** Another sheaf becomes main. Returns the one that was it, which is nowhere then. */
  function replaceMain(p: number, sheaf: number): number {
    const old = cpuCache[p + P_MAIN]!;
    const s = old * SHEAF_WORDS;
    rows[s + S_COUNT] = cpuCache[p + P_AVAIL]!;
    rows[s + S_PLACE] = SHEAF_NOWHERE;
    open(p, sheaf);
    return old;
  }

  function takeSpare(p: number): number {
    const spare = cpuCache[p + P_SPARE]!;
    if (spare !== 0) rows[spare * SHEAF_WORDS + S_PLACE] = SHEAF_NOWHERE;
    cpuCache[p + P_SPARE] = 0;
    return spare;
  }

  function putSpare(p: number, sheaf: number): void {
    rows[sheaf * SHEAF_WORDS + S_PLACE] = SHEAF_SPARE;
    cpuCache[p + P_SPARE] = sheaf;
  }

  const exchange = (p: number) => putSpare(p, replaceMain(p, takeSpare(p)));

  // ---- objects are wanted ----------------------------------------------------------------------------------------------

  function refillHeld(c: number, p: number): boolean {
    const spare = cpuCache[p + P_SPARE]!;
    if (spare !== 0 && holds(spare) > 0) {
      exchange(p);
      return true;
    }
    const full = barn.takeFull(c, p);
    if (full === 0) return false;
    barn.putEmpty(c, replaceMain(p, full));
    return true;
  }

  function refill(id: number, c: number, p: number, gfp: Gfp): boolean {
    if (refillHeld(c, p)) return true;
    const spare = takeSpare(p);
    const filled = spare !== 0 ? spare : barn.emptySheaf(id, c, p, gfp);
    if (filled === 0) return false;
    if (!barn.fill(id, p, filled, cache[c + C_SHEAF_CAPACITY]!, gfp)) {
      // So little memory is left that it is better not kept: what came goes back, and the caller asks for one object.
      barn.flush(p, filled);
      if (spare !== 0) putSpare(p, filled);
      else barn.free(id, p, filled);
      return false;
    }
    putSpare(p, replaceMain(p, filled));
    return true;
  }

  // ---- objects come back -----------------------------------------------------------------------------------------------

  function makeRoom(id: number, c: number, p: number): void {
    const spare = cpuCache[p + P_SPARE]!;
    if (spare !== 0 && holds(spare) < capacityOf(spare)) return exchange(p);
    const toBarn = spare !== 0;
    if (toBarn && !barn.hasRoom(c)) {
      count(p, STAT.barn_put_fail);
      barn.flush(p, spare);
      return exchange(p);
    }
    const empty = barn.emptySheaf(id, c, p, GFP.NOWAIT);
    if (empty === 0) return flushMain(p, false);
    install(c, p, empty);
  }

  /**
   * An empty sheaf becomes main where that is full. To make one may have taken objects of this very cache: a cache of kmalloc's from which
   * its own sheaves come. So it is looked again what there is.
   */
  function install(c: number, p: number, empty: number): void {
    const spare = cpuCache[p + P_SPARE]!;
    if (spare === 0) return putSpare(p, replaceMain(p, empty));
    if (cpuCache[p + P_AVAIL]! < cpuCache[p + P_LIMIT]!) return barn.putEmpty(c, empty);
    if (holds(spare) < capacityOf(spare)) {
      barn.putEmpty(c, empty);
      return exchange(p);
    }
    barn.putFull(c, p, replaceMain(p, empty));
  }

  function makeRoomHeld(c: number, p: number): boolean {
    const spare = cpuCache[p + P_SPARE]!;
    if (spare !== 0 && holds(spare) < capacityOf(spare)) {
      exchange(p);
      return true;
    }
    const toBarn = spare !== 0;
    const empty = toBarn && !barn.hasRoom(c) ? 0 : barn.takeEmpty(c);
    if (empty === 0) {
      if (toBarn) count(p, STAT.barn_put_fail);
      return false;
    }
    const full = replaceMain(p, empty);
    if (toBarn) barn.putFull(c, p, full);
    else putSpare(p, full);
    return true;
  }

  // ---- a CPU gives up what it has --------------------------------------------------------------------------------------

  function flushMain(p: number, whole: boolean): void {
    for (let left = cpuCache[p + P_AVAIL]!; left > 0; ) {
      const piece = whole ? left : Math.min(left, rule.flushPiece);
      left -= piece;
      barn.flushSlots(p, cpuCache[p + P_ENTRIES]! + left, piece);
      cpuCache[p + P_AVAIL] = left;
    }
  }

  function flush(id: number, p: number, whole: boolean): void {
    if (whole) flushMain(p, true);
    const spare = takeSpare(p);
    if (spare !== 0) barn.flushAndFree(id, p, spare);
    flushMain(p, false);
  }

  function close(p: number): number {
    const main = cpuCache[p + P_MAIN]!;
    cpuCache[p + P_MAIN] = 0;
    cpuCache[p + P_AVAIL] = 0;
    cpuCache[p + P_LIMIT] = 0;
    return main;
  }

  return { open, refill, refillHeld, makeRoom, makeRoomHeld, takeSpare, putSpare, flush, close };
}
