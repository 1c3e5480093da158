/**
 * # SLUB since Linux 7.0: sheaves in front of the node
 *
 *     CPU 0   main ─ spare ─ rcu_free     stacks of objects, one at a time      cpu-sheaves.ts, rcu.ts
 *               │      │        │
 *     cache   barn: full …, empty …       whole sheaves                         barn.ts
 *               │
 *     node    partial ─▸ [slab] ⇄ [slab]  a sheaf's worth of objects            slub/node.ts
 *
 * No CPU has a slab of its own. An object is in one of these states:
 *  1. on its slab's list;
 *  2. in a sheaf, wherever that is (ledger.ts has its states). Its link says ARRAY, and its slab counts it as in use;
 *  3. live.
 * alloc takes main's top (2 → 3), free puts it there (3 → 2), whichever CPU allocated it and whatever slab it is of. Slabs are touched only
 * when a whole sheaf is filled (1 → 2) or emptied (2 → 1). So the first object of a fresh cache is the last one of the first refill.
 *
 * A cache has no sheaves with a debug flag, with NOLEAKTRACE, as one of the two that caches are made of, or if its maker passed
 * SLAB_KMALLOC: then each object comes from the node's first slab and goes back to its own.
 *
 * ## What is checked
 * Each free looks up the object's slab, its index and its link: what is not live is refused before anything changed. In the faithful mode
 * such a pointer goes into main as a kernel would put it there, as a slot without a link: it is handed out again as it is, and a flush to
 * the slabs drops it.
 *
 * ## Several CPUs at once
 * There are none: like SLAB's, a machine with this allocator is one thread's, which plays all CPUs.
 *
 * Rules: truth/7.3/README.md, checked against its recordings to the content of every sheaf in its order.
 */
import { ArgumentError, type Gfp, KernelWouldCrashError, type PhysAddr } from '../../base/index.js';
import {
  C_NR_SLABS,
  C_SHEAF_CAPACITY,
  C_STATE,
  CACHE_ALIVE,
  CACHE_WORDS,
  CPU_WORDS,
  LINK_ARRAY,
  LINK_LIVE,
  noSuchCpu,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  P_MAIN,
  type PhysicalMemory,
} from '../../machine/index.js';
import {
  type AllocatorOptions,
  type CacheAllocator,
  createEventCounter,
  STAT,
  sheafObjects,
} from '../cache/index.js';
import { BAD_FREE, type DebugSlabs, zeroing } from '../debug/index.js';
import type { SheafRule } from '../kernel/index.js';
import { countInUse, countOnNode } from '../slabs/index.js';
import { createNodeParts } from '../slub/index.js';
import { whileUnkept } from '../workers/index.js';
import { createBarn, type SheafMemory } from './barn.js';
import { createSheafBulk } from './bulk.js';
import { createCpuSheaves } from './cpu-sheaves.js';
import { createPrefilledSheaves } from './prefilled.js';
import { createRcuSheaves } from './rcu.js';

/** The operations of all caches of a machine with SLUB from 7.0 on. Sheaves that a caller has are named by their ids. */
export interface SheafSlub extends CacheAllocator {
  readonly kind: 'slub';
  readonly debug: DebugSlabs;
  /**
   * Gives a new cache its barn and every CPU its main sheaf. Returns false if there is no memory for them, and gives back what it took;
   * throws LedgerFullError.
   */
  open(cache: number, capacity: number, gfp: Gfp, cpu: number): boolean;
  /** Takes them away again from a cache without objects. */
  close(cache: number, cpu: number): void;
  /** All of them or, when there is no memory, none. */
  allocBulk(cache: number, count: number, gfp: Gfp, cpu: number): PhysAddr[];
  /** What a caller must not recurse in to get a sheaf for kmalloc itself: an object of a sheaf that is at hand, else a single one. */
  allocAtHand(cache: number, gfp: Gfp, cpu: number): PhysAddr;
  /** kfree_rcu: throws BadFreeError as `free` does. Returns false if no sheaf takes it: then it is live still. */
  freeRcu(cache: number, address: PhysAddr, cpu: number): boolean;
  /** The grace period of all that was handed over is over. */
  endGracePeriod(cache: number, cpu: number): void;
  /** What was put off on a CPU, and not handed over, goes to the slabs. */
  flushRcu(cache: number, cpu: number): void;
  /** The CPU goes offline: it gives up all but its empty main sheaf. */
  offline(cache: number, cpu: number): void;
  prefillSheaf(cache: number, count: number, gfp: Gfp, cpu: number): number;
  allocFromSheaf(cache: number, sheaf: number): PhysAddr;
  returnSheaf(cache: number, sheaf: number, gfp: Gfp, cpu: number): void;
  refillSheaf(cache: number, sheaf: number, count: number, gfp: Gfp, cpu: number): number;
}

