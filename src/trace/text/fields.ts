/**
 * # The fields of an event in text
 *
 *     call_site=prepare_creds+0x21/0xc0 ptr=ffff888102c00898 bytes_req=136 bytes_alloc=192 gfp_flags=GFP_KERNEL node=-1 accounted=true
 *
 * Fields are found by their names, in whatever order a kernel prints them; unknown ones are passed over. Those whose values differ from
 * line to line (`ptr`, `pfn`, the sizes) are read where they stand. Call sites repeat, and so does the whole end of a line, from the first
 * other field on: those are kept in a memo, with everything that was understood of them (see memo.ts). Code repeats as well: after one
 * call site comes mostly the one that came the last time, and it asks for the same. So for both there are three steps:
 *
 *     read    compare with the guess, without looking for an end
 *     find    look up what stands there
 *     learn   understand it, and keep it
 *
 *     key     | call_site=    | ptr= | bytes_req= bytes_alloc= | pfn= | name= of an allocation | anything else, up to the line's end
 *     read by | memo of sites | here | here                    | here | memo of names         | memo of ends: gfp_flags, order, node,
 *             |               |      |                         |      |                       | name of a free, accounted
 *
 * The option fields prints a record's fields as they are, each value twice: `bytes_req=0x168 (360)`. What stands in parentheses behind a
 * value is passed over, and numbers may be hexadecimal.
 *
 * Numbers are read with tables of two digits. Every loop ends at the line's newline, which is no byte of any value.
 */
import { __GFP } from '../../machine/index.js';
import { ACCOUNTED, EVENT, type EventBatch, fromUtf8, PFN_NONE, Strings } from '../batch/index.js';
import { createCacheNameReader } from './cache-names.js';
import {
  BLANK_GFP,
  BLANK_NAME,
  CHARGED,
  createLineEnd,
  END_FIELDS,
  GFP,
  isKey,
  NAME,
  NODE,
  NUMBER_GFP,
  ORDER,
  UNKNOWN_GFP,
} from './line-end.js';
import { createRunMemo, createRuns, EMPTY_HASH, TO_BLANK, TO_CONTROL } from './memo.js';
import { HEX_PAIR, hexDigit, word } from './scan.js';

/** Bits of a set of fields; those of a line's end are in line-end.ts. */
const SITE = 1;
const POINTER = 2;
const BYTES_REQ = 4;
const BYTES_ALLOC = 8;
const PFN = 16;
/** The name of an allocation's cache, which newer kernels print among the fields that are read where they stand. */
const CACHE_NAME = 1024;

const FIELD_NAMES: readonly string[] = [
  'call_site',
  'ptr',
  'bytes_req',
  'bytes_alloc',
  'pfn',
  'gfp_flags',
  'order',
  'name',
  'node',
  'accounted',
];

/** What an event of each kind cannot be without. Names came with 5.12, nodes with 6.1; an order of 0 is not always printed. */
const REQUIRED: Readonly<Record<number, number>> = {
  [EVENT.KMALLOC]: SITE | POINTER | BYTES_REQ | BYTES_ALLOC | GFP,
  [EVENT.CACHE_ALLOC]: SITE | POINTER | BYTES_REQ | BYTES_ALLOC | GFP,
  [EVENT.KFREE]: SITE | POINTER,
  [EVENT.CACHE_FREE]: SITE | POINTER,
  [EVENT.PAGE_ALLOC]: PFN | ORDER | GFP,
  [EVENT.PAGE_FREE]: PFN | ORDER,
  [EVENT.PAGE_FREE_BATCHED]: PFN,
  [EVENT.PAGE_ZONE_LOCKED]: PFN | ORDER,
  [EVENT.PAGE_PCPU_DRAIN]: PFN | ORDER,
  [EVENT.PAGE_EXTFRAG]: PFN | ORDER,
};

const SPACE = 32;
const NEWLINE = 10;
const RETURN = 13;
const ZERO = 48;
const SLASH = 47;
const OPEN = 40;
const CLOSE = 41;
const EQUALS = 61;
const BRACKET = 91;

const CALL = word('call');
const SITE_ = word('_sit');
const PTR_ = word('ptr=');
const PFN_ = word('pfn=');
const PAGE = word('page');
const NAME_ = word('name');
const BYTE = word('byte');
const S_RE = word('s_re');
const S_AL = word('s_al');
const LOC_ = word('loc=');
const E_ = word('e=\0\0');
const Q_ = word('q=\0\0');
const X_ = word('0x\0\0');

