/**
 * Snapshots of a traced machine: what its kernel said of caches and memory at moments of the trace's clock.
 *
 *     { "meta": { "kernel": "Linux version 6.1.192 …", "allocator": "SLUB", "cmdline": "…" },
 *       "snapshots": [{ "name": "01-mounted", "monoBegin": "3.388131", "monoEnd": "3.396131", "slabinfo": "…", "zoneinfo": "…",
 *                       "caches": { ":A-0000128": { "object_size": 128, … } }, "aliases": { "pid": ":A-0000128" } }, …] }
 *
 * `slabinfo` is what every snapshot has; `caches` and `aliases`, the files of /sys/kernel/slab, only full ones. They were read file by file
 * while the machine went on: a snapshot lies somewhere between its begin and its end.
 */
import { InputError, isObject, parseJson, printable } from '../../base/index.js';
import { parseSlabinfo, type SlabinfoRow } from '../../text/index.js';
import { refuseOtherFile } from '../../trace/index.js';

/** A cache as its directory in sysfs tells it. Bytes, objects, slabs. */
export interface SnapshotCache {
  readonly objectSize: number;
  readonly slabSize: number;
  readonly objsPerSlab: number;
  readonly order: number;
  readonly align: number;
  readonly objects: number;
  readonly totalObjects: number;
  readonly slabs: number;
  /** Slabs on the node's list, and live objects of those. */
  readonly partial: number;
  readonly objectsPartial: number;
  readonly cpuSlabs: number;
  readonly cpuPartial: number;
  readonly minPartial: number;
  readonly cacheDma: boolean;
  readonly reclaimAccount: boolean;
  readonly hwcacheAlign: boolean;
  readonly destroyByRcu: boolean;
  readonly hasConstructor: boolean;
  readonly usersize: number;
  /** Objects of a sheaf, from 6.18 on; 0 where there are none. */
  readonly sheafCapacity: number;
}

/** A zone of /proc/zoneinfo. Pages. */
export interface SnapshotZone {
  readonly name: string;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  readonly free: number;
  /** Free pages that CPUs keep for themselves. */
  readonly onCpus: number;
}

