/**
 * # /proc/slabinfo, /proc/buddyinfo and /proc/zoneinfo
 *
 *     formatSlabinfo(slabinfoRows(machine))      // as `cat /proc/slabinfo` prints it, version 2.1
 *     parseSlabinfo(text, 'slabinfo.txt')        // the same rows again, of SLUB or SLAB
 *
 * slabinfo has a line a cache, newest first; names that share one are not in it. What its columns say depends on the allocator:
 *
 * | column | SLUB | SLAB |
 * | --- | --- | --- |
 * | active_objs | all objects less the free ones of slabs on the node's list | all objects less the free ones in slabs |
 * | tunables | 0 | objects of a CPU's array, objects moved at a time, batches of the shared array; proc-write.ts sets them |
 * | active_slabs | all slabs | all slabs less those on the list of free ones |
 * | sharedavail | 0 | objects in the shared array |
 *
 * So neither counts live objects: a slab that a CPU holds counts as used in full with SLUB, an object in an array as used with SLAB. (A
 * 6.12 kernel estimates active_objs where a node's list has more than 10,000 slabs; here it is always counted.)
 *
 * buddyinfo has a line for each zone that has memory: free blocks by order.
 *
 * zoneinfo has all zones, also the empty Movable, as far as a machine has the state. Left out: `boost`, `cma`, the per-CPU `pagesets`
 * with `vm stats threshold`, `node_unreclaimable`, and all counters but nr_slab_reclaimable, nr_slab_unreclaimable and nr_free_pages.
 * There is neither reclaim nor CMA here, and the page allocator has no per-CPU lists.
 */
import { InputError, printable } from '../base/index.js';
import { C_FLAGS, CACHE_WORDS, H_SLAB_HIGH, type ZoneView } from '../machine/index.js';
import { type KmemCache, type Machine, SLAB, sysfsCounters } from '../slab/index.js';

/** A line of /proc/slabinfo. */
export interface SlabinfoRow {
  readonly name: string;
  readonly activeObjs: number;
  readonly numObjs: number;
  /** Bytes from one object to the next. */
  readonly objSize: number;
  readonly objPerSlab: number;
  readonly pagesPerSlab: number;
  /** Of SLAB; 0 with SLUB. */
  readonly limit: number;
  readonly batchCount: number;
  readonly sharedFactor: number;
  readonly activeSlabs: number;
  readonly numSlabs: number;
  readonly sharedAvail: number;
}

/** A line of /proc/buddyinfo. */
export interface BuddyinfoRow {
  readonly node: number;
  readonly zone: string;
  /** Free blocks by order. */
  readonly free: readonly number[];
}

// ---- slabinfo ----------------------------------------------------------------------------------------------------------

const SLABINFO_HEAD = [
  'slabinfo - version: 2.1',
  '# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>' +
    ' : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>',
];

/** The rows of /proc/slabinfo, newest cache first, as the kernel lists them. */
export function slabinfoRows(machine: Machine): SlabinfoRow[] {
  return machine
    .caches()
    .reverse()
    .map((cache) => {
      const { name, size, oo, totalObjects, nrSlabs, slab } = cache.info;
      const shape = {
        name,
        numObjs: totalObjects,
        objSize: size,
        objPerSlab: oo.objects,
        pagesPerSlab: 2 ** oo.order,
        numSlabs: nrSlabs,
      };
      if (slab === undefined) return { ...shape, ...slubUse(machine, cache), activeSlabs: nrSlabs };
      return {
        ...shape,
        activeObjs: totalObjects - slab.freeObjects,
        limit: slab.limit,
        batchCount: slab.batchcount,
        sharedFactor: slab.sharedFactor,
        activeSlabs: nrSlabs - slab.freeSlabs,
        sharedAvail: slab.sharedAvail,
      };
    });
}

function slubUse(machine: Machine, cache: KmemCache) {
  const { objects } = sysfsCounters(machine, cache);
  return { activeObjs: objects, limit: 0, batchCount: 0, sharedFactor: 0, sharedAvail: 0 };
}

/** A number on the right of a column. */
const right = (value: number | string, width: number) => String(value).padStart(width);

