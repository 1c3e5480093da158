/**
 * # A small machine, ready to be drawn
 *
 *     Machine ─▸ zones: their pages one by one, free blocks by order
 *             ─▸ caches: each slab with its objects and where it is; each CPU's list and slabs; the node's lists
 *
 * Everything is read from the ledger (machine/ledger.ts names the states) and copied: a picture stays as it is when the machine goes on.
 */
import {
  C_ARRAY_ENTRIES,
  C_ARRAYS,
  C_FREE_HEAD,
  C_FULL_HEAD,
  C_LIMIT,
  C_PARTIAL_HEAD,
  C_SHARED_AVAIL,
  C_SIZE,
  C_STATE,
  CACHE_LEAKED,
  CACHE_WORDS,
  COUNTERS_FREE,
  CPU_WORDS,
  countersInUse,
  FRAME_ORDER,
  FRAME_USED,
  H_CACHE_HIGH,
  H_SLAB_HIGH,
  LINK_ARRAY,
  LINK_END,
  LINK_LIVE,
  LINK_LOST,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  P_OWN,
  P_PARTIAL,
  P_SLAB,
  R_END,
  R_START,
  RANGE_WORDS,
  shapeObjects,
  shapeOrder,
  type ZoneView,
} from '../../../machine/index.js';
import {
  type CacheInfo,
  cacheIds,
  formatSlabFlags,
  type Machine,
  readCache,
  SLAB_DEBUG_FLAGS,
} from '../../../slab/index.js';

interface PagePicture {
  readonly pfn: number;
  readonly holder: 'free' | 'slab' | 'pages';
  /** Of the block that it is in. */
  readonly order: number;
  /** The block begins here. */
  readonly first: boolean;
  /** The id of the slab's cache, and the slab's number in it. */
  readonly cache?: number;
  readonly slab?: number;
}

export interface ZonePicture extends ZoneView {
  readonly pages: readonly PagePicture[];
}

/** Where an object is: handed out; on the list of a CPU, of its slab, in an array of a CPU's or the shared one; or given up. */
export type ObjectState = 'live' | 'cpu' | 'slab' | 'array' | 'shared' | 'lost';

export interface ObjectPicture {
  readonly index: number;
  readonly address: number;
  readonly state: ObjectState;
  /** The CPU whose list or array it is on. */
  readonly cpu?: number;
}

type SlabPlace = 'active' | 'cpu-partial' | 'partial' | 'full' | 'free' | 'disabled';

export interface SlabPicture {
  /** In the ledger. */
  readonly id: number;
  /** In its cache, from 0 on. */
  readonly serial: number;
  readonly address: number;
  readonly bytes: number;
  readonly order: number;
  readonly place: SlabPlace;
  /** Which CPU keeps it. */
  readonly cpu?: number;
  readonly frozen: boolean;
  /** As the kernel counts: what a CPU's list or an array has is in use. */
  readonly inUse: number;
  readonly objects: readonly ObjectPicture[];
  /** Indices in the order in which they are handed out: of its own list, and of its CPU's. */
  readonly freelist: readonly number[];
  readonly cpuFreelist: readonly number[];
}

/** An object by its slab's number and its index. */
interface ArrayEntry {
  readonly slab: number;
  readonly index: number;
  readonly address: number;
}

export interface ArrayPicture {
  readonly limit: number;
  /** Oldest first; the last one is handed out next. */
  readonly entries: readonly ArrayEntry[];
}

interface CpuPicture {
  readonly cpu: number;
  /** Ids of slabs; none or in their lists' order. */
  readonly active: number | undefined;
  readonly partial: readonly number[];
  /** With SLAB. */
  readonly array: ArrayPicture | undefined;
}

export interface CachePicture {
  readonly id: number;
  readonly name: string;
  readonly info: CacheInfo;
  readonly flags: string;
  /** Destroyed while it had objects: what is left of it stays. */
  readonly leaked: boolean;
  /** No CPU keeps anything of it. */
  readonly debugged: boolean;
  readonly slabs: readonly SlabPicture[];
  readonly cpus: readonly CpuPicture[];
  /** Ids of slabs in their lists' order. Free ones are SLAB's alone; SLUB keeps no list of full ones. */
  readonly partial: readonly number[];
  readonly full: readonly number[];
  readonly free: readonly number[];
  readonly shared: ArrayPicture | undefined;
}

export interface Picture {
  readonly zones: readonly ZonePicture[];
  /** Oldest first, destroyed ones that still have slabs last. */
  readonly caches: readonly CachePicture[];
}

