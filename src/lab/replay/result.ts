/**
 * # What a replay found
 *
 * One object, all of it data: it can be written as JSON, and two of them can be held against each other.
 *
 *  - bytes over time, with the peak (measure.ts);
 *  - each cache at its end and at its peak, and how full its slabs are. A slab with few live objects holds memory that nobody
 *    can have: *recoverable* is what would be left over if the live objects of each cache lay side by side;
 *  - who pins those slabs (pins.ts);
 *  - each zone; what failed, and what fell back to a smaller order;
 *  - what was not understood of the trace, and what was assumed instead.
 */
import { formatCount } from '../../base/index.js';
import { CLASS_KIND, type ClassCache, lostWords, type Trace } from '../../trace/index.js';
import type { BuiltMachine, ReplayCache } from './build.js';
import type { Stock } from './history.js';
import { OTHER_PAGES, type Peak, REQUESTED, type Series } from './measure.js';
import { findPins, type Pin } from './pins.js';
import type { MachinePlan } from './plan.js';
import type { Estimate } from './population.js';
import type { RunCounts, RunState } from './run.js';
import { type Fullness, fullnessOf, type SlabState, slabsByCache, sumOfSlabs } from './slab-states.js';

export type { Fullness } from './slab-states.js';

/** A cache at the end of a replay, and at its peak. Bytes, but for what counts objects or slabs. */
export interface CacheResult {
  readonly name: string;
  /** All names that lead to it. */
  readonly names: readonly string[];
  /** Bytes from one object to the next, objects and order of a slab. */
  readonly size: number;
  readonly objectsPerSlab: number;
  readonly order: number;
  readonly slabs: number;
  readonly peakSlabs: number;
  /** Bytes of its slabs now; at the peak as many slabs of its preferred order. */
  readonly bytes: number;
  readonly peakBytes: number;
  readonly live: number;
  /** Objects that its slabs have room for. */
  readonly objects: number;
  readonly fullness: Fullness;
  /** Bytes of slabs that would be left over if its live objects lay side by side; and of those that hold none. */
  readonly recoverable: number;
  readonly emptyBytes: number;
  /** In the trace. */
  readonly allocs: number;
  readonly frees: number;
  readonly allocsPerSecond: number;
  /** Slabs ever made; slabs of a smaller order than preferred; allocations that found no memory. */
  readonly slabsMade: number;
  readonly orderFallbacks: number;
  readonly failed: number;
}

/** A zone at the end of a replay. */
export interface ZoneResult {
  readonly name: string;
  /** Bytes. */
  readonly managed: number;
  readonly taken: number;
  readonly peakTaken: number;
}

/** What a replay came to. Bytes and rows of the trace. */
export interface ReplayResult {
  /** The what-if's settings; none for the machine as it was recorded. */
  readonly settings: readonly string[];
  readonly machine: {
    readonly kernel: string;
    readonly allocator: 'slub' | 'slab';
    readonly cpus: number;
    /** Bytes. */
    readonly pageSize: number;
    readonly memory: number;
    /** Where the machine and its caches come from. */
    readonly source: string;
  };
  readonly rows: number;
  /** From the first to the last event. */
  readonly seconds: number;
  readonly counts: RunCounts;
  readonly peak: Peak;
  readonly end: {
    /** Bytes of pages that hold objects, what was asked for of those, and pages of others. */
    readonly bytes: number;
    readonly requested: number;
    readonly others: number;
    readonly live: number;
    readonly objects: number;
  };
  readonly recoverable: number;
  readonly emptyBytes: number;
  readonly fullness: Fullness;
  readonly orderFallbacks: number;
  readonly failed: number;
  /** Those that hold most at their peak first; without those that never had a slab. */
  readonly caches: readonly CacheResult[];
  readonly zones: readonly ZoneResult[];
  readonly pins: readonly Pin[];
  readonly series: Series;
  /** What the machine would have printed. */
  readonly log: readonly string[];
  /** What was changed or assumed when the machine was made: a sentence each. */
  readonly notes: readonly string[];
  /** What of the trace was not understood, and what was taken instead: a sentence each. */
  readonly notUnderstood: readonly string[];
}

/** A finished run, and what it was made from. */
export interface ResultOptions {
  readonly trace: Trace;
  readonly plan: MachinePlan;
  readonly names: readonly ClassCache[];
  readonly estimate: Estimate;
  readonly built: BuiltMachine;
  readonly stock: Stock;
  readonly state: RunState;
  readonly settings: readonly string[];
}

/** Lines of the machine's log that a result keeps. */
const LOG_LINES_MAX = 200;