/** The text of /proc/slabinfo 2.1, with its two head lines. */
export function formatSlabinfo(rows: readonly SlabinfoRow[]): string {
  const lines = rows.map((row) =>
    [
      `${row.name.padEnd(17)} ${right(row.activeObjs, 6)} ${right(row.numObjs, 6)} ${right(row.objSize, 6)}`,
      ` ${right(row.objPerSlab, 4)} ${right(row.pagesPerSlab, 4)}`,
      ` : tunables ${right(row.limit, 4)} ${right(row.batchCount, 4)} ${right(row.sharedFactor, 4)}`,
      ` : slabdata ${right(row.activeSlabs, 6)} ${right(row.numSlabs, 6)} ${right(row.sharedAvail, 6)}`,
    ].join(''),
  );
  return text([...SLABINFO_HEAD, ...lines]);
}

/** Reads /proc/slabinfo of version 2, of SLUB or SLAB. Throws InputError with the line. */
export function parseSlabinfo(input: string, file: string): SlabinfoRow[] {
  const [version = '', head = '', ...lines] = linesOf(input);
  if (!/^slabinfo - version: 2\./.test(version))
    throw expected(file, 1, "'slabinfo - version: 2.1'", version);
  if (!head.startsWith('# name')) throw expected(file, 2, "the names of the columns, '# name …'", head);
  return lines.map((line, i) => parseSlabinfoLine(line, file, i + 3));
}

/** What SLAB's statistics add behind the three parts is not read. */
function parseSlabinfoLine(line: string, file: string, number: number): SlabinfoRow {
  const [counts = '', tunables = '', slabdata = ''] = line.split(' : ');
  // A name may have blanks in it: the numbers are read from the right.
  const [, name, first] = /^(\S.*?)\s+(\d+(?:\s+\d+){4})\s*$/.exec(counts) ?? [];
  const [activeObjs, numObjs, objSize, objPerSlab, pagesPerSlab] = numbers(first, 5);
  const [limit, batchCount, sharedFactor] = numbers(/^tunables\s+(.*)$/.exec(tunables)?.[1], 3);
  const [activeSlabs, numSlabs, sharedAvail] = numbers(/^slabdata\s+(.*)$/.exec(slabdata)?.[1], 3);
  if (name === undefined || limit === undefined || activeSlabs === undefined) {
    throw expected(file, number, "a name with 5 numbers, ': tunables' with 3 and ': slabdata' with 3", line);
  }
  return {
    name,
    activeObjs: activeObjs!,
    numObjs: numObjs!,
    objSize: objSize!,
    objPerSlab: objPerSlab!,
    pagesPerSlab: pagesPerSlab!,
    limit,
    batchCount: batchCount!,
    sharedFactor: sharedFactor!,
    activeSlabs,
    numSlabs: numSlabs!,
    sharedAvail: sharedAvail!,
  };
}

// ---- buddyinfo ---------------------------------------------------------------------------------------------------------

/** The rows of /proc/buddyinfo: one for each zone that has memory. */
export function buddyinfoRows(machine: Machine): BuddyinfoRow[] {
  return machine
    .zones()
    .filter(({ present }) => present > 0)
    .map(({ name, freeBlocks }) => ({ node: 0, zone: name, free: freeBlocks }));
}

/** The text of /proc/buddyinfo. */
export function formatBuddyinfo(rows: readonly BuddyinfoRow[]): string {
  return text(
    rows.map(
      ({ node, zone, free }) => `${zoneHead(node, zone)} ${free.map((n) => `${right(n, 6)} `).join('')}`,
    ),
  );
}

/** Reads /proc/buddyinfo. Throws InputError with the line. */
export function parseBuddyinfo(input: string, file: string): BuddyinfoRow[] {
  return linesOf(input).map((line, i) => {
    const [, node, zone, rest] = /^Node\s+(\d+),\s+zone\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    const free = numbers(rest);
    if (free.length === 0) throw expected(file, i + 1, "'Node 0, zone NAME' and free blocks by order", line);
    return { node: Number(node), zone: zone!, free };
  });
}

