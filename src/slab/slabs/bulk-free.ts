/**
 * Freeing many objects in one call: objects of one slab go back together.
 *
 * From the end of the array: the last object begins a group, objects of the same slab in front of it join, up to two of other slabs are
 * passed over, the third ends the group. A group is put on its list at once, with the array's last object first.
 */
import type { PhysAddr } from '../../base/index.js';
import { type Ledger, LINK_END, LINK_LIVE } from '../../machine/index.js';
import type { ObjectAddresses } from './object-address.js';

/** How many empty-handed neighbours a bulk free looks past before it frees the group it has. */
export const LOOKAHEAD = 3;

/** Calls back with each group: its slab, and where in the array it begins and ends. Leaves the array's order changed. */
export function eachGroup(
  addresses: PhysAddr[],
  slabAt: (address: number) => number,
  visit: (slab: number, from: number, to: number) => void,
): void {
  let left = addresses.length;
  while (left > 0) {
    const slab = slabAt(addresses[left - 1]!);
    let groupStart = left;
    let lookahead = LOOKAHEAD;
    for (let i = left - 1; i >= 0; i--) {
      if (slabAt(addresses[i]!) !== slab) {
        if (--lookahead === 0) break;
        continue;
      }
      groupStart--;
      // What was passed over moves to the front, so that the group lies together at the end.
      const passed = addresses[groupStart]!;
      addresses[groupStart] = addresses[i]!;
      addresses[i] = passed;
    }
    visit(slab, groupStart, left);
    left = groupStart;
  }
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
