/**
 * # Are these snapshots of this recording?
 *
 * A file of snapshots says of which machine it is, and a trace shows some of the same. What both tell must agree:
 *
 *  1. time: somebody took a snapshot while the trace went on, or within an hour of it, by the same clock;
 *  2. markers: where `SNAP name begin` stands in the trace, the snapshot of that name was taken at that moment;
 *  3. CPUs: no event is of a CPU that the machine had not;
 *  4. caches: objects that go by a cache's name, or by a size of kmalloc, lie as far apart as that cache's do; what is live has a cache;
 *  5. numbers: no cache has fewer objects than are certainly live in it; from one snapshot to the next none grows or shrinks by what the
 *     events do not allow; and somebody opens /proc/slabinfo for a snapshot, so a trace of the whole machine has that too.
 *
 * Each of these holds for a trace and its own snapshots, however they were taken; so one that does not is said to be of another recording.
 * Two recordings of the same machine that agree in all of it cannot be told apart: the replay is then only as near as `verify` shows.
 */
import { largestOf, pushAll } from '../../base/index.js';
import { CLASS_KIND, type ClassCache, OP, OP_MASK, OVER, type Trace } from '../../trace/index.js';
import { placeBehind, placeSnapshots, type SnapshotPlace } from './place.js';
import { rowNamed, type Snapshots } from './snapshots.js';

/** A trace, and snapshots that may be of its recording. */
interface ContradictionOptions {
  readonly trace: Trace;
  readonly snapshots: Snapshots;
  /** By class of the trace, as found with the caches of these snapshots. */
  readonly names: readonly ClassCache[];
}

const HOUR_NS = 3600e9;
/** A marker is written just before its snapshot's clock is read, and just after. */
const MARKER_NS = 0.25e9;
const CLOCKS_APART_NS = 60e9;
/** How many names a sentence tells. */
const TOLD = 3;

/** Why snapshots cannot be of a trace's recording, a sentence each, without its full stop; none where they can. */
export function contradictions(options: ContradictionOptions): string[] {
  return [byTime, byMarkers, byCpus, bySizes, byNumbers].flatMap((rule) => rule(options));
}

function byTime({ trace: { report }, snapshots: { all } }: ContradictionOptions): string[] {
  const first = all[0]!.begin;
  const last = largestOf(all.map(({ end }) => end));
  const apart = Math.max(first - report.lastTime, report.firstTime - last);
  if (apart <= HOUR_NS) return [];
  const which = first > report.lastTime ? 'after its last event' : 'before its first event';
  return [`they were taken ${Math.round(apart / 1e9)} s ${which}`];
}

function byMarkers({ trace: { marks }, snapshots: { all } }: ContradictionOptions): string[] {
  const begins = marks.flatMap(({ text, time }) => {
    const name = /^SNAP (\S+) begin$/.exec(text.trim())?.[1];
    return name === undefined ? [] : [{ name, time }];
  });
  const pairs = begins.flatMap(({ name, time }) => {
    const snapshot = all.find((each) => each.name === name);
    return snapshot === undefined ? [] : [{ name, time, begin: snapshot.begin }];
  });
  // Another clock, such as the trace's own, is off by the same everywhere.
  const off = pairs.length > 1 ? pairs[0]!.time - pairs[0]!.begin : 0;
  const clock = Math.abs(off) < CLOCKS_APART_NS ? off : 0;
  const far = pairs.find(({ time, begin }) => Math.abs(time - begin - clock) > MARKER_NS);
  if (far === undefined) return [];
  const seconds = (ns: number) => (ns / 1e9).toFixed(3);
  return [
    `${far.name} was taken at ${seconds(far.begin)} s, and the trace marks it at ${seconds(far.time)} s`,
  ];
}

function byCpus({ trace, snapshots: { all } }: ContradictionOptions): string[] {
  const cpus = largestOf(all.map((snapshot) => snapshot.cpus));
  const shown = trace.report.believedCpus?.cpus ?? 0;
  return cpus > 0 && shown > cpus ? [`the trace has events of ${shown} CPUs, and they have ${cpus}`] : [];
}