// ---- zoneinfo ----------------------------------------------------------------------------------------------------------

/** Pages in slabs of all caches of a node. */
export interface SlabPages {
  readonly reclaimable: number;
  readonly unreclaimable: number;
}

/** What the kernel counts as nr_slab_reclaimable and nr_slab_unreclaimable. */
export function slabPages({ ledger }: Machine): SlabPages {
  const pages = { reclaimable: 0, unreclaimable: 0 };
  for (let slab = 1; slab <= ledger.header[H_SLAB_HIGH]!; slab++) {
    const id = ledger.slabCache[slab]!;
    if (id === 0) continue;
    const reclaimable = ledger.cache[id * CACHE_WORDS + C_FLAGS]! & SLAB.RECLAIM_ACCOUNT;
    pages[reclaimable ? 'reclaimable' : 'unreclaimable'] += 2 ** (ledger.slabShape[slab]! >> 16);
  }
  return pages;
}

/** /proc/zoneinfo, as far as the machine has the state. */
export function zoneinfo(machine: Machine): string {
  return formatZoneinfo(machine.zones(), slabPages(machine));
}

/** The text of /proc/zoneinfo, as far as a machine knows it: pages, watermarks and reserves. */
export function formatZoneinfo(zones: readonly ZoneView[], slabs: SlabPages): string {
  const first = zones.findIndex(({ present }) => present > 0);
  const lines = zones.flatMap((zone, i) => [
    zoneHead(0, zone.name),
    ...(i === first ? nodeLines(slabs) : []),
    ...zoneLines(zone),
  ]);
  // The kernel's last zone is for movable pages only, and is empty unless it is asked for.
  const none = { free: 0, min: 0, low: 0, high: 0, present: 0, managed: 0 };
  const empty = { ...zones[0]!, ...none, lowmemReserve: zones.map(() => 0) };
  return text([...lines, zoneHead(0, 'Movable'), ...zoneLines(empty)]);
}

function nodeLines({ reclaimable, unreclaimable }: SlabPages): string[] {
  return [
    '  per-node stats',
    counter('nr_slab_reclaimable', reclaimable),
    counter('nr_slab_unreclaimable', unreclaimable),
  ];
}

function zoneLines(zone: ZoneView): string[] {
  // Page frame 0 is no zone's: it is reserved before there are zones.
  const start = Math.max(zone.startPfn, 1);
  const spanned = zone.present === 0 ? 0 : zone.endPfn - start;
  // Movable comes behind the machine's zones, has no pages, and is as far away as the highest of them.
  const protection = [...zone.lowmemReserve, zone.lowmemReserve.at(-1) ?? 0];
  const field = (name: string, value: number) => `        ${name.padEnd(8)} ${value}`;
  const lines = [
    `  pages free     ${zone.free}`,
    field('min', zone.min),
    field('low', zone.low),
    field('high', zone.high),
    field('spanned', spanned),
    field('present', zone.present),
    field('managed', zone.managed),
    `        protection: (${protection.join(', ')})`,
  ];
  if (zone.present === 0) return lines;
  return [...lines, counter('nr_free_pages', zone.free), `  start_pfn:           ${start}`];
}

const counter = (name: string, value: number) => `      ${name.padEnd(12)} ${value}`;

// ---- lines -------------------------------------------------------------------------------------------------------------

const zoneHead = (node: number, zone: string) => `Node ${node}, zone ${right(zone, 8)}`;

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** Lines without the empty ones at the end. */
function linesOf(input: string): string[] {
  return input.trimEnd().split(/\r?\n/);
}

/** Numbers between blanks: so many, or none if they are not. */
function numbers(words: string | undefined, count?: number): number[] {
  const found = words?.trim().split(/\s+/) ?? [];
  const good = found.every((word) => /^\d+$/.test(word)) && (count === undefined || found.length === count);
  return good ? found.map(Number) : [];
}

function expected(file: string, line: number, what: string, found: string): InputError {
  const shown = printable(found, 60);
  return new InputError(
    file,
    line,
    `expected ${what}, but ${shown === '' ? 'the line is empty' : `there stands '${shown}'`}`,
  );
}
