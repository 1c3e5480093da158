/**
 * # Who pins sparse slabs?
 *
 * A slab is given back when its last object is freed. A slab with one live object of thirty costs as much as a full one, so what is worth
 * knowing is which objects those last ones are, and who allocated them:
 *
 *     dentry     __d_alloc     find     41 objects in 38 slabs     152 KiB
 *
 * A slab is *sparse* if it can hold two objects or more and at most a quarter of them are live.
 */
import { H_SLAB_HIGH, LINK_LIVE, shapeObjects, shapeOrder } from '../../machine/index.js';
import type { Machine } from '../../slab/index.js';
import type { Trace } from '../../trace/index.js';
import type { BuiltMachine } from './build.js';
import type { Stock } from './history.js';
import { eachRow } from './rows.js';
import type { RunState } from './run.js';

/** Objects of one origin in sparse slabs. */
export interface Pin {
  readonly cache: string;
  /** The function that allocated them; '' for objects of before the trace. */
  readonly site: string;
  /** The task, and how many different ones of that name. '' as above. */
  readonly comm: string;
  readonly pids: number;
  readonly objects: number;
  /** Sparse slabs in which they lie, and the bytes of those. */
  readonly slabs: number;
  readonly bytes: number;
  /** When the oldest of them was allocated, in nanoseconds of the trace's clock; the trace's begin for those of before. */
  readonly since: number;
}

/** Who allocated something, in words. `site` is '' for what was there before the trace. */
export const siteWords = (site: string): string => (site === '' ? '(before the trace)' : site);

/** The task of a pin, and how many of that name there were. */
export const taskWords = ({ comm, pids }: Pick<Pin, 'comm' | 'pids'>): string =>
  pids > 1 ? `${comm} × ${pids}` : comm;

/** The most that are told unless somebody asks for more. */
const PINS_MAX = 50;
const SPARSE_SHARE = 0.25;

/** A finished run, whose sparse slabs are looked for. */
interface PinOptions {
  readonly trace: Trace;
  readonly built: BuiltMachine;
  readonly stock: Stock;
  readonly state: RunState;
}

interface Group {
  readonly cache: string;
  readonly site: string;
  readonly comm: string;
  readonly pids: Set<number>;
  readonly slabs: Set<number>;
  objects: number;
  bytes: number;
  since: number;
}

/** Those that hold most bytes first, at most `limit`. */
export function findPins({ trace, built, stock, state }: PinOptions, limit = PINS_MAX): Pin[] {
  const { machine, routes, caches } = built;
  const sparse = sparseSlabs(machine);
  const slabOf = slabFinder(machine);
  const { pageSize } = machine.kernel;
  const groups = new Map<string, Group>();
  const add = (slab: number, cache: string, site: string, comm: string, pid: number, since: number) => {
    const key = `${cache}\n${site}\n${comm}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = { cache, site, comm, pids: new Set(), slabs: new Set(), objects: 0, bytes: 0, since };
      groups.set(key, group);
    }
    group.objects++;
    group.since = Math.min(group.since, since);
    if (comm !== '') group.pids.add(pid);
    if (group.slabs.has(slab)) return;
    group.slabs.add(slab);
    group.bytes += pageSize * 2 ** shapeOrder(machine.ledger.slabShape[slab]!);
  };
  for (const { slot, slab, comm, pid, time } of whoAllocated(trace, state, sparse, slabOf)) {
    const id = state.slotClass[slot]!;
    const route = routes[id]!;
    if (route.to === 'cache') add(slab, route.cache.spec.names[0]!, trace.classes[id]!.site, comm, pid, time);
  }
  for (const { spec, cache } of caches) {
    for (const address of stock.objects.get(cache.id) ?? []) {
      const slab = slabOf(address);
      if (sparse.has(slab)) add(slab, spec.names[0]!, '', '', 0, trace.report.firstTime);
    }
  }
  return [...groups.values()]
    .sort((a, b) => b.bytes - a.bytes || b.objects - a.objects)
    .slice(0, limit)
    .map(({ pids, slabs, ...pin }) => ({ ...pin, pids: pids.size, slabs: slabs.size }));
}

/** Whether so many live objects pin a slab that can hold `objects`. */
export function isSparse(live: number, objects: number): boolean {
  return objects >= 2 && live > 0 && live <= Math.floor(objects * SPARSE_SHARE);
}

function sparseSlabs({ ledger }: Machine): Set<number> {
  const { slabCache, slabLinks, slabShape, link } = ledger;
  const found = new Set<number>();
  for (let slab = 1; slab <= ledger.header[H_SLAB_HIGH]!; slab++) {
    if (slabCache[slab] === 0) continue;
    const objects = shapeObjects(slabShape[slab]!);
    let live = 0;
    for (let at = slabLinks[slab]!, end = at + objects; at < end; at++) if (link[at] === LINK_LIVE) live++;
    if (isSparse(live, objects)) found.add(slab);
  }
  return found;
}

/** The slab that holds an address, by the ledger's page table. */
function slabFinder({ ledger, memory, kernel }: Machine): (address: number) => number {
  return (address) => ledger.frameSlab[Math.floor(address / kernel.pageSize) - memory.basePfn] ?? 0;
}

interface Allocation {
  readonly slot: number;
  readonly slab: number;
  readonly comm: string;
  readonly pid: number;
  readonly time: number;
}

/** The rows of live objects in sparse slabs, looked up in the trace: that is when it is known who it was. */
function whoAllocated(
  trace: Trace,
  { addresses, slotRow }: RunState,
  sparse: ReadonlySet<number>,
  slabOf: (address: number) => number,
): Allocation[] {
  const wanted: { row: number; slot: number; slab: number }[] = [];
  for (let slot = 0; slot < addresses.length; slot++) {
    const address = addresses[slot]!;
    const slab = address === 0 ? 0 : slabOf(address);
    if (sparse.has(slab)) wanted.push({ row: slotRow[slot]!, slot, slab });
  }
  wanted.sort((a, b) => a.row - b.row);
  const rows = wanted.map(({ row }) => row);
  const found: Allocation[] = [];
  eachRow(trace, ['pid', 'comm', 'time'], rows, ({ pid, comm, time }, at, place) => {
    const { slot, slab } = wanted[place]!;
    found.push({ slot, slab, comm: trace.strings.text(comm[at]!), pid: pid[at]!, time: time[at]! });
  });
  return found;
}
