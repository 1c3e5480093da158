/**
 * # What was there before the trace
 *
 * A trace begins somewhere: caches have slabs already, full and half-full, and the first frees are of objects that nobody saw allocated. A
 * history says how a machine gets there: for each cache some allocations and frees before the first event, the same whatever the
 * what-if, for another layout holds the same objects otherwise.
 *
 *     full        objects allocated in a row on CPU 0: what sits in slabs that nothing moves any more
 *     onCpu[k]    then, on CPU k, objects allocated in a row and the last few of them freed again, the last one first: what CPU k
 *                 has left of its slabs, in the order in which new slabs hand out
 *     holes       then objects of the full part freed, evenly spread over so many stretches: what lies free in slabs of the node
 *
 * And something may have been allocated or freed while the trace was going on, without an event (in bulk, or while the events were switched
 * off for a moment): `inferred` says in front of which rows (unseen.ts).
 *
 * Where the numbers come from: population.ts. They are reported, with their source; a replay without a history says that it has none.
 */
import { type Gfp, NO_PFN, type Pfn, type PhysAddr } from '../../base/index.js';
import { GFP } from '../../machine/index.js';
import { type KmemCache, type Machine, SLAB_DEBUG_FLAGS } from '../../slab/index.js';
import type { BuiltMachine } from './build.js';
import { NumberStack } from './number-stack.js';
import type { ReplayCache } from './plan-caches.js';

/** What a cache had in front of the trace: objects, by where they were. */
export interface CacheHistory {
  /** The cache, by a name of the plan. */
  readonly name: string;
  readonly full: number;
  readonly onCpu: readonly { readonly cpu: number; readonly allocated: number; readonly freed: number }[];
  readonly holes: number;
  /** Stretches of the full part that have holes; 0 without any. */
  readonly holeStretches: number;
  /** Where these numbers are from, for people. */
  readonly why: string;
}

/** Objects that were allocated without an event, or freed: then their number is negative. */
export interface Inferred {
  /** In front of this row at the latest. */
  readonly row: number;
  /** The cache, by a name of the plan. */
  readonly cache: string;
  readonly cpu: number;
  readonly objects: number;
}

/** What a machine had in front of the trace. */
export interface History {
  readonly caches: readonly CacheHistory[];
  /** By row. */
  readonly inferred: readonly Inferred[];
  /** Pages that were taken by others than slabs, by zone; they stay, but for those that the trace frees one by one. */
  readonly others: readonly { readonly zone: string; readonly pages: number }[];
  /** Blocks of one page among them that the trace frees. */
  readonly otherFrees: number;
  /** One sentence. */
  readonly source: string;
}

/** A machine that begins empty. */
export const NO_HISTORY: History = {
  caches: [],
  inferred: [],
  others: [],
  otherFrees: 0,
  source: 'nothing is known of what was there before the trace: the machine begins empty',
};

/** What a history left behind for the trace to free. */
export interface Stock {
  /** Objects, newest last, by their cache's id. */
  readonly objects: ReadonlyMap<number, NumberStack<PhysAddr>>;
  readonly inferred: readonly Inferred[];
  /** Single pages that are no slab's. */
  readonly pages: NumberStack<Pfn>;
  /** Pages that no slab has, these among them. */
  readonly otherPages: number;
}

/** Lets a machine live through a history. Throws LedgerFullError where its ledger is too small. */
export function liveThrough(history: History, built: BuiltMachine): Stock {
  const objects = new Map<number, NumberStack<PhysAddr>>();
  for (const entry of history.caches) {
    const made = built.find(entry.name);
    if (made === undefined) continue;
    const live = liveThroughCache(entry, made, built.machine);
    const known = objects.get(made.cache.id);
    if (known === undefined) objects.set(made.cache.id, live);
    else known.pushAll(live);
  }
  return {
    objects,
    inferred: history.inferred,
    ...(built.replaysPages
      ? takeOthers(history, built.machine)
      : { pages: new NumberStack<Pfn>(), otherPages: 0 }),
  };
}

