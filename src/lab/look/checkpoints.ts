/**
 * # Copies of a run, to go back to
 *
 *     memory       page 0   page 1   page 2   page 3      the ledger's used part and the arrays of the run
 *     row       0    a        a        a        a
 *     row 80,000     b        ·        b        ·         only pages that changed since the copy before it are copied
 *     row 90,000     ·        ·        c        ·
 *
 * All that a run is lies in typed arrays, but for a few numbers and lists that the run saves itself (replay/run.ts). A copy names a version
 * of each page of those arrays, and copies share the versions that are alike. To go back, the pages of a copy are written over the arrays:
 * machine, caches and run stay the same objects, and do not notice.
 *
 * What a ledger has used follows from its own marks: slabs and links up to the highest, frames that were ever handed out. Pages that a copy
 * does not name were not used yet, and are zero again afterwards.
 *
 * Copies hold at most so many bytes; when there are more, those go first whose neighbours are nearest.
 */
import { assert } from '../../base/index.js';
import {
  H_LINKPAGE_HIGH,
  H_SLAB_HIGH,
  type Ledger,
  LINKPAGE_WORDS,
  LINKS_PER_PAGE,
  R_END,
  R_START,
  R_VIRGIN,
  R_VIRGIN_END,
  RANGE_WORDS,
} from '../../machine/index.js';
import type { Run, RunSave } from '../replay/index.js';

/** Bytes of all copies together. */
const CHECKPOINT_BYTES_MAX = 64 * 2 ** 20;
const PAGE_WORDS = 1024;
const PAGE_BYTES = 4 * PAGE_WORDS;

/** A page as it was, and how many copies have it. */
interface Version {
  readonly words: Int32Array;
  copies: number;
}

interface Copy {
  readonly save: RunSave;
  /** By page of each region; undefined where it was not used. */
  readonly versions: readonly (readonly (Version | undefined)[])[];
}

/** A stretch of memory that copies cover. */
interface Region {
  readonly words: Int32Array;
  /** Words of it that may be other than 0 by now: from and up to, ascending. A run never has less of them than before. */
  used(): WordRanges;
}

export interface Checkpoints {
  /** Copies the run as it is. */
  take(): void;
  /** The row of the last copy in front of a row or at it; undefined if there is none. */
  before(row: number): number | undefined;
  /** Puts the run back to that copy. */
  back(row: number): void;
  /** Bytes that a copy goes through: what taking one costs. */
  readonly usedBytes: number;
  /** Bytes that all copies hold. */
  readonly bytes: number;
}