/** What the recorded kernel said of itself at one moment. */
export interface Snapshot {
  readonly name: string;
  /** Nanoseconds of the trace's clock. */
  readonly begin: number;
  readonly end: number;
  readonly slabinfo: readonly SlabinfoRow[];
  /** Empty where there is no zoneinfo. */
  readonly zones: readonly SnapshotZone[];
  /** CPUs that zoneinfo names; 0 where there is none. */
  readonly cpus: number;
  /** By directory; empty in light snapshots and with SLAB. */
  readonly caches: ReadonlyMap<string, SnapshotCache>;
  /** From a name to the directory that it shares. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** Where a name stands in a snapshot's slabinfo, made once a snapshot: a machine can have thousands of caches. */
const places = new WeakMap<Snapshot, ReadonlyMap<string, number>>();

/** The first row of /proc/slabinfo that has one of these names, or shares a directory of one of them. */
export function rowNamed(snapshot: Snapshot, names: readonly string[]): SlabinfoRow | undefined {
  let known = places.get(snapshot);
  if (known === undefined) {
    const found = new Map<string, number>();
    for (const [at, { name }] of snapshot.slabinfo.entries())
      for (const each of [name, snapshot.aliases.get(name)])
        if (each !== undefined && !found.has(each)) found.set(each, at);
    known = found;
    places.set(snapshot, known);
  }
  let first = snapshot.slabinfo.length;
  for (const name of names) first = Math.min(first, known.get(name) ?? first);
  return snapshot.slabinfo[first];
}

/** All snapshots of a file. */
export interface Snapshots {
  /** The name of the file, for messages. */
  readonly file: string;
  /** Such as `6.1.192`; '' if the file does not say. */
  readonly kernel: string;
  readonly allocator: 'slub' | 'slab';
  readonly cmdline: string;
  /** By their begin. */
  readonly all: readonly Snapshot[];
}

type Json = Readonly<Record<string, unknown>>;

/** Reads such a file. Throws InputError with the snapshot, what was expected and what stands there. */
export function readSnapshots(text: string, file: string): Snapshots {
  refuseOtherFile(text, file, 'snapshots');
  const json = parseJson(text, file);
  if (!isObject(json) || !Array.isArray(json.snapshots) || json.snapshots.length === 0)
    throw wrong(file, 'an object with "snapshots", a list of at least one', json);
  const meta = isObject(json.meta) ? json.meta : {};
  const all = json.snapshots
    .map((snapshot: unknown, i) => readSnapshot(snapshot, i, file))
    .sort((a, b) => a.begin - b.begin);
  return {
    file,
    kernel: /\d+\.\d+(?:\.\d+)?/.exec(String(meta.kernel ?? ''))?.[0] ?? '',
    allocator: allocatorOf(meta, all, file),
    cmdline: typeof meta.cmdline === 'string' ? meta.cmdline : '',
    all,
  };
}

/** Only SLAB has tunables. */
function allocatorOf(meta: Json, all: readonly Snapshot[], file: string): 'slub' | 'slab' {
  const { allocator } = meta;
  if (allocator === 'SLUB') return 'slub';
  if (allocator === 'SLAB') return 'slab';
  if (allocator !== undefined) throw wrong(file, '"allocator" SLUB or SLAB', allocator);
  return all.some(({ slabinfo }) => slabinfo.some((row) => row.limit > 0)) ? 'slab' : 'slub';
}

function readSnapshot(json: unknown, i: number, file: string): Snapshot {
  if (!isObject(json)) throw wrong(file, `snapshot ${i} as an object`, json);
  const name = typeof json.name === 'string' ? json.name : String(i);
  const where = `snapshot '${name}'`;
  const seconds = (field: string): number => {
    const value = json[field];
    // A recorder may write it as a text, so that no digit is lost.
    const isNumber = typeof value === 'number' || (typeof value === 'string' && /^\d+(\.\d*)?$/.test(value));
    if (!isNumber || !(Number(value) >= 0))
      throw wrong(file, `"${field}" of ${where} in seconds of the trace's clock`, value);
    return Math.round(Number(value) * 1e9);
  };
  if (typeof json.slabinfo !== 'string')
    throw wrong(file, `"slabinfo" of ${where}, the text of /proc/slabinfo`, json.slabinfo);
  const begin = seconds('monoBegin');
  const end = json.monoEnd === undefined ? begin : seconds('monoEnd');
  if (end < begin) throw wrong(file, `"monoEnd" of ${where} behind its "monoBegin"`, json.monoEnd);
  const zoneinfo = typeof json.zoneinfo === 'string' ? json.zoneinfo : '';
  return {
    name,
    begin,
    end,
    slabinfo: parseSlabinfo(json.slabinfo, `${file}, ${where}, slabinfo`),
    zones: parseZones(zoneinfo),
    cpus: new Set([...zoneinfo.matchAll(/^\s+cpu: (\d+)$/gm)].map(([, cpu]) => cpu)).size,
    caches: readCaches(json.caches, where, file),
    aliases: readAliases(json.aliases, where, file),
  };
}

function readCaches(json: unknown, where: string, file: string): Map<string, SnapshotCache> {
  if (json === undefined) return new Map();
  if (!isObject(json)) throw wrong(file, `"caches" of ${where} as an object`, json);
  return new Map(Object.entries(json).map(([name, cache]) => [name, readCache(cache, name, where, file)]));
}

function readCache(json: unknown, name: string, where: string, file: string): SnapshotCache {
  if (!isObject(json)) throw wrong(file, `cache '${name}' of ${where} as an object`, json);
  const number = (field: string): number => {
    const value = json[field];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
      throw wrong(file, `"${field}" of cache '${name}' of ${where} as a whole number`, value);
    return value;
  };
  return {
    objectSize: number('object_size'),
    slabSize: number('slab_size'),
    objsPerSlab: number('objs_per_slab'),
    order: number('order'),
    align: number('align'),
    objects: number('objects'),
    totalObjects: number('total_objects'),
    slabs: number('slabs'),
    partial: number('partial'),
    objectsPartial: number('objects_partial'),
    cpuSlabs: number('cpu_slabs'),
    cpuPartial: number('cpu_partial'),
    minPartial: number('min_partial'),
    cacheDma: json.cache_dma === 1,
    reclaimAccount: json.reclaim_account === 1,
    hwcacheAlign: json.hwcache_align === 1,
    destroyByRcu: json.destroy_by_rcu === 1,
    hasConstructor: typeof json.ctor === 'string' && json.ctor.trim() !== '',
    usersize: typeof json.usersize === 'number' ? json.usersize : 0,
    sheafCapacity: typeof json.sheaf_capacity === 'number' ? json.sheaf_capacity : 0,
  };
}

function readAliases(json: unknown, where: string, file: string): Map<string, string> {
  if (json === undefined) return new Map();
  if (!isObject(json)) throw wrong(file, `"aliases" of ${where} as an object`, json);
  return new Map(
    Object.entries(json).map(([name, target]) => {
      if (typeof target !== 'string') throw wrong(file, `alias '${name}' of ${where} as a name`, target);
      return [name, target];
    }),
  );
}

/** Zones that have memory, of /proc/zoneinfo. What is not understood is left out: a snapshot without zones still is one. */
function parseZones(zoneinfo: string): SnapshotZone[] {
  return zoneinfo.split(/^(?=Node \d+, zone)/m).flatMap((text) => {
    const name = /^Node \d+, zone\s+(\S+)/.exec(text)?.[1];
    const number = (field: string) =>
      Number(new RegExp(`^\\s+${field}:?\\s+(\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
    const zone = {
      startPfn: number('start_pfn'),
      spanned: number('spanned'),
      present: number('present'),
      managed: number('managed'),
      free: number('(?:pages )?free'),
    };
    if (name === undefined || !Object.values(zone).every(Number.isSafeInteger) || zone.present === 0)
      return [];
    const counts = [...text.matchAll(/^\s+count:\s+(\d+)$/gm)].map(([, count]) => Number(count));
    return [{ name, ...zone, onCpus: counts.reduce((sum, count) => sum + count, 0) }];
  });
}

function wrong(file: string, what: string, found: unknown): InputError {
  const stands = printable(JSON.stringify(found) ?? 'nothing', 80);
  return new InputError(file, 0, `expected ${what}, but there stands ${stands}`);
}
