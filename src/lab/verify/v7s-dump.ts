/**
 * A dump of a domain's tables as the recorder wrote it: each word that is not zero, runs of a constant step in one row.
 */
import type { ArmV7sPageTable } from '../../iommu/index.js';
import type { Machine } from '../../slab/index.js';

/**
 * `[index, word]`, `[index, word, n, step]` for n words of which each is the one before plus `step` (mod 2^32), or
 * `[index, "t", id, low bits]` for a pointer to a table. Words in hex without 0x.
 */
type DumpRow =
  | readonly [index: number, word: string]
  | readonly [index: number, word: string, count: number, step: string]
  | PointerRow;
type PointerRow = readonly [index: number, 't', id: number, low: string];

export interface Dump {
  readonly l1: readonly DumpRow[];
  /** By id; an empty list is a table with nothing in it. */
  readonly tables: Readonly<Record<string, readonly DumpRow[]>>;
  readonly live: number;
}

/** Bits of a pointer that are its table's address: of each below 1 KiB, and with ARM_MTK_TTBR_EXT above 4 GiB. */
const MTK_ADDRESS_BITS = (1 << 9) | (1 << 5) | (1 << 4);

const TABLE_WORDS = 256;

export function dumpDomain(machine: Machine, domain: ArmV7sPageTable): Dump {
  const tables = domain.tables();
  const idAt = new Map(tables.map(({ l1Index, id }) => [l1Index, id]));
  const pointer = (index: number, word: number): DumpRow | undefined =>
    (word & 3) === 1 ? [index, 't', idAt.get(index) ?? -1, (word & 0x3ff).toString(16)] : undefined;
  const bytes = machine.bytes!;
  return {
    l1: dumpWords(domain.l1Words(), pointer),
    tables: Object.fromEntries(
      tables.map(({ id, address }) => {
        const words = Uint32Array.from({ length: TABLE_WORDS }, (_, i) => bytes.getU32(address + 4 * i));
        return [id, dumpWords(words, () => undefined)];
      }),
    ),
    live: tables.length,
  };
}

/** A dump without what depends on where its tables lay. */
export function placeless({ l1, tables, live }: Dump): Dump {
  return { l1: l1.map((row) => (isPointer(row) ? withoutAddress(row) : row)), tables, live };
}

function isPointer(row: DumpRow): row is PointerRow {
  return row[1] === 't';
}

function withoutAddress([index, , id, low]: PointerRow): PointerRow {
  return [index, 't', id, (Number.parseInt(low, 16) & ~MTK_ADDRESS_BITS).toString(16)];
}

function dumpWords(
  words: Uint32Array,
  pointer: (index: number, word: number) => DumpRow | undefined,
): DumpRow[] {
  const rows: DumpRow[] = [];
  /** A word that a run may go on with. */
  const plain = (i: number) => i < words.length && words[i] !== 0 && pointer(i, words[i]!) === undefined;
  for (let i = 0; i < words.length; ) {
    const word = words[i]!;
    const row = pointer(i, word);
    if (word === 0 || row !== undefined) {
      if (row !== undefined) rows.push(row);
      i++;
      continue;
    }
    let count = 1;
    const step = plain(i + 1) ? (words[i + 1]! - word) >>> 0 : 0;
    while (plain(i + count) && words[i + count] === (word + count * step) >>> 0) count++;
    const text = word.toString(16);
    rows.push(count === 1 ? [i, text] : [i, text, count, step.toString(16)]);
    i += count;
  }
  return rows;
}