const ZONE_GFP: Readonly<Record<string, Gfp>> = { DMA: GFP.DMA, DMA32: GFP.DMA32, Normal: GFP.KERNEL };

/** Pages of others: single ones for the trace to free, the rest in the largest blocks. */
function takeOthers({ others, otherFrees }: History, machine: Machine): Pick<Stock, 'pages' | 'otherPages'> {
  const singles = new NumberStack<Pfn>();
  let otherPages = 0;
  for (const { zone, pages } of others) {
    const gfp = ZONE_GFP[zone];
    if (gfp === undefined) continue;
    let left = pages;
    for (let order = machine.kernel.orders - 1; order >= 0; order--) {
      const keep = order === 0 ? 0 : Math.min(left, otherFrees - singles.length);
      while (left - keep >= 2 ** order) {
        const pfn = machine.allocPages(gfp, order);
        if (pfn === NO_PFN) break;
        left -= 2 ** order;
        otherPages += 2 ** order;
        if (order === 0 && singles.length < otherFrees) singles.push(pfn);
      }
    }
  }
  return { pages: singles, otherPages };
}

function liveThroughCache(
  entry: CacheHistory,
  { cache }: ReplayCache,
  { cpus, kernel }: Machine,
): NumberStack<PhysAddr> {
  const alloc = (objects: NumberStack<PhysAddr>, count: number, cpu: number): void => {
    for (let i = 0; i < count; i++) {
      const address = cache.alloc(undefined, cpu);
      if (address !== 0) objects.push(address);
    }
  };
  const live = new NumberStack<PhysAddr>(entry.full);
  alloc(live, entry.full, 0);
  const full = live.length;
  for (const { cpu, allocated, freed } of entry.onCpu) {
    const before = live.length;
    alloc(live, allocated, cpu % cpus);
    for (let i = Math.min(freed, live.length - before); i > 0; i--) cache.free(live.pop()!, cpu % cpus);
  }
  const { holes, holeStretches } = entry;
  if (holes > 0 && holeStretches > 0) {
    freeEvenly(live, full, holes, holeStretches, (address) => cache.free(address, 0));
    if (kernel.has.cpuSlabs) giveToNode(cache);
  }
  return live;
}

/** The slabs that CPU 0 keeps go to the node; then it goes on with the one that it had. Arrays stay: they hold what was freed last. */
function giveToNode(cache: KmemCache): void {
  const { flags, cpuPartial } = cache.info;
  if (flags & SLAB_DEBUG_FLAGS) return;
  cache.setCpuPartial(cpuPartial, [0]);
  const next = cache.alloc(undefined, 0);
  if (next !== 0) cache.free(next, 0);
}

/** Takes `holes` objects out of the first `full` of a stack, in so many runs of neighbours that lie evenly apart. */
function freeEvenly(
  objects: NumberStack<PhysAddr>,
  full: number,
  holes: number,
  stretches: number,
  free: (address: PhysAddr) => void,
): void {
  const gone = new Uint8Array(objects.length);
  for (const [from, to] of evenRuns(full, holes, stretches)) {
    for (let at = from; at < to; at++) {
      gone[at] = 1;
      free(objects.at(at)!);
    }
  }
  objects.filter((index) => gone[index] === 0);
}

/**
 * So many holes (all there are places for, at most) as runs of neighbours among `full` places, ascending: from, and up to. Each run begins
 * where its stretch does, or behind the run before it where that is longer than its own stretch.
 */
export function* evenRuns(
  full: number,
  holes: number,
  stretches: number,
): IterableIterator<readonly [from: number, to: number]> {
  const total = Math.min(holes, full);
  let end = 0;
  for (let run = 0, done = 0; run < stretches && done < total; run++) {
    const upTo = Math.round((total * (run + 1)) / stretches);
    if (upTo === done) continue;
    const from = Math.max(Math.floor((full * run) / stretches), end);
    end = from + upTo - done;
    done = upTo;
    yield [from, end];
  }
}
