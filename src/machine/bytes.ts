/**
 * # The bytes of a machine on paper
 *
 * The ledger never looks into the memory that it manages, so a machine has none until somebody wants it: debug checks write poison and
 * red zones there, a driver its data. Two kinds:
 *
 *     sparseBytes(4096)            pages come into being when something is written to them; others read as the filler
 *     flatBytes(array, base)       a Uint8Array that begins at a physical address: a SharedArrayBuffer's view, for instance
 *
 * What lies in a page that was given back is nobody's business: `forget` lets a sparse page go, and it reads as the filler again.
 */
import { ArgumentError } from '../base/index.js';

/** Memory that can be read and written, by physical address. Lengths are bytes. */
export interface ManagedBytes {
  get(address: number): number;
  set(address: number, value: number): void;
  fill(from: number, length: number, value: number): void;
  /** Copies `bytes` to an address. */
  write(address: number, bytes: Uint8Array): void;
  /** A copy of what lies at an address. */
  read(address: number, length: number): Uint8Array;
  /** The first byte of a range that differs from `value`, or -1. */
  firstOther(from: number, length: number, value: number): number;
  /** One behind the last byte of a range that differs from `value`, or `from` if none does. */
  endOfOther(from: number, length: number, value: number): number;
  /** A little-endian word of 32 bits, unsigned. Any alignment. */
  getU32(address: number): number;
  setU32(address: number, value: number): void;
  /** Where all of it is one array: that array, and the address of its first byte. */
  readonly flat?: { readonly array: Uint8Array; readonly base: number };
  /** The contents of a range of whole pages no longer matter. */
  forget(from: number, length: number): void;
}

/** A sparse page as bytes, and as what its words are read through. */
interface SparsePage {
  readonly bytes: Uint8Array;
  readonly words: DataView;
}

/** Bytes that exist where they were written. `pageSize` is a power of two; addresses go up to 2^53. */
export function sparseBytes(pageSize = 4096, filler = 0): ManagedBytes {
  const pages = new Map<number, SparsePage>();
  const fillerWord = Math.imul(filler, 0x01010101) >>> 0;
  // The page that was used last: neighbours are touched one after the other.
  let lastIndex = -1;
  let last: SparsePage | undefined;

  function find(index: number): SparsePage | undefined {
    if (index !== lastIndex || last === undefined) {
      last = pages.get(index);
      lastIndex = index;
    }
    return last;
  }

  function page(index: number): Uint8Array | undefined {
    return find(index)?.bytes;
  }

  function make(index: number): SparsePage {
    let found = find(index);
    if (found === undefined) {
      const bytes = new Uint8Array(pageSize);
      if (filler !== 0) bytes.fill(filler);
      found = { bytes, words: new DataView(bytes.buffer) };
      pages.set(index, found);
      last = found;
    }
    return found;
  }

  function made(index: number): Uint8Array {
    return make(index).bytes;
  }

  /** Calls back with each page's part of a range: page, first and last + 1 inside it, how far the part is into the range. */
  function* parts(from: number, length: number): Generator<readonly [number, number, number, number]> {
    for (let done = 0; done < length; ) {
      const index = Math.floor((from + done) / pageSize);
      const start = from + done - index * pageSize;
      const end = Math.min(pageSize, start + length - done);
      yield [index, start, end, done];
      done += end - start;
    }
  }

  const bytes: ManagedBytes = {
    get(address) {
      const index = Math.floor(address / pageSize);
      const found = page(index);
      return found === undefined ? filler : found[address - index * pageSize]!;
    },
    set(address, value) {
      const index = Math.floor(address / pageSize);
      made(index)[address - index * pageSize] = value;
    },
    fill(from, length, value) {
      for (const [index, start, end] of parts(from, length)) made(index).fill(value, start, end);
    },
    write(address, source) {
      for (const [index, start, end, done] of parts(address, source.length))
        made(index).set(source.subarray(done, done + end - start), start);
    },
    read(address, length) {
      const out = new Uint8Array(length);
      if (filler !== 0) out.fill(filler);
      for (const [index, start, end, done] of parts(address, length)) {
        const found = page(index);
        if (found !== undefined) out.set(found.subarray(start, end), done);
      }
      return out;
    },
    firstOther(from, length, value) {
      for (const [index, start, end, done] of parts(from, length)) {
        const found = page(index);
        if (found === undefined) {
          if (filler !== value) return from + done;
          continue;
        }
        for (let i = start; i < end; i++) if (found[i] !== value) return from + done + i - start;
      }
      return -1;
    },
    endOfOther: (from, length, value) => endOfOther(bytes, from, length, value),
    // Page tables are read and written word by word, so a word inside one page is one access.
    getU32(address) {
      const index = Math.floor(address / pageSize);
      const at = address - index * pageSize;
      if (at + 4 > pageSize) return getU32(bytes, address);
      const found = find(index);
      return found === undefined ? fillerWord : found.words.getUint32(at, true);
    },
    setU32(address, value) {
      const index = Math.floor(address / pageSize);
      const at = address - index * pageSize;
      if (at + 4 > pageSize) setU32(bytes, address, value);
      else make(index).words.setUint32(at, value, true);
    },
    forget(from, length) {
      for (const [index] of parts(from, length)) pages.delete(index);
      lastIndex = -1;
      last = undefined;
    },
  };
  return bytes;
}

/** An array as the memory that begins at a physical address. An address outside it is an ArgumentError. */
export function flatBytes(array: Uint8Array, base: number): ManagedBytes {
  const words = new DataView(array.buffer, array.byteOffset, array.byteLength);

  function inside(from: number, length: number): number {
    const at = from - base;
    if (!(at >= 0 && at + length <= array.length))
      throw new ArgumentError(`no byte lies at address 0x${from.toString(16)} (${length} bytes)`);
    return at;
  }

  const bytes: ManagedBytes = {
    flat: { array, base },
    get: (address) => array[inside(address, 1)]!,
    set(address, value) {
      array[inside(address, 1)] = value;
    },
    fill(from, length, value) {
      const at = inside(from, length);
      array.fill(value, at, at + length);
    },
    write(address, source) {
      array.set(source, inside(address, source.length));
    },
    read(address, length) {
      const at = inside(address, length);
      return array.slice(at, at + length);
    },
    firstOther(from, length, value) {
      const at = inside(from, length);
      for (let i = at; i < at + length; i++) if (array[i] !== value) return i + base;
      return -1;
    },
    endOfOther: (from, length, value) => endOfOther(bytes, from, length, value),
    getU32: (address) => words.getUint32(inside(address, 4), true),
    setU32: (address, value) => words.setUint32(inside(address, 4), value, true),
    // The array is its owner's: it keeps what is in it.
    forget: () => {},
  };
  return bytes;
}

function endOfOther(bytes: ManagedBytes, from: number, length: number, value: number): number {
  let end = from + length;
  while (end > from && bytes.get(end - 1) === value) end--;
  return end;
}

function getU32(bytes: ManagedBytes, address: number): number {
  const low = bytes.get(address) | (bytes.get(address + 1) << 8);
  return (low | (bytes.get(address + 2) << 16) | (bytes.get(address + 3) << 24)) >>> 0;
}

function setU32(bytes: ManagedBytes, address: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes.set(address + i, (value >>> (8 * i)) & 0xff);
}
