/**
 * # What came and went without an event
 *
 * Three kinds of objects are freed or allocated while no event says so:
 *
 *  1. objects of before the trace, of which a free is seen: the newest that is left of the history is freed;
 *  2. objects whose allocation was not seen although it lies within the trace (in bulk, or while events were switched off), of which a free
 *     is seen: one that was inferred is freed, or else an object is allocated and freed at once, so that slabs and lists go through
 *     what they went through;
 *  3. objects of which neither is seen. They show in the slabs alone.
 *
 * The last are found in a run over the recorded machine, by one rule: *a cache takes a slab exactly when it has no free object left.* In
 * front of each allocation it is known whether the recorded kernel took a slab for it (GREW, trace.ts), and whether the replay would:
 *
 *     recorded    replay has free objects
 *     took one    yes     those had been allocated without an event: allocate them, up to a slab's worth, until there are none
 *     took none   no      one of those had been freed without an event: free one
 *
 * With SLAB there is another reason for the first: its reaper gives back slabs that are wholly free, by a clock of its own. Only free
 * objects beside live ones count.
 *
 * What is found is a list of rows (history.ts), which every what-if repeats.
 */
import type { PhysAddr } from '../../base/index.js';
import {
  C_FREE_HEAD,
  C_NR_SLABS,
  C_PARTIAL_HEAD,
  C_SHARED_AVAIL,
  CACHE_WORDS,
  COUNTERS_FREE,
  CPU_WORDS,
  H_SLAB_HIGH,
  LINK_LIVE,
  P_AVAIL,
  P_OWN,
  P_PARTIAL,
  P_SLAB,
  shapeObjects,
} from '../../machine/index.js';
import type { KmemCache, Machine } from '../../slab/index.js';
import type { BuiltMachine } from './build.js';
import type { Inferred, Stock } from './history.js';
import { NumberStack } from './number-stack.js';

/** What became of frees whose allocation is not in the trace, and of objects that were inferred. */
export interface UnseenCounts {
  /** Objects that were inferred to be allocated, and to be freed. */
  inferred: number;
  inferredFrees: number;
  /** Frees whose allocation is not in the trace: of objects from before, of inferred ones, of others. */
  fromBefore: number;
  ofInferred: number;
  inBulk: number;
}

interface Unseen {
  readonly counts: UnseenCounts;
  /** A free whose allocation was not seen. `again`: its pointer was seen before, so that it is not from before the trace. */
  free(cache: KmemCache, again: boolean, cpu: number): void;
  /** Makes what was inferred for the rows up to this one happen. Returns the next row for which there is something. */
  repeat(row: number): number;
  /** In front of an allocation: what must have happened that the recorded kernel took a slab for it, or took none. */
  infer(cache: KmemCache, row: number, cpu: number, tookSlab: boolean): void;
  /** What is left of the stock is part of it. */
  save(): UnseenSave;
  /** Returns the next row for which there is something to repeat. */
  restore(save: UnseenSave): number;
}

/** Objects and pages that no slot names: of before the trace, and inferred ones. */
export interface UnseenSave {
  readonly counts: Readonly<UnseenCounts>;
  readonly next: number;
  readonly held: ReadonlyMap<number, NumberStack<PhysAddr>>;
  /** Of the stock only what comes last ever goes, so that it is how many there were. */
  readonly stockObjects: ReadonlyMap<number, number>;
  readonly stockPages: number;
}

interface UnseenOptions {
  readonly built: BuiltMachine;
  readonly stock: Stock;
  /** Called with what `infer` finds. */
  readonly found?: ((inferred: Inferred) => void) | undefined;
  /** An object of before is no more: bytes that it was asked for with. */
  readonly forgotten: (bytes: number) => void;
  /** A cache's slabs may have come or gone. */
  readonly changed: (cache: KmemCache) => void;
}