/** Bytes from one object to the next of each name that any snapshot has. */
function sizesOf({ all }: Snapshots): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { slabinfo, aliases, caches } of all) {
    const directories = new Map<string, number>();
    for (const { name, objSize } of slabinfo) {
      sizes.set(name, objSize);
      directories.set(aliases.get(name) ?? name, objSize);
    }
    for (const [name, { slabSize }] of caches) sizes.set(name, slabSize);
    for (const [name, directory] of aliases) {
      const size = directories.get(directory);
      if (size !== undefined && !sizes.has(name)) sizes.set(name, size);
    }
  }
  return sizes;
}

function bySizes({ trace, snapshots, names }: ContradictionOptions): string[] {
  const sizes = sizesOf(snapshots);
  const other = new Map<string, string>();
  for (const [id, { kind, bytesAlloc, allocatedAs, names: freed, live }] of trace.classes.entries()) {
    const isKmalloc = kind === CLASS_KIND.KMALLOC;
    if (kind !== CLASS_KIND.CACHE && !isKmalloc) continue;
    const name = isKmalloc ? names[id]!.name.replace(/\/\d+$/, '') : allocatedAs || (freed[0]?.[0] ?? '');
    if (name === '') continue;
    const size = sizes.get(name);
    if (size !== undefined && size !== bytesAlloc)
      other.set(name, `objects of ${name} lie ${bytesAlloc} bytes apart in the trace, and ${size} in them`);
    else if (size === undefined && (isKmalloc || live > 0)) other.set(name, `they have no cache ${name}`);
  }
  const all = [...other.values()];
  return all.length > TOLD ? [...all.slice(0, TOLD), `${all.length - TOLD} more caches differ`] : all;
}

/** Objects may be freed without an event, in bulk: so many of a cache are no contradiction. */
const FREED_UNSEEN = 512;
/** Slabs that a CPU may keep of a cache, whose free objects count as used. */
const SLABS_OF_A_CPU = 16;
/** Functions that allocate when somebody opens /proc/slabinfo or a file of sysfs. */
const OPENERS: ReadonlySet<string> = new Set(['seq_open', 'single_open', 'proc_reg_open', 'kernfs_fop_open']);

/** What the trace shows at one snapshot. */
interface Seen {
  readonly place: SnapshotPlace;
  /** By cache: objects allocated less those freed, in front of it. */
  readonly net: Float64Array;
  /** Files opened between its begin and its end. */
  opened: number;
}

function byNumbers({ trace, snapshots, names }: ContradictionOptions): string[] {
  if (trace.report.lost > 0) return [];
  const behind = placeBehind(trace, snapshots.all);
  const within = placeSnapshots(trace, snapshots.all);
  const places = [...within, ...(behind === undefined ? [] : [behind])];
  if (places.length === 0) return [];
  const caches = countedCaches(trace, names);
  const { seen, isWhole } = walk(trace, places, caches);
  const inside = seen.filter(({ place }) => place !== behind);
  const opens = trace.classes.some(({ site }) => OPENERS.has(site));
  const unread = inside.every(({ opened }) => opened === 0);
  const words = seen.flatMap((each) => tooFew(each, caches));
  for (const [i, each] of inside.slice(1).entries())
    pushAll(words, otherGrowth(inside[i]!, each, caches, trace.cpus));
  if (isWhole && opens && inside.length > 0 && unread)
    words.unshift(
      `nobody opened a file while ${inside.length === 1 ? inside[0]!.place.snapshot.name : `any of ${inside.length}`} was taken, ` +
        'and the trace has all that was opened',
    );
  return words.slice(0, TOLD);
}

interface CountedCaches {
  /** By class: a place in `names`, or -1. */
  readonly of: Int32Array;
  readonly names: readonly string[];
}

