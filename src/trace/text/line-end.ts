/**
 * The end of a line: gfp_flags, order, node, accounted and the name of a free, in whatever order they stand there. It is understood once,
 * and then kept in a memo (fields.ts): this is the step `learn`.
 */
import { ACCOUNTED, EVENT, fromUtf8, NODE_NONE } from '../batch/index.js';
import type { CacheNameReader } from './cache-names.js';
import { readGfp } from './gfp-text.js';
import { createRuns } from './memo.js';
import { hexDigit, word } from './scan.js';

/** Bits of a set of fields; those of what stands before are in fields.ts. */
export const GFP = 32;
export const ORDER = 64;
export const NAME = 128;
export const NODE = 256;
export const CHARGED = 512;
export const END_FIELDS = GFP | ORDER | NAME | NODE | CHARGED;

/** What is worth a note at a line's end. */
export const BLANK_GFP = 1;
export const BLANK_NAME = 2;
export const UNKNOWN_GFP = 4;
export const NUMBER_GFP = 8;

const SPACE = 32;
const ZERO = 48;
const LETTER_O = 0x6f;
const X_ = word('0x\0\0');
const GFP_NAMES_TOLD = 10;

/** What an end says; what it does not say is 0, or no node. */
interface LineEnd {
  fields: number;
  gfp: number;
  order: number;
  node: number;
  name: number;
  accounted: number;
  notes: number;
}

interface LineEndReader {
  /** The one that was understood last. */
  readonly end: Readonly<LineEnd>;
  /** A new text begins: where its first unknown names of gfp flags go. */
  begin(unknownGfpNames: Set<string>): void;
  /** Into `end`. Returns where it stopped: at `to`, or at a field that is not of an end of this kind; -1 if a value is wrong. */
  understand(from: number, to: number, kind: number): number;
}

/** `fail` keeps what is wrong with the line. */
export function createLineEnd(
  bytes: Uint8Array<ArrayBuffer>,
  view: DataView<ArrayBuffer>,
  cacheNames: Pick<CacheNameReader, 'endOf' | 'intern'>,
  fail: (why: string) => -1,
): LineEndReader {
  const { endOf } = createRuns(view);
  const end: LineEnd = { fields: 0, gfp: 0, order: 0, node: NODE_NONE, name: 0, accounted: 0, notes: 0 };
  let unknownGfpNames = new Set<string>();

  function understand(from: number, to: number, kind: number): number {
    end.fields = end.gfp = end.order = end.name = end.accounted = end.notes = 0;
    end.node = NODE_NONE;
    let at = from;
    while (at < to) {
      if (bytes[at] === SPACE) {
        at++;
        continue;
      }
      let stop = endOf(at);
      if (isKey(bytes, at, 'gfp_flags=')) {
        understandGfp(at + 10, stop);
      } else if (isKey(bytes, at, 'order=') || isKey(bytes, at, 'alloc_order=')) {
        end.order = smallNumber(at + (bytes[at] === LETTER_O ? 6 : 12), stop);
        end.fields |= ORDER;
        if (!(end.order >= 0 && end.order < 64)) return fail('order= is no order');
      } else if (isKey(bytes, at, 'node=')) {
        end.node = smallNumber(at + 5, stop);
        end.fields |= NODE;
        if (!(end.node >= -1 && end.node < 0x8000)) return fail('node= is no node');
      } else if (isKey(bytes, at, 'name=') && kind !== EVENT.CACHE_ALLOC) {
        stop = cacheNames.endOf(at + 5, to);
        end.fields |= NAME;
        if (stop === at + 5) end.notes |= BLANK_NAME;
        end.name = cacheNames.intern(at + 5, stop);
      } else if (isKey(bytes, at, 'accounted=')) {
        // A raw value is 1 or 0, and of the option fields (1) or (0).
        const yes =
          isKey(bytes, at + 10, 'true') || isKey(bytes, at + 10, '1') || isKey(bytes, at + 10, '(1)');
        end.accounted = yes ? ACCOUNTED.YES : ACCOUNTED.NO;
        end.fields |= CHARGED;
      } else if (isInner(at, kind)) {
        return at;
      }
      at = stop;
    }
    return to;
  }

  /** One of the fields that readFields reads. */
  function isInner(at: number, kind: number): boolean {
    return (
      isKey(bytes, at, 'ptr=') ||
      isKey(bytes, at, 'call_site=') ||
      isKey(bytes, at, 'bytes_req=') ||
      isKey(bytes, at, 'bytes_alloc=') ||
      isKey(bytes, at, 'pfn=') ||
      (kind === EVENT.CACHE_ALLOC && isKey(bytes, at, 'name='))
    );
  }

  /** A decimal number of up to five digits, or 32 bits as 0x…; NaN for anything else. */
  function smallNumber(from: number, to: number): number {
    if (view.getUint16(from, true) === X_) return hexInteger(from + 2, to);
    const minus = bytes[from] === 0x2d ? 1 : 0;
    let value = 0;
    for (let at = from + minus; at < to; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) return Number.NaN;
      value = value * 10 + digit;
    }
    const count = to - from - minus;
    if (count < 1 || count > 5) return Number.NaN;
    return minus ? -value : value;
  }

  function hexInteger(from: number, to: number): number {
    let value = 0;
    for (let at = from; at < to; at++) {
      const digit = hexDigit(bytes[at]!);
      if (digit < 0) return Number.NaN;
      value = (value << 4) | digit;
    }
    return to === from || to > from + 8 ? Number.NaN : value;
  }

  function understandGfp(from: number, to: number): void {
    end.fields |= GFP;
    if (from === to) {
      end.notes |= BLANK_GFP;
      return;
    }
    const { bits, isNumber, unknown } = readGfp(fromUtf8(bytes, from, to));
    end.gfp = bits;
    if (isNumber) end.notes |= NUMBER_GFP;
    if (unknown.length > 0) end.notes |= UNKNOWN_GFP;
    for (const each of unknown) if (unknownGfpNames.size < GFP_NAMES_TOLD) unknownGfpNames.add(each);
  }

  return {
    end,
    begin: (names) => {
      unknownGfpNames = names;
    },
    understand,
  };
}

export function isKey(bytes: Uint8Array, at: number, key: string): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key.charCodeAt(i)) return false;
  return true;
}
