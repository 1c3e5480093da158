/**
 * slab-zones: where the slabs of a cache come from on machines of several sizes, also beyond the end of a zone, with both allocators.
 *
 * Each case runs on a machine whose zones manage, and have free, as many pages as was recorded before the first one; how many objects come,
 * and from which zones, is compared exactly. Where a zone runs dry the last pages are not the engine's to predict: those in the CPUs'
 * own lists are in no zone's count, the cases ran one after the other, and a kernel that woke its reclaim keeps up to a page block more in
 * a zone for a while (`watermark_boost`), which is not modelled. There a zone may give 64 pages and 1/256 of it more or less than
 * recorded, and where reclaim is woken another 1024, or 1/64 of a small zone; which zones are used at all stays exact.
 */

import { ArgumentError, type Gfp, largestOf, NULL, parseSize } from '../../base/index.js';
import { __GFP, boardMap, GFP, type MemoryMap, parseGfp, type ZoneName } from '../../machine/index.js';
import { type KmemCache, Machine } from '../../slab/index.js';
import { bootOptions } from '../boot/index.js';
import { type RecordedBoot, RecordedKernel, type RecordingHead } from './recording.js';
import { type Expect, malformed, type SetResult, SetTally } from './result.js';

interface RecordedZone {
  readonly name: string;
  readonly managed: number;
  readonly free: number;
  readonly wmark: readonly [min: number, low: number, high: number];
  readonly lowmem_reserve: readonly number[];
}

interface ZoneCase {
  readonly size: number;
  readonly flags: string;
  readonly gfp: string;
  readonly count: number;
  readonly objs_per_slab: number;
  readonly order: number;
  readonly null_allocs: number;
  readonly zones: Readonly<Record<string, ZoneCount>>;
  readonly max_phys_below_4g: boolean;
}

interface ZoneCount {
  readonly objects: number;
  readonly slabs: number;
}

interface SlabZonesRecording extends RecordingHead {
  /** By the label of their boot, which says which allocator the kernel was built with. */
  readonly machines: Readonly<
    Record<string, { readonly zones: readonly RecordedZone[]; readonly cases: readonly ZoneCase[] }>
  >;
}

export function isSlabZones(recording: object): recording is SlabZonesRecording {
  return 'machines' in recording && 'boots' in recording;
}

export function verifySlabZones(recording: SlabZonesRecording, set: string): SetResult {
  const tally = new SetTally(set);
  for (const [label, { zones, cases }] of Object.entries(recording.machines)) {
    const boot = recording.boots[label];
    if (boot === undefined)
      throw malformed(`machine ${label}`, 'a boot of that name', Object.keys(recording.boots));
    const [, allocator] = /^(slub|slab)-/.exec(label) ?? [];
    if (allocator === undefined) throw malformed('machines', 'labels that begin with slub- or slab-', label);
    const kernel = new RecordedKernel({ ...recording, allocator: allocator.toUpperCase() });
    const map = recordedMap(boot, zones);
    tally.case(`${label}: zones`, (expect) => expectZones(expect, zones, machineOf(kernel, boot, map)));
    for (const row of cases) {
      tally.case(
        `${label}: ${row.count} objects of ${row.size}, flags ${row.flags}, ${row.gfp}`,
        (expect) => {
          const machine = machineOf(kernel, boot, map);
          holdAsRecorded(machine, zones);
          expectCase(expect, kernel, machine, row);
          machine.validate();
        },
      );
    }
  }
  return tally.result();
}

function machineOf(kernel: RecordedKernel, boot: RecordedBoot, map: MemoryMap): Machine {
  return Machine.create({
    ...bootOptions(boot.cmdline, kernel.profile),
    machine: map,
    cpus: boot.smp,
    kernel: kernel.profile,
    faithful: true,
    ledger: { slabs: 1 << 16, linkPages: 1 << 12 },
  });
}

/** The board, with so much reserved at the end of each zone that the rest is what the recorded kernel managed. */
function recordedMap({ mem, smp }: RecordedBoot, recorded: readonly RecordedZone[]): MemoryMap {
  const board = boardMap('x86_64', parseSize(mem));
  const reserved = [...board.reserved];
  const { kernel, memory } = Machine.create({ machine: board, cpus: smp });
  for (const zone of memory.zones()) {
    const surplus = zone.managed - zoneNamed(recorded, zone.name).managed;
    if (surplus < 0)
      throw new ArgumentError(
        `the recorded kernel managed ${-surplus} more pages of ${zone.name} than there are`,
      );
    const zoneEnd = zone.endPfn * kernel.pageSize;
    const ends = board.ram.filter(({ start }) => start < zoneEnd).map(({ end }) => Math.min(end, zoneEnd));
    const end = largestOf(ends);
    if (surplus > 0) reserved.push({ start: end - surplus * kernel.pageSize, end });
  }
  return { ...board, reserved };
}

function zoneNamed(zones: readonly RecordedZone[], name: ZoneName): RecordedZone {
  const zone = zones.find((candidate) => candidate.name === name);
  if (zone === undefined) throw malformed('zones', `one that is called ${name}`, zones);
  return zone;
}

/** What counters of free pages may be wrong by, and what a zone keeps while reclaim is awake. */
const COUNTER_PAGES = 64;
const BOOST_PAGES = 1024;

