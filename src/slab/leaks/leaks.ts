/**
 * # What a machine holds, and for whom: the leak report
 *
 *     const machine = Machine.create({ kernel: 'library', debug: true });
 *     …
 *     const report = machine.report();
 *     if (report.live.objects > 0) console.error(formatMachineReport(report));
 *     JSON.stringify(report)
 *
 * An object is live if its link says so and no sheaf holds it; pages are live if they were handed out and are no slab. With stacks
 * (stacks.ts) live objects are grouped by where they were allocated, else by cache.
 */
import {
  counted,
  formatAddress,
  formatBytes,
  formatCount,
  largestOf,
  type PhysAddr,
  pushAll,
} from '../../base/index.js';
import {
  FRAME_ORDER,
  FRAME_USED,
  H_SLAB_HIGH,
  LINK_LIVE,
  P_AVAIL,
  P_ENTRIES,
  type PhysicalMemory,
  shapeObjects,
  shapeOrder,
} from '../../machine/index.js';
import { cacheIds, eachCpuLine, readCache } from '../cache/index.js';
import { createObjectAddresses } from '../slabs/index.js';
import type { Stacks } from './stacks.js';

/** A cache in a report. Bytes, objects. */
export interface CacheReport {
  readonly name: string;
  /** Of an object, and from one to the next. */
  readonly objectSize: number;
  readonly size: number;
  readonly live: number;
  readonly slabs: number;
  /** Of its slabs. */
  readonly heldBytes: number;
  /** Free objects in sheaves. */
  readonly inSheaves: number;
}

/** Live objects of one cache that were allocated at one place. */
export interface LiveGroup {
  readonly cache: string;
  readonly objects: number;
  readonly bytes: number;
  /** A stack, innermost first; null where none was noted. */
  readonly allocatedAt: string | null;
  /** The first few. */
  readonly addresses: readonly PhysAddr[];
}

/** A block of pages that a caller of the page allocator, or of kmalloc for large sizes, holds. */
export interface LivePages {
  readonly address: PhysAddr;
  readonly bytes: number;
}

/** Everything as it is now. `version` changes when a field changes its meaning. */
export interface MachineReport {
  readonly version: 1;
  readonly kernel: string;
  readonly memory: {
    readonly managedBytes: number;
    /** Pages handed out: to slabs, and to callers. */
    readonly heldBytes: number;
    /** The most that were handed out at the same time, summed over zones. */
    readonly peakBytes: number;
    readonly slabBytes: number;
    /** Objects in sheaves, and which part of the slabs' bytes they are. */
    readonly sheafBytes: number;
    readonly sheafShare: number;
  };
  /** Caches that have slabs, the largest first. */
  readonly caches: readonly CacheReport[];
  readonly live: {
    readonly objects: number;
    readonly bytes: number;
    /** Most bytes first. */
    readonly groups: readonly LiveGroup[];
    readonly pages: readonly LivePages[];
  };
  /** What debug checks and the allocator had to say, oldest first. */
  readonly log: readonly string[];
}

const ADDRESSES_MAX = 8;

/** Looks at every object that is in use. */
export function machineReport(
  memory: PhysicalMemory,
  kernel: string,
  stacks: Stacks | undefined,
): MachineReport {
  const { ledger, profile } = memory;
  const caches = new Map<number, CacheReport>();
  for (const id of cacheIds(ledger)) {
    const { name, objectSize, size, nrSlabs, sheafObjects = 0 } = readCache(ledger, id);
    caches.set(id, {
      name,
      objectSize,
      size,
      live: 0,
      slabs: nrSlabs,
      heldBytes: 0,
      inSheaves: sheafObjects,
    });
  }
  const groups = new Map<string, LiveGroup & { addresses: PhysAddr[] }>();
  eachSlab(memory, (id, bytes) => {
    const row = caches.get(id);
    if (row !== undefined) caches.set(id, { ...row, heldBytes: row.heldBytes + bytes });
  });
  eachLive(memory, [...caches.keys()], (id, address) => {
    const row = caches.get(id)!;
    caches.set(id, { ...row, live: row.live + 1 });
    const allocatedAt = stacks?.of(address)?.allocatedAt ?? null;
    const key = `${id} ${allocatedAt}`;
    const group = groups.get(key) ?? { cache: row.name, objects: 0, bytes: 0, allocatedAt, addresses: [] };
    if (group.addresses.length < ADDRESSES_MAX) group.addresses.push(address);
    groups.set(key, { ...group, objects: group.objects + 1, bytes: group.bytes + row.objectSize });
  });
  const rows = [...caches.values()].filter(({ slabs }) => slabs > 0);
  const sum = (of: (row: CacheReport) => number) => rows.reduce((total, row) => total + of(row), 0);
  const pages = livePages(memory);
  const slabBytes = sum((row) => row.heldBytes);
  const sheafBytes = sum((row) => row.inSheaves * row.size);
  const managed = memory.zones().reduce((total, zone) => total + zone.managed, 0);
  return {
    version: 1,
    kernel,
    memory: {
      managedBytes: managed * profile.pageSize,
      heldBytes: memory.takenPages() * profile.pageSize,
      peakBytes: memory.zones().reduce((total, zone) => total + zone.peakTaken, 0) * profile.pageSize,
      slabBytes,
      sheafBytes,
      sheafShare: slabBytes === 0 ? 0 : sheafBytes / slabBytes,
    },
    caches: rows.sort((a, b) => b.heldBytes - a.heldBytes),
    live: {
      objects: sum((row) => row.live),
      bytes: sum((row) => row.live * row.objectSize) + pages.reduce((total, block) => total + block.bytes, 0),
      groups: [...groups.values()].sort((a, b) => b.bytes - a.bytes),
      pages,
    },
    log: [...memory.log.lines],
  };
}

