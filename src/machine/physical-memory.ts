/**
 * A machine's memory: a ledger, its zones, and the page allocator over them.
 *
 *     const memory = createPhysicalMemory({ map: boardMap('mt8173'), profile, cpus: 4 });
 *     const pfn = memory.pages.allocPages(GFP.KERNEL | GFP.DMA32, 0);
 *     memory.zones[0].managed - memory.zones[0].free                 // 1
 */
import { ArgumentError, type Pfn, type PhysAddr, roundDown, roundUp } from '../base/index.js';
import { blocksOf, createFreeBlocks } from './free-blocks.js';
import {
  createLedger,
  type Ledger,
  ledgerConfig,
  openLedger,
  R_END,
  R_START,
  R_VIRGIN,
  R_VIRGIN_END,
  RANGE_WORDS,
  Z_COUNT,
  Z_END,
  Z_FREE,
  Z_MANAGED,
  Z_PEAK,
  Z_PRESENT,
  Z_RANGE,
  Z_RANGE_END,
  Z_RESERVE,
  Z_START,
  Z_WMARK_HIGH,
  Z_WMARK_LOW,
  Z_WMARK_MIN,
  ZONE_WORDS,
} from './ledger.js';
import { createLocks, type Locks } from './locks.js';
import { KernelLog } from './log.js';
import type { MemoryMap, RamRange, ZoneName } from './memory-map.js';
import { createPageAllocator, type PageAllocator } from './page-allocator.js';
import type { PageProfile } from './profile.js';
import { watermarks } from './watermarks.js';

/** A zone as it is now. Pages. */
export interface ZoneView {
  readonly name: ZoneName;
  readonly startPfn: Pfn;
  /** First pfn behind the zone. */
  readonly endPfn: Pfn;
  readonly present: number;
  readonly managed: number;
  readonly free: number;
  /** The most pages that were handed out at the same time. */
  readonly peakTaken: number;
  readonly min: number;
  readonly low: number;
  readonly high: number;
  readonly lowmemReserve: readonly number[];
  /** Free blocks by order, as in /proc/buddyinfo. */
  readonly freeBlocks: readonly number[];
}

/** The memory of one machine: its ledger, and who works on it. */
export interface PhysicalMemory {
  readonly ledger: Ledger;
  readonly pages: PageAllocator;
  /** Which CPU this thread is, and what it locks. */
  readonly locks: Locks;
  readonly log: KernelLog;
  readonly profile: PageProfile;
  /** The ledger's frame 0. */
  readonly basePfn: number;
  readonly zoneNames: readonly ZoneName[];
  /** A fresh view at each call. */
  zones(): ZoneView[];
  /** Pages handed out in a zone, or in all. */
  takenPages(zone?: number): number;
}

/** Rows of the ledger's tables. What is left out follows from the machine's size. */
export interface LedgerLimits {
  slabs?: number;
  linkPages?: number;
  caches?: number;
  /** Of a machine with SLAB: objects that the arrays of all caches can hold together. */
  arrayEntries?: number;
  /** Of a machine with sheaves: objects that the sheaves of all caches can hold together. */
  sheafEntries?: number;
  /** Of a machine with SLUB from 7.0 on: sheaves, and the objects that they can hold together. With 0 its caches are only described. */
  sheaves?: number;
  sheafSlots?: number;
}

/** What a machine's memory is made of. */
interface PhysicalMemoryOptions {
  readonly map: MemoryMap;
  readonly profile: PageProfile;
  readonly cpus: number;
  readonly ledger?: LedgerLimits;
  /** Put the ledger into a SharedArrayBuffer. */
  readonly shared?: boolean;
  /** Count events by CPU and cache. */
  readonly statistics?: boolean;
  /** Entries that the arrays of a cache take, at most and unless told otherwise; 0 for an allocator without such arrays. */
  readonly arrayEntriesPerCache?: number;
  /** Entries that the sheaves of a cache take, at most and unless told otherwise; 0 for a machine without sheaves. */
  readonly sheafEntriesPerCache?: number;
  /** Whether its caches have sheaves of Linux 7.0 and later. */
  readonly sheaves?: boolean;
  readonly log?: KernelLog;
  /** Whatever else the machine's maker wants to find again in the ledger. */
  readonly extra?: unknown;
}

