/**
 * One word of a table: how a mapping becomes bits, and bits a mapping again.
 *
 *     level 1   31        24 23    20 19 18 17 16 15 14 12 11 10 9 8    5 4  3 2 1 0
 *     fault       ·                                                                0 0
 *     table     | table's address, to bit 10                  | m |domain|m|NS|  0 1
 *     section   | address, to bit 20 | NS 0 nG S AP2  TEX  AP1,0  m  domain XN C B 1 0
 *     supersec. | address|  0        | NS 1 nG S AP2  TEX  AP1,0  m  domain XN C B 1 0
 *
 *     level 2   31        16 15    12 11 10 9    8 6   5 4  3 2 1 0
 *     fault       ·                                             0 0
 *     large     | address | XN  TEX  nG S AP2    0    AP1,0 C B 0 1
 *     small     | address, to bit 12  nG S AP2  TEX   AP1,0 C B 1 XN
 *
 * nG (not global) and S (shareable) are always set. AP0 is the access flag, AP1 lets the unprivileged in, AP2 forbids writing: they and
 * XN exist without NO_PERMS only. TEX is 1 unless the mapping is MMIO; C and B say CACHE, B alone MMIO, which wins over CACHE. NS stands
 * in sections and in pointers to tables, never in pages.
 *
 * With MediaTek's extension, `m` and two bits more are the bits of an address that 32 have no room for: bit 32 of it is bit 9, bit 33 is
 * bit 4, bit 34 is bit 5. That is where permissions stand in pages, hence the need for NO_PERMS.
 *
 * An entry of sixteen slots (64 KiB, 16 MiB) is one word sixteen times over: the address in it does not advance.
 */
import { GIB, KIB, MIB } from '../base/index.js';
import { type CompleteConfig, IO_PGTABLE_QUIRK, IOMMU } from './config.js';

/** 1: the first level, whose entries span 1 MiB; 2: the second, whose entries span 4 KiB. */
export type Level = 1 | 2;

/** Words that a 64 KiB or 16 MiB entry fills. */
export const CONTIGUOUS = 16;
/** Words of a second-level table, and its bytes, to which it is aligned. */
export const L2_ENTRIES = 256;
export const L2_BYTES = 1 * KIB;

const TYPE_MASK = 3;
const TYPE_TABLE = 1;
/** At level 2, the type that says "one of sixteen"; the same number as a table's at level 1. */
const TYPE_LARGE = 1;
/** A section or a small page. */
const TYPE_BLOCK = 2;
const BIT_B = 1 << 2;
const BIT_C = 1 << 3;
const BIT_NS_TABLE = 1 << 3;
const BIT_NS_SECTION = 1 << 19;
const BIT_SUPERSECTION = 1 << 18;
const BIT_XN_SECTION = 1 << 4;
const BIT_XN_SMALL = 1 << 0;
const BIT_XN_LARGE = 1 << 15;

/** Bits 32, 33 and 34 of an address. */
const MTK_BITS = [1 << 9, 1 << 4, 1 << 5] as const;
const MTK_MASK = MTK_BITS[0] | MTK_BITS[1] | MTK_BITS[2];

// The attributes that sections and small pages share, eight bits in one order, at bit 10 and at bit 4.
const ATTRIBUTES = 0xff;
const ATTRIBUTES_AT: Readonly<Record<Level, number>> = { 1: 10, 2: 4 };
const A_AF = 1 << 0;
const A_UNPRIVILEGED = 1 << 1;
const A_TEX1 = 1 << 2;
const A_READ_ONLY = 1 << 5;
const A_SHAREABLE = 1 << 6;
const A_NOT_GLOBAL = 1 << 7;

// TEX stands elsewhere in large pages, where the address needs fewer bits.
const TEX_SMALL = 7 << 6;
const TEX_LARGE = 7 << 12;
const TEX_LARGE_SHIFT = 6;

/** Bytes that one slot of a level spans. */
export function slotBytes(level: Level): number {
  return level === 1 ? MIB : 4 * KIB;
}

export function isValid(word: number): boolean {
  return (word & TYPE_MASK) !== 0;
}

/** Of a word of the first level. */
export function isTable(word: number): boolean {
  return (word & TYPE_MASK) === TYPE_TABLE;
}

/** Of a valid word that is no pointer: one of the sixteen of a supersection or large page. */
export function isContiguous(word: number, level: Level): boolean {
  return level === 1 ? (word & BIT_SUPERSECTION) !== 0 : (word & TYPE_BLOCK) === 0;
}

export function isMtk({ quirks }: Pick<CompleteConfig, 'quirks'>): boolean {
  return (quirks & IO_PGTABLE_QUIRK.ARM_MTK_EXT) !== 0;
}

