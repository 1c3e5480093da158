/**
 * Freeing many objects in one call: objects of one slab go back together.
 *
 * From the end of the array: the last object begins a group, objects of the same slab in front of it join, up to two of other slabs are
 * passed over, the third ends the group. A group is put on its list at once, with the array's last object first. What leaves a sheaf goes
 * by the same rule (sheaf/).
 */
import type { PhysAddr } from '../../base/index.js';
import { type Ledger, LINK_END, LINK_LIVE } from '../../machine/index.js';
import type { ObjectAddresses } from './object-address.js';

/** How many objects of other slabs end a group. */
const LOOKAHEAD = 3;

/**
 * The group that the last of some objects begins: `slabs` has the slab of each up to place `last`, 0 where an object has left already.
 * Writes the group's places, from the last on, and returns how many there are.
 */
export function findGroup(slabs: Int32Array, last: number, places: Int32Array): number {
  const slab = slabs[last]!;
  let found = 0;
  let others = 0;
  for (let i = last; i >= 0; i--) {
    const each = slabs[i]!;
    if (each === slab) places[found++] = i;
    else if (each !== 0 && ++others === LOOKAHEAD) break;
  }
  return found;
}

/** Calls back with each group: its slab, and where in the array it begins and ends. Leaves the array's order changed. */
type EachGroup = (addresses: PhysAddr[], visit: (slab: number, from: number, to: number) => void) => void;

/** For one allocator of one thread: while a call goes on, another thread's own goes on with memory of its own. */
export function createEachGroup(slabAt: (address: number) => number): EachGroup {
  /** Slabs of the objects that are freed, and places of a group: scratch, nothing while no call is going on. */
  let slabs = new Int32Array(64);
  let places = new Int32Array(64);

  return (addresses, visit) => {
    if (slabs.length < addresses.length) {
      slabs = new Int32Array(2 * addresses.length);
      places = new Int32Array(2 * addresses.length);
    }
    for (let i = 0; i < addresses.length; i++) slabs[i] = slabAt(addresses[i]!);
    let left = addresses.length;
    while (left > 0) {
      const slab = slabs[left - 1]!;
      const count = findGroup(slabs, left - 1, places);
      let start = left;
      for (let k = 0; k < count; k++) {
        const i = places[k]!;
        start--;
        // What was passed over moves to the front, so that the group lies together at the end.
        const passed = addresses[start]!;
        addresses[start] = addresses[i]!;
        addresses[i] = passed;
        slabs[i] = slabs[start]!;
      }
      visit(slab, start, left);
      left = start;
    }
  };
}

/**
 * The first address that is not a live object of a cache, or is there twice; undefined if all can be freed. `readOnly`: links of live
 * objects must not be touched, because whoever dies in the middle would leave them so.
 */
export function firstBad(
  { slabCache, slabLinks, link }: Ledger,
  { slabAt, indexIn }: ObjectAddresses,
  id: number,
  addresses: readonly PhysAddr[],
  readOnly: boolean,
): PhysAddr | undefined {
  const seen = new Set<number>();
  let checked = 0;
  let bad: PhysAddr | undefined;
  for (const address of addresses) {
    const slab = slabAt(address);
    const index = slab !== 0 && slabCache[slab] === id ? indexIn(slab, address) : -1;
    if (index < 0 || link[slabLinks[slab]! + index] !== LINK_LIVE) {
      bad = address;
      break;
    }
    if (readOnly) {
      if (seen.has(address)) return address;
      seen.add(address);
      continue;
    }
    // Marked as not live until all were looked at: a second occurrence shows.
    link[slabLinks[slab]! + index] = LINK_END;
    checked++;
  }
  for (let i = 0; i < checked; i++) {
    const slab = slabAt(addresses[i]!);
    link[slabLinks[slab]! + indexIn(slab, addresses[i]!)] = LINK_LIVE;
  }
  return bad;
}

/** The first of a slab's objects, by their indices, whose link does not hold `wanted`; -1 if all do. */
export function firstNot(
  wanted: number,
  { slabLinks, link }: Ledger,
  slab: number,
  indices: Int32Array,
  count: number,
): number {
  const links = slabLinks[slab]!;
  for (let i = 0; i < count; i++) if (link[links + indices[i]!] !== wanted) return indices[i]!;
  return -1;
}