export function pictureOf(machine: Machine): Picture {
  const { ledger } = machine;
  const alive = cacheIds(ledger);
  const leaked: number[] = [];
  for (let id = 1; id <= ledger.header[H_CACHE_HIGH]!; id++)
    if (ledger.cache[id * CACHE_WORDS + C_STATE] === CACHE_LEAKED) leaked.push(id);
  return {
    zones: machine.zones().map((zone) => ({ ...zone, pages: pagesOf(machine, zone) })),
    caches: [...alive, ...leaked].map((id) => cachePicture(machine, id, leaked.includes(id))),
  };
}

/** Every page of a zone that the allocator manages. */
function pagesOf({ memory }: Machine, zone: ZoneView): PagePicture[] {
  const { ledger, basePfn } = memory;
  const { range, frameState, frameSlab, slabCache, slabSerial } = ledger;
  const pages: PagePicture[] = [];
  for (let row = 0; row < ledger.shape.ranges * RANGE_WORDS; row += RANGE_WORDS) {
    const start = range[row + R_START]!;
    if (start + basePfn < zone.startPfn || start + basePfn >= zone.endPfn) continue;
    for (let frame = start; frame < range[row + R_END]!; ) {
      const state = frameState[frame]!;
      const order = state & FRAME_ORDER;
      const slab = frameSlab[frame]!;
      const holder = (state & FRAME_USED) === 0 ? 'free' : slab === 0 ? 'pages' : 'slab';
      for (let i = 0; i < 2 ** order; i++)
        pages.push({
          pfn: frame + i + basePfn,
          holder,
          order,
          first: i === 0,
          ...(holder === 'slab' && { cache: slabCache[slab]!, slab: slabSerial[slab]! }),
        });
      frame += 2 ** order;
    }
  }
  return pages;
}

function cachePicture(machine: Machine, id: number, leaked: boolean): CachePicture {
  const { ledger } = machine;
  const { cache, cpuCache, shape } = ledger;
  const c = id * CACHE_WORDS;
  const info = readCache(ledger, id);
  const arrays = info.slab !== undefined;
  const cpus = Array.from({ length: shape.cpus }, (_, cpu): CpuPicture => {
    const p = (cpu * (shape.caches + 1) + id) * CPU_WORDS;
    const active = cpuCache[p + P_SLAB]!;
    return {
      cpu,
      active: active === 0 ? undefined : active,
      partial: chain(machine, cpuCache[p + P_PARTIAL]!),
      array: arrays
        ? arrayPicture(machine, cpuCache[p + P_ENTRIES]!, cpuCache[p + P_AVAIL]!, cpuCache[p + P_LIMIT]!)
        : undefined,
    };
  });
  const partial = chain(machine, cache[c + C_PARTIAL_HEAD]!);
  const free = arrays ? chain(machine, cache[c + C_FREE_HEAD]!) : [];
  const slabs = slabIds(machine, id).map((slab) => slabPicture(machine, slab, cpus, partial, free));
  return {
    id,
    name: info.name,
    info,
    flags: formatSlabFlags(info.flags),
    leaked: leaked || info.refcount === 0,
    debugged: (info.flags & SLAB_DEBUG_FLAGS) !== 0,
    slabs,
    cpus,
    partial,
    full: arrays
      ? chain(machine, cache[c + C_FULL_HEAD]!)
      : slabs.flatMap((slab) => (slab.place === 'full' ? [slab.id] : [])),
    free,
    shared: arrays ? sharedPicture(machine, c) : undefined,
  };
}

/** The shared array lies behind those of the CPUs. */
function sharedPicture(machine: Machine, c: number): ArrayPicture {
  const { cache, shape } = machine.ledger;
  const first = shape.cpus * cache[c + C_LIMIT]!;
  return arrayPicture(
    machine,
    cache[c + C_ARRAYS]! + first,
    cache[c + C_SHARED_AVAIL]!,
    cache[c + C_ARRAY_ENTRIES]! - first,
  );
}

function arrayPicture(machine: Machine, first: number, count: number, limit: number): ArrayPicture {
  const { arrayAddress } = machine.ledger;
  const entries = Array.from({ length: count }, (_, i): ArrayEntry => {
    const address = arrayAddress[first + i]!;
    const place = machine.whereIs(address as Parameters<Machine['whereIs']>[0]);
    return { address, slab: place?.slab ?? -1, index: place?.index ?? -1 };
  });
  return { limit, entries };
}