/** A block's word without its address: of a section (level 1) or small page (level 2). */
export function blockAttributes(prot: number, level: Level, { quirks }: CompleteConfig): number {
  const permissions = !(quirks & IO_PGTABLE_QUIRK.NO_PERMS);
  let attributes = A_NOT_GLOBAL | A_SHAREABLE;
  if (!(prot & IOMMU.MMIO)) attributes |= A_TEX1;
  if (permissions) {
    attributes |= A_AF;
    if (!(prot & IOMMU.PRIV)) attributes |= A_UNPRIVILEGED;
    if (!(prot & IOMMU.WRITE)) attributes |= A_READ_ONLY;
  }
  let word = (attributes << ATTRIBUTES_AT[level]) | TYPE_BLOCK;
  if (permissions && prot & IOMMU.NOEXEC) word |= level === 1 ? BIT_XN_SECTION : BIT_XN_SMALL;
  if (prot & IOMMU.MMIO) word |= BIT_B;
  else if (prot & IOMMU.CACHE) word |= BIT_C | BIT_B;
  if (level === 1 && quirks & IO_PGTABLE_QUIRK.ARM_NS) word |= BIT_NS_SECTION;
  return word >>> 0;
}

/** A section as one of sixteen, a small page as one of sixteen: XN and TEX of a page move up. */
export function asContiguous(word: number, level: Level): number {
  if (level === 1) return (word | BIT_SUPERSECTION) >>> 0;
  const kept = word & ~(BIT_XN_SMALL | TEX_SMALL | TYPE_BLOCK);
  const xn = word & BIT_XN_SMALL ? BIT_XN_LARGE : 0;
  return (kept | xn | ((word & TEX_SMALL) << TEX_LARGE_SHIFT) | TYPE_LARGE) >>> 0;
}

/**
 * The way back. The address stays as it is in the word, so that of the first slot comes out. Address bits that an unaligned large page
 * had left in XN and TEX move down with them.
 */
export function asSingle(word: number, level: Level): number {
  if (level === 1) return (word & ~BIT_SUPERSECTION) >>> 0;
  const kept = word & ~(BIT_XN_LARGE | TEX_LARGE | TYPE_LARGE);
  const xn = word & BIT_XN_LARGE ? BIT_XN_SMALL : 0;
  return (kept | xn | ((word & TEX_LARGE) >>> TEX_LARGE_SHIFT) | TYPE_BLOCK) >>> 0;
}

/** The small page with a section's protection and caching, without its address. */
export function sectionAsPage(section: number, mtk: boolean): number {
  const attributes = (section >>> ATTRIBUTES_AT[1]) & ATTRIBUTES;
  const page = (attributes << ATTRIBUTES_AT[2]) | (section & (BIT_B | BIT_C)) | TYPE_BLOCK;
  // MediaTek has an address bit there.
  return (!mtk && section & BIT_XN_SECTION ? page | BIT_XN_SMALL : page) >>> 0;
}

/** A section's address as bits of a page's word: MediaTek's stand where they stood. */
export function sectionAddressBits(section: number, mtk: boolean): number {
  return (section & (mtk ? -MIB | MTK_MASK : -MIB)) >>> 0;
}

/** An output address as bits of a block's word. What the level has no room for is cut off, what is above 32 bits only MediaTek keeps. */
export function addressBits(address: number, level: Level, mtk: boolean): number {
  const bits = address & -slotBytes(level);
  return (mtk ? bits | highBits(address) : bits) >>> 0;
}

function highBits(address: number): number {
  if (address < 4 * GIB) return 0;
  const high = Math.floor(address / (4 * GIB));
  return (high & 1 ? MTK_BITS[0] : 0) | (high & 2 ? MTK_BITS[1] : 0) | (high & 4 ? MTK_BITS[2] : 0);
}

/** Bytes of the address in a block's word that the offset of an input address fills in. */
export function spanOf(word: number, level: Level): number {
  return isContiguous(word, level) ? slotBytes(level) * CONTIGUOUS : slotBytes(level);
}

/** The output address in a block's word. */
export function blockAddress(word: number, level: Level, mtk: boolean): number {
  return ((word & -spanOf(word, level)) >>> 0) + (mtk ? highAddress(word) : 0);
}

/** The address in a pointer to a table. */
export function tableAddress(word: number, mtk: boolean): number {
  return ((word & -L2_BYTES) >>> 0) + (mtk ? highAddress(word) : 0);
}

function highAddress(word: number): number {
  const high = (word & MTK_BITS[0] ? 1 : 0) | (word & MTK_BITS[1] ? 2 : 0) | (word & MTK_BITS[2] ? 4 : 0);
  return high * 4 * GIB;
}

/** A pointer to a table. With ARM_MTK_TTBR_EXT the table may lie above 4 GiB. */
export function tablePointer(address: number, { quirks }: CompleteConfig): number {
  let word = address | TYPE_TABLE;
  if (quirks & IO_PGTABLE_QUIRK.ARM_MTK_TTBR_EXT) word |= highBits(address);
  if (quirks & IO_PGTABLE_QUIRK.ARM_NS) word |= BIT_NS_TABLE;
  return word >>> 0;
}
