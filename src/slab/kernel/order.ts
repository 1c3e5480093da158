/**
 * How large a slab is: the search for an order that holds enough objects and wastes little.
 *
 * A slab should hold `minObjects` objects (4 × (bits of the CPU count + 1), so that many CPUs take the node's lock less often)
 * and leave at most a sixteenth of itself unused. Where both cannot be had below `maxOrder`, kernels give way in different
 * orders; each way is a rule of its own.
 */
import { fls, orderOf } from '../../base/index.js';
import { MAX_OBJECTS_PER_SLAB } from '../../machine/index.js';

/** What the order of a slab depends on. */
export interface OrderSearch {
  /** Bytes of one object with everything around it; 32 bits. */
  readonly size: number;
  /** `slub_min_objects`; 0 derives it from the CPUs. */
  readonly minObjects: number;
  readonly minOrder: number;
  readonly maxOrder: number;
  readonly cpus: number;
  readonly pageSize: number;
  /** Orders that the page allocator has. */
  readonly orders: number;
}

/** The preferred order, or -1 if no block holds an object. */
export type OrderRule = (search: OrderSearch) => number;

/** Objects in a slab of an order. */
export function objectsInOrder(order: number, size: number, pageSize: number): number {
  return Math.floor((pageSize * 2 ** order) / size);
}

/** The first order from the lowest that could do, up to `maxOrder`, that leaves at most 1/fraction unused; maxOrder + 1 if none. */
function firstOrder(search: OrderSearch, objects: number, maxOrder: number, fraction: number): number {
  const { size, minOrder, pageSize } = search;
  if (objectsInOrder(minOrder, size, pageSize) > MAX_OBJECTS_PER_SLAB) {
    return orderOf((size * MAX_OBJECTS_PER_SLAB) >>> 0, pageSize) - 1;
  }
  let order = Math.max(minOrder, orderOf((objects * size) >>> 0, pageSize));
  for (; order <= maxOrder; order++) {
    const bytes = pageSize * 2 ** order;
    if (bytes % size <= Math.floor(bytes / fraction)) break;
  }
  return order;
}

/**
 * Linux up to 6.6: waste of 1/16, 1/8, 1/4 is tried at each object count before the count is lowered by one; then one
 * object with any waste; then orders above the maximum. [create, create-params recordings]
 */
export const orderByFewerObjects: OrderRule = (search) => {
  const { size, maxOrder, cpus, pageSize, orders } = search;
  const wanted = search.minObjects || 4 * (fls(cpus) + 1);
  for (let objects = Math.min(wanted, objectsInOrder(maxOrder, size, pageSize)); objects > 1; objects--) {
    for (const fraction of [16, 8, 4]) {
      const order = firstOrder(search, objects, maxOrder, fraction);
      if (order <= maxOrder) return order;
    }
  }
  const single = firstOrder(search, 1, maxOrder, 1);
  if (single <= maxOrder) return single;
  const above = firstOrder(search, 1, orders - 1, 1);
  return above < orders ? above : -1;
};

/**
 * Linux from 6.7 on: the object count is not lowered, a waste of up to a half is allowed instead. That always succeeds once one object
 * fits a slab of the maximal order; if not, the smallest order that holds one object. [6.12 create recordings]
 * "mm/slub: remove min_objects loop from calculate_order()", "mm/slub: attempt to find layouts up to 1/2 waste in
 * calculate_order()", "mm/slub: simplify the last resort slab order calculation".
 */
export const orderByMoreWaste: OrderRule = (search) => {
  const { size, maxOrder, cpus, pageSize, orders } = search;
  const wanted = search.minObjects || 4 * (fls(cpus) + 1);
  const objects = Math.max(Math.min(wanted, objectsInOrder(maxOrder, size, pageSize)), 1);
  for (const fraction of [16, 8, 4, 2]) {
    const order = firstOrder(search, objects, maxOrder, fraction);
    if (order <= maxOrder) return order;
  }
  const single = orderOf(size, pageSize);
  return single < orders ? single : -1;
};