const SITE_ROWS = 4096;
const SITE_BYTES = 96;
const END_ROWS = 1024;
const END_BYTES = 128;
const BYTES_MAX = 0xffffffff;
/** How often a line may go back from fields of its end to the others: no kernel's does. */
const TURNS_MAX = 16;

/** What the lines read so far had that a person should know. */
export interface FieldNotes {
  blankGfp: number;
  blankName: number;
  numberGfp: number;
  unknownGfp: number;
  readonly unknownGfpNames: Set<string>;
}

function noNotes(): FieldNotes {
  return {
    blankGfp: 0,
    blankName: 0,
    numberGfp: 0,
    unknownGfp: 0,
    unknownGfpNames: new Set(),
  };
}

interface FieldReader {
  /** A new text begins, with its own table of texts. */
  begin(strings: Strings): void;
  /** Reads the fields from `at` to the line's end into a row of the batch. Returns where the next line begins, or -1: see `failure`. */
  read(at: number, row: number, kind: number): number;
  /** What was wrong with the line that was read last. */
  failure(): string;
  notes(): FieldNotes;
}

/** `refuse` throws: the trace cannot be used at all. */
export function createFieldReader(
  bytes: Uint8Array<ArrayBuffer>,
  view: DataView<ArrayBuffer>,
  batch: EventBatch,
  refuse: (why: string) => never,
): FieldReader {
  const { endOf, endOfHashed, hash } = createRuns(view);
  const { pointerLow, pointerHigh, bytesReq, bytesAlloc, site, gfp, order, node, name, accounted } = batch;
  let strings = new Strings();
  let notes = noNotes();
  const sites = createRunMemo(bytes, view, SITE_ROWS, SITE_BYTES);
  const siteOfRow = new Uint32Array(SITE_ROWS);
  /** Guesses: which site came after this one the last time, and how a line of this site, or of this kind if it has none, ended. */
  const siteAfter = new Uint16Array(SITE_ROWS);
  const endAfter = new Uint16Array(SITE_ROWS + EVENT.LOST);
  let lastSite = 0;
  let endKey = 0;
  const cacheNames = createCacheNameReader(bytes, view, SITE_ROWS);
  const ends = createRunMemo(bytes, view, END_ROWS, END_BYTES);
  const endFields = new Uint16Array(END_ROWS);
  const endGfp = new Uint32Array(END_ROWS);
  const endOrder = new Uint8Array(END_ROWS);
  const endNode = new Int16Array(END_ROWS);
  const endName = new Uint32Array(END_ROWS);
  const endAccounted = new Uint8Array(END_ROWS);
  const endNotes = new Uint8Array(END_ROWS);
  const lineEnd = createLineEnd(bytes, view, cacheNames, fail);
  const { end } = lineEnd;
  let found = 0;
  let turns = 0;
  let wrong = '';

  function fail(why: string): -1 {
    wrong = why;
    return -1;
  }

  // ---- call_site= ------------------------------------------------------------------------------------------------------

  function readSite(from: number, row: number): number {
    const guess = siteAfter[lastSite]!;
    const to = from + sites.begins(guess, from);
    if (to === from || bytes[to] !== SPACE || bytes[to + 1] === BRACKET) return findSite(from, row);
    lastSite = endKey = guess;
    site[row] = siteOfRow[guess]!;
    return to;
  }

  function findSite(from: number, row: number): number {
    let to = endOfHashed(from, TO_BLANK, EMPTY_HASH);
    // The name of a module stands behind a blank: `ext4_new_inode+0x1a/0x30 [ext4]`.
    if (bytes[to] === SPACE && bytes[to + 1] === BRACKET) to = endOfHashed(to + 1, TO_BLANK, hash());
    const known = sites.find(from, to - from, hash());
    if (known < 0) {
      site[row] = learnSite(from, to);
      return to;
    }
    siteAfter[lastSite] = known;
    lastSite = endKey = known;
    site[row] = siteOfRow[known]!;
    return to;
  }

  function learnSite(from: number, to: number): number {
    const id = internSite(strings, bytes, from, to);
    const added = sites.add(from, to - from, hash());
    if (added >= 0) siteOfRow[added] = id;
    return id;
  }

  // ---- ptr=, pfn= ------------------------------------------------------------------------------------------------------

  /** Sixteen hexadecimal digits into the row's pointer; false if these are none. */
  function readSixteen(at: number, row: number): boolean {
    const a = HEX_PAIR[view.getUint16(at, true)]!;
    const b = HEX_PAIR[view.getUint16(at + 2, true)]!;
    const c = HEX_PAIR[view.getUint16(at + 4, true)]!;
    const d = HEX_PAIR[view.getUint16(at + 6, true)]!;
    const e = HEX_PAIR[view.getUint16(at + 8, true)]!;
    const f = HEX_PAIR[view.getUint16(at + 10, true)]!;
    const g = HEX_PAIR[view.getUint16(at + 12, true)]!;
    const h = HEX_PAIR[view.getUint16(at + 14, true)]!;
    if ((a | b | c | d | e | f | g | h) < 0) return false;
    pointerHigh[row] = (a << 24) | (b << 16) | (c << 8) | d;
    pointerLow[row] = (e << 24) | (f << 16) | (g << 8) | h;
    return bytes[at + 16]! <= SPACE;
  }

  function readPointer(at: number, row: number): number {
    if (view.getUint16(at, true) === X_) {
      return readSixteen(at + 2, row) ? at + 18 : readHex(at + 2, row, 'ptr');
    }
    return readSixteen(at, row) ? at + 16 : readOddPointer(at, row);
  }

  /** Up to sixteen hexadecimal digits. */
  function readHex(from: number, row: number, field: string): number {
    let low = 0;
    let high = 0;
    let at = from;
    for (let digit = hexDigit(bytes[at]!); digit >= 0; digit = hexDigit(bytes[++at]!)) {
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | digit;
    }
    if (at === from || at > from + 16 || bytes[at]! > SPACE) return fail(`${field}= is no number`);
    pointerLow[row] = low;
    pointerHigh[row] = high;
    return at;
  }

  /** Eight digits of a 32-bit kernel, `(nil)`, and what kernels print instead of a pointer. */
  function readOddPointer(from: number, row: number): number {
    let at = from;
    while (bytes[at] === SPACE) at++;
    if (bytes[at] !== OPEN) {
      const to = endOf(from);
      if (to - from !== 8) return fail('ptr= is no pointer of 8 or 16 digits');
      return readHex(from, row, 'ptr');
    }
    const to = endOf(at);
    switch (fromUtf8(bytes, at, to)) {
      case '(nil)':
      case '(null)':
        pointerLow[row] = 0;
        pointerHigh[row] = 0;
        return to;
      case '(____ptrval____)':
      case '(ptrval)':
        return refuse(
          `every pointer is ${fromUtf8(bytes, at, to)}: the kernel had no entropy yet to hash them with, so that frees cannot be ` +
            'told apart; record again with the boot parameter no_hash_pointers, or with trace-cmd or perf',
        );
      default:
        return fail('ptr= is no pointer');
    }
  }

  /** Hexadecimal with 0x; decimal without, as kernels up to 5.11 print it. */
  function readPfn(from: number, row: number): number {
    if (view.getUint16(from, true) === X_) return readHex(from + 2, row, 'pfn');
    let value = 0;
    let at = from;
    for (; bytes[at]! >= ZERO && bytes[at]! <= ZERO + 9; at++) value = value * 10 + bytes[at]! - ZERO;
    if (at === from || bytes[at]! > SPACE) return fail('pfn= is no number');
    const none = value >= 2 ** 53;
    pointerLow[row] = none ? PFN_NONE : value % 2 ** 32;
    pointerHigh[row] = none ? PFN_NONE : value / 2 ** 32;
    return at;
  }

  // ---- bytes_req=, bytes_alloc= ----------------------------------------------------------------------------------------

  function readBytes(from: number, row: number, column: Uint32Array): number {
    let value = 0;
    let at = from;
    for (let digit = bytes[at]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO) {
      // Nine digits fit an integer.
      if (at - from >= 9) return readLargeBytes(from, row, column);
      value = (Math.imul(value, 10) + digit) | 0;
    }
    if (at === from || bytes[at]! > SPACE) {
      if (view.getUint16(from, true) === X_) return readHexBytes(from + 2, row, column);
      return fail('a size is no number');
    }
    column[row] = value;
    return at;
  }

  /** As the trace option fields prints it. */
  function readHexBytes(from: number, row: number, column: Uint32Array): number {
    let value = 0;
    let at = from;
    for (let digit = hexDigit(bytes[at]!); digit >= 0; digit = hexDigit(bytes[++at]!))
      value = value * 16 + digit;
    if (at === from || at > from + 16 || bytes[at]! > SPACE) return fail('a size is no number');
    column[row] = Math.min(value, BYTES_MAX);
    return at;
  }

  function readLargeBytes(from: number, row: number, column: Uint32Array): number {
    const to = endOf(from);
    let value = 0;
    for (let at = from; at < to; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) return fail('a size is no number');
      value = value * 10 + digit;
    }
    column[row] = Math.min(value, BYTES_MAX);
    return to;
  }

  // ---- The end of a line -----------------------------------------------------------------------------------------------

  /** Everything from `from` on, up to the line's end; or, if one of the other fields stands there, up to that. */
  function readEnd(from: number, row: number, kind: number): number {
    const guess = endAfter[endKey]!;
    const to = from + ends.begins(guess, from);
    if (to === from || bytes[to] !== NEWLINE || (found & END_FIELDS) !== 0) return findEnd(from, row, kind);
    return useEnd(guess, to, row, kind);
  }

  function findEnd(from: number, row: number, kind: number): number {
    const to = endOfHashed(from, TO_CONTROL, EMPTY_HASH);
    const known = ends.find(from, to - from, hash());
    if (known < 0 || (found & END_FIELDS) !== 0) return learnEnd(from, to, row, kind);
    endAfter[endKey] = known;
    return useEnd(known, to, row, kind);
  }

  function useEnd(known: number, to: number, row: number, kind: number): number {
    found |= endFields[known]!;
    gfp[row] = endGfp[known]!;
    order[row] = endOrder[known]!;
    node[row] = endNode[known]!;
    name[row] = endName[known]!;
    accounted[row] = endAccounted[known]!;
    if (endNotes[known] !== 0) note(endNotes[known]!, row, kind);
    return bytes[to] === NEWLINE ? to + 1 : oddLineEnd(to);
  }

  function learnEnd(from: number, to: number, row: number, kind: number): number {
    const at = lineEnd.understand(from, to, kind);
    if (at < 0) return at;
    found |= end.fields;
    if (end.fields & GFP) gfp[row] = end.gfp;
    if (end.fields & ORDER) order[row] = end.order;
    if (end.fields & NAME) name[row] = end.name;
    if (end.fields & NODE) node[row] = end.node;
    if (end.fields & CHARGED) accounted[row] = end.accounted;
    if (end.notes !== 0) note(end.notes, row, kind);
    if (at < to) return ++turns < TURNS_MAX ? readFields(at, row, kind) : fail('it has too many fields');
    // A run may be known and yet be read again, where the line had such fields before.
    const hashOfRun = hash();
    const added = ends.find(from, to - from, hashOfRun) < 0 ? ends.add(from, to - from, hashOfRun) : -1;
    if (added >= 0) {
      endFields[added] = end.fields;
      endGfp[added] = end.gfp;
      endOrder[added] = end.order;
      endNode[added] = end.node;
      endName[added] = end.name;
      endAccounted[added] = end.accounted;
      endNotes[added] = end.notes;
    }
    return bytes[to] === NEWLINE ? to + 1 : oddLineEnd(to);
  }

  function oddLineEnd(at: number): number {
    if (bytes[at] === RETURN && bytes[at + 1] === NEWLINE) return at + 2;
    return fail('a control character stands among its fields');
  }

  function note(which: number, row: number, kind: number): void {
    if (which & BLANK_GFP) {
      notes.blankGfp++;
      // Of kmalloc, `accounted` is this very bit.
      if (accounted[row] === ACCOUNTED.YES && kind === EVENT.KMALLOC) gfp[row] = __GFP.ACCOUNT;
    }
    if (which & BLANK_NAME) notes.blankName++;
    if (which & NUMBER_GFP) notes.numberGfp++;
    if (which & UNKNOWN_GFP) notes.unknownGfp++;
  }

  // ---- All of them -----------------------------------------------------------------------------------------------------

  function readFields(from: number, row: number, kind: number): number {
    let at = from;
    while (at >= 0) {
      while (bytes[at] === SPACE) at++;
      const key = view.getInt32(at, true);
      if (key === PTR_) {
        found |= POINTER;
        at = readPointer(at + 4, row);
      } else if (
        key === CALL &&
        view.getInt32(at + 4, true) === SITE_ &&
        view.getUint16(at + 8, true) === E_
      ) {
        found |= SITE;
        at = readSite(at + 10, row);
      } else if (
        key === BYTE &&
        view.getInt32(at + 4, true) === S_RE &&
        view.getUint16(at + 8, true) === Q_
      ) {
        found |= BYTES_REQ;
        at = readBytes(at + 10, row, bytesReq);
      } else if (
        key === BYTE &&
        view.getInt32(at + 4, true) === S_AL &&
        view.getInt32(at + 8, true) === LOC_
      ) {
        found |= BYTES_ALLOC;
        at = readBytes(at + 12, row, bytesAlloc);
      } else if (key === PFN_) {
        found |= PFN;
        at = readPfn(at + 4, row);
      } else if (key === PAGE && bytes[at + 4] === EQUALS) {
        at = endOf(at + 5);
      } else if (key === NAME_ && bytes[at + 4] === EQUALS && kind === EVENT.CACHE_ALLOC) {
        // Each is looked for up to the line's end.
        if (found & CACHE_NAME) return fail('it has two names');
        found |= CACHE_NAME;
        const start = at + 5;
        at = cacheNames.read(start, lastSite);
        if (at === start) note(BLANK_NAME, row, kind);
      } else if (bytes[at] === OPEN) {
        // trace-cmd prints the caller once more, in parentheses.
        at = endOf(at);
        while (bytes[at - 1] !== CLOSE && bytes[at] === SPACE) at = endOf(at + 1);
      } else if (bytes[at] === NEWLINE) {
        return at + 1;
      } else {
        return readEnd(at, row, kind);
      }
    }
    return at;
  }

  function read(from: number, row: number, kind: number): number {
    found = 0;
    turns = 0;
    endKey = SITE_ROWS + kind;
    const next = readFields(from, row, kind);
    const isFrame0 = found & PFN && pointerLow[row] === 0 && pointerHigh[row] === 0;
    if (isFrame0 && isFailedAllocation(bytes, from, endOf)) pointerLow[row] = pointerHigh[row] = PFN_NONE;
    if (found & CACHE_NAME) name[row] = cacheNames.text();
    const missing = REQUIRED[kind]! & ~found;
    if (next < 0 || missing === 0) return next;
    const field = FIELD_NAMES[31 - Math.clz32(missing & -missing)]!;
    return fail(`it has no ${field}=`);
  }

  function begin(table: Strings): void {
    strings = table;
    notes = noNotes();
    sites.clear();
    cacheNames.begin(table);
    lineEnd.begin(notes.unknownGfpNames);
    ends.clear();
  }

  return { begin, read, failure: () => wrong, notes: () => notes };
}

/** Without the function's size; a bare address gets its 0x. */
function internSite(strings: Strings, bytes: Uint8Array, from: number, to: number): number {
  let bare = to - from >= 8;
  for (let at = from; at < to; at++) {
    if (bytes[at] === SLASH) {
      let blank = at;
      while (blank < to && bytes[blank] !== SPACE) blank++;
      const text = fromUtf8(bytes, from, at) + fromUtf8(bytes, blank, to);
      return strings.internText(text);
    }
    bare &&= hexDigit(bytes[at]!) >= 0;
  }
  return bare ? strings.internText(`0x${fromUtf8(bytes, from, to)}`) : strings.intern(bytes, from, to);
}

/** A failed allocation prints the frame 0 and no page: that of frame 0 would be a page. */
function isFailedAllocation(bytes: Uint8Array, from: number, endOf: (at: number) => number): boolean {
  for (let at = from; bytes[at] !== NEWLINE; at++) {
    if (bytes[at] !== SPACE || !isKey(bytes, at + 1, 'page=')) continue;
    const page = fromUtf8(bytes, at + 6, endOf(at + 6));
    return /^(?:\(nil\)|\(null\)|(?:0x)?0+)$/.test(page);
  }
  return false;
}