export function createUnseen({ built, stock, found, changed, forgotten }: UnseenOptions): Unseen {
  const { machine } = built;
  const { cache: cacheWords } = machine.ledger;
  const { cpus } = machine;
  const hasFree = freeObjectsOf(machine);
  /** Inferred objects that are live, by cache. */
  const held = new Map<number, NumberStack<PhysAddr>>();
  const counts: UnseenCounts = { inferred: 0, inferredFrees: 0, fromBefore: 0, ofInferred: 0, inBulk: 0 };
  let next = 0;
  /** The stock at the first save: later ones are beginnings of it. */
  let full: Pick<Stock, 'objects' | 'pages'> | undefined;

  function hold(cache: KmemCache, address: PhysAddr): void {
    if (address === 0) return;
    counts.inferred++;
    let objects = held.get(cache.id);
    if (objects === undefined) {
      objects = new NumberStack();
      held.set(cache.id, objects);
    }
    objects.push(address);
  }

  function free(cache: KmemCache, again: boolean, cpu: number): void {
    const before = again ? undefined : stock.objects.get(cache.id)?.pop();
    const inferred = before ?? held.get(cache.id)?.pop();
    if (before !== undefined) {
      counts.fromBefore++;
      forgotten(cache.info.objectSize);
    } else if (inferred !== undefined) counts.ofInferred++;
    else counts.inBulk++;
    const address = inferred ?? cache.alloc(undefined, cpu);
    if (address !== 0) cache.free(address, cpu);
    changed(cache);
  }

  /** Frees an inferred object, if there is one. */
  function freeInferred(cache: KmemCache, cpu: number): boolean {
    const address = held.get(cache.id)?.pop();
    if (address === undefined) return false;
    counts.inferredFrees++;
    cache.free(address, cpu);
    return true;
  }

  function repeat(row: number): number {
    for (; next < stock.inferred.length && stock.inferred[next]!.row <= row; next++) {
      const { cache: name, cpu, objects } = stock.inferred[next]!;
      const cache = built.find(name)?.cache;
      if (cache === undefined) continue;
      const on = cpu % cpus;
      for (let i = 0; i < objects; i++) hold(cache, cache.alloc(undefined, on));
      for (let i = 0; i > objects; i--) freeInferred(cache, on);
      changed(cache);
    }
    return stock.inferred[next]?.row ?? Number.POSITIVE_INFINITY;
  }

  function infer(cache: KmemCache, row: number, cpu: number, tookSlab: boolean): void {
    if (hasFree(cache.id, cpu) !== tookSlab) return;
    if (tookSlab && machine.kernel.has.reaper && !hasFreeBesideLive(machine, cache.id)) return;
    if (!tookSlab) {
      if (freeInferred(cache, cpu)) found?.({ row, cache: cache.name, cpu, objects: -1 });
      changed(cache);
      return;
    }
    const at = cache.id * CACHE_WORDS + C_NR_SLABS;
    const slabs = cacheWords[at]!;
    const most = cache.info.oo.objects;
    const objects: PhysAddr[] = [];
    while (objects.length < most && hasFree(cache.id, cpu)) objects.push(cache.alloc(undefined, cpu));
    if (hasFree(cache.id, cpu) || cacheWords[at] !== slabs) {
      // More than a slab's worth: the replay is elsewhere, and this explains nothing.
      for (const address of objects.reverse()) cache.free(address, cpu);
    } else {
      for (const address of objects) hold(cache, address);
      found?.({ row, cache: cache.name, cpu, objects: objects.length });
    }
    changed(cache);
  }

  function save(): UnseenSave {
    full ??= { objects: copied(stock.objects), pages: stock.pages.copy() };
    const lengths = [...stock.objects].map(([id, objects]) => [id, objects.length] as const);
    return {
      counts: { ...counts },
      next,
      held: copied(held),
      stockObjects: new Map(lengths),
      stockPages: stock.pages.length,
    };
  }

  function restore(given: UnseenSave): number {
    Object.assign(counts, given.counts);
    next = given.next;
    held.clear();
    for (const [id, objects] of given.held) held.set(id, objects.copy());
    for (const [id, objects] of stock.objects)
      objects.becomeStartOf(full!.objects.get(id)!, given.stockObjects.get(id)!);
    stock.pages.becomeStartOf(full!.pages, given.stockPages);
    return stock.inferred[next]?.row ?? Number.POSITIVE_INFINITY;
  }

  return { counts, free, repeat, infer, save, restore };
}

function copied(lists: ReadonlyMap<number, NumberStack<PhysAddr>>): Map<number, NumberStack<PhysAddr>> {
  return new Map([...lists].map(([id, objects]) => [id, objects.copy()]));
}

/** Whether an allocation of a cache on a CPU finds an object without taking a slab. */
function freeObjectsOf({ ledger, kernel }: Machine): (cache: number, cpu: number) => boolean {
  const { cache, cpuCache, slabCounters } = ledger;
  const rows = ledger.shape.caches + 1;
  if (kernel.has.cpuArrays) {
    return (id, cpu) => {
      const c = id * CACHE_WORDS;
      if (cpuCache[(cpu * rows + id) * CPU_WORDS + P_AVAIL] !== 0) return true;
      return (
        cache[c + C_SHARED_AVAIL] !== 0 || cache[c + C_PARTIAL_HEAD] !== 0 || cache[c + C_FREE_HEAD] !== 0
      );
    };
  }
  return (id, cpu) => {
    const p = (cpu * rows + id) * CPU_WORDS;
    if (cpuCache[p + P_OWN] !== 0 || cpuCache[p + P_PARTIAL] !== 0) return true;
    const active = cpuCache[p + P_SLAB]!;
    if (active !== 0 && (slabCounters[active]! & COUNTERS_FREE) !== 0) return true;
    return cache[id * CACHE_WORDS + C_PARTIAL_HEAD] !== 0;
  };
}

/** Whether a slab of a cache has both live and free objects. */
function hasFreeBesideLive({ ledger }: Machine, id: number): boolean {
  const { slabCache, slabLinks, slabShape, link } = ledger;
  for (let slab = 1; slab <= ledger.header[H_SLAB_HIGH]!; slab++) {
    if (slabCache[slab] !== id) continue;
    const objects = shapeObjects(slabShape[slab]!);
    let live = 0;
    for (let i = 0; i < objects; i++) if (link[slabLinks[slab]! + i] === LINK_LIVE) live++;
    if (live > 0 && live < objects) return true;
  }
  return false;
}