/** What is written into the ledger as text. */
interface LedgerConfig {
  readonly basePfn: number;
  readonly zones: readonly ZoneName[];
  readonly profile: PageProfile;
  readonly extra: unknown;
}

interface FrameRange {
  readonly start: number;
  readonly end: number;
  readonly zone: number;
}

/** CPUs of a machine, at most. */
export const CPUS_MAX = 1024;

/** A new memory, all of it free. Throws ArgumentError for CPUs, RAM or limits that make no machine. */
export function createPhysicalMemory(options: PhysicalMemoryOptions): PhysicalMemory {
  const { map, profile, cpus } = options;
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > CPUS_MAX) {
    throw new ArgumentError(`a machine has 1 to ${CPUS_MAX} CPUs, not ${cpus}`);
  }
  const largestBlock = profile.pageSize * 2 ** (profile.orders - 1);
  const basePfn = roundDown(map.ram[0]!.start, largestBlock) / profile.pageSize;
  const frames = roundUp(map.ram.at(-1)!.end, largestBlock) / profile.pageSize - basePfn;
  const present = frameRanges(map, profile.pageSize, basePfn, map.ram);
  const managed = frameRanges(
    map,
    profile.pageSize,
    basePfn,
    withoutReserved(map.ram, map.reserved, profile.pageSize),
  );
  if (managed.length === 0) throw new ArgumentError(`${map.name}: all of its RAM is reserved`);
  const caches = options.ledger?.caches ?? 512;
  const perCache = options.arrayEntriesPerCache ?? 0;
  const sheavesPerCache = options.sheafEntriesPerCache ?? 0;
  const ledger = createLedger(
    {
      frames,
      // A slab has a frame at least, so no machine of up to 2^20 frames runs out of ids; a larger one is told if it does.
      slabs: options.ledger?.slabs ?? Math.min(frames, 1 << 20),
      // Pages of 2048 links: a third of a page a frame is 682 objects a frame, and 64 serve small machines. 2^15 pages are 128 MiB.
      linkPages: options.ledger?.linkPages ?? Math.min(Math.ceil(frames / 3) + 64, 1 << 15),
      caches,
      cpus,
      zones: map.zones.length,
      ranges: managed.length,
      statistics: options.statistics ? 1 : 0,
      // None at all would say that the allocator has no arrays.
      arrayEntries: perCache === 0 ? 0 : Math.max(options.ledger?.arrayEntries ?? caches * perCache, 1),
      sheafEntries: sheavesPerCache === 0 ? 0 : (options.ledger?.sheafEntries ?? caches * sheavesPerCache),
      sheafWords: (basePfn + frames) * profile.pageSize <= 2 ** 31 ? 1 : 2,
      ...(options.sheaves
        ? sheafTables(options.ledger ?? {}, caches * cpus, frames * profile.pageSize)
        : { sheaves: 0, sheafSlots: 0 }),
    },
    JSON.stringify({
      basePfn,
      zones: map.zones.map((z) => z.name),
      profile: pagePart(profile),
      extra: options.extra,
    } satisfies LedgerConfig),
    options.shared,
  );
  const memory = attach(ledger, options.log ?? new KernelLog());
  layOut(ledger, map, present, managed, profile, basePfn);
  return memory;
}

/** Sheaves that barns and callers hold, beside three of each CPU and cache. */
const SHEAVES_ELSEWHERE = 2 ** 16;
/** Objects of the largest usual sheaf. */
const SLOTS_EACH = 60;
const SHEAF_SLOTS_MAX = 2 ** 25;

/** As many sheaves as there could be on a machine of this size: each takes 8 bytes of its memory for each object. */
function sheafTables({ sheaves, sheafSlots }: LedgerLimits, lines: number, bytes: number) {
  const rows = sheaves ?? 3 * lines + SHEAVES_ELSEWHERE;
  return { sheaves: rows, sheafSlots: sheafSlots ?? Math.min(rows * SLOTS_EACH, bytes / 8, SHEAF_SLOTS_MAX) };
}

