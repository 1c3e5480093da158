/**
 * computed/order-ranges: the sizes at which two kernels choose another order, computed from their rules by an independent program. Here
 * the same table comes from the profiles.
 */
import { ArgumentError } from '../../base/index.js';
import {
  type KernelProfile,
  LINUX_6_1,
  LINUX_6_12,
  type OrderSearch,
  objectsInOrder,
} from '../../slab/index.js';
import { type SetResult, SetTally } from './result.js';

type Row = readonly [
  first: number,
  last: number,
  order: number,
  objects: number,
  newOrder: number,
  newObjects: number,
];

interface OrderRanges {
  /** By setting, such as `cpus4`, `min_order2` or `max_order1`. */
  readonly settings: Readonly<Record<string, readonly Row[]>>;
}

/** Sizes are multiples of 8 up to this. */
const LAST_SIZE = 131072;

export function isOrderRanges(recording: object): recording is OrderRanges {
  const { what, settings } = recording as { what?: unknown; settings?: unknown };
  return typeof what === 'string' && what.includes('whose order differs') && typeof settings === 'object';
}

export function verifyOrderRanges(recording: OrderRanges, set: string): SetResult {
  const tally = new SetTally(set);
  for (const [setting, rows] of Object.entries(recording.settings)) {
    tally.case(setting, (expect) => expect('ranges', rows, differingRanges(setting)));
  }
  return tally.result();
}

/** Neighbouring sizes with the same four numbers are one row. */
function differingRanges(setting: string): Row[] {
  const rows: [number, number, number, number, number, number][] = [];
  for (let size = 8; size <= LAST_SIZE; size += 8) {
    const [order, objects] = slabOf(LINUX_6_1, setting, size);
    const [newOrder, newObjects] = slabOf(LINUX_6_12, setting, size);
    if (order === newOrder) continue;
    const last = rows.at(-1);
    const same =
      last &&
      last[1] === size - 8 &&
      [order, objects, newOrder, newObjects].every((n, i) => last[i + 2] === n);
    if (same) last[1] = size;
    else rows.push([size, size, order, objects, newOrder, newObjects]);
  }
  return rows;
}

function slabOf(kernel: KernelProfile, setting: string, size: number): [order: number, objects: number] {
  const match = /^(cpus|min_order|max_order|min_objects)(\d+)$/.exec(setting);
  if (match === null)
    throw new ArgumentError(
      `'${setting}' is no setting: expected cpus, min_order, max_order or min_objects and a number`,
    );
  const value = Number(match[2]);
  const { pageSize, orders, defaultMaxOrder } = kernel;
  const search: OrderSearch = {
    size,
    pageSize,
    orders,
    cpus: match[1] === 'cpus' ? value : 4,
    minOrder: match[1] === 'min_order' ? value : 0,
    maxOrder: match[1] === 'max_order' ? value : defaultMaxOrder,
    minObjects: match[1] === 'min_objects' ? value : 0,
  };
  const order = kernel.orderRule(search);
  return [order, objectsInOrder(order, size, pageSize)];
}