/** Copies of a run, the first of them as it is now. */
export function createCheckpoints(ledger: Ledger, run: Run, bytesMax = CHECKPOINT_BYTES_MAX): Checkpoints {
  const regions = regionsOf(ledger, run);
  /** What the arrays held when they were last looked at or written, but for what the run did since. */
  const known = regions.map(
    ({ words }) => new Array<Version | undefined>(Math.ceil(words.length / PAGE_WORDS)),
  );
  /** By row. */
  const copies: Copy[] = [];
  let bytes = 0;
  let usedBytes = 0;

  function take(): void {
    const { row } = run;
    if (copies.some(({ save }) => save.row === row)) return;
    usedBytes = 0;
    regions.forEach((region, r) => {
      for (const page of usedPages(region)) {
        look(region.words, known[r]!, page);
        usedBytes += PAGE_BYTES;
      }
    });
    const versions = known.map((pages) => pages.slice());
    for (const version of versions.flat()) hold(version, 1);
    copies.push({ save: run.save(), versions });
    copies.sort((a, b) => a.save.row - b.save.row);
    while (bytes > bytesMax && copies.length > 2) drop(mostCrowded(copies, row));
  }

  /** A version of the page as it is now: the known one, if that is the same. */
  function look(words: Int32Array, pages: (Version | undefined)[], page: number): void {
    const now = words.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
    const before = pages[page];
    if (before === undefined || !isSame(now, before.words)) pages[page] = { words: now.slice(), copies: 0 };
  }

  function hold(version: Version | undefined, by: 1 | -1): void {
    if (version === undefined) return;
    if (version.copies === 0) bytes += PAGE_BYTES;
    version.copies += by;
    if (version.copies === 0) bytes -= PAGE_BYTES;
  }

  function drop(place: number): void {
    const [copy] = copies.splice(place, 1);
    for (const version of copy!.versions.flat()) hold(version, -1);
  }

  function back(row: number): void {
    const copy = copies.findLast(({ save }) => save.row <= row);
    assert(copy !== undefined, 'the first copy is kept');
    // What is used now follows from the ledger, so that it is asked for before anything is written.
    const used = regions.map(usedPages);
    regions.forEach(({ words }, r) => {
      const versions = copy.versions[r]!;
      for (const page of used[r]!)
        if (versions[page] === undefined) words.fill(0, page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
      versions.forEach((version, page) => {
        if (version !== undefined) words.set(version.words, page * PAGE_WORDS);
      });
      known[r] = versions.slice();
    });
    run.restore(copy.save);
  }

  take();
  return {
    take,
    before: (row) => copies.findLast(({ save }) => save.row <= row)?.save.row,
    back,
    get usedBytes() {
      return usedBytes;
    },
    get bytes() {
      return bytes;
    },
  };
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The copy without which the gap is smallest: not the first, and not the one that was taken just now. */
function mostCrowded(copies: readonly Copy[], taken: number): number {
  let best = -1;
  let smallest = Number.POSITIVE_INFINITY;
  for (let i = 1; i < copies.length; i++) {
    const { row } = copies[i]!.save;
    const after = copies[i + 1]?.save.row ?? Number.POSITIVE_INFINITY;
    const gap = after - copies[i - 1]!.save.row;
    if (row !== taken && gap <= smallest) {
      smallest = gap;
      best = i;
    }
  }
  return best;
}

// ---- what there is to copy -----------------------------------------------------------------------------------------------

type WordRanges = readonly (readonly [from: number, to: number])[];

/** The ledger's arrays and the run's. An array that is not spoken of here is copied as a whole. */
function regionsOf(ledger: Ledger, { state }: Run): Region[] {
  const regions: Region[] = [];
  for (const [name, array] of Object.entries(ledger)) {
    // The same bytes as cpuCache, and what the machine was made from.
    if (!ArrayBuffer.isView(array) || name === 'cpuDouble' || name === 'config') continue;
    const each = (array as Int32Array).BYTES_PER_ELEMENT / 4;
    if (name.startsWith('slab'))
      regions.push(regionOf(array, () => [[0, each * (ledger.header[H_SLAB_HIGH]! + 1)]]));
    else if (name === 'linkPage')
      regions.push(regionOf(array, () => [[0, LINKPAGE_WORDS * ledger.header[H_LINKPAGE_HIGH]!]]));
    else if (name === 'link')
      regions.push(regionOf(array, () => [[0, each * LINKS_PER_PAGE * ledger.header[H_LINKPAGE_HIGH]!]]));
    else if (name.startsWith('frame') || name === 'freeNext' || name === 'freePrev')
      regions.push(regionOf(array, () => usedFrames(ledger, each)));
    else regions.push(regionOf(array));
  }
  for (const array of [state.addresses, state.slotClass, state.slotRow]) regions.push(regionOf(array));
  return regions;
}

function regionOf(array: ArrayBufferView, used?: () => WordRanges): Region {
  // The ledger's arrays are padded to whole lines.
  const words = new Int32Array(array.buffer, array.byteOffset, Math.ceil(array.byteLength / 4));
  return { words, used: used ?? (() => [[0, words.length]]) };
}

/** Frames that are on a list or were ever handed out: all but the virgin ones of each range of RAM. */
function usedFrames({ range }: Ledger, wordsEach: number): WordRanges {
  const used: (readonly [number, number])[] = [];
  const add = (from: number, to: number) => {
    if (from < to) used.push([Math.floor(from * wordsEach), Math.ceil(to * wordsEach)]);
  };
  for (let r = 0; r < range.length; r += RANGE_WORDS) {
    add(range[r + R_START]!, range[r + R_VIRGIN]!);
    add(range[r + R_VIRGIN_END]!, range[r + R_END]!);
  }
  return used;
}

/** Ranges may share a page, which is there once. */
function usedPages({ words, used }: Region): number[] {
  const pages: number[] = [];
  for (const [from, to] of used()) {
    const end = Math.min(Math.ceil(to / PAGE_WORDS), Math.ceil(words.length / PAGE_WORDS));
    for (let page = Math.floor(from / PAGE_WORDS); page < end; page++) {
      if (pages.length === 0 || pages[pages.length - 1]! < page) pages.push(page);
    }
  }
  return pages;
}
