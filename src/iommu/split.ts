/**
 * Splitting: a block of which only a part is unmapped becomes smaller entries first. This is where the kernel loses addresses.
 */
import { formatAddress, MIB, NULL, type PhysAddr } from '../base/index.js';
import { GFP } from '../machine/index.js';
import {
  asContiguous,
  asSingle,
  blockAddress,
  CONTIGUOUS,
  isTable,
  L2_ENTRIES,
  type Level,
  sectionAddressBits,
  sectionAsPage,
  slotBytes,
} from './descriptor.js';
import { type Domain, installTable, l1Index, l2Index, readL1 } from './domain.js';

/**
 * Rewrites the sixteen slots of a supersection or large page as sections or small pages. `table` is the level's first word, `index` the
 * slot that is about to be unmapped. Returns its new word; the kernel returns that of the first slot, whichever it was asked for.
 */
export function splitContiguous(
  domain: Domain,
  level: Level,
  table: number,
  index: number,
  iova: number,
): number {
  const { bytes, tlb, fixed } = domain;
  const step = slotBytes(level);
  const block = bytes.getU32(table + 4 * index);
  // Of an unaligned block, these are not its own sixteen slots.
  const first = index - (index % CONTIGUOUS);
  noteOverwritten(domain, level, table, first, block, iova);
  const single = asSingle(block, level);
  for (let i = 0; i < CONTIGUOUS; i++) bytes.setU32(table + 4 * (first + i), (single + i * step) >>> 0);
  const size = step * CONTIGUOUS;
  tlb.flushWalk?.(fixed ? iova - (iova % size) : iova, size, size);
  return fixed ? bytes.getU32(table + 4 * index) : single;
}

function noteOverwritten(
  { bytes, reports, tables: memory }: Domain,
  level: Level,
  table: number,
  first: number,
  block: number,
  iova: number,
): void {
  let others = 0;
  let tables = 0;
  for (let i = 0; i < CONTIGUOUS; i++) {
    const word = bytes.getU32(table + 4 * (first + i));
    if (word === block) continue;
    others++;
    if (level === 1 && isTable(word)) tables++;
  }
  if (others === 0) return;
  memory.lose(tables);
  const lost = tables === 0 ? '' : `, ${tables} of them pointers to tables, which are lost`;
  const words = `a split wrote over ${others} slots that were not the entry's${lost}`;
  reports.bug('overwritten', iova, slotBytes(level) * CONTIGUOUS, words);
}

/**
 * Puts a table in the place of a section: it maps what the section mapped, but for the `size` bytes at `iova`. Returns the bytes that
 * were unmapped, 0 if there was no memory for the table or the section is not in its slot. Always GFP_ATOMIC.
 *
 * The kernel rebuilds protection and caching from the section, and counts addresses from 0.
 */
export function splitSection(domain: Domain, iova: number, size: number, section: number): number {
  const { bytes, mtk, fixed, reports, tables, tlb } = domain;
  const table = tables.allocSecond(GFP.ATOMIC);
  if (table === NULL) return 0;
  const slot = l1Index(domain, iova);
  const slots = size / slotBytes(2);
  const hole = l2Index(iova);
  const page = sectionAsPage(section, mtk);
  const attributes = slots > 1 ? asContiguous(page, 2) : page;
  const address = fixed ? sectionAddressBits(section, mtk) : 0;
  for (let i = 0; i < L2_ENTRIES; i += slots) {
    if (i === hole) continue;
    const word = (attributes | (address + i * slotBytes(2))) >>> 0;
    for (let k = i; k < i + slots; k++) bytes.setU32(table + 4 * k, word);
  }
  // Single-threaded, the slot holds something else only if the section was not read from it.
  if (readL1(domain, slot) !== section) {
    tables.freeSecond(table);
    const words = `nothing is unmapped at ${formatAddress(iova)}: the split of 16 MiB took the first of its sections for this one`;
    reports.bug('not-unmapped', iova, size, words);
    return 0;
  }
  installTable(domain, slot, table as PhysAddr);
  reportSplit(domain, iova, size, section);
  tlb.addPage?.(iova, size);
  return size;
}

function reportSplit({ fixed, mtk, reports }: Domain, iova: number, size: number, section: number): void {
  if (fixed) return;
  const address = blockAddress(section, 1, mtk);
  const start = formatAddress(iova - (iova % MIB));
  if (address !== 0) {
    const words = `the rest of the 1 MiB at ${start} now maps physical 0x0 and up instead of ${formatAddress(address)}`;
    reports.bug('lost-address', iova, size, words);
  }
  if (iova % size >= slotBytes(2)) {
    const words = `${size} bytes at ${formatAddress(iova)} are no aligned block: all of the 1 MiB stays mapped, reported as unmapped`;
    reports.bug('no-hole', iova, size, words);
  }
}
