/**
 * # How near is a replay to what really happened?
 *
 * A trace that comes with snapshots says it: at each of them the recorded kernel told how many slabs and objects every cache had, and the
 * replay has its own numbers at the same row.
 *
 *     marker          SNAP 02-work-done begin ─────────────────── SNAP 02-work-done end
 *     rows            … 231669                                     231764 …
 *     recorded        somewhere in between: dentry 346 slabs
 *     replayed        346                                          346            error 0
 *
 * The recorder reads its files while the machine runs, and opening them allocates: what was recorded is right if it lies between what
 * the replay has at both ends, and its error is its distance from the nearer end. Errors are relative to what was recorded.
 *
 * At the snapshot from which the population before the trace was estimated (population.ts) slab counts agree by construction, as far as
 * full slabs explain a difference. Those rows are marked and are no part of the summary.
 *
 * Where no snapshot lies within a trace that the past was not estimated from, its end is held against the one soon behind it. If that would
 * be the only one to correct the past by, it is held back from the estimate (`heldBackOf`).
 *
 * With SLAB a reaper gives free slabs back. When it comes to a cache first hangs on the address of the cache's own structure, up to four
 * seconds, and as its CPU's reaper comes every two seconds there are two cases. Nothing tells which it was, so the replay is run in both:
 * where they differ the row says so (`dependsOnReaper`), and what was recorded is right if it lies between them.
 *
 * slabinfo's `active_objs` of SLUB counts every object of a CPU's slabs as used; the replay counts the same way.
 */
import { largestOf, smallestOf } from '../../base/index.js';
import { C_NEXT_REAP, CACHE_WORDS } from '../../machine/index.js';
import { type Machine, sysfsCounters } from '../../slab/index.js';
import { slabinfoRows } from '../../text/index.js';
import type { ClassCache, Trace } from '../../trace/index.js';
import {
  type MachinePlan,
  placeBehind,
  placeSnapshots,
  type Snapshot,
  type Snapshots,
} from '../evidence/index.js';
import { AS_RECORDED } from '../what-if/index.js';
import { buildMachine } from './build.js';
import { liveThrough } from './history.js';
import type { Estimate } from './population.js';
import { type RunCounts, replayRows } from './run.js';

/** A number of a cache: recorded, and replayed at the snapshot's begin and end. */
export interface Compared {
  readonly recorded: number;
  readonly begin: number;
  readonly end: number;
  /** |distance| / recorded; recorded 0 counts as 1. */
  readonly error: number;
}

/** One cache in one snapshot: what was recorded, and what the replay has there. */
export interface NearnessRow {
  readonly snapshot: string;
  /** Where the snapshot lies; slab counts at the reference agree by construction. */
  readonly at: 'within' | 'reference' | 'after';
  readonly cache: string;
  readonly slabs: Compared;
  /** Whether its slabs would be others had SLAB's reaper come to this cache two seconds later. */
  readonly dependsOnReaper: boolean;
  readonly objects: Compared;
  readonly active: Compared;
  /** Slabs on the node's list, where the snapshot is a full one. */
  readonly partial: Compared | undefined;
}

/** How far off, relative to what was recorded; over `count` rows. */
export interface ErrorSummary {
  readonly count: number;
  readonly median: number;
  readonly p90: number;
  readonly max: number;
}

/** How near a replay comes to what the recorded kernel said. */
export interface Nearness {
  readonly rows: readonly NearnessRow[];
  /** Only caches with so many recorded slabs count below. */
  readonly leastSlabs: number;
  /** Which rows are evidence: those within the trace that are not the reference, or those behind it where there are none. */
  readonly judgedAt: 'within' | 'after';
  /** The first snapshot behind the trace, and how long after its last event it was taken. */
  readonly after: { readonly snapshot: string; readonly seconds: number } | null;
  /** Of the rows that are evidence. */
  readonly slabs: ErrorSummary;
  readonly objects: ErrorSummary;
  readonly active: ErrorSummary;
  /** Of full snapshots, which lie behind the trace. */
  readonly partial: ErrorSummary;
  /** Of the first snapshot behind the trace, if there is one. */
  readonly slabsAfter: ErrorSummary;
  readonly source: string;
  readonly counts: RunCounts;
}

/** What is held against what. */
export interface NearnessOptions {
  readonly trace: Trace;
  readonly plan: MachinePlan;
  readonly names: readonly ClassCache[];
  readonly snapshots: Snapshots;
  readonly estimate: Estimate;
  /** 10 unless told. */
  readonly leastSlabs?: number;
  readonly onProgress?: (rows: number) => void;
}

/** So long behind its last event a trace's end is what a snapshot tells of, in nanoseconds. */
const SOON_NS = 60e9;

/**
 * The snapshot that a replay can be held against where none lies within the trace: the first one behind it, if it was taken soon and
 * another one in front tells of the past. Prepare the replay without it.
 */
export function heldBackOf(trace: Trace, { all }: Snapshots): Snapshot | undefined {
  if (placeSnapshots(trace, all).length > 0) return undefined;
  const behind = placeBehind(trace, all)?.snapshot;
  if (behind === undefined || !isSoon(behind, trace)) return undefined;
  return all.some(({ end }) => end <= trace.report.firstTime) ? behind : undefined;
}