function eachSlab({ ledger, profile }: PhysicalMemory, visit: (id: number, bytes: number) => void): void {
  for (let slab = 1; slab <= ledger.header[H_SLAB_HIGH]!; slab++) {
    const id = ledger.slabCache[slab]!;
    if (id !== 0) visit(id, profile.pageSize * 2 ** shapeOrder(ledger.slabShape[slab]!));
  }
}

/** Calls back with every live object. */
export function eachLive(
  memory: PhysicalMemory,
  ids: readonly number[],
  visit: (id: number, address: PhysAddr) => void,
): void {
  const { header, link, slabCache, slabLinks, slabShape } = memory.ledger;
  const { objectAddress } = createObjectAddresses(memory);
  const idle = new Set<number>();
  for (const id of ids) eachInSheaf(memory, id, (address) => idle.add(address));
  for (let slab = 1; slab <= header[H_SLAB_HIGH]!; slab++) {
    const id = slabCache[slab]!;
    if (id === 0) continue;
    for (let i = 0; i < shapeObjects(slabShape[slab]!); i++) {
      if (link[slabLinks[slab]! + i] !== LINK_LIVE) continue;
      const address = objectAddress(slab, i);
      if (!idle.has(address)) visit(id, address);
    }
  }
}

function eachInSheaf({ ledger }: PhysicalMemory, id: number, visit: (address: number) => void): void {
  if (ledger.shape.sheafEntries === 0) return;
  eachCpuLine(ledger, id, (p) => {
    const first = ledger.cpuCache[p + P_ENTRIES]!;
    const end = first + ledger.cpuCache[p + P_AVAIL]!;
    for (let entry = first; entry < end; entry++) visit(ledger.sheafAddress[entry]!);
  });
}

function livePages({ ledger, profile, basePfn }: PhysicalMemory): LivePages[] {
  const { frameState, frameSlab, shape } = ledger;
  const blocks: LivePages[] = [];
  for (let frame = 0; frame < shape.frames; frame++) {
    const state = frameState[frame]!;
    if (!(state & FRAME_USED)) continue;
    const pages = 2 ** (state & FRAME_ORDER);
    if (frameSlab[frame] === 0) {
      const address = ((frame + basePfn) * profile.pageSize) as PhysAddr;
      blocks.push({ address, bytes: pages * profile.pageSize });
    }
    frame += pages - 1;
  }
  return blocks;
}

/** A report for people. */
export function formatMachineReport(report: MachineReport): string {
  const { memory, caches, live, log, kernel } = report;
  const lines = [
    `${kernel}: ${formatBytes(memory.heldBytes)} of ${formatBytes(memory.managedBytes)} are held, ` +
      `${formatBytes(memory.peakBytes)} were at most, ` +
      `${formatBytes(memory.slabBytes)} of them as slabs; free objects in sheaves are ${percent(memory.sheafShare)} of those.`,
  ];
  const width = Math.max(5, largestOf(caches.map(({ name }) => name.length)));
  if (caches.length > 0) {
    const row = (name: string, cells: readonly string[]) =>
      `  ${name.padEnd(width)}${cells.map((cell) => cell.padStart(12)).join('')}`;
    lines.push('', row('cache', ['bytes', 'live', 'in sheaves', 'slabs', 'held']));
    for (const { name, objectSize, live: count, inSheaves, slabs, heldBytes } of caches) {
      const counts = [objectSize, count, inSheaves, slabs].map(formatCount);
      lines.push(row(name, [...counts, formatBytes(heldBytes)]));
    }
  }
  const blocks = live.pages.length;
  lines.push(
    '',
    live.objects + blocks === 0
      ? 'Nothing is live.'
      : `Live: ${counted(live.objects, 'object')}` +
          `${blocks > 0 ? ` and ${counted(blocks, 'block')} of pages` : ''}, ${formatBytes(live.bytes)}.`,
  );
  for (const { cache, objects, bytes, allocatedAt, addresses } of live.groups) {
    const more = objects > addresses.length ? ', …' : '';
    const places = addresses.map(formatAddress).join(', ');
    lines.push(`  ${cache}: ${counted(objects, 'object')}, ${formatBytes(bytes)}: ${places}${more}`);
    if (allocatedAt !== null)
      pushAll(
        lines,
        allocatedAt.split('\n').map((frame) => `      ${frame}`),
      );
  }
  for (const { address, bytes } of live.pages)
    lines.push(`  pages: ${formatBytes(bytes)} at ${formatAddress(address)}`);
  if (log.length > 0)
    pushAll(lines, ['', `The log has ${counted(log.length, 'line')}:`, ...log.map((line) => `  ${line}`)]);
  return lines.join('\n');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
