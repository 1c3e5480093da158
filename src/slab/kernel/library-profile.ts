/**
 * The profile of a machine that is no model of a kernel but an allocator for a program: Linux's rules where they are good, and finer ones
 * where a program counts its bytes.
 *
 *     const machine = Machine.create({ kernel: 'library', memory: 256 * MIB });
 *
 * What differs from 6.12: caches have sheaves (sheaf.ts), keep 256 KiB of slabs though they are empty, have larger slabs, and do not
 * merge; kmalloc has 89 sizes in place of 13. Its sizes are those of which a whole number fills a slab: 32 KiB / n and so on, an eighth
 * apart up to 512 bytes, a sixteenth up to 2 KiB and less than an eighth up to 8 KiB. That loses a twentieth of what is asked for, where
 * powers of two lose a third.
 */

import { LINUX_6_12 } from './linux-6.12.js';
import type { OrderRule } from './order.js';
import { objectsInOrder } from './order.js';
import type { KernelProfile } from './profile.js';

const WORD = 8;
/** Sizes up to here are all multiples of a word. */
const DENSE = 128;
/** Bytes of a slab, and between which numbers of objects it is divided. */
const DIVISIONS: readonly (readonly [bytes: number, most: number, least: number])[] = [
  [4096, 31, 16],
  [8192, 31, 16],
  [16384, 31, 16],
  [32768, 31, 4],
];

/** Object sizes of kmalloc, ascending, with their names. */
function kmallocSizes(): (readonly [bytes: number, name: string])[] {
  const sizes = new Set<number>();
  for (let bytes = WORD; bytes <= DENSE; bytes += WORD) sizes.add(bytes);
  for (const [bytes, most, least] of DIVISIONS)
    for (let objects = most; objects >= least; objects--)
      sizes.add(Math.floor(bytes / objects / WORD) * WORD);
  return [...sizes].sort((a, b) => a - b).map((bytes) => [bytes, String(bytes)]);
}

/** A slab holds so many objects, if the largest order lets it. */
const OBJECTS_WANTED = 32;
/** It leaves at most this part of itself unused, if an order does. */
const WASTE = 1 / 64;

/** The smallest order that holds enough objects and wastes little; if there is none, the one that wastes least; the larger of equals. */
const orderByWaste: OrderRule = ({ size, minOrder, maxOrder, minObjects, pageSize, orders }) => {
  const wanted = minObjects || OBJECTS_WANTED;
  let best = -1;
  let bestWaste = Number.POSITIVE_INFINITY;
  for (let order = minOrder; order < orders && (order <= maxOrder || best < 0); order++) {
    const objects = objectsInOrder(order, size, pageSize);
    if (objects === 0) continue;
    const bytes = pageSize * 2 ** order;
    const waste = (bytes - objects * size) / bytes;
    if (waste <= WASTE && objects >= wanted) return order;
    if (waste <= bestWaste) {
      best = order;
      bestWaste = waste;
    }
  }
  return best;
};

/** The profile behind `kernel: 'library'`: slab/library-profile.ts says what differs from Linux 6.12. */
export const LIBRARY: KernelProfile = {
  ...LINUX_6_12,
  name: 'library',
  orderRule: orderByWaste,
  // What one thread makes and another frees goes in circles of this size; to cut a slab anew costs as much as all else that is done to it.
  minPartialBytes: 262144,
  kmallocSizes: kmallocSizes(),
  sheaves: true,
  merges: false,
  kmallocTypes: false,
};
