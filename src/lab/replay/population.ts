/**
 * # How much was there before the trace, and what came without an event?
 *
 * Tracing begins in a machine that has been running, even "from boot": some 10,000 objects of kmalloc-64 are older than the first event of
 * a trace that begins with the kernel's first initcalls. What they are is estimated from three things, and nothing else:
 *
 *  1. *Snapshots.* The last one in front of the first event says how many slabs each cache had, and how many objects lay free in slabs of
 *     the node (`total - active` with SLUB). But a snapshot is taken some time before, and a full one makes thousands of objects itself
 *     while it walks through sysfs. So the first one *within* the trace corrects it, or if there is none the first one behind it: what
 *     the recorded cache has there more than the replay, or less, was there before. At this reference slab counts therefore agree by
 *     construction (nearness.ts marks it); everywhere else they are a result.
 *  2. *The first slab that a cache takes.* While it has free objects a cache takes no slab, so when it takes its first one (GREW, trace.ts)
 *     all that was free at the start is in use: as many objects as were allocated in the meantime, less those freed. With a cache that
 *     takes none, that difference at its highest is the least there can have been. Counted for each CPU by itself with SLUB, whose CPUs
 *     have slabs of their own.
 *
 *     kmalloc-64     ─────●────●────●──○──●────●────◆            ● allocated   ○ freed   ◆ allocated, and a slab was taken
 *                    3 free at the start ──────────╯
 *
 *  3. *Every further slab that it takes, or does not.* Where the replay would do otherwise, something was allocated or freed without an
 *     event (unseen.ts). Only where pointers show that a slab was taken.
 *
 * What lay free on the node becomes holes in older slabs; they are used up before a CPU takes a new slab, so they come off what rule 2
 * counted. Without page events there are no rules 2 and 3, and the slabs of before are taken to be full. Without snapshots nothing is
 * known, and a replay begins empty (NO_HISTORY). Objects of before that are freed without a name (kfree) cannot be told to be theirs.
 *
 * Memory that was taken by others than slabs is estimated the same way, by zone: what zoneinfo has more at the reference than the replay.
 */
import { C_NR_SLABS, CACHE_WORDS } from '../../machine/index.js';
import { CLASS_KIND, type ClassCache, GREW, OP, OP_MASK, OVER, type Trace } from '../../trace/index.js';
import {
  type CacheSpec,
  firstEventTime,
  type MachinePlan,
  pagesLeftOut,
  placeBehind,
  placeSnapshots,
  rowNamed,
  type Snapshot,
  type SnapshotPlace,
  type Snapshots,
} from '../evidence/index.js';
import { AS_RECORDED } from '../what-if/index.js';
import { type BuiltMachine, buildMachine } from './build.js';
import { type CacheHistory, type History, type Inferred, liveThrough, NO_HISTORY } from './history.js';
import { replayRows } from './run.js';

/** Free objects that each CPU had at the start, and how that is known. */
interface StartFree {
  readonly byCpu: readonly number[];
  /** Whether a slab was taken, so that the numbers are exact and not the least possible. */
  readonly exact: boolean;
}

/** What a machine is thought to have had in front of the trace, and what that was fitted to. */
export interface Estimate {
  readonly history: History;
  /** The snapshot where slab counts agree by construction, if there was one. */
  readonly reference: Snapshot | undefined;
}

/** What an estimate is made from. */
interface EstimateOptions {
  readonly trace: Trace;
  readonly plan: MachinePlan;
  /** The caches of the trace's classes. */
  readonly names: readonly ClassCache[];
  readonly snapshots: Snapshots | undefined;
  /** A snapshot that is not to be used. */
  readonly heldBack?: Snapshot | undefined;
  readonly onProgress?: (rows: number) => void;
}

