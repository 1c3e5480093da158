/**
 * Sheaves as rows of the ledger: each has an id, so that it can change hands, and a run of slots that stays with its row.
 *
 * A sheaf is memory as well, an object of kmalloc. Rows that are free are kept by the size of that object, so that a row of the class has
 * slots enough: with 8 bytes a slot behind the head, a sheaf of kmalloc-512 has 60.
 */
import { fls, LedgerFullError } from '../../base/index.js';
import {
  H_LINK_LOCK,
  H_SHEAF_CLASSES,
  H_SHEAF_HIGH,
  H_SHEAF_SLOTS,
  type PhysicalMemory,
  S_CACHE,
  S_CAPACITY,
  S_COUNT,
  S_MEMORY_LOW,
  S_NEXT,
  S_PLACE,
  S_SLOTS,
  SHEAF_NOWHERE,
  SHEAF_WORDS,
} from '../../machine/index.js';

interface SheafRows {
  /** An empty sheaf of a cache, in no place yet. Throws LedgerFullError. */
  take(cache: number, capacity: number, memory: number): number;
  /** The row is free again. Returns the address of its memory. */
  give(sheaf: number): number;
}

/** Classes are powers of two, of slots and the four that the head is as large as: 4, 12, 28, 60, 124 … slots. */
function classOf(capacity: number): number {
  return Math.max(fls(capacity + 3) - 3, 0);
}

function slotsOf(sizeClass: number): number {
  return 2 ** (sizeClass + 3) - 4;
}

const U32 = 2 ** 32;

/** An address as two words of a table, the low one first. */
export function writeAddress(words: Int32Array, at: number, address: number): void {
  words[at] = (address % U32) | 0;
  words[at + 1] = Math.floor(address / U32);
}

export function readAddress(words: Int32Array, at: number): number {
  return (words[at]! >>> 0) + words[at + 1]! * U32;
}

export function createSheafRows({ ledger, locks }: PhysicalMemory): SheafRows {
  const { header, sheaf: rows, shape } = ledger;

  function take(cache: number, capacity: number, memory: number): number {
    const sizeClass = classOf(capacity);
    locks.take(header, H_LINK_LOCK, 'the table of links');
    try {
      const free = header[H_SHEAF_CLASSES + sizeClass]!;
      const id = free !== 0 ? free : fresh(sizeClass);
      const s = id * SHEAF_WORDS;
      if (free !== 0) header[H_SHEAF_CLASSES + sizeClass] = rows[s + S_NEXT]!;
      rows[s + S_CAPACITY] = capacity;
      rows[s + S_COUNT] = 0;
      rows[s + S_NEXT] = 0;
      rows[s + S_PLACE] = SHEAF_NOWHERE;
      writeAddress(rows, s + S_MEMORY_LOW, memory);
      rows[s + S_CACHE] = cache;
      return id;
    } finally {
      locks.release(header, H_LINK_LOCK);
    }
  }

  /** A row that was never used, with slots of its own. */
  function fresh(sizeClass: number): number {
    const id = header[H_SHEAF_HIGH]! + 1;
    const slots = header[H_SHEAF_SLOTS]!;
    if (id > shape.sheaves) throw new LedgerFullError('sheaves', shape.sheaves, 'ledger.sheaves');
    if (slots + slotsOf(sizeClass) > shape.sheafSlots)
      throw new LedgerFullError('slots of sheaves', shape.sheafSlots, 'ledger.sheafSlots');
    rows[id * SHEAF_WORDS + S_SLOTS] = slots;
    header[H_SHEAF_SLOTS] = slots + slotsOf(sizeClass);
    header[H_SHEAF_HIGH] = id;
    return id;
  }

  function give(id: number): number {
    const s = id * SHEAF_WORDS;
    const memory = readAddress(rows, s + S_MEMORY_LOW);
    const sizeClass = classOf(rows[s + S_CAPACITY]!);
    locks.take(header, H_LINK_LOCK, 'the table of links');
    rows[s + S_CACHE] = 0;
    rows[s + S_PLACE] = SHEAF_NOWHERE;
    rows[s + S_NEXT] = header[H_SHEAF_CLASSES + sizeClass]!;
    header[H_SHEAF_CLASSES + sizeClass] = id;
    locks.release(header, H_LINK_LOCK);
    return memory;
  }

  return { take, give };
}