/** A profile of a whole kernel has more in it than the page allocator needs, and functions. */
function pagePart(profile: PageProfile): PageProfile {
  const { pageSize, orders, watermarkScaleFactor, lowmemReserveRatio, gfp } = profile;
  return { pageSize, orders, watermarkScaleFactor, lowmemReserveRatio, ...(gfp && { gfp }) };
}

/** Goes on from a ledger that somebody else made: a copy of its buffer, or the same shared one. */
export function openPhysicalMemory(
  buffer: ArrayBuffer | SharedArrayBuffer,
  log = new KernelLog(),
): PhysicalMemory {
  return attach(openLedger(buffer), log);
}

/** What the machine's maker put into the ledger as `extra`. */
export function ledgerExtra(ledger: Ledger): unknown {
  return (JSON.parse(ledgerConfig(ledger)) as LedgerConfig).extra;
}

function attach(ledger: Ledger, log: KernelLog): PhysicalMemory {
  const { basePfn, zones: zoneNames, profile } = JSON.parse(ledgerConfig(ledger)) as LedgerConfig;
  const locks = createLocks(ledger);
  const pages = createPageAllocator(ledger, { profile, zoneNames, basePfn, log, locks });
  const { zone } = ledger;
  return {
    ledger,
    pages,
    locks,
    log,
    profile,
    basePfn,
    zoneNames,
    zones: () => zoneNames.map((name, z) => zoneView(ledger, profile, name, z, basePfn)),
    takenPages(which) {
      if (which !== undefined)
        return zone[which * ZONE_WORDS + Z_MANAGED]! - zone[which * ZONE_WORDS + Z_FREE]!;
      let taken = 0;
      for (let row = 0; row < zoneNames.length * ZONE_WORDS; row += ZONE_WORDS) {
        taken += zone[row + Z_MANAGED]! - zone[row + Z_FREE]!;
      }
      return taken;
    },
  };
}

function zoneView(
  ledger: Ledger,
  profile: PageProfile,
  name: ZoneName,
  z: number,
  basePfn: number,
): ZoneView {
  const row = z * ZONE_WORDS;
  const word = (at: number) => ledger.zone[row + at]!;
  const freeBlocks = Array.from({ length: profile.orders }, (_, order) => word(Z_COUNT + order));
  freeBlocks[profile.orders - 1]! += virginFrames(ledger, z) / 2 ** (profile.orders - 1);
  return {
    name,
    startPfn: (word(Z_START) + basePfn) as Pfn,
    endPfn: (word(Z_END) + basePfn) as Pfn,
    present: word(Z_PRESENT),
    managed: word(Z_MANAGED),
    free: word(Z_FREE),
    peakTaken: word(Z_PEAK),
    min: word(Z_WMARK_MIN),
    low: word(Z_WMARK_LOW),
    high: word(Z_WMARK_HIGH),
    lowmemReserve: Array.from({ length: ledger.shape.zones }, (_, j) => word(Z_RESERVE + j)),
    freeBlocks,
  };
}

/** Frames of a zone that were never handed out and are on no list. */
export function virginFrames(ledger: Ledger, z: number): number {
  let frames = 0;
  const row = z * ZONE_WORDS;
  for (let i = ledger.zone[row + Z_RANGE]!; i < ledger.zone[row + Z_RANGE_END]!; i++) {
    frames += ledger.range[i * RANGE_WORDS + R_VIRGIN_END]! - ledger.range[i * RANGE_WORDS + R_VIRGIN]!;
  }
  return frames;
}

/** RAM less what is reserved. Whole pages only; address 0 is NULL and never handed out. */
function withoutReserved(
  ram: readonly RamRange[],
  reserved: readonly RamRange[],
  pageSize: number,
): RamRange[] {
  let left: RamRange[] = [...ram];
  for (const hole of [...reserved, { start: 0, end: pageSize }]) {
    left = left
      .flatMap(({ start, end }) => [
        { start, end: Math.min(end, hole.start) },
        { start: Math.max(start, hole.end), end },
      ])
      .filter(({ start, end }) => start < end);
  }
  return left;
}