/** Estimates what was there before the trace. Goes through it up to four times, three of them in machines as it was recorded. */
export function estimateHistory(options: EstimateOptions): Estimate {
  const { trace, plan, snapshots, heldBack } = options;
  if (snapshots === undefined) return { history: NO_HISTORY, reference: undefined };
  const start = firstEventTime(trace);
  const usable = snapshots.all.filter((snapshot) => snapshot !== heldBack);
  const before = usable.findLast((snapshot) => snapshot.end <= start);
  const within = placeSnapshots(trace, usable)[0] ?? placeBehind(trace, usable);
  const free = freeAtStart(trace, plan, options.names);
  const first = plan.caches.map((spec) => atStart(spec, free.get(spec.name)!, before, within !== undefined));
  let caches = first;
  // What is freed of before is only found where something of before is, so a correction changes what it is made from.
  for (let round = 0; within !== undefined && round < CORRECTIONS; round++) {
    const { slabs } = replayOnce(options, { ...NO_HISTORY, caches }, within, within.endRow);
    caches = caches.map((entry, i) => {
      const spec = plan.caches[i]!;
      return corrected(entry, spec, within.snapshot, slabs(spec.name));
    });
  }
  const reached = replayOnce(options, { ...NO_HISTORY, caches }, within, trace.rows);
  const some = caches.filter(({ full, onCpu }) => full > 0 || onCpu.length > 0);
  const sources = [before, within?.snapshot].flatMap((snapshot) => (snapshot ? [snapshot.name] : []));
  const inferred = reached.inferred.reduce((sum, { objects }) => sum + Math.abs(objects), 0);
  const reference = within?.snapshot ?? before;
  const history: History = {
    caches: some,
    inferred: reached.inferred,
    others: reference === undefined ? [] : othersAt(reference, reached.taken),
    otherFrees: trace.report.pages.unseen,
    source:
      `${some.length} caches had objects before the trace, by snapshot ${sources.join(' and ')}; ` +
      `${inferred} objects were allocated or freed without an event`,
  };
  return { history, reference };
}

/** How often the slab counts of the start are corrected by the snapshot within. */
const CORRECTIONS = 2;

// ---- at the start --------------------------------------------------------------------------------------------------------

/** Rules 1 and 2: a cache as the snapshot in front of the trace has it, with what its CPUs had free. */
function atStart(
  spec: CacheSpec,
  free: StartFree,
  before: Snapshot | undefined,
  isCorrected: boolean,
): CacheHistory {
  const { objects } = spec.layout.oo;
  const row = before && rowNamed(before, spec.names);
  const slabs = row?.numSlabs ?? 0;
  const onNode = row === undefined ? 0 : Math.max(row.numObjs - row.activeObjs, 0);
  // A correction can add slabs later.
  const onCpu = cpuParts(objects, free, onNode, isCorrected ? Number.POSITIVE_INFINITY : slabs);
  const onCpus = onCpu.reduce((sum, { allocated }) => sum + allocated, 0);
  const full = Math.max(slabs * objects - onCpus, 0);
  const holes = Math.min(onNode, full);
  const stretches = before?.caches.get(spec.name)?.partial ?? Math.ceil((2 * holes) / objects);
  const freed = onCpu.reduce((sum, part) => sum + part.freed, 0);
  const how = free.exact ? 'by the first slab that it took' : 'at least, for it took no slab';
  const why = [
    ...(row !== undefined && before !== undefined ? [`${slabs} slabs in snapshot ${before.name}`] : []),
    ...(freed > 0 ? [`${freed} free on CPUs, ${how}`] : []),
  ].join('; ');
  return { name: spec.name, full, onCpu, holes, holeStretches: holes > 0 ? Math.max(stretches, 1) : 0, why };
}

/** What each CPU had, when free objects on the node are used up first. */
function cpuParts(
  objects: number,
  { byCpu }: StartFree,
  onNode: number,
  slabs: number,
): CacheHistory['onCpu'] {
  let nodeLeft = onNode;
  let slabsLeft = slabs;
  return byCpu.flatMap((wanted, cpu) => {
    const fromNode = Math.min(wanted, nodeLeft);
    nodeLeft -= fromNode;
    const own = Math.min(wanted - fromNode, slabsLeft * objects);
    if (own === 0) return [];
    const taken = Math.ceil(own / objects);
    slabsLeft -= taken;
    return [{ cpu, allocated: taken * objects, freed: own }];
  });
}

/** Rule 1, within the trace: slabs that nothing moves are added or taken away. */
function corrected(entry: CacheHistory, spec: CacheSpec, snapshot: Snapshot, ours: SlabsAt): CacheHistory {
  const recorded = rowNamed(snapshot, spec.names)?.numSlabs;
  if (recorded === undefined) return entry;
  const nearest = Math.min(
    Math.max(recorded, Math.min(ours.begin, ours.end)),
    Math.max(ours.begin, ours.end),
  );
  const missing = recorded - nearest;
  if (missing === 0) return entry;
  const full = Math.max(entry.full + missing * spec.layout.oo.objects, 0);
  const why = `${recorded} slabs in snapshot ${snapshot.name}, where the replay had ${nearest}`;
  return { ...entry, full, why: [entry.why, why].filter((each) => each !== '').join('; ') };
}

// ---- free at the start -----------------------------------------------------------------------------------------------------

