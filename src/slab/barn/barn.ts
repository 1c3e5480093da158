/**
 * # The barn of a cache, and what is done with whole sheaves
 *
 *     barn     full  ─▸ (sheaf) ─▸ (sheaf)  …        at most barnFull, wherever somebody looks at their number
 *              empty ─▸ (sheaf) ─▸ (sheaf)  …
 *
 * Both lists are stacks: whatever comes, comes to the head, and the head goes first. Slabs are touched only where a sheaf is filled from
 * them or emptied into them:
 *  - `fill` takes what is missing from the node (slub/node.ts, `take`), in the order in which it lies in the sheaf from the bottom up;
 *  - `flush` gives a run of slots back in groups of one slab, from the end, as a bulk free does (slabs/bulk-free.ts). Of a group the object
 *    that lay lowest becomes the head of its slab's list.
 *
 * A sheaf is an object of kmalloc, of 32 bytes and 8 for each object, and so it is made and freed there (`SheafMemory`).
 *
 * Rules: truth/7.3/README.md, 3.2 to 3.7 and 3.14.
 */
import { type Gfp, NULL, type PhysAddr } from '../../base/index.js';
import {
  __GFP,
  C_BARN_EMPTY,
  C_BARN_FULL,
  C_BARN_MEMORY_LOW,
  C_BARN_NR_EMPTY,
  C_BARN_NR_FULL,
  C_SHEAF_CAPACITY,
  CACHE_WORDS,
  CPU_WORDS,
  type PhysicalMemory,
  S_CAPACITY,
  S_COUNT,
  S_NEXT,
  S_PLACE,
  S_SLOTS,
  SHEAF_BARN_EMPTY,
  SHEAF_BARN_FULL,
  SHEAF_NOWHERE,
  SHEAF_WORDS,
} from '../../machine/index.js';
import { createEventCounter, STAT } from '../cache/index.js';
import type { SheafRule } from '../kernel/index.js';
import { findGroup, type ObjectAddresses } from '../slabs/index.js';
import type { SlubNode } from '../slub/index.js';
import { createSheafRows, readAddress, writeAddress } from './sheaves.js';

/** Where the memory of sheaves and barns comes from: kmalloc. `id` is the cache that wants it. */
export interface SheafMemory {
  /** NULL if there is none. */
  alloc(id: number, bytes: number, gfp: Gfp, cpu: number): PhysAddr;
  free(id: number, address: PhysAddr, cpu: number): void;
}

/** `id` is a cache, `c` its row's first word, `p` the line of the CPU that works: its events are counted there. */
export interface Barn {
  /** The barn's first full sheaf, 0 if there is none; counted as one or the other. */
  takeFull(c: number, p: number): number;
  /** The barn's first empty sheaf, or 0. */
  takeEmpty(c: number): number;
  /** As `takeEmpty`, or a new sheaf of the cache's capacity; 0 if there is no memory. */
  emptySheaf(id: number, c: number, p: number, gfp: Gfp): number;
  /** Whether the barn takes a full sheaf. */
  hasRoom(c: number): boolean;
  putFull(c: number, p: number, sheaf: number): void;
  putEmpty(c: number, sheaf: number): void;
  /** A new sheaf; 0 if there is no memory. Throws LedgerFullError. */
  make(id: number, p: number, capacity: number, gfp: Gfp): number;
  /** Frees an empty sheaf. */
  free(id: number, p: number, sheaf: number): void;
  /** Fills a sheaf up to so many objects. Returns false if there was not memory enough; what there was is in the sheaf. */
  fill(id: number, p: number, sheaf: number, to: number, gfp: Gfp): boolean;
  /** Gives the objects of `count` slots, from `from` on, back to their slabs. */
  flushSlots(p: number, from: number, count: number): void;
  /** All objects of a sheaf that is no main go back to their slabs. */
  flush(p: number, sheaf: number): void;
  flushAndFree(id: number, p: number, sheaf: number): void;
  /** All of the barn's sheaves go: the full ones from the head, then the empty ones. */
  empty(id: number, p: number): void;
  /** The memory of the barn itself, which comes before the first sheaf and goes after the last one. Returns false if there is none. */
  build(id: number, gfp: Gfp, cpu: number): boolean;
  remove(id: number, cpu: number): void;
}