/** A request that only this zone can satisfy while it has memory, whatever its watermarks say. */
const FROM_ZONE: Readonly<Record<ZoneName, number>> = {
  DMA: GFP.DMA | __GFP.MEMALLOC,
  DMA32: GFP.DMA32 | __GFP.MEMALLOC,
  Normal: __GFP.MEMALLOC,
};

/** Takes from each zone what the recorded system held, in blocks as large as they come. */
function holdAsRecorded(machine: Machine, recorded: readonly RecordedZone[]): void {
  for (const { name, free } of machine.zones()) {
    let surplus = free - zoneNamed(recorded, name).free;
    for (let order = machine.kernel.orders - 1; order >= 0; order--) {
      for (; surplus >= 2 ** order; surplus -= 2 ** order) machine.allocPages(FROM_ZONE[name] as Gfp, order);
    }
  }
}

/**
 * The kernel computes marks and reserves before it has freed all that it does not need itself, up to 8 MiB: its marks may differ by 1 % or
 * 3 pages, and its reserves, which are 1/256 of other zones and less, may be 8 pages lower.
 */
function expectZones(expect: Expect, recorded: readonly RecordedZone[], machine: Machine): void {
  for (const zone of machine.zones()) {
    const { managed, wmark, lowmem_reserve: reserve } = zoneNamed(recorded, zone.name);
    expect(`${zone.name}: managed`, managed, zone.managed);
    zone.lowmemReserve.forEach((pages, i) => {
      const close = pages >= reserve[i]! && pages <= reserve[i]! + 8;
      expect(`${zone.name}: lowmem_reserve[${i}]`, reserve[i], close ? reserve[i] : pages);
    });
    [zone.min, zone.low, zone.high].forEach((mark, i) => {
      const close = Math.abs(mark - wmark[i]!) <= Math.max(3, wmark[i]! / 100);
      expect(`${zone.name}: wmark[${i}]`, wmark[i], close ? wmark[i] : mark);
    });
  }
}

function expectCase(expect: Expect, kernel: RecordedKernel, machine: Machine, row: ZoneCase): void {
  // The recorder gave its caches a constructor, to keep them to itself.
  const cache = machine.kmemCacheCreate('zones', row.size, {
    flags: kernel.flags(row.flags),
    ctor: () => {},
  })!;
  const gfp = parseGfp(row.gfp);
  const { oo, min, allocflags } = cache.info;
  expect('objs_per_slab', row.objs_per_slab, oo.objects);
  expect('order', row.order, oo.order);
  const wanted = Math.ceil(row.count / oo.objects) * 2 ** oo.order;
  const roomy = fitsHighestZone(machine, (gfp | allocflags) as Gfp, wanted);
  const { zones, failed, end } = allocateAll(machine, cache, gfp, row.count);
  const recorded = Object.values(row.zones).reduce((sum, { objects }) => sum + objects, row.null_allocs);
  expect('objects and failures', row.count, recorded);
  expect('names of zones', Object.keys(row.zones).sort(), Object.keys(zones).sort());
  expect('max_phys_below_4g', row.max_phys_below_4g, end <= 2 ** 32);
  if (roomy) {
    expect('null_allocs', row.null_allocs, failed);
    expect('zones', row.zones, zones);
    return;
  }
  for (const { name, managed } of machine.zones()) {
    const theirs = row.zones[name];
    const ours = zones[name];
    if (theirs === undefined || ours === undefined) continue;
    const boost = gfp & __GFP.KSWAPD_RECLAIM ? Math.min(BOOST_PAGES, managed / 64) : 0;
    const slack = COUNTER_PAGES + managed / 256 + boost;
    const close = (a: number, b: number, pagesEach: number) => Math.abs(a - b) * pagesEach <= slack;
    const sameObjects = close(ours.objects, theirs.objects, 2 ** oo.order / oo.objects);
    expect(`zones.${name}.objects`, theirs.objects, sameObjects ? theirs.objects : ours.objects);
    // The last pages of a zone make slabs of the smallest order.
    const sameSlabs = close(ours.slabs, theirs.slabs, 2 ** min.order);
    expect(`zones.${name}.slabs`, theirs.slabs, sameSlabs ? theirs.slabs : ours.slabs);
  }
}

/** Whether so many pages lie in the highest zone of a request with all its marks kept. */
function fitsHighestZone(machine: Machine, gfp: Gfp, pages: number): boolean {
  const highest = machine.memory.pages.highestZone(gfp);
  const zone = machine.zones().findLast(({ managed }, z) => z <= highest && managed > 0);
  return zone !== undefined && zone.free - pages > zone.high + zone.lowmemReserve[highest]! + COUNTER_PAGES;
}

/** Allocates on CPU 0. `end` is the highest physical address of any object, and one. */
function allocateAll(
  machine: Machine,
  cache: KmemCache,
  gfp: Gfp,
  count: number,
): { zones: Record<string, ZoneCount>; failed: number; end: number } {
  const zones: Record<string, { objects: number; slabs: number }> = {};
  const seen = new Set<number>();
  let failed = 0;
  let end = 0;
  for (let i = 0; i < count; i++) {
    const address = cache.alloc(gfp);
    if (address === NULL) {
      failed++;
      continue;
    }
    end = Math.max(end, address + cache.info.objectSize);
    const name = machine.zoneOf(address)!;
    zones[name] ??= { objects: 0, slabs: 0 };
    zones[name].objects++;
    const { slab } = machine.whereIs(address)!;
    if (!seen.has(slab)) zones[name].slabs++;
    seen.add(slab);
  }
  return { zones, failed, end };
}
