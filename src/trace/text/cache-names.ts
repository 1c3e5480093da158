/**
 * # The name of a cache in text
 *
 *     ptr=ffff888100401400 name=widget bytes_req=632 bytes_alloc=640 gfp_flags=GFP_KERNEL node=-1 accounted=false
 *
 * kmem_cache_alloc of kernels after 6.17 prints it in the middle of its line, where few names come again and again: they are kept in a
 * memo, and a site mostly allocates from the cache from which it did the last time. A name may have blanks in it; tools that print a
 * record's fields as they are put it into quotation marks.
 */

import { Strings } from '../batch/index.js';
import { createRunMemo, createRuns, EMPTY_HASH, TO_BLANK, TO_CONTROL } from './memo.js';
import { word } from './scan.js';

const NAME_ROWS = 1024;
const NAME_BYTES = 64;
const SPACE = 32;
const QUOTE = 34;
const EQUALS = 61;
const BYTE = word('byte');
const S_RE = word('s_re');
const Q_ = word('q=\0\0');

export interface CacheNameReader {
  /** A new text begins, with its own table of texts. */
  begin(strings: Strings): void;
  /** Reads the name that begins here, of a line whose call site has this number below `sites`. Returns where it ends. */
  read(from: number, site: number): number;
  /** The name that was read last, a text. */
  text(): number;
  /** Where a name ends: at the line's end `to`, or where another field begins. */
  endOf(from: number, to: number): number;
  /** The text of a name, without its quotation marks. */
  intern(from: number, to: number): number;
}

export function createCacheNameReader(
  bytes: Uint8Array<ArrayBuffer>,
  view: DataView<ArrayBuffer>,
  sites: number,
): CacheNameReader {
  const { endOf: endOfRun, endOfHashed, hash } = createRuns(view);
  let strings = new Strings();
  const names = createRunMemo(bytes, view, NAME_ROWS, NAME_BYTES);
  const textOfRow = new Uint32Array(NAME_ROWS);
  /** A guess: the cache that this site allocated from the last time. */
  const nameAfter = new Uint16Array(sites);
  let last = 0;

  function read(from: number, site: number): number {
    const guess = nameAfter[site]!;
    const to = from + names.begins(guess, from);
    if (to === from || !isBeforeBytes(to)) return find(from, site);
    last = textOfRow[guess]!;
    return to;
  }

  function find(from: number, site: number): number {
    const to = endOfHashed(from, TO_BLANK, EMPTY_HASH);
    const isOpen = bytes[from] === QUOTE && (to - from < 2 || bytes[to - 1] !== QUOTE);
    if (to === from || isOpen || !isBeforeBytes(to)) return readOdd(from);
    const length = to - from;
    let known = names.find(from, length, hash());
    if (known < 0) known = names.add(from, length, hash());
    else {
      last = textOfRow[known]!;
      nameAfter[site] = known;
      return to;
    }
    last = intern(from, to);
    if (known >= 0) {
      textOfRow[known] = last;
      nameAfter[site] = known;
    }
    return to;
  }

  /** Whether ` bytes_req=` stands here: then a name ends here. */
  function isBeforeBytes(at: number): boolean {
    return (
      bytes[at] === SPACE &&
      view.getInt32(at + 1, true) === BYTE &&
      view.getInt32(at + 5, true) === S_RE &&
      view.getUint16(at + 9, true) === Q_
    );
  }

  /** With blanks in it, without any text, or elsewhere in the line. */
  function readOdd(from: number): number {
    const to = endOf(from, endOfHashed(from, TO_CONTROL, EMPTY_HASH));
    last = intern(from, to);
    return to;
  }

  function endOf(from: number, to: number): number {
    if (bytes[from] === QUOTE) {
      const closing = bytes.subarray(from + 1, to).indexOf(QUOTE);
      if (closing >= 0 && bytes[from + closing + 2]! <= SPACE) return from + closing + 2;
    }
    let stop = endOfRun(from);
    for (let next = stop; next < to; ) {
      while (bytes[next] === SPACE) next++;
      const nextEnd = endOfRun(next);
      if (next >= to || bytes.subarray(next, nextEnd).includes(EQUALS)) break;
      stop = nextEnd;
      next = nextEnd;
    }
    return stop;
  }

  function intern(from: number, to: number): number {
    const isQuoted = to - from >= 2 && bytes[from] === QUOTE && bytes[to - 1] === QUOTE;
    return isQuoted ? strings.intern(bytes, from + 1, to - 1) : strings.intern(bytes, from, to);
  }

  function begin(table: Strings): void {
    strings = table;
    names.clear();
    last = 0;
  }

  return { begin, read, text: () => last, endOf, intern };
}