/** Byte ranges as ranges of whole frames, cut at the zones' borders, ascending. */
function frameRanges(
  map: MemoryMap,
  pageSize: number,
  basePfn: number,
  ranges: readonly RamRange[],
): FrameRange[] {
  const found: FrameRange[] = [];
  for (const { start, end } of ranges) {
    let zoneStart = 0;
    map.zones.forEach((spec, zone) => {
      const from = Math.ceil(Math.max(start, zoneStart) / pageSize) - basePfn;
      const to = Math.floor(Math.min(end, spec.end) / pageSize) - basePfn;
      if (from < to) found.push({ start: from, end: to, zone });
      zoneStart = spec.end;
    });
  }
  return joinTouching(found.sort((a, b) => a.start - b.start));
}

/** Ranges that touch within a zone become one, for blocks join across where they touched. */
function joinTouching(ranges: readonly FrameRange[]): FrameRange[] {
  const joined: FrameRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last && last.end === range.start && last.zone === range.zone)
      joined[joined.length - 1] = { ...last, end: range.end };
    else joined.push(range);
  }
  return joined;
}

/** Fills a fresh ledger's zones, ranges and free lists. */
function layOut(
  ledger: Ledger,
  map: MemoryMap,
  present: readonly FrameRange[],
  managed: readonly FrameRange[],
  profile: PageProfile,
  basePfn: number,
): void {
  const { zone, range } = ledger;
  const framesIn = (ranges: readonly FrameRange[], z: number) =>
    ranges.reduce((sum, r) => sum + (r.zone === z ? r.end - r.start : 0), 0);
  const marks = watermarks(
    map.zones.map((spec, z) => ({ name: spec.name, managed: framesIn(managed, z) })),
    profile,
  );
  let zoneStart = 0;
  map.zones.forEach((spec, z) => {
    const row = z * ZONE_WORDS;
    const clamp = (address: number) =>
      Math.min(
        Math.max(Math.floor(Math.min(address, Number.MAX_SAFE_INTEGER) / profile.pageSize) - basePfn, 0),
        ledger.shape.frames,
      );
    zone[row + Z_START] = clamp(zoneStart);
    zone[row + Z_END] = clamp(spec.end);
    zone[row + Z_PRESENT] = framesIn(present, z);
    zone[row + Z_MANAGED] = framesIn(managed, z);
    zone[row + Z_FREE] = framesIn(managed, z);
    const mark = marks[z]!;
    zone[row + Z_WMARK_MIN] = mark.min;
    zone[row + Z_WMARK_LOW] = mark.low;
    zone[row + Z_WMARK_HIGH] = mark.high;
    mark.lowmemReserve.forEach((pages, j) => {
      zone[row + Z_RESERVE + j] = pages;
    });
    const first = managed.findIndex((r) => r.zone === z);
    const count = managed.filter((r) => r.zone === z).length;
    zone[row + Z_RANGE] = Math.max(first, 0);
    zone[row + Z_RANGE_END] = Math.max(first, 0) + count;
    zoneStart = spec.end;
  });
  const largest = 2 ** (profile.orders - 1);
  /** The ends of the ranges, upwards. */
  const small: { readonly row: number; readonly frame: number; readonly order: number }[] = [];
  managed.forEach((r, i) => {
    range[i * RANGE_WORDS + R_START] = r.start;
    range[i * RANGE_WORDS + R_END] = r.end;
    const first = Math.min(roundUp(r.start, largest), r.end);
    const last = Math.max(roundDown(r.end, largest), first);
    range[i * RANGE_WORDS + R_VIRGIN] = first;
    range[i * RANGE_WORDS + R_VIRGIN_END] = last;
    const ends = [...blocksOf(r.start, first, profile.orders), ...blocksOf(last, r.end, profile.orders)];
    for (const [frame, order] of ends) small.push({ row: r.zone * ZONE_WORDS, frame, order });
  });
  // The lowest is the first of its list.
  const { list } = createFreeBlocks(ledger);
  for (const { row, frame, order } of small.reverse()) list(row, frame, order);
}

/** The physical address of a page frame. */
export function pfnToPhys(pfn: Pfn, pageSize: number): PhysAddr {
  return (pfn * pageSize) as PhysAddr;
}