/** A sheaf is filled with what is there without effort, and without a word where it is not: then a single object is asked for. */
const FILL_BITS = __GFP.NOMEMALLOC | __GFP.NOWARN;

export function createBarn(
  memory: PhysicalMemory,
  { slabAt }: ObjectAddresses,
  node: SlubNode,
  sheafMemory: SheafMemory,
  rule: SheafRule,
  wordSize: number,
): Barn {
  const { ledger } = memory;
  const { cache, sheaf: rows, slotAddress, slotLink, slabCache, slabLinks, link, shape } = ledger;
  const cpuOf = (p: number) => Math.floor(p / ((shape.caches + 1) * CPU_WORDS));
  const count = createEventCounter(ledger);
  const table = createSheafRows(memory);
  /** Slabs of the objects that are flushed, and places of a group: scratch. */
  let slabs = new Int32Array(64);
  let places = new Int32Array(64);

  // ---- the two lists ---------------------------------------------------------------------------------------------------

  function pop(c: number, head: number, length: number): number {
    const sheaf = cache[c + head]!;
    if (sheaf === 0) return 0;
    const s = sheaf * SHEAF_WORDS;
    cache[c + head] = rows[s + S_NEXT]!;
    cache[c + length]!--;
    rows[s + S_NEXT] = 0;
    rows[s + S_PLACE] = SHEAF_NOWHERE;
    return sheaf;
  }

  function push(c: number, head: number, length: number, sheaf: number, place: number): void {
    const s = sheaf * SHEAF_WORDS;
    rows[s + S_NEXT] = cache[c + head]!;
    rows[s + S_PLACE] = place;
    cache[c + head] = sheaf;
    cache[c + length]!++;
  }

  function takeFull(c: number, p: number): number {
    const sheaf = pop(c, C_BARN_FULL, C_BARN_NR_FULL);
    count(p, sheaf === 0 ? STAT.barn_get_fail : STAT.barn_get);
    return sheaf;
  }

  const takeEmpty = (c: number) => pop(c, C_BARN_EMPTY, C_BARN_NR_EMPTY);
  const hasRoom = (c: number) => cache[c + C_BARN_NR_FULL]! < rule.barnFull;

  function putFull(c: number, p: number, sheaf: number): void {
    push(c, C_BARN_FULL, C_BARN_NR_FULL, sheaf, SHEAF_BARN_FULL);
    count(p, STAT.barn_put);
  }

  const putEmpty = (c: number, sheaf: number) =>
    push(c, C_BARN_EMPTY, C_BARN_NR_EMPTY, sheaf, SHEAF_BARN_EMPTY);

  function emptySheaf(id: number, c: number, p: number, gfp: Gfp): number {
    const sheaf = takeEmpty(c);
    return sheaf !== 0 ? sheaf : make(id, p, cache[c + C_SHEAF_CAPACITY]!, gfp);
  }

  // ---- sheaves come and go ---------------------------------------------------------------------------------------------

  function make(id: number, p: number, capacity: number, gfp: Gfp): number {
    const bytes = rule.headerBytes + wordSize * capacity;
    const address = sheafMemory.alloc(id, bytes, gfp, cpuOf(p));
    if (address === NULL) return 0;
    let sheaf = 0;
    try {
      sheaf = table.take(id, capacity, address);
    } finally {
      if (sheaf === 0) sheafMemory.free(id, address, cpuOf(p));
    }
    count(p, STAT.sheaf_alloc);
    return sheaf;
  }

  function free(id: number, p: number, sheaf: number): void {
    const address = table.give(sheaf) as PhysAddr;
    sheafMemory.free(id, address, cpuOf(p));
    count(p, STAT.sheaf_free);
  }

  function fill(id: number, p: number, sheaf: number, to: number, gfp: Gfp): boolean {
    const c = id * CACHE_WORDS;
    const s = sheaf * SHEAF_WORDS;
    const held = rows[s + S_COUNT]!;
    const missing = to - held;
    if (missing <= 0) return true;
    const at = rows[s + S_SLOTS]! + held;
    const came = node.take(id, c, p, (gfp | FILL_BITS) as Gfp, missing, slotAddress, slotLink, at);
    rows[s + S_COUNT] = held + came;
    const usual = rows[s + S_CAPACITY] === cache[c + C_SHEAF_CAPACITY];
    count(p, usual ? STAT.sheaf_refill : STAT.alloc_slowpath, came);
    return came === missing;
  }

  // ---- objects go back to their slabs ----------------------------------------------------------------------------------

  function flush(p: number, sheaf: number): void {
    const s = sheaf * SHEAF_WORDS;
    const held = rows[s + S_COUNT]!;
    flushSlots(p, rows[s + S_SLOTS]!, held);
    rows[s + S_COUNT] = 0;
  }

  function flushSlots(p: number, from: number, held: number): void {
    count(p, STAT.sheaf_flush, held);
    if (slabs.length < held) {
      slabs = new Int32Array(2 * held);
      places = new Int32Array(2 * held);
    }
    // What a kernel took without looking is no object of a slab: it goes unnoticed.
    for (let i = 0; i < held; i++) slabs[i] = slotLink[from + i]! < 0 ? 0 : slabAt(slotAddress[from + i]!);
    for (let left = held; left > 0; ) left = flushGroup(p, from, left);
  }

  /** The last object that is left, and those of its slab that belong to its group. Returns how many are left then. */
  function flushGroup(p: number, from: number, left: number): number {
    const slab = slabs[left - 1]!;
    if (slab === 0) return left - 1;
    const found = findGroup(slabs, left - 1, places);
    // Each changes places with the stranger next to the group, so that the group is the end of what is left.
    for (let i = 0; i < found; i++) swapSlots(from, left - 1 - i, places[i]!);
    giveSlots(p, slab, from + left - found, from + left);
    return left - found;
  }

  function swapSlots(from: number, a: number, b: number): void {
    const slab = slabs[a]!;
    slabs[a] = slabs[b]!;
    slabs[b] = slab;
    const address = slotAddress[from + a]!;
    const at = slotLink[from + a]!;
    slotAddress[from + a] = slotAddress[from + b]!;
    slotLink[from + a] = slotLink[from + b]!;
    slotAddress[from + b] = address;
    slotLink[from + b] = at;
  }

  /** Objects of one slab go in front of its list, the lowest slot's first. */
  function giveSlots(p: number, slab: number, first: number, end: number): void {
    const before = slabLinks[slab]! - 1;
    for (let i = first; i + 1 < end; i++) link[slotLink[i]!] = slotLink[i + 1]! - before;
    const c = slabCache[slab]! * CACHE_WORDS;
    node.giveGroup(c, p, slab, slotLink[first]! - before, slotLink[end - 1]!, end - first);
  }

  function flushAndFree(id: number, p: number, sheaf: number): void {
    flush(p, sheaf);
    free(id, p, sheaf);
  }

  function empty(id: number, p: number): void {
    const c = id * CACHE_WORDS;
    for (let sheaf = pop(c, C_BARN_FULL, C_BARN_NR_FULL); sheaf !== 0; ) {
      flushAndFree(id, p, sheaf);
      sheaf = pop(c, C_BARN_FULL, C_BARN_NR_FULL);
    }
    for (let sheaf = takeEmpty(c); sheaf !== 0; sheaf = takeEmpty(c)) free(id, p, sheaf);
  }

  function build(id: number, gfp: Gfp, cpu: number): boolean {
    const c = id * CACHE_WORDS;
    const address = sheafMemory.alloc(id, rule.barnBytes, gfp, cpu);
    if (address === NULL) return false;
    writeAddress(cache, c + C_BARN_MEMORY_LOW, address);
    return true;
  }

  function remove(id: number, cpu: number): void {
    const c = id * CACHE_WORDS;
    const address = readAddress(cache, c + C_BARN_MEMORY_LOW) as PhysAddr;
    if (address !== NULL) sheafMemory.free(id, address, cpu);
    writeAddress(cache, c + C_BARN_MEMORY_LOW, 0);
  }

  return {
    takeFull,
    takeEmpty,
    emptySheaf,
    hasRoom,
    putFull,
    putEmpty,
    make,
    free,
    fill,
    flushSlots,
    flush,
    flushAndFree,
    empty,
    build,
    remove,
  };
}
