/**
 * # Runs of bytes that come again and again
 *
 * A trace has millions of lines and few things to say in them: some hundred call sites, some tasks, some dozen ways to end a line. So a
 * run of bytes is understood once, slowly, and kept with its row's number; when the same bytes come again, they are compared, eight at a
 * time, and the reader takes from its own columns what it found the first time.
 *
 *     const to = runs.endOfHashed(from, BLANKS);
 *     const row = memo.find(from, to - from, runs.hash());
 *     if (row >= 0) site[i] = siteOfRow[row]
 *     else { …; siteOfRow[memo.add(from, to - from, runs.hash())] = … }
 *
 * `find` compares every byte: a row is never taken for another run. When a memo is full it forgets everything and starts anew, so that
 * memory stays bounded whatever the text holds.
 */

const MULTIPLIER = 0x9e3779b1 | 0;

/** What a run's hash is before its first four bytes, and how four bytes are added to it. */
export const EMPTY_HASH = 0;
export function hashed(hash: number, four: number): number {
  return Math.imul(hash ^ four, MULTIPLIER);
}

/** The least byte of a run, four times: a run ends before a blank or a control character; or before the latter only. */
export const TO_BLANK = 0x21212121;
export const TO_CONTROL = 0x20202020;

/** Finds where runs end, four bytes at a time. May look three bytes past the end. */
interface Runs {
  /** The first byte from `from` on that is a blank or a control character, such as a newline. */
  endOf(from: number): number;
  /** The first byte from `from` on that ends a run of this kind; the run's hash is `hash()` then, begun with `start`. */
  endOfHashed(from: number, least: number, start: number): number;
  hash(): number;
}

export function createRuns(view: DataView<ArrayBuffer>): Runs {
  let lastHash = EMPTY_HASH;

  // A byte of `below` has its upper bit set where the byte of `four` is less than that of `least`; the first such byte is exact.
  function endOf(from: number): number {
    for (let at = from; ; at += 4) {
      const four = view.getInt32(at, true);
      const below = (four - TO_BLANK) & ~four & 0x80808080;
      if (below !== 0) return at + ((31 - Math.clz32(below & -below)) >>> 3);
    }
  }

  function endOfHashed(from: number, least: number, start: number): number {
    let hash = start;
    for (let at = from; ; at += 4) {
      const four = view.getInt32(at, true);
      const below = (four - least) & ~four & 0x80808080;
      if (below !== 0) {
        const bits = 24 - Math.clz32(below & -below);
        lastHash = hashed(hash, four & ((1 << bits) - 1));
        return at + (bits >>> 3);
      }
      hash = hashed(hash, four);
    }
  }

  return { endOf, endOfHashed, hash: () => lastHash };
}

export interface RunMemo {
  /** Length of the row's run if the bytes begin with it, else 0. Who knows which row is likely need not hash. */
  begins(row: number, from: number): number;
  /** The row of the run, -1 if it is not known. `hash` is any function of the run's bytes. */
  find(from: number, length: number, hash: number): number;
  /** Keeps the run and returns its row; -1 if it is longer than a row, empty, or has a NUL byte in it. */
  add(from: number, length: number, hash: number): number;
  clear(): void;
}

/** Bytes kept for a row, on average: when they are used up the memo is full, as it is when its rows are. */
const AVERAGE_BYTES = 40;

/** A memo of up to `rows` runs of `bytes` (a power of two, at most 2^15), none longer than `runBytes` (below 256). Rows count from 0. */
export function createRunMemo(
  bytes: Uint8Array<ArrayBuffer>,
  view: DataView<ArrayBuffer>,
  rows: number,
  runBytes: number,
): RunMemo {
  // Rows are numbered as they come and kept densely, so that those in use stay in the processor's nearest cache.
  const kept = new Uint8Array(rows * AVERAGE_BYTES + runBytes);
  const keptView = new DataView(kept.buffer);
  /** Two words a row: the run's hash; where it begins in `kept`, times 256, plus its length. */
  const table = new Int32Array(2 * rows);
  /** Open addressing, at most half full: a row plus one, or 0. */
  const slots = new Uint16Array(2 * rows);
  const mask = slots.length - 1;
  let count = 0;
  let end = 0;

  /** A product's upper half depends on every bit of its factors. */
  function slotOf(hash: number): number {
    return (hash ^ (hash >>> 16)) & mask;
  }

  /**
   * Eight bytes are compared as a double. Doubles that are equal are the same bytes, but for the sign of zero, and a run that is kept has
   * no NUL byte; bytes that are no number are equal to nothing, so that such a run is merely not found.
   */
  function same(start: number, from: number, length: number): boolean {
    const last = length - 8;
    if (last < 0) return sameShort(start, from, length);
    for (let i = 0; i < last; i += 8) {
      if (keptView.getFloat64(start + i, true) !== view.getFloat64(from + i, true)) return false;
    }
    return keptView.getFloat64(start + last, true) === view.getFloat64(from + last, true);
  }

  function sameShort(start: number, from: number, length: number): boolean {
    for (let i = 0; i < length; i++) if (kept[start + i] !== bytes[from + i]) return false;
    return true;
  }

  function begins(row: number, from: number): number {
    const place = table[2 * row + 1]!;
    const length = place & 0xff;
    return row < count && same(place >>> 8, from, length) ? length : 0;
  }

  function find(from: number, length: number, hash: number): number {
    for (let slot = slotOf(hash); ; slot = (slot + 1) & mask) {
      const row = slots[slot]! - 1;
      if (row < 0) return -1;
      const place = table[2 * row + 1]!;
      if (table[2 * row] === hash && (place & 0xff) === length && same(place >>> 8, from, length)) return row;
    }
  }

  function add(from: number, length: number, hash: number): number {
    const run = bytes.subarray(from, from + length);
    if (length === 0 || length > runBytes || run.includes(0)) return -1;
    if (count === rows || end + length > kept.length) clear();
    let slot = slotOf(hash);
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    const row = count++;
    slots[slot] = count;
    table[2 * row] = hash;
    table[2 * row + 1] = (end << 8) | length;
    kept.set(run, end);
    end += length;
    return row;
  }

  function clear(): void {
    slots.fill(0);
    count = 0;
    end = 0;
  }

  return { begins, find, add, clear };
}