/** Rule 2, by name of a cache of the plan. */
function freeAtStart(
  trace: Trace,
  plan: MachinePlan,
  names: readonly ClassCache[],
): ReadonlyMap<string, StartFree> {
  const { cpus } = trace;
  const places = new Map(plan.caches.map(({ name }, i) => [name, i]));
  const cacheOf = Int32Array.from(trace.classes, ({ kind }, id) => {
    const isObject =
      kind === CLASS_KIND.KMALLOC || kind === CLASS_KIND.CACHE || kind === CLASS_KIND.CACHE_FREE;
    return isObject ? (places.get(names[id]!.name) ?? -1) : -1;
  });
  // Where pointers are hashed, pages of another order were taken for something else.
  const growsHere = trace.classes.map(({ grew }, id) => {
    const order = plan.caches[cacheOf[id]!]?.layout.oo.order;
    return grew.some(([taken]) => taken === order);
  });
  // CPUs that have no slabs of their own share them: what one has left another gets.
  const isShared = !plan.kernel.has.cpuSlabs;
  const lines = plan.caches.length * cpus;
  const net = new Float64Array(lines);
  const most = new Float64Array(lines);
  const grown = new Uint8Array(lines);
  for (const { op, cpu, class: classes, rows } of trace.chunks(['op', 'cpu', 'class'])) {
    for (let i = 0; i < rows; i++) {
      const kind = op[i]! & OP_MASK;
      if (kind !== OP.ALLOC && kind !== OP.FREE) continue;
      const id = classes[i]!;
      const cache = cacheOf[id]!;
      if (cache < 0) continue;
      const line = cache * cpus + (isShared ? 0 : cpu[i]!);
      if (grown[line] === 1) continue;
      if (kind === OP.FREE) {
        net[line]!--;
        continue;
      }
      if (op[i]! & OVER) net[line]!--;
      if (op[i]! & GREW && growsHere[id]) grown[line] = 1;
      else net[line]!++;
      most[line] = Math.max(most[line]!, net[line]!);
    }
  }
  const tracesPages = trace.report.pages.allocs > 0;
  return new Map(
    plan.caches.map(({ name }, i) => {
      const line = i * cpus;
      const byCpu = tracesPages ? [...most.subarray(line, line + cpus)] : [];
      return [name, { byCpu, exact: grown.subarray(line, line + cpus).includes(1) }];
    }),
  );
}

// ---- what the replay has ---------------------------------------------------------------------------------------------------

/** Slabs of a cache at a snapshot's begin and end. */
interface SlabsAt {
  readonly begin: number;
  readonly end: number;
}

interface Reached {
  slabs(name: string): SlabsAt;
  /** Pages handed out at the snapshot, by zone. */
  readonly taken: ReadonlyMap<string, number>;
  readonly inferred: readonly Inferred[];
}

/** Replays so many rows, with rule 3, and looks at a snapshot's place, or at the start where there is none. */
function replayOnce(
  { trace, plan, names, onProgress }: EstimateOptions,
  history: History,
  place: SnapshotPlace | undefined,
  rows: number,
): Reached {
  const built = buildMachine({ plan, whatIf: AS_RECORDED, classes: trace.classes, names });
  const stock = liveThrough(history, built);
  const { cache } = built.machine.ledger;
  const tables: Int32Array[] = [];
  let taken: ReadonlyMap<string, number> = new Map();
  const onStop = (stop: number) => {
    if (stop === 0) taken = takenPages(built);
    tables.push(cache.slice());
  };
  const inferred: Inferred[] = [];
  const learn = trace.report.pageSize > 0 ? { learn: (found: Inferred) => inferred.push(found) } : {};
  const stops = [place?.beginRow ?? 0, place?.endRow ?? 0];
  replayRows({ trace, built, stock, stops, onStop, onProgress, rows, ...learn });
  const slabsIn = (words: Int32Array, name: string) => {
    const made = built.find(name);
    return made === undefined ? 0 : words[made.cache.id * CACHE_WORDS + C_NR_SLABS]!;
  };
  return {
    slabs: (name) => ({ begin: slabsIn(tables[0]!, name), end: slabsIn(tables[1]!, name) }),
    taken,
    inferred,
  };
}

const takenPages = ({ machine }: BuiltMachine): ReadonlyMap<string, number> =>
  new Map(machine.zones().map(({ name, managed, free }) => [name, managed - free]));

/** By zone, nodes together, what zoneinfo has more. What a replay has no room for (plan.ts) was others'. */
function othersAt({ zones }: Snapshot, taken: ReadonlyMap<string, number>): History['others'] {
  const recorded = new Map<string, number>();
  for (const { name, managed, free, onCpus } of zones)
    recorded.set(name, (recorded.get(name) ?? 0) + managed - free - onCpus);
  const last = [...recorded.keys()].at(-1);
  return [...recorded].flatMap(([zone, pages]) => {
    const others = pages - (taken.get(zone) ?? 0) - (zone === last ? pagesLeftOut(zones) : 0);
    return others > 0 ? [{ zone, pages: others }] : [];
  });
}
