/**
 * What is counted from the slabs when somebody asks: nobody keeps these numbers.
 */
import {
  C_PARTIAL_HEAD,
  CACHE_WORDS,
  countersInUse,
  H_SLAB_HIGH,
  type Ledger,
  LINK_END,
  LINK_LOST,
  MAX_OBJECTS_PER_SLAB,
  P_LINKS,
  P_OWN,
  shapeObjects,
} from '../../machine/index.js';
import { eachCpuLine } from '../cache/index.js';

/** Objects of a cache that are on no list: live ones, and lost ones where a debug check gave some up. */
export function countInUse(ledger: Ledger, id: number): number {
  const { cpuCache, slabCache, slabCounters, link } = ledger;
  let count = 0;
  const high = ledger.header[H_SLAB_HIGH]!;
  for (let slab = 1; slab <= high; slab++) {
    if (slabCache[slab] === id) count += countersInUse(slabCounters[slab]!);
  }
  // A CPU's own objects count as in use.
  eachCpuLine(ledger, id, (p) => {
    let own = cpuCache[p + P_OWN]!;
    // A list that its CPU changes meanwhile may lead to a live object; it ends there, and has an end.
    for (let left = MAX_OBJECTS_PER_SLAB; own !== LINK_END && own < LINK_LOST && left > 0; left--) {
      own = link[cpuCache[p + P_LINKS]! + own - 1]!;
      count--;
    }
  });
  return count;
}

/** Objects of the slabs on the node's list: in use, and free. */
export function countOnNode(ledger: Ledger, id: number): { inUse: number; free: number } {
  const { cache, slabCounters, slabNext, slabShape } = ledger;
  let inUse = 0;
  let objects = 0;
  // Others may change the list under a report's eyes: it ends all the same.
  let left = ledger.shape.slabs;
  for (let slab = cache[id * CACHE_WORDS + C_PARTIAL_HEAD]!; slab !== 0 && left > 0; slab = slabNext[slab]!) {
    left--;
    inUse += countersInUse(slabCounters[slab]!);
    objects += shapeObjects(slabShape[slab]!);
  }
  return { inUse, free: objects - inUse };
}
