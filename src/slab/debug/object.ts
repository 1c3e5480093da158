/**
 * Where the parts of a debugged object lie, and what is written into them.
 *
 *     | left red zone | object | red zone | free pointer | alloc track | free track | size asked for | padding |
 *                       ↑ address          ↑ inuse                                                    ↑ infoEnd
 *
 * 1. A new slab of a poisoned cache is 0x5a all over: what is not written later is padding.
 * 2. A free object: red zones 0xbb; poison is 0x6b up to the last byte, which is 0xa5.
 * 3. An object in use: red zones 0xcc; poison as in 2, for its new owner to overwrite.
 * 4. A kmalloc cache that remembers the size asked for: poison covers just that, and the rest of the object is red zone (6.12).
 * 5. The free pointer is a word: the next free object's address, or 0. Links in the ledger decide; the word is what the kernel would
 *    have there, and what its checks read.
 */
import {
  C_FLAGS,
  C_INUSE,
  C_OBJECT_SIZE,
  C_OFFSET,
  C_RED_LEFT_PAD,
  C_SIZE,
  CACHE_WORDS,
  type Ledger,
  type ManagedBytes,
} from '../../machine/index.js';
import { type KernelProfile, SLAB, SLAB_OBJECT_POISON } from '../kernel/index.js';

export const RED_INACTIVE = 0xbb;
export const RED_ACTIVE = 0xcc;
export const POISON_FREE = 0x6b;
export const POISON_END = 0xa5;
export const POISON_INUSE = 0x5a;

/** All in bytes from the object's address. */
export interface ObjectLayout {
  readonly flags: number;
  readonly size: number;
  readonly objectSize: number;
  readonly inuse: number;
  /** The free pointer. */
  readonly offset: number;
  readonly outside: boolean;
  readonly redLeftPad: number;
  /** The first of the two tracks. */
  readonly tracks: number;
  /** Where the size asked for is kept; 0 if it is not. */
  readonly asked: number;
  /** Padding begins, and ends. */
  readonly infoEnd: number;
  readonly end: number;
}

export function objectLayout(ledger: Ledger, profile: KernelProfile, id: number): ObjectLayout {
  const word = (at: number) => ledger.cache[id * CACHE_WORDS + at]! >>> 0;
  const flags = word(C_FLAGS);
  const inuse = word(C_INUSE);
  const offset = word(C_OFFSET);
  const redLeftPad = word(C_RED_LEFT_PAD);
  const outside = offset >= inuse;
  const tracks = inuse + (outside ? profile.wordSize : 0);
  const tracked = (flags & SLAB.STORE_USER) !== 0;
  const remembers = tracked && (flags & SLAB.KMALLOC) !== 0;
  const afterTracks = tracks + (tracked ? 2 * profile.trackSize : 0);
  return {
    flags,
    size: word(C_SIZE),
    objectSize: word(C_OBJECT_SIZE),
    inuse,
    offset,
    outside,
    redLeftPad,
    tracks,
    asked: remembers ? afterTracks : 0,
    infoEnd: afterTracks + (remembers ? profile.kmallocTrackExtra : 0),
    end: word(C_SIZE) - (flags & SLAB.RED_ZONE ? redLeftPad : 0),
  };
}

/** A word of memory as it lies there: an address up to 2^53, or any bits. */
export interface Word {
  readonly low: number;
  readonly high: number;
}

export const NULL_WORD: Word = { low: 0, high: 0 };

export const wordOf = (address: number): Word => ({
  low: address >>> 0,
  high: Math.floor(address / 2 ** 32),
});

/** The address that a word is, or NaN if it can be none. */
export const addressOf = ({ low, high }: Word): number =>
  high < 2 ** 21 ? high * 2 ** 32 + low : Number.NaN;

export const isNull = ({ low, high }: Word): boolean => low === 0 && high === 0;

export function readWord(bytes: ManagedBytes, at: number): Word {
  return { low: bytes.getU32(at), high: bytes.getU32(at + 4) };
}

export function writeWord(bytes: ManagedBytes, at: number, { low, high }: Word): void {
  bytes.setU32(at, low);
  bytes.setU32(at + 4, high);
}

/** Rule 2 and 3: what lies in and around an object that is free, or that was just handed out. */
export function initObject(
  bytes: ManagedBytes,
  profile: KernelProfile,
  layout: ObjectLayout,
  address: number,
  value: number,
): void {
  const { flags, objectSize, inuse, redLeftPad } = layout;
  let poisoned = objectSize;
  if (flags & SLAB.RED_ZONE) {
    bytes.fill(address - redLeftPad, redLeftPad, value);
    if (value === RED_ACTIVE) poisoned = askedSize(bytes, profile, layout, address);
  }
  if (flags & SLAB_OBJECT_POISON && poisoned > 0) {
    bytes.fill(address, poisoned - 1, POISON_FREE);
    bytes.set(address + poisoned - 1, POISON_END);
  }
  if (flags & SLAB.RED_ZONE) bytes.fill(address + poisoned, inuse - poisoned, value);
}

/** Rule 4: the size that kmalloc was asked for, where that is remembered and red zoned; else the object's. */
export function askedSize(
  bytes: ManagedBytes,
  profile: KernelProfile,
  { asked, objectSize }: ObjectLayout,
  address: number,
): number {
  if (asked === 0 || !profile.kmallocRedZonesRequest) return objectSize;
  return Math.min(bytes.getU32(address + asked), objectSize);
}

/** Notes the size that kmalloc was asked for: a word of 4 or 8 bytes, whichever the kernel has. */
export function setAsked(
  bytes: ManagedBytes,
  { asked, infoEnd }: ObjectLayout,
  address: number,
  size: number,
): void {
  bytes.fill(address + asked, infoEnd - asked, 0);
  bytes.setU32(address + asked, size);
}