/** Slabs from one on, as `slabNext` leads. */
function chain({ ledger }: Machine, first: number): number[] {
  const slabs: number[] = [];
  for (let slab = first; slab !== 0 && slabs.length < ledger.shape.slabs; slab = ledger.slabNext[slab]!)
    slabs.push(slab);
  return slabs;
}

/** A cache's slabs, oldest first. */
function slabIds({ ledger }: Machine, id: number): number[] {
  const found: number[] = [];
  for (let slab = 1; slab <= ledger.header[H_SLAB_HIGH]!; slab++)
    if (ledger.slabCache[slab] === id) found.push(slab);
  return found.sort((a, b) => ledger.slabSerial[a]! - ledger.slabSerial[b]!);
}

/** Indices from one on, given as index + 1, as a slab's links lead. */
function indices({ ledger }: Machine, slab: number, first: number): number[] {
  const links = ledger.slabLinks[slab]!;
  const found: number[] = [];
  const objects = shapeObjects(ledger.slabShape[slab]!);
  for (
    let object = first;
    object !== LINK_END && found.length < objects;
    object = ledger.link[links + object - 1]!
  )
    found.push(object - 1);
  return found;
}

function slabPicture(
  machine: Machine,
  id: number,
  cpus: readonly CpuPicture[],
  partial: readonly number[],
  free: readonly number[],
): SlabPicture {
  const { ledger, memory } = machine;
  const { pageSize } = machine.kernel;
  const counters = ledger.slabCounters[id]!;
  const shape = ledger.slabShape[id]!;
  const address = (ledger.slabFrame[id]! + memory.basePfn) * pageSize;
  const keeper = cpus.find(({ active, partial: kept }) => active === id || kept.includes(id));
  const active = keeper?.active === id;
  const own = active ? ledger.cpuCache[lineOf(machine, id, keeper.cpu) + P_OWN]! : LINK_END;
  const freelist = indices(machine, id, counters & COUNTERS_FREE);
  const cpuFreelist = indices(machine, id, own);
  const inUse = countersInUse(counters);
  const place = ((): SlabPlace => {
    if (keeper !== undefined) return active ? 'active' : 'cpu-partial';
    if (partial.includes(id)) return 'partial';
    if (free.includes(id)) return 'free';
    return inUse === shapeObjects(shape) && counters >= 0 ? 'full' : 'disabled';
  })();
  return {
    id,
    serial: ledger.slabSerial[id]!,
    address,
    bytes: pageSize * 2 ** shapeOrder(shape),
    order: shapeOrder(shape),
    place,
    ...(keeper !== undefined && { cpu: keeper.cpu }),
    frozen: counters < 0,
    inUse,
    objects: objectsOf(machine, id, address, { cpus, freelist, cpuFreelist, keeper: keeper?.cpu }),
    freelist,
    cpuFreelist,
  };
}

/** The first word of a CPU's line of the cache that a slab belongs to. */
function lineOf({ ledger }: Machine, slab: number, cpu: number): number {
  return (cpu * (ledger.shape.caches + 1) + ledger.slabCache[slab]!) * CPU_WORDS;
}

interface Lists {
  readonly cpus: readonly CpuPicture[];
  readonly freelist: readonly number[];
  readonly cpuFreelist: readonly number[];
  readonly keeper: number | undefined;
}

function objectsOf({ ledger }: Machine, slab: number, address: number, lists: Lists): ObjectPicture[] {
  const size = ledger.cache[ledger.slabCache[slab]! * CACHE_WORDS + C_SIZE]!;
  const first = address + ledger.slabOffset[slab]!;
  const [onSlab, onCpu] = [new Set(lists.freelist), new Set(lists.cpuFreelist)];
  return Array.from({ length: shapeObjects(ledger.slabShape[slab]!) }, (_, index): ObjectPicture => {
    const at = first + index * size;
    const known = { index, address: at };
    const link = ledger.link[ledger.slabLinks[slab]! + index]!;
    if (onCpu.has(index)) return { ...known, state: 'cpu', cpu: lists.keeper! };
    if (onSlab.has(index)) return { ...known, state: 'slab' };
    if (link === LINK_LIVE) return { ...known, state: 'live' };
    if (link !== LINK_ARRAY) return { ...known, state: link === LINK_LOST ? 'lost' : 'live' };
    const holder = lists.cpus.find(({ array }) => array?.entries.some((entry) => entry.address === at));
    return holder === undefined
      ? { ...known, state: 'shared' }
      : { ...known, state: 'array', cpu: holder.cpu };
  });
}
