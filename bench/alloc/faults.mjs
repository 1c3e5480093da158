// The checks, checked: before anything is measured, each is fed with an allocator that has the fault it is there for.
import { importCopy } from './copies.mjs';
import { checkPlaces, stamp } from './inspect.mjs';
import { accessTo } from './peers/access.mjs';
import { makeOrder } from './plan.mjs';

const BYTES = 4096;
const SIZE = 64;
const LIVE = 4;
const CHURN_LIVE = 256;

/** Addresses one behind the other, `step` bytes apart, from `first` on; after `reuse` of them the first one again. */
function bump({ first = SIZE, step = SIZE, reuse = Number.POSITIVE_INFINITY } = {}) {
  let count = 0;
  return {
    alloc: () => first + (count++ % reuse) * step,
    free() {},
    ...accessTo(new Uint8Array(2 * CHURN_LIVE * SIZE + BYTES)),
    align: 8,
    first: SIZE,
    end: BYTES,
  };
}

function place(allocator) {
  const objects = allocator.slots(LIVE);
  for (let slot = 0; slot < LIVE; slot++) objects[slot] = allocator.alloc(SIZE);
  return objects;
}

/** A byte that an allocator keeps in the last one of object 1. */
function meddling() {
  const allocator = bump();
  const get = (object, offset) =>
    object === 2 * SIZE && offset === SIZE - 1 ? 0 : allocator.get(object, offset);
  return { ...allocator, get };
}

/** Throws unless every check finds its fault, and finds none where there is none. */
export async function proveChecks() {
  const size = () => SIZE;
  const places = (allocator) => () => checkPlaces(allocator, place(allocator), size);
  const short = { slots: (count) => new Array(count), alloc: () => new Uint8Array(SIZE - 1), align: 1 };
  const faults = {
    'two objects that overlap': places(bump({ step: SIZE - 8 })),
    'an object handed out twice': places(bump({ reuse: LIVE - 1 })),
    'an object that is not aligned': places(bump({ first: SIZE + 4 })),
    'an object in front of the memory': places(bump({ first: SIZE - 8 })),
    'an object behind the memory': places(bump({ first: BYTES - 2 * SIZE })),
    'an array that is too short': places(short),
    'a byte of an object that the allocator writes': () => stamp(meddling(), place(bump()), size),
  };
  places(bump())();
  stamp(bump(), place(bump()), size);
  for (const [fault, check] of Object.entries(faults))
    if (!throws(check)) throw new Error(`no check finds ${fault}`);
  for (const loop of ['pair', 'batch', 'random', 'churn', 'fill']) await proveLoop(loop);
}

/** A touched loop reads back what it wrote, unless an allocator hands out an object that is live. */
async function proveLoop(loop) {
  const workload = { loop, size: SIZE, live: CHURN_LIVE };
  const loops = await importCopy('./loops.mjs', { touched: 1 });
  const wrong = (allocator) => {
    const made = loops[loop](allocator, workload, makeOrder(workload));
    if (loop !== 'fill') made.fill(0, made.slots.length);
    return made.run(CHURN_LIVE);
  };
  if (wrong(bump()) !== 0)
    throw new Error(`${loop} reads back other than it wrote from an allocator without a fault`);
  // A pair has one live object at a time: there a faulty memory is needed.
  const forgetful = { ...bump(), read: () => -1 };
  const twice = loop === 'pair' ? forgetful : bump({ reuse: 3 });
  if (wrong(twice) === 0) throw new Error(`${loop} does not notice an object that is handed out twice`);
}

function throws(work) {
  try {
    work();
    return false;
  } catch {
    return true;
  }
}