/** What alloc and free stand on, in the order in which it is made: each part knows only those above it. */
function createParts(
  memory: PhysicalMemory,
  options: AllocatorOptions,
  sheafMemory: SheafMemory,
  rule: SheafRule,
) {
  const parts = createNodeParts(memory, options);
  const { addresses, node } = parts;
  const barn = createBarn(memory, addresses, node, sheafMemory, rule, options.profile.wordSize);
  const cpuSheaves = createCpuSheaves(memory, barn, rule);
  const rcu = createRcuSheaves(memory, barn, cpuSheaves, rule);
  const prefilled = createPrefilledSheaves(memory, barn, cpuSheaves, options.reports);
  return { ...parts, barn, cpuSheaves, rcu, prefilled };
}

/**
 * SLUB with sheaves over a machine's memory. All of its state is in the ledger. `rule` says what barns and sheaves are; `openLate` opens a
 * cache that was adopted and is used for the first time.
 */
export function createSheafSlub(
  memory: PhysicalMemory,
  options: AllocatorOptions,
  sheafMemory: SheafMemory,
  rule: SheafRule,
  openLate: (cache: number) => void,
): SheafSlub {
  const { ledger } = memory;
  const { faithful, bytes } = options;
  const parts = createParts(memory, options, sheafMemory, rule);
  const { addresses, checks, node, debugged, barn, cpuSheaves, rcu, prefilled, isDebug } = parts;
  const { slabAt, indexIn, badFree } = addresses;
  const { cache, cpuCache, slabCache, slabLinks, link, slotAddress, slotLink } = ledger;
  const cacheRows = ledger.shape.caches + 1;
  const { cpus } = ledger.shape;
  const COUNTING = ledger.statistics.length > 0;
  const count = createEventCounter(ledger);

  const lineOf = (id: number, cpu: number) => (cpu * cacheRows + id) * CPU_WORDS;
  /** A cache that was adopted as it was found has sheaves from its first use on. */
  const hasSheaves = (p: number) => cpuCache[p + P_MAIN] !== 0;

  // ---- alloc -----------------------------------------------------------------------------------------------------------

  function alloc(id: number, gfp: Gfp, cpu: number): PhysAddr {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpus, cpu);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const avail = cpuCache[p + P_AVAIL]!;
    if (avail === 0) return allocSlow(id, gfp, p);
    return takeTop(p, avail);
  }

  function takeTop(p: number, avail: number): PhysAddr {
    const slot = cpuCache[p + P_ENTRIES]! + avail - 1;
    const at = slotLink[slot]!;
    cpuCache[p + P_AVAIL] = avail - 1;
    if (at >= 0) link[at] = LINK_LIVE;
    if (COUNTING) count(p, STAT.alloc_fastpath);
    return slotAddress[slot]! as PhysAddr;
  }

  function allocSlow(id: number, gfp: Gfp, p: number): PhysAddr {
    const c = id * CACHE_WORDS;
    if (cache[c + C_STATE] !== CACHE_ALIVE) throw new ArgumentError(`cache ${id} does not exist (any more)`);
    if (cache[c + C_SHEAF_CAPACITY] !== 0 && !hasSheaves(p)) openLate(id);
    if (hasSheaves(p) && cpuSheaves.refill(id, c, p, gfp)) return takeTop(p, cpuCache[p + P_AVAIL]!);
    count(p, STAT.alloc_slowpath);
    return isDebug(id) ? debugged.alloc(id, gfp, p) : node.takeOne(id, c, p, gfp);
  }

  function allocAtHand(id: number, gfp: Gfp, cpu: number): PhysAddr {
    const c = id * CACHE_WORDS;
    const p = lineOf(id, cpu);
    const held = cpuCache[p + P_AVAIL]! > 0 || (hasSheaves(p) && cpuSheaves.refillHeld(c, p));
    if (held) return takeTop(p, cpuCache[p + P_AVAIL]!);
    count(p, STAT.alloc_slowpath);
    return node.takeOne(id, c, p, gfp);
  }

  // ---- free ------------------------------------------------------------------------------------------------------------

  function free(id: number, address: PhysAddr, cpu: number): void {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpus, cpu);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const at = linkOf(id, address);
    if (at < 0 || link[at] !== LINK_LIVE) return refuse(id, p, address);
    if (cpuCache[p + P_AVAIL] === cpuCache[p + P_LIMIT]) return freeSlow(id, p, address, at);
    putTop(p, address, at);
  }

  /** The link of the object of a cache that begins at an address; -1 if none does. */
  function linkOf(id: number, address: PhysAddr): number {
    const slab = slabAt(address);
    if (slab === 0 || slabCache[slab] !== id) return -1;
    const index = indexIn(slab, address);
    return index < 0 ? -1 : slabLinks[slab]! + index;
  }

  function putTop(p: number, address: PhysAddr, at: number): void {
    push(p, address, at);
    link[at] = LINK_ARRAY;
  }

  /** An object, or with -1 as its link a pointer that nobody looked at, lies on main, which has room. */
  function push(p: number, address: PhysAddr, at: number): void {
    const avail = cpuCache[p + P_AVAIL]!;
    const slot = cpuCache[p + P_ENTRIES]! + avail;
    slotAddress[slot] = address;
    slotLink[slot] = at;
    cpuCache[p + P_AVAIL] = avail + 1;
    if (COUNTING) count(p, STAT.free_fastpath);
  }

  function freeSlow(id: number, p: number, address: PhysAddr, at: number): void {
    if (isDebug(id)) return void debugged.free(id, p, address);
    const c = id * CACHE_WORDS;
    if (!hasSheaves(p)) return freeToSlab(c, p, address, at);
    cpuSheaves.makeRoom(id, c, p);
    putTop(p, address, at);
  }

  function freeToSlab(c: number, p: number, address: PhysAddr, at: number): void {
    const slab = slabAt(address);
    count(p, STAT.free_slowpath);
    node.giveGroup(c, p, slab, at - slabLinks[slab]! + 1, at, 1);
  }

  /** What is no live object of the cache: an error, or in the faithful mode what a kernel does that does not look. */
  function refuse(id: number, p: number, address: PhysAddr): void {
    if (isDebug(id)) {
      if (debugged.free(id, p, address) !== BAD_FREE.ELSEWHERE) return;
      const owner = slabCache[slabAt(address)]!;
      return putStray(owner, p + (owner - id) * CPU_WORDS, address);
    }
    if (!faithful) throw badFree(id, address);
    if (slabAt(address) === 0)
      throw new KernelWouldCrashError(`${badFree(id, address).message}: a NULL slab is read`, 'oops');
    putStray(id, p, address);
  }

  /** A pointer that nobody looked at lies in main as it is. Without sheaves a kernel would spoil the slab's list: that is not played. */
  function putStray(id: number, p: number, address: PhysAddr): void {
    if (!hasSheaves(p)) throw badFree(id, address);
    if (cpuCache[p + P_AVAIL] === cpuCache[p + P_LIMIT]) cpuSheaves.makeRoom(id, id * CACHE_WORDS, p);
    push(p, address, -1);
  }

  const { allocBulk, freeBulk } = createSheafBulk(memory, options, {
    ...parts,
    lineOf,
    hasSheaves,
    linkOf,
    putTop,
    free,
  });

  // ---- kfree_rcu and prefilled sheaves ---------------------------------------------------------------------------------

  function freeRcu(id: number, address: PhysAddr, cpu: number): boolean {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpus, cpu);
    const at = linkOf(id, address);
    if (at < 0 || link[at] !== LINK_LIVE) throw badFree(id, address);
    const p = lineOf(id, cpu);
    if (!hasSheaves(p)) {
      count(p, STAT.free_rcu_sheaf_fail);
      return false;
    }
    if (!rcu.add(id, p, address, at)) return false;
    link[at] = LINK_ARRAY;
    return true;
  }

  function prefillSheaf(id: number, wanted: number, gfp: Gfp, cpu: number): number {
    const p = lineOf(id, cpu);
    if (!hasSheaves(p) && cache[id * CACHE_WORDS + C_SHEAF_CAPACITY] !== 0) openLate(id);
    return prefilled.prefill(id, p, wanted, gfp);
  }

  // ---- a cache comes and goes, a CPU gives up what it has --------------------------------------------------------------

  function open(id: number, capacity: number, gfp: Gfp, cpu: number): boolean {
    if (capacity === 0) return true;
    const p = lineOf(id, cpu);
    if (!barn.build(id, gfp, cpu)) return false;
    let opened = 0;
    try {
      for (; opened < cpus; opened++) {
        const main = barn.make(id, p, capacity, gfp);
        if (main === 0) break;
        cpuSheaves.open(lineOf(id, opened), main);
      }
    } finally {
      if (opened < cpus) close(id, cpu);
    }
    if (opened < cpus) return false;
    cache[id * CACHE_WORDS + C_SHEAF_CAPACITY] = capacity;
    return true;
  }

  function close(id: number, cpu: number): void {
    const p = lineOf(id, cpu);
    for (let each = 0; each < cpus; each++) {
      const main = cpuSheaves.close(lineOf(id, each));
      if (main !== 0) barn.free(id, p, main);
    }
    barn.remove(id, cpu);
  }

  /** `whole`: main goes back in one piece, as where the CPU goes offline. */
  function giveUp(id: number, cpu: number, whole: boolean): void {
    const p = lineOf(id, cpu);
    if (!hasSheaves(p)) return;
    cpuSheaves.flush(id, p, whole);
    rcu.flush(id, p);
  }

  function shrink(id: number): boolean {
    const p = lineOf(id, 0);
    for (let cpu = 0; cpu < cpus; cpu++) giveUp(id, cpu, false);
    if (hasSheaves(p)) {
      rcu.endGracePeriod(id, p);
      barn.empty(id, p);
    }
    node.shrink(id * CACHE_WORDS);
    return cache[id * CACHE_WORDS + C_NR_SLABS] !== 0;
  }

  return {
    kind: 'slub',
    alloc: bytes === undefined ? alloc : zeroing(bytes, checks, { alloc, free }),
    free,
    allocBulk,
    freeBulk,
    allocAtHand,
    freeRcu,
    endGracePeriod: (id, cpu) => rcu.endGracePeriod(id, lineOf(id, cpu)),
    flushRcu: (id, cpu) => rcu.flush(id, lineOf(id, cpu)),
    prefillSheaf,
    allocFromSheaf: prefilled.alloc,
    returnSheaf: (id, sheaf, gfp, cpu) => prefilled.giveBack(id, lineOf(id, cpu), sheaf, gfp),
    refillSheaf: (id, sheaf, wanted, gfp, cpu) => prefilled.refill(id, lineOf(id, cpu), sheaf, wanted, gfp),
    open,
    close,
    offline: (id, cpu) => giveUp(id, cpu, true),
    shrink,
    flushCpu: (id, cpu) => giveUp(id, cpu, false),
    whileUnkept: (id, act) => whileUnkept(memory, id, act),
    live: (id) =>
      countInUse(ledger, id) - sheafObjects(ledger, id) - (isDebug(id) ? debugged.whole.lost(id) : 0),
    freeOnNode: (id) => countOnNode(ledger, id).free,
    slabAt,
    indexIn,
    debug: debugged.whole,
  };
}