/** Sums a finished run up. */
export function resultOf(options: ResultOptions): ReplayResult {
  const { trace, plan, built, state, settings } = options;
  const { machine } = built;
  const { pageSize } = machine.kernel;
  const { measure, counts } = state;
  const seconds = Math.max(trace.report.lastTime - trace.report.firstTime, 0) / 1e9;
  const slabs = slabsByCache(machine);
  const rates = ratesByCache(options);
  const caches = built.caches
    .map((made) =>
      cacheResult(made, slabs.get(made.cache.id) ?? [], rates.get(made.cache.id), measure.peakSlabs, {
        pageSize,
        seconds,
      }),
    )
    .filter(({ slabsMade }) => slabsMade > 0)
    .sort((a, b) => b.peakBytes - a.peakBytes);
  const sum = (value: (cache: CacheResult) => number) =>
    caches.reduce((total, cache) => total + value(cache), 0);
  const zones = machine.zones().map(({ name, managed, free, peakTaken }) => ({
    name,
    managed: managed * pageSize,
    taken: (managed - free) * pageSize,
    peakTaken: peakTaken * pageSize,
  }));
  const taken = zones.reduce((total, zone) => total + zone.taken, 0);
  const others = measure.sums[OTHER_PAGES]! * pageSize;
  return {
    settings,
    machine: {
      kernel: machine.kernel.name,
      allocator: machine.boot.allocator,
      cpus: machine.cpus,
      pageSize,
      memory: zones.reduce((total, { managed }) => total + managed, 0),
      source: plan.source,
    },
    rows: state.rows,
    seconds,
    counts,
    peak: measure.peak,
    end: {
      bytes: taken - others,
      requested: measure.sums[REQUESTED]!,
      others,
      live: sum(({ live }) => live),
      objects: sum(({ objects }) => objects),
    },
    recoverable: sum(({ recoverable }) => recoverable),
    emptyBytes: sum(({ emptyBytes }) => emptyBytes),
    fullness: fullnessOf([...slabs.values()].flat()),
    orderFallbacks: sum(({ orderFallbacks }) => orderFallbacks),
    failed: counts.failed + counts.failedPages,
    caches,
    zones,
    pins: findPins(options),
    series: measure.series,
    log: machine.log.lines.slice(0, LOG_LINES_MAX),
    notes: built.notes,
    notUnderstood: notUnderstood(options),
  };
}

// ---- caches --------------------------------------------------------------------------------------------------------------

interface Rates {
  readonly allocs: number;
  readonly frees: number;
}

function ratesByCache({ trace, built }: ResultOptions): Map<number, Rates> {
  const rates = new Map<number, Rates>();
  trace.classes.forEach(({ allocs, frees }, id) => {
    const route = built.routes[id]!;
    if (route.to !== 'cache') return;
    const cache = route.cache.cache.id;
    const had = rates.get(cache) ?? { allocs: 0, frees: 0 };
    rates.set(cache, { allocs: had.allocs + allocs, frees: had.frees + frees });
  });
  return rates;
}

function cacheResult(
  { spec, cache }: ReplayCache,
  slabs: readonly SlabState[],
  { allocs, frees }: Rates = { allocs: 0, frees: 0 },
  peakSlabs: Int32Array,
  { pageSize, seconds }: { readonly pageSize: number; readonly seconds: number },
): CacheResult {
  const { size, oo, slabsMade, orderFallbacks, failed } = cache.info;
  const sums = sumOfSlabs(slabs, oo, pageSize);
  return {
    name: spec.names[0]!,
    names: spec.names,
    size,
    objectsPerSlab: oo.objects,
    order: oo.order,
    slabs: sums.slabs,
    peakSlabs: peakSlabs[cache.id]!,
    bytes: sums.bytes,
    peakBytes: peakSlabs[cache.id]! * pageSize * 2 ** oo.order,
    live: sums.live,
    objects: sums.objects,
    fullness: sums.fullness,
    recoverable: sums.recoverable,
    emptyBytes: sums.emptyBytes,
    allocs,
    frees,
    allocsPerSecond: seconds > 0 ? allocs / seconds : 0,
    slabsMade,
    orderFallbacks,
    failed,
  };
}

// ---- what was not understood ---------------------------------------------------------------------------------------------

function notUnderstood({ trace, names, estimate, state }: ResultOptions): string[] {
  const { objects, lost, pointers } = trace.report;
  const { counts } = state;
  const some = (count: number, one: string, many: string) =>
    count === 1 ? `1 ${one}` : `${formatCount(count)} ${many}`;
  const sentences = [`${estimate.history.source}.`];
  if (lost > 0) sentences.push(lostWords(lost));
  if (pointers === 'hashed')
    sentences.push('Pointers are hashed: which pages are a slab is taken from flags and order of events.');
  if (counts.implied > 0)
    sentences.push(
      `${some(counts.implied, 'object was', 'objects were')} freed without an event: the slot was used again.`,
    );
  const unseen = [
    [counts.fromBefore, 'from before the trace'],
    [counts.ofInferred + counts.inBulk, 'allocated without an event'],
  ] as const;
  const parts = unseen.filter(([count]) => count > 0).map(([count, what]) => `${formatCount(count)} ${what}`);
  const more = parts.length > 0 ? ' more' : '';
  const rest = counts.unknown > 0 ? [`of ${formatCount(counts.unknown)}${more} nothing is known`] : [];
  const told = [...(parts.length > 0 ? [parts.join(', ')] : []), ...rest];
  if (told.length > 0)
    sentences.push(
      `${some(objects.unseen, 'free is', 'frees are')} of objects whose allocation is not in the trace: ${told.join('; ')}.`,
    );
  for (const how of ['choice', 'unnamed'] as const) {
    const classes = trace.classes.filter(
      ({ kind }, id) => kind === CLASS_KIND.CACHE && names[id]!.how === how,
    );
    const allocs = classes.reduce((sum, each) => sum + each.allocs, 0);
    if (allocs === 0) continue;
    const which = [...new Set(classes.map(({ site }) => site))].slice(0, 3).join(', ');
    sentences.push(
      how === 'choice'
        ? `${some(allocs, 'object is', 'objects are')} in one of several caches that fit, and the largest was taken (${which}).`
        : `${some(allocs, 'object is', 'objects are')} in caches that are not known by name (${which}).`,
    );
  }
  return sentences;
}
