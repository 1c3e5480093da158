/**
 * What mapping, unmapping and walking share: the first level and its words, the memory of the tables, and who is told.
 */
import { KIB, MIB, type PhysAddr } from '../base/index.js';
import type { ManagedBytes } from '../machine/index.js';
import type { CompleteConfig } from './config.js';
import { L2_BYTES, L2_ENTRIES, tableAddress, tablePointer } from './descriptor.js';
import type { DriverReports } from './reports.js';
import type { TableMemory } from './table-memory.js';

/** Called in the order in which the driver calls its iommu_flush_ops, in the middle of a call: they must not throw or use the domain. */
export interface TlbOps {
  /** Everything of the domain. */
  flushAll?(): void;
  /** Of a range, also what a walker remembers of the tables on the way. Bytes. */
  flushWalk?(iova: number, size: number, granule: number): void;
  /** One entry, which may wait for the end of a gather. */
  addPage?(iova: number, granule: number): void;
}

export interface Domain {
  readonly config: CompleteConfig;
  /** ARM_MTK_EXT: descriptors hold address bits 32 to 34. */
  readonly mtk: boolean;
  /** The kernel's bugs are mended. */
  readonly fixed: boolean;
  readonly freeEmpty: boolean;
  readonly bytes: ManagedBytes;
  /** The first level's address, and how many words it has: a power of two. */
  readonly l1: PhysAddr;
  readonly l1Entries: number;
  readonly tables: TableMemory;
  readonly tlb: TlbOps;
  readonly reports: DriverReports;
}

/** The slot of the first level that an input address indexes. Addresses over the end begin at slot 0 again. */
export function l1Index({ l1Entries }: Domain, iova: number): number {
  return Math.floor(iova / MIB) & (l1Entries - 1);
}

/** The slot of a second-level table. */
export function l2Index(iova: number): number {
  return (iova >>> 12) & (L2_ENTRIES - 1);
}

export function readL1({ bytes, l1 }: Domain, index: number): number {
  return bytes.getU32(l1 + 4 * index);
}

export function writeL1({ bytes, l1 }: Domain, index: number, word: number): void {
  bytes.setU32(l1 + 4 * index, word);
}

/** Makes a slot of the first level point to a table. */
export function installTable(domain: Domain, index: number, table: PhysAddr): void {
  writeL1(domain, index, tablePointer(table, domain.config));
}

/**
 * The table that a pointer names. Throws BadFreeError for one that the domain does not hold: somebody wrote into the first level, and
 * nothing was changed yet.
 */
export function heldTable({ tables, mtk }: Domain, pointer: number): PhysAddr {
  const table = tableAddress(pointer, mtk) as PhysAddr;
  tables.checkHeld(table);
  return table;
}

/** Takes the table of a slot out of the first level and frees it. */
export function dropTable(domain: Domain, index: number, pointer: number, iova: number): void {
  const table = heldTable(domain, pointer);
  writeL1(domain, index, 0);
  releaseTable(domain, table, iova);
}

/** Frees a table that nothing points to any more. Walkers must forget it before it is used again. */
export function releaseTable({ tlb, tables }: Domain, table: PhysAddr, iova: number): void {
  tlb.flushWalk?.(iova, MIB, 4 * KIB);
  tables.freeSecond(table);
}

/** Words of a table that are not zero. */
export function usedWords({ bytes }: Domain, table: number): number {
  let used = 0;
  for (let at = table; at < table + L2_BYTES; at += 4) if (bytes.getU32(at) !== 0) used++;
  return used;
}

export function isEmptyTable({ bytes }: Domain, table: number): boolean {
  for (let at = table; at < table + L2_BYTES; at += 4) if (bytes.getU32(at) !== 0) return false;
  return true;
}
