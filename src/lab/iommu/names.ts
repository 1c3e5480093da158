/** Words for the quirks of a domain and the errors of a call. */
import { lookUp } from '../../base/index.js';
import { ERRNO, IO_PGTABLE_QUIRK } from '../../iommu/index.js';

/** By the kernel's names, and without their `ARM_` or `ARM_MTK_`. */
const QUIRKS: ReadonlyMap<string, number> = new Map([
  ...Object.entries(IO_PGTABLE_QUIRK),
  ['NS', IO_PGTABLE_QUIRK.ARM_NS],
  ['MTK_EXT', IO_PGTABLE_QUIRK.ARM_MTK_EXT],
  ['MTK_TTBR_EXT', IO_PGTABLE_QUIRK.ARM_MTK_TTBR_EXT],
  ['TTBR_EXT', IO_PGTABLE_QUIRK.ARM_MTK_TTBR_EXT],
]);

/** `NO_PERMS`, `MTK_EXT` … as bits; the kernel's `IO_PGTABLE_QUIRK_` may stand in front. Throws UnknownNameError. */
export function parseQuirks(words: readonly string[]): number {
  const bit = (word: string) => lookUp('quirk', word.toUpperCase().replace(/^IO_PGTABLE_QUIRK_/, ''), QUIRKS);
  return words.reduce((bits, word) => bits | bit(word), 0);
}

/** `EEXIST` for -17. */
export function errnoName(ret: number): string {
  const known = Object.entries(ERRNO).find(([, value]) => value === -ret);
  return known?.[0] ?? `errno ${-ret}`;
}