/** Replays a trace as it was recorded and holds it against all snapshots that lie in it. */
export function measureNearness(options: NearnessOptions): Nearness {
  const { trace, plan, names, snapshots, estimate, leastSlabs = 10, onProgress } = options;
  const places = placeSnapshots(trace, snapshots.all);
  const behind = placeBehind(trace, snapshots.all);
  const all = behind === undefined ? places : [...places, behind];
  const stops = all.flatMap(({ beginRow, endRow }) => [beginRow, endRow]);
  const order = [...stops.keys()].sort((a, b) => stops[a]! - stops[b]!);
  const sorted = order.map((stop) => stops[stop]!);
  const replayed = (reapersLater: number) => {
    const seen: Seen[] = [];
    const built = buildMachine({ plan, whatIf: AS_RECORDED, classes: trace.classes, names });
    const stock = liveThrough(estimate.history, built);
    delayReapers(built.machine, reapersLater);
    const onStop = (stop: number) => {
      seen[order[stop]!] = look(built.machine);
    };
    const { counts } = replayRows({ trace, built, stock, stops: sorted, onStop, onProgress });
    built.machine.validate('cheap');
    return { seen, counts };
  };
  const { seen, counts } = replayed(0);
  const later = plan.kernel.has.reaper ? replayed(REAPERS_APART_MS).seen : seen;
  const rows = all.flatMap(({ snapshot }, i) => {
    const at =
      snapshot === estimate.reference ? 'reference' : snapshot === behind?.snapshot ? 'after' : 'within';
    const both = [2 * i, 2 * i + 1] as const;
    return compareSnapshot(
      snapshot,
      at,
      both.map((stop) => seen[stop]!),
      both.map((stop) => later[stop]!),
    );
  });
  const large = rows.filter(({ slabs }) => slabs.recorded >= leastSlabs);
  const isHeldBack = behind !== undefined && behind.snapshot !== estimate.reference;
  const judgedAt =
    isHeldBack && isSoon(behind.snapshot, trace) && large.every(({ at }) => at !== 'within')
      ? 'after'
      : 'within';
  const judged = large.filter(({ at }) => at === judgedAt);
  const after = behind && {
    snapshot: behind.snapshot.name,
    seconds: (behind.snapshot.begin - trace.report.lastTime) / 1e9,
  };
  return {
    rows,
    leastSlabs,
    judgedAt,
    after: after ?? null,
    slabs: summary(judged.map(({ slabs }) => slabs.error)),
    objects: summary(judged.map(({ objects }) => objects.error)),
    active: summary(judged.map(({ active }) => active.error)),
    partial: summary(large.flatMap(({ partial }) => (partial === undefined ? [] : [partial.error]))),
    slabsAfter: summary(large.filter(({ at }) => at === 'after').map(({ slabs }) => slabs.error)),
    source: estimate.history.source,
    counts,
  };
}

function isSoon(behind: Snapshot, { report }: Trace): boolean {
  return behind.begin - report.lastTime <= SOON_NS;
}

/** A CPU's reaper comes so often, and to a cache's node every other time. */
const REAPERS_APART_MS = 2000;

function delayReapers({ ledger }: Machine, milliseconds: number): void {
  for (let id = 1; id <= ledger.shape.caches; id++)
    ledger.cache[id * CACHE_WORDS + C_NEXT_REAP]! += milliseconds;
}

/** A machine's caches at a moment, by name. */
type Seen = ReadonlyMap<
  string,
  { readonly slabs: number; readonly objects: number; readonly active: number; readonly partial: number }
>;

function look(machine: Machine): Seen {
  const { sysfsTree } = machine.kernel.has;
  const caches = new Map(machine.caches().map((cache) => [cache.name, cache]));
  return new Map(
    slabinfoRows(machine).map(({ name, numSlabs, numObjs, activeObjs }) => {
      const partial = sysfsTree ? sysfsCounters(machine, caches.get(name)!).partial : 0;
      return [name, { slabs: numSlabs, objects: numObjs, active: activeObjs, partial }];
    }),
  );
}

const NOTHING = { slabs: 0, objects: 0, active: 0, partial: 0 };

function compareSnapshot(
  { name: snapshot, slabinfo, caches, aliases }: Snapshot,
  at: NearnessRow['at'],
  [begin, end]: readonly Seen[],
  later: readonly Seen[],
): NearnessRow[] {
  return slabinfo.flatMap(({ name, numSlabs, numObjs, activeObjs }) => {
    const first = begin!.get(name) ?? NOTHING;
    const last = end!.get(name) ?? NOTHING;
    const others = later.map((seen) => seen.get(name) ?? NOTHING);
    const among = (of: (cache: typeof NOTHING) => number) => others.map(of);
    if (numSlabs === 0 && first.slabs === 0 && last.slabs === 0) return [];
    const full = caches.get(aliases.get(name) ?? name);
    return [
      {
        snapshot,
        at,
        cache: name,
        slabs: compared(
          numSlabs,
          first.slabs,
          last.slabs,
          among(({ slabs }) => slabs),
        ),
        dependsOnReaper: others[0]!.slabs !== first.slabs || others[1]!.slabs !== last.slabs,
        objects: compared(
          numObjs,
          first.objects,
          last.objects,
          among(({ objects }) => objects),
        ),
        active: compared(
          activeObjs,
          first.active,
          last.active,
          among(({ active }) => active),
        ),
        partial: full && compared(full.partial, first.partial, last.partial),
      },
    ];
  });
}

function compared(recorded: number, begin: number, end: number, others: readonly number[] = []): Compared {
  const low = Math.min(begin, end, smallestOf(others));
  const high = Math.max(begin, end, largestOf(others));
  const distance = Math.max(low - recorded, recorded - high, 0);
  return { recorded, begin, end, error: distance / Math.max(recorded, 1) };
}

function summary(errors: readonly number[]): ErrorSummary {
  const sorted = [...errors].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0;
  return { count: sorted.length, median: at(0.5), p90: at(0.9), max: sorted.at(-1) ?? 0 };
}