/** Caches whose objects are all told apart: certain names, and no free of what was allocated without an event. */
function countedCaches({ classes }: Trace, names: readonly ClassCache[]): CountedCaches {
  const without = new Set<string>();
  const having = new Set<string>();
  for (const [id, { kind, frees }] of classes.entries()) {
    const { name, isCertain } = names[id]!;
    if (kind === CLASS_KIND.CACHE) having.add(name);
    if (kind === CLASS_KIND.CACHE && !isCertain) without.add(name);
    if (kind === CLASS_KIND.CACHE_FREE && frees > FREED_UNSEEN / 8) without.add(name);
  }
  const all = [...having].filter((name) => !without.has(name));
  const places = new Map(all.map((name, i) => [name, i]));
  const of = Int32Array.from(classes, ({ kind }, id) =>
    (kind === CLASS_KIND.CACHE || kind === CLASS_KIND.CACHE_FREE) && names[id]!.isCertain
      ? (places.get(names[id]!.name) ?? -1)
      : -1,
  );
  return { of, names: all };
}

function walk(
  trace: Trace,
  places: readonly SnapshotPlace[],
  caches: CountedCaches,
): { readonly seen: readonly Seen[]; readonly isWhole: boolean } {
  const isOpener = Uint8Array.from(trace.classes, ({ site }) => (OPENERS.has(site) ? 1 : 0));
  const net = new Float64Array(caches.names.length);
  const order = [...places].sort((a, b) => a.beginRow - b.beginRow);
  const seen: Seen[] = [];
  // A recording of single tasks has no events of the idle task.
  let isWhole = false;
  const reach = (row: number) => {
    while (seen.length < order.length && order[seen.length]!.beginRow <= row)
      seen.push({ place: order[seen.length]!, net: net.slice(), opened: 0 });
  };
  for (const { first, op, class: classes, pid, rows } of trace.chunks(['op', 'class', 'pid'])) {
    for (let i = 0; i < rows; i++) {
      if (seen.length < order.length && order[seen.length]!.beginRow <= first + i) reach(first + i);
      const what = op[i]!;
      const kind = what & OP_MASK;
      if (kind !== OP.ALLOC && kind !== OP.FREE) continue;
      if (pid[i] === 0) isWhole = true;
      const id = classes[i]!;
      if (isOpener[id] === 1) {
        for (const each of seen) if (first + i <= each.place.endRow) each.opened++;
      }
      const cache = caches.of[id]!;
      if (cache < 0) continue;
      if (kind === OP.ALLOC) net[cache]! += what & OVER ? 0 : 1;
      else net[cache]!--;
    }
  }
  reach(trace.rows);
  return { seen, isWhole };
}

/** More was certainly live than the recorded cache had room for. */
function tooFew({ place: { snapshot }, net }: Seen, { names }: CountedCaches): string[] {
  return names.flatMap((name, i) => {
    if (net[i]! <= FREED_UNSEEN) return [];
    const row = rowNamed(snapshot, [name]);
    if (row === undefined || net[i]! <= row.numObjs * 1.5 + FREED_UNSEEN) return [];
    return [
      `${net[i]!} objects of ${row.name} were live at ${snapshot.name}, where there is room for ${row.numObjs}`,
    ];
  });
}

/** From one snapshot to the next a cache grew, or shrank, by what the events do not allow. */
function otherGrowth(from: Seen, to: Seen, { names }: CountedCaches, cpus: number): string[] {
  return names.flatMap((name, i) => {
    const before = rowNamed(from.place.snapshot, [name]);
    const after = rowNamed(to.place.snapshot, [name]);
    if (before === undefined || after === undefined) return [];
    const net = to.net[i]! - from.net[i]!;
    const spare = SLABS_OF_A_CPU * cpus * after.objPerSlab + FREED_UNSEEN;
    const isLess = before.activeObjs + net > after.numObjs + spare;
    const isMore = after.activeObjs > before.numObjs + net + spare;
    if (!isLess && !isMore) return [];
    const recorded = `${before.activeObjs} to ${after.activeObjs}`;
    const when = `between ${from.place.snapshot.name} and ${to.place.snapshot.name}`;
    return [`objects of ${after.name} went from ${recorded} ${when}, and by ${net} in the trace`];
  });
}
