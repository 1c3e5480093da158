/**
 * # Caches with a debug flag: every object one by one
 *
 * Such a cache has no per-CPU part (slub.ts): each alloc takes one object from the first slab of the node's list, and looks at it; each
 * free looks at the object, then puts it on its slab's list. What is found is reported (checks.ts), and then:
 *  1. at alloc the whole slab is given up (ledger.ts, slab state 5), and the next one is asked;
 *  2. at free the object stays in use.
 *
 * A free of what is not live is different: outside the faithful mode it is reported as the kernel would and thrown as BadFreeError,
 * and nothing changes. In the faithful mode nothing is thrown. Where a check notices, it is 2; where none does, the pointer
 * becomes a stray (strays.ts).
 */
import { type Gfp, KernelWouldCrashError, NULL, type PhysAddr } from '../../base/index.js';
import {
  C_FLAGS,
  C_MIN_PARTIAL,
  C_NR_PARTIAL,
  C_NR_SLABS,
  C_PARTIAL_HEAD,
  CACHE_WORDS,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  countersInUse,
  H_SLAB_HIGH,
  LINK_END,
  LINK_LIVE,
  LINK_LOST,
  type PhysicalMemory,
  packCounters,
  shapeObjects,
} from '../../machine/index.js';
import { cacheName, createEventCounter, STAT, type WholeCacheChecks } from '../cache/index.js';
import { type KernelProfile, SLAB, SLAB_DEBUG_FLAGS } from '../kernel/index.js';
import type { NodeLists, ObjectAddresses } from '../slabs/index.js';
import type { DebugChecks } from './checks.js';
import type { DebugReport } from './report.js';
import type { Strays } from './strays.js';

/** What the free of an object that is not live, or not of that cache, leaves to be done by who has the slabs of CPUs. */
export const BAD_FREE = {
  DONE: 0,
  /** It is a live object of another cache, without debug flags: there it is to be freed. */
  ELSEWHERE: 1,
  /** Its slab has a stray on top of its list now. */
  STRAY: 2,
} as const;

export type BadFreeOutcome = (typeof BAD_FREE)[keyof typeof BAD_FREE];

/** Alloc and free of caches that are debugged, and the checks of whole caches. `p` is the CPU's line: events are counted there. */
export interface DebugSlabs extends WholeCacheChecks {
  alloc(id: number, gfp: Gfp, p: number, cpu: number): PhysAddr;
  free(id: number, p: number, address: PhysAddr, cpu: number): BadFreeOutcome;
  /** Live objects of one slab, the list's new head first. */
  freeGroup(id: number, p: number, slab: number, chain: readonly PhysAddr[], cpu: number): void;
  lost(id: number): number;
}

interface DebugSlabsOptions extends NodeLists, ObjectAddresses {
  readonly profile: KernelProfile;
  readonly faithful: boolean;
  readonly checks: DebugChecks;
  readonly report: DebugReport;
  readonly strays: Strays;
  /** A new slab that no CPU keeps, on no list; 0 if there is no memory. */
  newSlab(id: number, c: number, p: number, gfp: Gfp): number;
  discard(c: number, slab: number): void;
}

