/**
 * CPUs that die: a thread is cut off before each single write to the ledger that it makes, an heir puts in order what it left, and then
 * nothing is lost and nothing is there twice. The thread that dies is played in this one, over arrays that stop taking writes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NULL, type PhysAddr, Random } from '../base/index.js';
import {
  C_LOCK,
  CACHE_WORDS,
  H_LINK_LOCK,
  JOURNAL_WORDS,
  J_STATE,
  shapeOrder,
} from '../machine/index.js';
import type { MachineHandle } from './attach-memory.js';
import { SLAB } from './flags.js';
import { Machine } from './machine.js';

// ---- a thread that dies ----------------------------------------------------------------------------------------------

class Death extends Error {}

/** Counts the writes of one thread, and stops it before one of them. */
class Fate {
  writes = 0;
  /** Before which write it dies. */
  at = Number.POSITIVE_INFINITY;

  /** What runs in `finally` of a dead thread does not run either: no write gets through any more. */
  write(): void {
    if (this.writes >= this.at) throw new Death();
    this.writes++;
  }
}

type Words = Int32Array | Uint16Array | Uint8Array | Float64Array;
const watchedBy = new WeakMap<object, { readonly words: Words; readonly fate: Fate }>();

/** The same words; each write is asked of `fate` first, also within `fill` and `copyWithin`. */
function watched<T extends Words>(words: T, fate: Fate): T {
  const put = (at: number, value: number) => {
    fate.write();
    words[at] = value;
  };
  const methods: Record<string, unknown> = {
    fill(value: number, from = 0, to = words.length) {
      for (let at = from; at < to; at++) put(at, value);
    },
    copyWithin(to: number, from: number, end = words.length) {
      assert.ok(to <= from, 'copied downwards');
      for (let i = 0; from + i < end; i++) put(to + i, words[from + i]!);
    },
  };
  const proxy = new Proxy(words, {
    get(target, key) {
      if (typeof key === 'string' && key in methods) return methods[key];
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set(_, key, value) {
      put(Number(key), value);
      return true;
    },
  });
  watchedBy.set(proxy, { words, fate });
  return proxy;
}

const ARRAYS = ['Int32Array', 'Uint16Array', 'Uint8Array', 'Float64Array'] as const;

/** A machine whose writes to the ledger are asked of `fate`. */
function attachMortal(handle: MachineHandle, fate: Fate): Machine {
  const scope = globalThis as unknown as Record<string, unknown>;
  const real = ARRAYS.map((name) => scope[name] as new (...args: unknown[]) => Words);
  ARRAYS.forEach((name, i) => {
    const Real = real[i]!;
    scope[name] = function make(...args: unknown[]) {
      const words = new Real(...args);
      return words.buffer === handle.ledger ? watched(words, fate) : words;
    };
  });
  try {
    return Machine.attach(handle);
  } finally {
    ARRAYS.forEach((name, i) => {
      scope[name] = real[i];
    });
  }
}

for (const name of ['compareExchange', 'exchange', 'store', 'add', 'load', 'wait', 'notify'] as const) {
  const real = Atomics[name] as (...args: unknown[]) => unknown;
  Object.assign(Atomics, {
    [name]: (words: object, ...rest: unknown[]) => {
      const watch = watchedBy.get(words);
      if (watch !== undefined && !['load', 'wait', 'notify'].includes(name)) watch.fate.write();
      return real(watch?.words ?? words, ...rest);
    },
  });
}

// ---- what it does in its life ------------------------------------------------------------------------------------------

interface World {
  readonly machine: Machine;
  readonly mortal: Machine;
  readonly fate: Fate;
  /** By the name of a cache: what is live, and what the call that is going on may make live or free. */
  readonly live: Map<string, Set<PhysAddr>>;
  going: { readonly name: string; readonly freed: readonly PhysAddr[]; readonly allocs: number };
}

interface Life {
  readonly kernel: string;
  readonly sheafCapacity: number;
  readonly seed: number;
  readonly steps: number;
}

const CACHES = [
  ['large', 2048, 0],
  ['small', 200, 0],
  ['checked', 300, SLAB.CONSISTENCY_CHECKS | SLAB.RED_ZONE],
] as const;

function createWorld({ kernel, sheafCapacity }: Life): World {
  const machine = Machine.create({
    memory: '2M',
    workers: 3,
    shared: true,
    kernel,
    sheafCapacity,
    slubNomerge: true,
    slubMaxOrder: 1,
    ledger: { caches: 8, slabs: 128, linkPages: 16, sheafEntries: sheafCapacity * 2 * 3 * 8 },
  });
  for (const [name, size, flags] of CACHES) {
    const cache = machine.kmemCacheCreate(name, size, { flags })!;
    if (flags === 0) cache.setCpuPartial(8);
    cache.setMinPartial(1);
  }
  const fate = new Fate();
  const mortal = attachMortal(machine.handle, fate);
  const live = new Map(CACHES.map(([name]) => [name, new Set<PhysAddr>()]));
  return { machine, mortal, fate, live, going: { name: 'large', freed: [], allocs: 0 } };
}

/** The same steps each time: both threads allocate and free, mostly what the other one allocated. Throws Death. */
function live(world: World, { seed, steps }: Life): void {
  const random = new Random(seed);
  const below = (n: number) => random.below(n);
  for (let step = 0; step < steps; step++) {
    const name = CACHES[below(8) < 4 ? 0 : 1 + below(2)]![0];
    const objects = world.live.get(name)!;
    const by = below(4) === 0 ? world.machine : world.mortal;
    const growing = Math.floor(step / 40) % 2 === 0;
    const cache = by.findCache(name)!;
    const kind = below(20);
    const pick = () => [...objects][below(objects.size)]!;
    if (kind === 0) {
      world.going = { name, freed: [], allocs: 0 };
      if (below(2) === 0) cache.shrink();
      else cache.flush();
    } else if (kind === 1 && objects.size > 6) {
      const start = below(objects.size - 5);
      const freed = [...objects].slice(start, start + 6);
      world.going = { name, freed, allocs: 0 };
      cache.freeBulk(freed);
      for (const address of freed) objects.delete(address);
    } else if (kind === 2) {
      world.going = { name, freed: [], allocs: 0 };
      const pfn = by.allocPages(0xcc0 as never, below(2) as never);
      by.freePages(pfn, by.ledger.frameState[pfn - by.memory.basePfn]! & 0x1f);
    } else if (kind === 3) {
      world.going = { name, freed: [], allocs: 0 };
      by.kmemCacheCreate(`new ${step}`, 64)!.destroy();
    } else if (kind < (growing ? 15 : 8)) {
      world.going = { name, freed: [], allocs: 1 };
      const address = cache.alloc();
      if (address !== NULL) objects.add(address);
    } else if (objects.size > 0) {
      const address = pick();
      world.going = { name, freed: [address], allocs: 0 };
      cache.free(address);
      objects.delete(address);
    }
  }
  world.going = { name: 'large', freed: [], allocs: 0 };
}

/** What a cache's sheaf is filled with is allocated one by one, and the last one may be on its way. */
function checkCensus({ machine, live: caches, going }: World): void {
  for (const [name, before] of caches) {
    const cache = machine.findCache(name)!;
    const found = new Set(machine.liveObjects(cache));
    const freed = name === going.name ? new Set(going.freed) : new Set();
    for (const address of before)
      assert.ok(found.has(address) || freed.has(address), `${name}: ${address} is lost`);
    const more = [...found].filter((address) => !before.has(address));
    assert.ok(more.length <= (name === going.name ? going.allocs : 0), `${name}: ${more.length} live unasked`);
    before.clear();
    for (const address of found) before.add(address);
  }
  checkPages(machine);
}

/** Nobody has pages but the slabs, or whoever was cut off between getting pages and giving them back. */
function checkPages(machine: Machine): void {
  const { ledger } = machine;
  let pages = 0;
  for (let slab = 1; slab < ledger.slabCache.length; slab++)
    if (ledger.slabCache[slab] !== 0) pages += 2 ** shapeOrder(ledger.slabShape[slab]!);
  const more = machine.memory.takenPages() - pages;
  assert.ok(more >= 0 && more <= 2, `${more} pages belong to nobody`);
}

/** All that is free can be had once, and all that was live can be freed. */
function checkUse({ machine, live: caches }: World): void {
  for (const [name, before] of caches) {
    const cache = machine.findCache(name)!;
    for (let i = 0; i < 60; i++) {
      const address = cache.alloc();
      if (address === NULL) break;
      assert.ok(!before.has(address), `${name}: ${address} is handed out twice`);
      before.add(address);
    }
  }
  machine.validate('full');
  for (const [name, objects] of caches) {
    const cache = machine.findCache(name)!;
    for (const address of objects) cache.free(address);
    assert.equal(cache.live, 0);
    cache.flush();
    cache.shrink();
    assert.equal(cache.info.nrSlabs, 0, `${name} keeps slabs`);
  }
  machine.validate('full');
  checkPages(machine);
}

function assertUnlocked(machine: Machine): void {
  const { header, cache, journal } = machine.ledger;
  assert.equal(header[H_LINK_LOCK], 0);
  for (let c = C_LOCK; c < cache.length; c += CACHE_WORDS) assert.equal(cache[c], 0);
  assert.equal(journal[JOURNAL_WORDS + J_STATE], 0, 'CPU 1 is absent');
}

/** Lives until the n-th write. Returns false if the life ended before that. */
function liveUntil(world: World, life: Life, n: number): boolean {
  world.fate.at = world.fate.writes + n;
  try {
    live(world, life);
    return false;
  } catch (error) {
    if (error instanceof Death) return true;
    throw error;
  }
}

const LIVES: readonly Life[] = [
  { kernel: '6.1', sheafCapacity: 0, seed: 1, steps: 120 },
];

for (const life of LIVES) {
  const { kernel, sheafCapacity } = life;
  test(`a thread may die before any of its writes: ${kernel}, sheaves of ${sheafCapacity}`, () => {
    let n = 0;
    for (; ; n++) {
      const world = createWorld(life);
      if (!liveUntil(world, life, n)) break;
      try {
        world.machine.detachCpu(1);
        world.machine.validate('full');
        assertUnlocked(world.machine);
        checkCensus(world);
        checkUse(world);
      } catch (error) {
        throw new Error(`cut off before write ${n}, while ${JSON.stringify(world.going)}`, { cause: error });
      }
    }
    assert.ok(n > 1000, `${n} writes`);
  });
}
