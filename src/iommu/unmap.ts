/**
 * Unmapping: blocks of the size that is asked for, whatever size they were mapped with, until one of them cannot be.
 */
import { formatAddress, MIB } from '../base/index.js';
import {
  CONTIGUOUS,
  isContiguous,
  isTable,
  isValid,
  L2_ENTRIES,
  type Level,
  slotBytes,
  tableAddress,
} from './descriptor.js';
import {
  type Domain,
  dropTable,
  heldTable,
  isEmptyTable,
  l1Index,
  l2Index,
  readL1,
  releaseTable,
  writeL1,
} from './domain.js';
import { leafLevel } from './map.js';
import { splitContiguous, splitSection } from './split.js';

/** One call of unmap_pages, checked. */
interface UnmapRequest {
  readonly iova: number;
  /** Bytes of a block. */
  readonly size: number;
  /** Blocks. */
  readonly count: number;
  /** Entries are invalidated by whoever gathers, all at once, later. */
  readonly queued: boolean;
}

const UNMAP = '__arm_v7s_unmap';

/** Bytes that were unmapped. */
export function unmapBlocks(domain: Domain, request: UnmapRequest): number {
  const { iova, size, count, queued } = request;
  const level = leafLevel(size);
  let unmapped = 0;
  for (let left = count; left > 0; ) {
    const step =
      level === 1
        ? unmapInFirst(domain, iova + unmapped, size, queued)
        : unmapInSecond(domain, iova + unmapped, size, left, queued);
    if (step === 0) break;
    unmapped += step * size;
    left -= step;
  }
  return unmapped;
}

/** A section, supersection or table's slot, or sixteen of them. Returns 1, or 0 if there is nothing to unmap. */
function unmapInFirst(domain: Domain, iova: number, size: number, queued: boolean): number {
  const { l1, l1Entries, tlb } = domain;
  const slots = size / MIB;
  const first = l1Index(domain, iova);
  if (!allValid(domain, l1, first, slots, l1Entries)) return nothing(domain, iova, size);
  if (first + slots > l1Entries) return outside(domain, iova, size, first, l1Entries);
  const whole = readL1(domain, first);
  if (slots > 1) reportHalf(domain, 1, l1, first, l1Entries, iova);
  else if (!isTable(whole) && isContiguous(whole, 1)) splitContiguous(domain, 1, l1, first, iova);
  const tables = Array.from({ length: slots }, (_, i) => {
    const word = readL1(domain, first + i);
    return isTable(word) ? heldTable(domain, word) : undefined;
  });
  for (let i = 0; i < slots; i++) writeL1(domain, first + i, 0);
  tables.forEach((table, i) => {
    const at = iova + i * MIB;
    // All that the table maps goes with it, and a gather cannot put that off.
    if (table !== undefined) releaseTable(domain, table, at);
    else if (!queued) tlb.addPage?.(at, MIB);
  });
  return 1;
}

/** Small or large pages, as many as lie in one table and are wanted, or a part of a block. Returns how many; 0 if it is none. */
function unmapInSecond(domain: Domain, iova: number, size: number, wanted: number, queued: boolean): number {
  const slot = l1Index(domain, iova);
  const pointer = readL1(domain, slot);
  if (!isValid(pointer)) return nothing(domain, iova, size);
  if (!isTable(pointer)) {
    const section = isContiguous(pointer, 1) ? splitContiguous(domain, 1, domain.l1, slot, iova) : pointer;
    return splitSection(domain, iova, size, section) / size;
  }
  const table = tableAddress(pointer, domain.mtk);
  const slots = size / slotBytes(2);
  const first = l2Index(iova);
  if (!allValid(domain, table, first, slots, L2_ENTRIES)) return nothing(domain, iova, size);
  if (first + slots > L2_ENTRIES) return outside(domain, iova, size, first, L2_ENTRIES);
  let done = 0;
  do {
    clearPages(domain, table, first + done * slots, slots, iova + done * size, queued);
    done++;
  } while (
    done < wanted &&
    first + (done + 1) * slots <= L2_ENTRIES &&
    allValid(domain, table, first + done * slots, slots, L2_ENTRIES)
  );
  if (domain.freeEmpty && isEmptyTable(domain, table)) dropTable(domain, slot, pointer, iova - (iova % MIB));
  return done;
}

function clearPages(
  domain: Domain,
  table: number,
  first: number,
  slots: number,
  iova: number,
  queued: boolean,
): void {
  const { bytes, tlb } = domain;
  if (slots > 1) reportHalf(domain, 2, table, first, L2_ENTRIES, iova);
  else if (isContiguous(bytes.getU32(table + 4 * first), 2)) splitContiguous(domain, 2, table, first, iova);
  for (let i = 0; i < slots; i++) bytes.setU32(table + 4 * (first + i), 0);
  if (queued || tlb.addPage === undefined) return;
  for (let i = 0; i < slots; i++) tlb.addPage(iova + i * slotBytes(2), slotBytes(2));
}

/** Whether each of these slots holds something, as far as the table goes. */
function allValid({ bytes }: Domain, table: number, first: number, slots: number, entries: number): boolean {
  const end = Math.min(first + slots, entries);
  for (let i = first; i < end; i++) if (!isValid(bytes.getU32(table + 4 * i))) return false;
  return true;
}

/** Sixteen slots that are not aligned may cut through sixteen that were mapped together. */
function reportHalf(
  { bytes, reports }: Domain,
  level: Level,
  table: number,
  first: number,
  entries: number,
  iova: number,
): void {
  if (first % CONTIGUOUS === 0) return;
  const end = first + CONTIGUOUS;
  const cut = (inside: number, beside: number) => {
    const word = bytes.getU32(table + 4 * inside);
    return (
      isContiguous(word, level) &&
      !(level === 1 && isTable(word)) &&
      word === bytes.getU32(table + 4 * beside)
    );
  };
  if (!cut(first, first - 1) && !(end < entries && cut(end - 1, end))) return;
  const words = `the unaligned ${CONTIGUOUS} slots from ${first} on leave a part of an entry of ${CONTIGUOUS}`;
  reports.bug('half-block', iova, CONTIGUOUS * slotBytes(level), words);
}

function nothing({ reports }: Domain, iova: number, size: number): 0 {
  reports.warn(UNMAP, `iova ${formatAddress(iova)}: nothing is mapped in a part of its ${size} bytes`);
  return 0;
}

function outside({ reports }: Domain, iova: number, size: number, first: number, entries: number): 0 {
  reports.outside(UNMAP, iova, size, `${size} bytes begin in slot ${first} of ${entries}`);
  return 0;
}
