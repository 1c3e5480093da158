/**
 * A bulk free in SLUB (slub.ts, step h): all are looked at, and then they go in groups of one slab (bulk-free.ts).
 */
import type { PhysAddr } from '../../base/index.js';
import { CPU_WORDS, LINK_LIVE, P_OWN, P_SLAB, type PhysicalMemory } from '../../machine/index.js';
import { createEachGroup, firstBad, firstNot, type ObjectAddresses } from '../slabs/index.js';
import type { SlabFrees } from './slab-frees.js';

/** Frees of many objects at once. */
export interface BulkFree {
  /** Frees all of them or, outside the faithful mode, throws BadFreeError and frees none. For a CPU that there is. */
  freeBulk(cache: number, objects: PhysAddr[], cpu: number): void;
  /**
   * Frees objects of one slab, by their indices, the first to be handed out again first. Each is there once, and the links of all of them
   * hold `was`, which is overwritten; the slab begins at `frame`. Not for a debugged cache. Returns -1; or, where another CPU freed one of
   * them since that was looked at, its index, and nothing was freed.
   */
  freeIndices(
    cache: number,
    cpu: number,
    slab: number,
    frame: number,
    was: number,
    indices: Int32Array,
    count: number,
  ): number;
}

/** What a bulk free needs of the rest of SLUB; there it says what each does. */
interface BulkFreeOptions extends SlabFrees {
  readonly faithful: boolean;
  concurrent(): boolean;
  free(id: number, address: PhysAddr, cpu: number): void;
  /** Counts a free to the CPU's own list. */
  countOwn(p: number): void;
  isDebug(id: number): boolean;
  freeGroupDebug(id: number, p: number, slab: number, chain: readonly PhysAddr[]): void;
}

export function createBulkFree(
  memory: PhysicalMemory,
  addresses: ObjectAddresses,
  options: BulkFreeOptions,
): BulkFree {
  const { ledger, locks } = memory;
  const { faithful, concurrent, takeForFree, isStill, letGo, freeToSlab, free, countOwn } = options;
  const { isDebug, freeGroupDebug } = options;
  const { slabAt, indexIn, badFree } = addresses;
  const { cpuCache, slabCounters, slabCache, slabFrame, slabLinks, link } = ledger;
  const cacheRows = ledger.shape.caches + 1;
  const eachGroup = createEachGroup(slabAt);
  /** Indices of a group that is freed: scratch. */
  let going = new Int32Array(64);

  function freeBulk(id: number, objects: PhysAddr[], cpu: number): void {
    const bad = firstBad(ledger, addresses, id, objects, concurrent());
    if (bad !== undefined && !faithful) throw badFree(id, bad);
    if (bad === undefined) return freeKnown(id, objects, cpu);
    // What happens to a bad one is told where it is freed alone.
    for (let i = objects.length - 1; i >= 0; i--) free(id, objects[i]!, cpu);
  }

  function freeKnown(id: number, objects: PhysAddr[], cpu: number): void {
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    eachGroup(objects, (slab, from, to) => freeGroup(id, p, slab, objects, from, to));
  }

  function freeGroup(
    id: number,
    p: number,
    slab: number,
    objects: readonly PhysAddr[],
    from: number,
    to: number,
  ): void {
    if (isDebug(id)) return freeGroupDebug(id, p, slab, objects.slice(from, to).reverse());
    if (going.length < to - from) going = new Int32Array(2 * (to - from));
    const frame = slabFrame[slab]!;
    for (let i = from; i < to; i++) {
      const index = slabCache[slab] === id ? indexIn(slab, objects[i]!) : -1;
      // All were looked at; among several CPUs one may be gone by now, and its slab with it.
      if (index < 0) throw badFree(id, objects[i]!);
      going[to - 1 - i] = index;
    }
    const bad = freeOnLine(id, p, slab, frame, LINK_LIVE, going, to - from);
    if (bad >= 0)
      throw badFree(id, objects.slice(from, to).findLast((_, i) => going[to - from - 1 - i] === bad)!);
  }

  function freeOnLine(
    id: number,
    p: number,
    slab: number,
    frame: number,
    was: number,
    indices: Int32Array,
    freed: number,
  ): number {
    const head = indices[0]! + 1;
    const own = slab === cpuCache[p + P_SLAB];
    const among = !own && concurrent();
    const counters = among ? takeForFree(id, p, slab, freed) : slabCounters[slab]!;
    const links = slabLinks[slab]!;
    if (among) {
      // Between a check of all of them and the slab's lock, another CPU may have freed one, and the slab may be gone.
      const still = isStill(id, slab, counters, freed) && slabFrame[slab] === frame;
      const bad = still ? firstNot(was, ledger, slab, indices, freed) : indices[0]!;
      if (bad >= 0) {
        letGo(id, slab, counters, freed);
        return bad;
      }
      locks.noteChain(head, was);
    }
    let at = links + head - 1;
    for (let i = 1; i < freed; i++) {
      link[at] = indices[i]! + 1;
      at = links + indices[i]!;
    }
    if (!own) freeToSlab(id, p, slab, counters, head, at, freed);
    else {
      link[at] = cpuCache[p + P_OWN]!;
      cpuCache[p + P_OWN] = head;
      countOwn(p);
    }
    return -1;
  }

  return {
    freeBulk,
    freeIndices: (id, cpu, slab, frame, was, indices, freed) =>
      freeOnLine(id, (cpu * cacheRows + id) * CPU_WORDS, slab, frame, was, indices, freed),
  };
}
