/**
 * Mapping: blocks of one size, one after the other, until one of them cannot be.
 */
import { formatAddress, type Gfp, MIB, NULL } from '../base/index.js';
import { ERRNO } from './config.js';
import {
  addressBits,
  asContiguous,
  blockAttributes,
  CONTIGUOUS,
  isTable,
  L2_ENTRIES,
  type Level,
  slotBytes,
  tableAddress,
} from './descriptor.js';
import {
  type Domain,
  dropTable,
  heldTable,
  installTable,
  isEmptyTable,
  l1Index,
  l2Index,
  readL1,
  writeL1,
} from './domain.js';

/** One call of map_pages, checked. Bytes. */
interface MapRequest {
  readonly iova: number;
  readonly paddr: number;
  /** Of one block: one of the four page sizes. */
  readonly size: number;
  /** Blocks. */
  readonly count: number;
  readonly prot: number;
  /** Of a second-level table. */
  readonly gfp: Gfp;
}

/** What the kernel's function returns: 0 or a negative errno, and how many bytes were mapped before that. */
export interface MapResult {
  readonly ret: number;
  readonly mapped: number;
}

/** What blocks of one size and protection have in common. */
interface Leaf {
  readonly size: number;
  readonly level: Level;
  /** Slots that a block fills: 1 or 16. */
  readonly slots: number;
  readonly attributes: number;
  readonly gfp: Gfp;
}

const MAP = 'arm_v7s_map_pages';

export function leafLevel(size: number): Level {
  return size >= MIB ? 1 : 2;
}

/** Maps all of it, or as much as there is before an obstacle. The request has passed the driver's checks. */
export function mapBlocks(domain: Domain, request: MapRequest): MapResult {
  const { iova, paddr, size, count, gfp } = request;
  const level = leafLevel(size);
  const slots = size / slotBytes(level);
  const single = blockAttributes(request.prot, level, domain.config);
  const attributes = slots > 1 ? asContiguous(single, level) : single;
  const leaf: Leaf = { size, level, slots, attributes, gfp };
  let mapped = 0;
  for (let left = count; left > 0; ) {
    const step =
      level === 1
        ? mapInFirst(domain, leaf, iova + mapped, paddr + mapped)
        : mapInSecond(domain, leaf, iova + mapped, paddr + mapped, left);
    if (step < 0) return { ret: step, mapped };
    mapped += step * size;
    left -= step;
  }
  return { ret: 0, mapped };
}

/** One section or supersection. Returns 1, or a negative errno. */
function mapInFirst(domain: Domain, leaf: Leaf, iova: number, paddr: number): number {
  const first = l1Index(domain, iova);
  if (first + leaf.slots > domain.l1Entries) {
    const words = `16 MiB begin in slot ${first} of ${domain.l1Entries}`;
    domain.reports.outside(MAP, iova, leaf.size, words);
    return -ERRNO.EINVAL;
  }
  const obstacle = obstacleInFirst(domain, leaf, first);
  if (obstacle >= 0 && domain.fixed) return exists(domain, iova, leaf.size);
  const clear = obstacle < 0 ? leaf.slots : obstacle;
  if (obstacle > 0) reportLostTables(domain, first, clear, iova, leaf.size);
  // A table in the way is no obstacle to the kernel, whatever is mapped in it.
  for (let i = 0; i < clear; i++) {
    const word = readL1(domain, first + i);
    if (word !== 0) dropTable(domain, first + i, word, iova + i * MIB);
  }
  if (obstacle >= 0) return exists(domain, iova, leaf.size);
  const word = (leaf.attributes | addressBits(paddr, 1, domain.mtk)) >>> 0;
  for (let i = 0; i < leaf.slots; i++) writeL1(domain, first + i, word);
  return 1;
}

/**
 * The first of a block's slots that holds a section, counted from the block's first; -1 if none does. Mended, a table that is used is as
 * good as a section. Throws BadFreeError for a pointer that somebody else wrote.
 */
function obstacleInFirst(domain: Domain, { slots }: Leaf, first: number): number {
  for (let i = 0; i < slots; i++) {
    const word = readL1(domain, first + i);
    if (word === 0) continue;
    if (!isTable(word)) return i;
    const table = heldTable(domain, word);
    if (domain.fixed && !isEmptyTable(domain, table)) return i;
  }
  return -1;
}

function reportLostTables(domain: Domain, first: number, slots: number, iova: number, size: number): void {
  let used = 0;
  for (let i = 0; i < slots; i++) {
    const word = readL1(domain, first + i);
    if (word !== 0 && !isEmptyTable(domain, tableAddress(word, domain.mtk))) used++;
  }
  if (used === 0) return;
  const tables = used === 1 ? 'a table that was in use was' : `${used} tables that were in use were`;
  domain.reports.bug('lost-tables', iova, size, `-EEXIST, but before the obstacle ${tables} already freed`);
}

/** Small or large pages, as many as the table has room for and are wanted. Returns how many, or a negative errno if it is none. */
function mapInSecond(domain: Domain, leaf: Leaf, iova: number, paddr: number, wanted: number): number {
  const { bytes, mtk } = domain;
  const { slots, size, attributes } = leaf;
  const pointer = readL1(domain, l1Index(domain, iova));
  if (pointer !== 0 && !isTable(pointer)) return exists(domain, iova, size);
  const first = l2Index(iova);
  if (first + slots > L2_ENTRIES) {
    domain.reports.outside(MAP, iova, size, `64 KiB begin in slot ${first} of ${L2_ENTRIES}`);
    return -ERRNO.EINVAL;
  }
  const table = pointer === 0 ? addTable(domain, leaf, iova) : tableAddress(pointer, mtk);
  if (table === NULL) return -ERRNO.ENOMEM;
  const room = Math.min(
    wanted,
    slots === 1 ? L2_ENTRIES - first : Math.floor((L2_ENTRIES - first) / CONTIGUOUS),
  );
  for (let done = 0; done < room; done++) {
    const at = table + 4 * (first + done * slots);
    const end = at + 4 * slots;
    for (let word = at; word < end; word += 4) {
      if (bytes.getU32(word) !== 0) return done > 0 ? done : exists(domain, iova, size);
    }
    const word = (attributes | addressBits(paddr + done * size, 2, mtk)) >>> 0;
    for (let slot = at; slot < end; slot += 4) bytes.setU32(slot, word);
  }
  return room;
}

/** The address of a new table in its slot, or NULL. */
function addTable(domain: Domain, { gfp }: Leaf, iova: number): number {
  const table = domain.tables.allocSecond(gfp);
  if (table !== NULL) installTable(domain, l1Index(domain, iova), table);
  return table;
}

function exists(domain: Domain, iova: number, size: number): number {
  domain.reports.warn(MAP, `iova ${formatAddress(iova)}: something is mapped in its ${size} bytes`);
  return -ERRNO.EEXIST;
}
