// slablab's allocator: a machine of one zone, a cache for objects of one size, kmalloc for mixed sizes.
//
// Variants: `default` is what the library gives to who asks for nothing; `live-check` refuses a second free by the object's link;
// `classic` has no sheaves. Whether a variant is there is found out by what it does, not by its version.
import { BadFreeError } from '../../../dist/base/index.js';
import { Machine } from '../../../dist/slab/index.js';
import { accessTo, touched as touchedPages } from './access.mjs';

/** Where the managed memory begins: not at 0, which is NULL. */
const BASE = 2 ** 24;
const PAGE = 4096;
const CACHE = 'bench';
const OPTIONS = {
  default: {},
  'live-check': { liveCheck: true },
  classic: { sheafCapacity: 0 },
};

function createMachine(bytes, options) {
  const map = {
    name: 'bench',
    title: 'RAM in one zone',
    ram: [{ start: BASE, end: BASE + bytes }],
    reserved: [],
    zones: [{ name: 'Normal', end: Number.POSITIVE_INFINITY }],
  };
  return Machine.create({ machine: map, cpus: 1, kernel: 'library', ...options });
}

/** Whether freeing an object twice in a row is refused. On a machine of its own, which a second free may ruin. */
function checksLinks(options) {
  const cache = createMachine(2 ** 22, options).kmemCacheCreate(CACHE, 64, options);
  const object = cache.alloc();
  cache.free(object);
  try {
    cache.free(object);
    return false;
  } catch (error) {
    if (error instanceof BadFreeError) return true;
    throw error;
  }
}

/** Objects that a CPU's sheaf holds; undefined while the library has none. */
function sheafCapacity(options) {
  return createMachine(2 ** 22, options).kmemCacheCreate(CACHE, 64, options).info.sheafCapacity;
}

/** Why a variant cannot be measured, or undefined. */
export function missing(variant) {
  if (variant === 'live-check' && !checksLinks(OPTIONS[variant]))
    return 'not available yet: no option makes a second free an error';
  if (variant === 'classic' && sheafCapacity(OPTIONS.default) === undefined)
    return 'not available yet as a choice: there are no sheaves, and slablab itself is classic';
  return undefined;
}

export function open({ size, bytes, touched }, variant) {
  const options = OPTIONS[variant];
  const machine = createMachine(bytes, options);
  const cache = size === 0 ? undefined : machine.kmemCacheCreate(CACHE, size, options);
  // kmalloc makes its caches when it is first asked.
  if (cache === undefined) machine.kfree(machine.kmalloc(64));
  const free = () => machine.zones().reduce((sum, zone) => sum + zone.free, 0);
  const freeAtFirst = free();
  const memory = touched ? touchedPages(new ArrayBuffer(bytes)) : undefined;
  return {
    alloc: cache === undefined ? (bytes) => machine.kmalloc(bytes) : cache.alloc,
    free: cache === undefined ? (object) => machine.kfree(object) : cache.free,
    ...accessTo(memory, BASE),
    align: 8,
    first: BASE,
    end: BASE + bytes,
    held: () => (freeAtFirst - free()) * PAGE,
    validate() {
      machine.validate();
      const live =
        cache === undefined ? machine.caches().reduce((sum, one) => sum + one.live, 0) : cache.live;
      if (live !== 0) throw new Error(`${live} objects are live after all were freed`);
    },
  };
}

// ---- Workers ---------------------------------------------------------------------------------------------------------------

/** Why Workers cannot share a machine, or undefined. */
export function sharedMissing() {
  return typeof Machine.attach === 'function'
    ? undefined
    : 'not available yet: Machine.attach does not exist';
}

/** A machine that Workers will join: what to post to them, and the check at the end. */
export function share({ size, bytes, workers }) {
  const machine = Machine.create({ memory: bytes, shared: true, workers: workers + 1 });
  const cache = machine.kmemCacheCreate(CACHE, size);
  const memory = new SharedArrayBuffer(bytes);
  return {
    ticket: { handle: machine.handle, memory },
    validate() {
      machine.validate('full');
      if (cache.live !== 0) throw new Error(`${cache.live} objects are live after all were freed`);
    },
  };
}

/** In a Worker: one more CPU of the machine. */
export function join({ handle, memory }) {
  const machine = Machine.attach(handle);
  const cache = machine.findCache(CACHE);
  // The lowest address of RAM is that of the first zone.
  const base = machine.zones()[0].startPfn * PAGE;
  return {
    alloc: cache.alloc,
    free: cache.free,
    ...accessTo(touchedPages(memory), base),
    leave: () => machine.detach?.(),
  };
}
