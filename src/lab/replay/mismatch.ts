/**
 * # Are these snapshots of this recording?
 *
 * A file of snapshots says of which machine it is, and a trace shows some of the same. What both tell must agree:
 *
 *  1. time: somebody took a snapshot while the trace went on, or within an hour of it, by the same clock;
 *  2. markers: where `SNAP name begin` stands in the trace, the snapshot of that name was taken at that moment;
 *  3. CPUs: no event is of a CPU that the machine had not;
 *  4. caches: objects that go by a cache's name, or by a size of kmalloc, lie as far apart as that cache's do; what is live has a cache;
 *  5. numbers: no cache has fewer objects than are certainly live in it.
 *
 * Each of these holds for a trace and its own snapshots, however they were taken; so one that does not is said to be of another recording.
 * Two recordings of the same machine that agree in all of it cannot be told apart: the replay is then only as near as `verify` shows.
 */
import { CLASS_KIND, type ClassCache, OP, OP_MASK, OVER, type Trace, UNSEEN } from '../../trace/index.js';
import { placeBehind, placeSnapshots } from './place.js';
import type { Snapshot, Snapshots } from './snapshots.js';

export interface ContradictionOptions {
  readonly trace: Trace;
  readonly snapshots: Snapshots;
  /** By class of the trace, as found with the caches of these snapshots. */
  readonly names: readonly ClassCache[];
}

const HOUR_NS = 3600e9;
/** A marker is written just before its snapshot's clock is read, and just after. */
const MARKER_NS = 1e9;
/** How many names a sentence tells. */
const TOLD = 3;

/** Why snapshots cannot be of a trace's recording, a sentence each, without its full stop; none where they can. */
export function contradictions(options: ContradictionOptions): string[] {
  return [byTime, byMarkers, byCpus, bySizes, byNumbers].flatMap((rule) => rule(options));
}

function byTime({ trace: { report }, snapshots: { all } }: ContradictionOptions): string[] {
  const first = all[0]!.begin;
  const last = Math.max(...all.map(({ end }) => end));
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
  if (begins.length === 0) return [];
  const pairs = begins.flatMap(({ name, time }) => {
    const snapshot = all.find((each) => each.name === name);
    return snapshot === undefined ? [] : [{ name, time, begin: snapshot.begin }];
  });
  if (pairs.length === 0) return [`none of them is called as the trace's markers are (${begins[0]!.name})`];
  const [far] = pairs.filter(({ time, begin }) => Math.abs(time - begin) > MARKER_NS);
  if (far === undefined) return [];
  const seconds = (ns: number) => (ns / 1e9).toFixed(3);
  return [
    `${far.name} was taken at ${seconds(far.begin)} s, and the trace marks it at ${seconds(far.time)} s`,
  ];
}

function byCpus({ trace, snapshots: { all } }: ContradictionOptions): string[] {
  const cpus = Math.max(...all.map((snapshot) => snapshot.cpus));
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
  for (const [id, { kind, bytesAlloc, named, names: freed, live }] of trace.classes.entries()) {
    const isKmalloc = kind === CLASS_KIND.KMALLOC;
    if (kind !== CLASS_KIND.CACHE && !isKmalloc) continue;
    const name = isKmalloc ? names[id]!.name.replace(/\/\d+$/, '') : named || (freed[0]?.[0] ?? '');
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

function byNumbers({ trace, snapshots, names }: ContradictionOptions): string[] {
  if (trace.report.lost > 0) return [];
  const behind = placeBehind(trace, snapshots.all);
  const places = [...placeSnapshots(trace, snapshots.all), ...(behind === undefined ? [] : [behind])];
  if (places.length === 0) return [];
  const caches = [...new Set(names.map(({ name }) => name))];
  const placeOf = new Map(caches.map((name, i) => [name, i]));
  const cacheOf = Int32Array.from(trace.classes, ({ kind }, id) =>
    kind === CLASS_KIND.CACHE && names[id]!.isCertain ? placeOf.get(names[id]!.name)! : -1,
  );
  const live = new Float64Array(caches.length);
  const found: string[] = [];
  const order = [...places].sort((a, b) => a.beginRow - b.beginRow);
  let next = 0;
  const look = (row: number) => {
    for (; next < order.length && order[next]!.beginRow <= row; next++)
      found.push(...tooFew(order[next]!.snapshot, caches, live));
  };
  for (const { first, op, class: classes, rows } of trace.chunks(['op', 'class'])) {
    for (let i = 0; i < rows; i++) {
      if (next < order.length && order[next]!.beginRow <= first + i) look(first + i);
      const what = op[i]!;
      const kind = what & OP_MASK;
      if (kind !== OP.ALLOC && kind !== OP.FREE) continue;
      const cache = cacheOf[classes[i]!]!;
      if (cache < 0) continue;
      if (kind === OP.ALLOC) live[cache]! += what & OVER ? 0 : 1;
      else if (!(what & UNSEEN)) live[cache]!--;
    }
  }
  look(trace.rows);
  return found.slice(0, TOLD);
}

function tooFew(
  { name: snapshot, slabinfo, aliases }: Snapshot,
  caches: readonly string[],
  live: Float64Array,
): string[] {
  const rows = new Map(slabinfo.map((row) => [aliases.get(row.name) ?? row.name, row]));
  for (const row of slabinfo) if (!rows.has(row.name)) rows.set(row.name, row);
  return caches.flatMap((name, i) => {
    const row = rows.get(name);
    if (row === undefined || live[i]! <= row.numObjs * 1.5 + FREED_UNSEEN) return [];
    return [
      `${live[i]!} objects of ${row.name} were live at snapshot ${snapshot}, which has room for ${row.numObjs}`,
    ];
  });
}