export function createDebugSlabs(memory: PhysicalMemory, options: DebugSlabsOptions): DebugSlabs {
  const { ledger, log } = memory;
  const { profile, faithful, checks, report, strays, listFirst, listLast, unlist, listFull, unlistFull } =
    options;
  const { slabAt, indexIn, objectAddress, badFree } = options;
  const count = createEventCounter(ledger);
  const { cache, slabCounters, slabShape, slabCache, slabLinks, slabNext, link } = ledger;
  const objectsOf = (slab: number) => shapeObjects(slabShape[slab]!);

  // ---- alloc -----------------------------------------------------------------------------------------------------

  function alloc(id: number, gfp: Gfp, p: number, cpu: number): PhysAddr {
    const c = id * CACHE_WORDS;
    // A slab that fails its check is on the list no more: each round ends with an object, or with one slab less.
    while (true) {
      let slab = cache[c + C_PARTIAL_HEAD]!;
      const fresh = slab === 0;
      if (fresh) slab = options.newSlab(id, c, p, gfp);
      if (slab === 0) return NULL;
      const address = fresh ? undefined : takeStray(id, slab, cpu);
      if (address !== undefined) return address;
      const object = takeFirst(id, c, slab, fresh, cpu);
      if (object !== NULL) return object;
    }
  }

  /** The first object of a slab's list, or NULL if the slab had to be given up. */
  function takeFirst(id: number, c: number, slab: number, fresh: boolean, cpu: number): PhysAddr {
    const counters = slabCounters[slab]!;
    const first = counters & COUNTERS_FREE;
    if (faithful) {
      if (checks.isHeadless(slab, first)) throw oops(id);
      checks.beforeTake(id, slab, first);
    }
    const at = slabLinks[slab]! + first - 1;
    const next = link[at]!;
    link[at] = LINK_LIVE;
    slabCounters[slab] = packCounters(next, countersInUse(counters) + 1, 0);
    const address = objectAddress(slab, first - 1);
    if (!checks.onAlloc(id, slab, address, !fresh, cpu)) {
      if (!fresh) unlist(c, slab);
      link[at] = LINK_LOST;
      disable(slab);
      return NULL;
    }
    if (fresh && next !== LINK_END) listFirst(c, slab);
    if (!fresh && next === LINK_END) unlist(c, slab);
    if (next === LINK_END) listFull(c, slab);
    return address;
  }

  /** Nothing in the slab is free any more, and nothing of it is looked at again. */
  function disable(slab: number): void {
    const links = slabLinks[slab]!;
    for (let i = 0; i < objectsOf(slab); i++) if (link[links + i] !== LINK_LIVE) link[links + i] = LINK_LOST;
    slabCounters[slab] = packCounters(LINK_END, objectsOf(slab), COUNTERS_FROZEN);
  }

  function takeStray(id: number, slab: number, cpu: number): PhysAddr | undefined {
    if (!strays.some) return undefined;
    const address = strays.take(slab, slabCounters[slab]! & COUNTERS_FREE) as PhysAddr | undefined;
    if (address !== undefined) checks.handOut(id, address, cpu);
    return address;
  }

  function oops(id: number): KernelWouldCrashError {
    const { offset } = checks.layout(id);
    const address = offset.toString(16).padStart(16, '0');
    const text = `BUG: kernel NULL pointer dereference, address: ${address}`;
    log.add(text);
    return new KernelWouldCrashError(
      `${cacheName(ledger, id)}: the list of free objects was cut by a second free`,
      'oops',
    );
  }

  // ---- free ------------------------------------------------------------------------------------------------------

  function free(id: number, p: number, address: PhysAddr, cpu: number): BadFreeOutcome {
    const strict = (cache[id * CACHE_WORDS + C_FLAGS]! & SLAB.CONSISTENCY_CHECKS) !== 0;
    const slab = slabAt(address);
    if (slab === 0) {
      if (strict) report.notSlabOnce();
      if (!faithful) throw badFree(id, address);
      return BAD_FREE.DONE;
    }
    const owner = slabCache[slab]!;
    if (owner === id) return freeOne(id, id, p, slab, address, cpu);
    if (strict) report.wrongCache(id, owner, checks.layout(owner), address);
    if (!faithful) throw badFree(id, address);
    const index = indexIn(slab, address);
    if (!(cache[owner * CACHE_WORDS + C_FLAGS]! & SLAB_DEBUG_FLAGS)) {
      const live = index >= 0 && link[slabLinks[slab]! + index] === LINK_LIVE;
      return live ? BAD_FREE.ELSEWHERE : BAD_FREE.DONE;
    }
    // A kernel that checks frees it to the cache that it belongs to; one that does not takes it for its own.
    return freeOne(strict ? owner : id, owner, p, slab, address, cpu);
  }

  /** `as` is the cache whose rules the object is treated by. */
  function freeOne(
    as: number,
    owner: number,
    p: number,
    slab: number,
    address: PhysAddr,
    cpu: number,
  ): BadFreeOutcome {
    count(p, STAT.free_slowpath);
    const index = indexIn(slab, address);
    const live = index >= 0 && link[slabLinks[slab]! + index] === LINK_LIVE;
    if (profile.debug.freeCutsFirst && (live || faithful)) checks.cut(as, slab, address);
    const good = checks.onFree(as, slab, [address], cpu, live);
    if (!live && !faithful) throw badFree(as, address);
    if (good && live) put(as, owner, p, slab, [address]);
    if (!good || live) return BAD_FREE.DONE;
    const first = slabCounters[slab]! & COUNTERS_FREE;
    checks.linkChain(as, slab, [address], checks.facts(slab).free);
    strays.push(slab, address, first);
    return BAD_FREE.DONE;
  }

  function freeGroup(id: number, p: number, slab: number, chain: readonly PhysAddr[], cpu: number): void {
    count(p, STAT.free_slowpath);
    if (profile.debug.freeCutsFirst || chain.length > 1) checks.linkChain(id, slab, chain, 0);
    if (checks.onFree(id, slab, chain, cpu, true)) put(id, id, p, slab, chain);
  }

  /** Puts live objects on their slab's list. A slab that was full does not count itself among the partial ones of its node. */
  function put(as: number, owner: number, p: number, slab: number, chain: readonly PhysAddr[]): void {
    const c = owner * CACHE_WORDS;
    const counters = slabCounters[slab]!;
    const prior = counters & COUNTERS_FREE;
    checks.linkChain(as, slab, chain, checks.facts(slab).free);
    const indexes = chain.map((address) => indexIn(slab, address));
    indexes.forEach((index, i) => {
      link[slabLinks[slab]! + index] = i + 1 < indexes.length ? indexes[i + 1]! + 1 : prior;
    });
    const used = countersInUse(counters) - chain.length;
    slabCounters[slab] = packCounters(indexes[0]! + 1, used, counters & COUNTERS_FROZEN);
    // A disabled slab is nobody's, whatever comes back to it.
    if (counters & COUNTERS_FROZEN) return disable(slab);
    const wasFull = prior === LINK_END;
    const discardIt = used === 0 && cache[c + C_NR_PARTIAL]! >= cache[c + C_MIN_PARTIAL]!;
    if (wasFull) unlistFull(c, slab);
    if (wasFull && !discardIt) {
      count(p, STAT.free_add_partial);
      listLast(c, slab);
    }
    if (!wasFull && discardIt) {
      count(p, STAT.free_remove_partial);
      unlist(c, slab);
    }
    if (!discardIt) return;
    count(p, STAT.free_slab);
    options.discard(c, slab);
  }

  // ---- looking at a whole cache ------------------------------------------------------------------------------------

  function slabsOf(id: number): number[] {
    const slabs: number[] = [];
    for (let slab = 1; slab <= ledger.header[H_SLAB_HIGH]!; slab++)
      if (slabCache[slab] === id) slabs.push(slab);
    return slabs;
  }

  function partialSlabs(id: number): number[] {
    const slabs: number[] = [];
    for (let slab = cache[id * CACHE_WORDS + C_PARTIAL_HEAD]!; slab !== 0; slab = slabNext[slab]!)
      slabs.push(slab);
    return slabs;
  }

  /** The kernel keeps a list of full slabs only where it tracks users; it knows no others. */
  function validate(id: number): number {
    const partial = partialSlabs(id);
    for (const slab of partial) checks.validate(id, slab, true);
    if (!(cache[id * CACHE_WORDS + C_FLAGS]! & SLAB.STORE_USER)) return partial.length;
    const full = slabsOf(id).filter((slab) => {
      return !partial.includes(slab) && (slabCounters[slab]! & COUNTERS_FROZEN) === 0;
    });
    for (const slab of full) checks.validate(id, slab, false);
    const count = partial.length + full.length;
    const known = cache[id * CACHE_WORDS + C_NR_SLABS]!;
    if (count !== known)
      log.add(`SLUB: ${cacheName(ledger, id)} ${count} slabs counted but counter=${known}`);
    return count;
  }

  function reportRemaining(id: number): void {
    for (const slab of partialSlabs(id)) {
      if (countersInUse(slabCounters[slab]!) === 0) continue;
      report.remaining(id, checks.layout(id), checks.facts(slab, true), checks.inUseObjects(id, slab));
    }
  }

  function lostIn(slab: number): number {
    let count = 0;
    for (let i = 0; i < objectsOf(slab); i++) if (link[slabLinks[slab]! + i] === LINK_LOST) count++;
    return count;
  }

  function dropLost(id: number): void {
    const partial = new Set(partialSlabs(id));
    for (const slab of slabsOf(id)) {
      const free = objectsOf(slab) - countersInUse(slabCounters[slab]!);
      if (lostIn(slab) + free !== objectsOf(slab)) continue;
      if (partial.has(slab)) unlist(id * CACHE_WORDS, slab);
      else if ((slabCounters[slab]! & COUNTERS_FROZEN) === 0) unlistFull(id * CACHE_WORDS, slab);
      options.discard(id * CACHE_WORDS, slab);
    }
  }

  return {
    alloc,
    free,
    freeGroup,
    validate,
    reportRemaining,
    reportLeak: (id) => report.leak(id),
    dropLost,
    useWhole: (id, address) => checks.useWhole(id, address),
    lost: (id) => slabsOf(id).reduce((sum, slab) => sum + lostIn(slab), 0),
  };
}
