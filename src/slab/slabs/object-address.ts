/**
 * From an address to its object and back.
 *
 *     address ─▸ page frame ─▸ frameSlab ─▸ slab ─▸ (address - first object) / size ─▸ index
 *
 * Nothing is read through an address before it is known to be the start of an object: a stray one is refused.
 */
import { BadFreeError, type BadFreeReason, formatAddress, type PhysAddr } from '../../base/index.js';
import {
  C_ODD_INVERSE,
  C_SHIFT,
  C_SIZE,
  CACHE_WORDS,
  type PhysicalMemory,
  shapeObjects,
} from '../../machine/index.js';
import { cacheName, divide } from '../cache/index.js';

export interface ObjectAddresses {
  /** The slab that holds an address, or 0. */
  slabAt(address: number): number;
  /** The index in its slab of the object that begins at an address, or -1. */
  indexIn(slab: number, address: number): number;
  /** Where the link of the object lies that begins at an address: of one that is there. */
  linkOf(address: number): number;
  objectAddress(slab: number, index: number): PhysAddr;
  /** Why an address cannot be freed to a cache. */
  badFree(cache: number, address: number): BadFreeError;
}

export function createObjectAddresses(memory: PhysicalMemory): ObjectAddresses {
  const { ledger, basePfn } = memory;
  const { pageSize } = memory.profile;
  const { cache, frameSlab, slabCache, slabFrame, slabLinks, slabOffset, slabShape } = ledger;
  const basePhys = basePfn * pageSize;
  const bytes = ledger.shape.frames * pageSize;
  const pagesPerByte = 1 / pageSize;

  function slabAt(address: number): number {
    const offset = address - basePhys;
    return offset >= 0 && offset < bytes ? frameSlab[(offset * pagesPerByte) | 0]! : 0;
  }

  function indexIn(slab: number, address: number): number {
    const c = slabCache[slab]! * CACHE_WORDS;
    const distance = address - basePhys - slabFrame[slab]! * pageSize;
    const offset = distance | 0;
    const index = divide(offset - slabOffset[slab]!, cache[c + C_ODD_INVERSE]!, cache[c + C_SHIFT]!);
    return index < shapeObjects(slabShape[slab]!) && offset === distance ? index : -1;
  }

  function linkOf(address: number): number {
    const slab = slabAt(address);
    return slabLinks[slab]! + indexIn(slab, address);
  }

  function objectAddress(slab: number, index: number): PhysAddr {
    const c = slabCache[slab]! * CACHE_WORDS;
    return ((slabFrame[slab]! + basePfn) * pageSize +
      slabOffset[slab]! +
      index * cache[c + C_SIZE]!) as PhysAddr;
  }

  function badFree(id: number, address: number): BadFreeError {
    const where = formatAddress(address);
    const slab = slabAt(address);
    const refuse = (reason: BadFreeReason, message: string, owner: string | undefined) =>
      new BadFreeError(address, reason, message, owner);
    const wanted = id === 0 ? 'a cache that was destroyed' : cacheName(ledger, id);
    if (slab === 0) {
      return refuse('unknown-address', `${where} was freed to ${wanted}, but no slab lies there`, undefined);
    }
    const owner = cacheName(ledger, slabCache[slab]!);
    if (slabCache[slab] !== id) {
      return refuse('wrong-cache', `${where} was freed to ${wanted}, but it is an object of ${owner}`, owner);
    }
    if (indexIn(slab, address) < 0) {
      return refuse(
        'misaligned',
        `${where} lies inside a slab of ${owner}, but not at the start of an object`,
        owner,
      );
    }
    return refuse('not-live', `${where} was freed to ${owner}, but that object is free already`, owner);
  }

  return { slabAt, indexIn, linkOf, objectAddress, badFree };
}
