/**
 * # From a pointer to a number
 *
 * Kernel pointers have 64 bits and are never a JavaScript number: a key is two halves. Most of what a trace replay does is to look up
 * which live object a pointer is, so this is the room's hottest table: open addressing over one Int32Array, four words an entry, so that
 * a probe costs one cache line.
 *
 *     entry   | low | high | value + 1 | unused |        value + 1 = 0: the entry is empty
 *     home    = the upper bits of a multiplied key; an entry that finds its home taken lies in the next empty one behind it
 *
 * The invariant: between an entry's home and the entry there is no empty one. So a lookup ends at the first empty entry, and a removal
 * cannot just leave a hole: entries behind it that may move up do (backward shift), and the table never holds anything dead, however
 * many pointers come and go. A small table doubles when a quarter of it is full, for a wrong guess at a branch costs more than a cache
 * miss there; a large one when half is. It never shrinks: memory follows the most that was live at once.
 *
 *     const table = createPointerTable();
 *     table.put(0x02f4cc0, 0xffff8881, slot);      // the value that was there before, or NONE
 *     table.take(0x02f4cc0, 0xffff8881);           // slot; from now on NONE
 *
 * Values are whole numbers from 0 to 2^31 - 2. Sources: Knuth, The Art of Computer Programming 3, 6.4, algorithm R.
 */

/** No value: the pointer is not in the table. */
export const NONE = -1;

/** A table of numbers by pointer, whose two halves are 32 bits each. */
export interface PointerTable {
  /** How many pointers are in it. */
  readonly size: number;
  get(low: number, high: number): number;
  /** Sets a pointer's value. Returns the value it had, or NONE. */
  put(low: number, high: number, value: number): number;
  /** Removes a pointer. Returns the value it had, or NONE. */
  take(low: number, high: number): number;
  /** Calls back with all pointers, in no order. */
  each(visit: (low: number, high: number, value: number) => void): void;
}

const WORDS = 4;
const LOW = 0;
const HIGH = 1;
const VALUE = 2;
/** Entries up to which a table is small: 2 MiB. */
const SMALL = 1 << 17;
/** 2^32 divided by the golden ratio, made odd: neighbours end up far apart. */
const SPREAD = 0x9e3779b1 | 0;
/** Another odd constant: halves that are exchanged must not meet. */
const SPREAD_HIGH = 0x85ebca6b | 0;

/** How many pointers a table of so many entries takes before it doubles. */
const roomOf = (entries: number) => (entries <= SMALL ? entries / 4 : entries / 2);

/** A table with room for `pointers` before it grows. */
export function createPointerTable(pointers = 1024): PointerTable {
  let bits = 4;
  while (roomOf(2 ** bits) < pointers) bits++;
  let words = new Int32Array(2 ** bits * WORDS);
  /** To the first word of a home: the key's upper bits, times WORDS. */
  let shift = 32 - bits;
  let mask = words.length - 1;
  let room = roomOf(2 ** bits);
  let size = 0;

  function get(low: number, high: number): number {
    const a = low | 0;
    const b = high | 0;
    let at = (Math.imul(a ^ Math.imul(b, SPREAD_HIGH), SPREAD) >>> shift) * WORDS;
    for (let value = words[at + VALUE]!; value !== 0; value = words[at + VALUE]!) {
      if (words[at + LOW] === a && words[at + HIGH] === b) return value - 1;
      at = (at + WORDS) & mask;
    }
    return NONE;
  }

  function put(low: number, high: number, value: number): number {
    const a = low | 0;
    const b = high | 0;
    let at = (Math.imul(a ^ Math.imul(b, SPREAD_HIGH), SPREAD) >>> shift) * WORDS;
    for (let had = words[at + VALUE]!; had !== 0; had = words[at + VALUE]!) {
      if (words[at + LOW] === a && words[at + HIGH] === b) {
        words[at + VALUE] = value + 1;
        return had - 1;
      }
      at = (at + WORDS) & mask;
    }
    words[at + LOW] = a;
    words[at + HIGH] = b;
    words[at + VALUE] = value + 1;
    size++;
    if (size > room) grow();
    return NONE;
  }

  function take(low: number, high: number): number {
    const a = low | 0;
    const b = high | 0;
    let at = (Math.imul(a ^ Math.imul(b, SPREAD_HIGH), SPREAD) >>> shift) * WORDS;
    for (let had = words[at + VALUE]!; had !== 0; had = words[at + VALUE]!) {
      if (words[at + LOW] === a && words[at + HIGH] === b) {
        size--;
        // Mostly nothing lies behind it.
        if (words[((at + WORDS) & mask) + VALUE] === 0) words[at + VALUE] = 0;
        else close(at);
        return had - 1;
      }
      at = (at + WORDS) & mask;
    }
    return NONE;
  }

  /** Fills the hole with the next entry that may lie there, then the hole that this one leaves, up to one that stays empty. */
  function close(from: number): void {
    let hole = from;
    for (let at = (hole + WORDS) & mask; ; at = (at + WORDS) & mask) {
      const value = words[at + VALUE]!;
      if (value === 0) break;
      const a = words[at + LOW]!;
      const b = words[at + HIGH]!;
      const home = (Math.imul(a ^ Math.imul(b, SPREAD_HIGH), SPREAD) >>> shift) * WORDS;
      // It may move if the hole is not in front of its home, counted around the table's end.
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      words[hole + LOW] = a;
      words[hole + HIGH] = b;
      words[hole + VALUE] = value;
      hole = at;
    }
    words[hole + VALUE] = 0;
  }

  function grow(): void {
    const old = words;
    words = new Int32Array(old.length * 2);
    shift--;
    mask = words.length - 1;
    room = roomOf(words.length / WORDS);
    for (let from = 0; from < old.length; from += WORDS) {
      const value = old[from + VALUE]!;
      if (value === 0) continue;
      const a = old[from + LOW]!;
      const b = old[from + HIGH]!;
      let at = (Math.imul(a ^ Math.imul(b, SPREAD_HIGH), SPREAD) >>> shift) * WORDS;
      while (words[at + VALUE] !== 0) at = (at + WORDS) & mask;
      words[at + LOW] = a;
      words[at + HIGH] = b;
      words[at + VALUE] = value;
    }
  }

  function each(visit: (low: number, high: number, value: number) => void): void {
    for (let at = 0; at < words.length; at += WORDS) {
      if (words[at + VALUE] !== 0)
        visit(words[at + LOW]! >>> 0, words[at + HIGH]! >>> 0, words[at + VALUE]! - 1);
    }
  }

  return {
    get size() {
      return size;
    },
    get,
    put,
    take,
    each,
  };
}
