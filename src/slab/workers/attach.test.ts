/**
 * CPUs that die: a thread is cut off before each single write to the ledger that it makes, an heir puts in order what it left, and then
 * nothing is lost and nothing is there twice. The thread that dies is played in this one, over arrays that stop taking writes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NULL, type Order, type PhysAddr, Random } from '../../base/index.js';
import { runsOf } from '../../base/runs.case.test.js';
import {
  C_LOCK,
  CACHE_WORDS,
  CPU_ABSENT,
  type CpuToken,
  GFP,
  H_LINK_LOCK,
  J_STATE,
  JOURNAL_WORDS,
  shapeOrder,
} from '../../machine/index.js';
import { SLAB } from '../kernel/flags.js';
import { Machine } from '../machine.js';
import { attachMortal, Death, Fate } from './mortal.case.test.js';

// ---- what it does in its life ------------------------------------------------------------------------------------------

interface World {
  readonly machine: Machine;
  readonly mortal: Machine;
  readonly fate: Fate;
  /** Of the one that dies. */
  readonly token: CpuToken;
  readonly sheaves: boolean;
  /** By the name of a cache: what is live, and what the call that is going on may make live or free. */
  readonly live: Map<string, Set<PhysAddr>>;
  going: {
    readonly name: string;
    readonly freed: readonly PhysAddr[];
    readonly allocs: number;
    readonly pages: number;
  };
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
  return {
    machine,
    mortal,
    fate,
    token: mortal.attachment!,
    sheaves: sheafCapacity > 0,
    live,
    going: { name: 'large', freed: [], allocs: 0, pages: 0 },
  };
}

/** One call, or two that belong together; which one is settled before it is made. Throws Death. */
type Step = (world: World) => void;

/** What happens next: both threads allocate and free, mostly what the other one allocated. */
function nextStep(world: World, random: Random, number: number): Step {
  const below = (n: number) => random.below(n);
  const name = CACHES[below(8) < 4 ? 0 : 1 + below(2)]![0];
  const objects = [...world.live.get(name)!];
  const mine = below(4) === 0;
  const growing = Math.floor(number / 40) % 2 === 0;
  const kind = below(20);
  const at = below(Math.max(objects.length, 1));
  const pages = below(3);
  return ({ machine, mortal, live }) => {
    const by = mine ? machine : mortal;
    const cache = by.findCache(name)!;
    const going = (freed: readonly PhysAddr[], allocs: number, held = 0) => {
      world.going = { name, freed, allocs, pages: held };
    };
    going([], 0);
    if (kind === 0 && at % 2 === 0) cache.shrink();
    else if (kind === 0) cache.flush();
    else if (kind === 1) {
      const freed = objects.slice(at, at + 6);
      going(freed, 0);
      cache.freeBulk(freed);
      for (const address of freed) live.get(name)!.delete(address);
    } else if (kind === 2) {
      going([], 0, 2 ** pages);
      by.freePages(by.allocPages(GFP.KERNEL, pages as Order), pages as Order);
    } else if (kind === 3) by.kmemCacheCreate(`new ${number}`, 64)!.destroy();
    else if (kind < (growing ? 15 : 8)) {
      // One that was to be returned, and one on its way into the sheaf.
      going([], world.sheaves ? 2 : 1);
      const address = cache.alloc();
      if (address !== NULL) live.get(name)!.add(address);
    } else if (objects.length > 0) {
      going([objects[at]!], 0);
      cache.free(objects[at]!);
      live.get(name)!.delete(objects[at]!);
    }
  };
}

/** Calls back in the world as it is, then puts everything back: all of a machine lies in its ledger. */
function rehearse(world: World, act: () => void): void {
  const bytes = new Uint8Array(world.machine.ledger.buffer);
  const before = bytes.slice();
  const live = new Map([...world.live].map(([name, objects]) => [name, new Set(objects)]));
  act();
  bytes.set(before);
  for (const [name, objects] of live) world.live.set(name, objects);
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
    assert.ok(
      more.length <= (name === going.name ? going.allocs : 0),
      `${name}: ${more.length} live unasked`,
    );
    before.clear();
    for (const address of found) before.add(address);
  }
  checkPages(machine, going.pages);
}

/** Nobody has pages but the slabs, or whoever was cut off between getting pages and giving them back. */
function checkPages(machine: Machine, most: number): void {
  const { ledger } = machine;
  let pages = 0;
  for (let slab = 1; slab < ledger.slabCache.length; slab++)
    if (ledger.slabCache[slab] !== 0) pages += 2 ** shapeOrder(ledger.slabShape[slab]!);
  const more = machine.memory.takenPages() - pages;
  assert.ok(more >= 0 && more <= most, `${more} pages belong to nobody`);
}

/** All that is free can be had once, and all that was live can be freed. */
function checkUse({ machine, live: caches, going }: World): void {
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
  checkPages(machine, going.pages);
}

function assertUnlocked(machine: Machine): void {
  const { header, cache, journal } = machine.ledger;
  assert.equal(header[H_LINK_LOCK], 0);
  for (let c = C_LOCK; c < cache.length; c += CACHE_WORDS) assert.equal(cache[c], 0);
  assert.equal(journal[JOURNAL_WORDS + J_STATE], CPU_ABSENT, 'CPU 1 is absent');
}

/** Takes a step until its n-th write. Returns false if the step ended before that. */
function stepUntil(world: World, step: Step, n: number): boolean {
  world.fate.at = world.fate.steps + n;
  try {
    step(world);
    return false;
  } catch (error) {
    if (error instanceof Death) return true;
    throw error;
  } finally {
    world.fate.at = Number.POSITIVE_INFINITY;
  }
}

const LIVES: readonly Life[] = [
  { kernel: '6.1', sheafCapacity: 0, seed: 1, steps: runsOf(150) },
  { kernel: '6.12', sheafCapacity: 0, seed: 2, steps: runsOf(100) },
  { kernel: 'library', sheafCapacity: 6, seed: 3, steps: runsOf(120) },
];

for (const life of LIVES) {
  const { kernel, sheafCapacity, seed, steps } = life;
  test(`a thread may die before any of its writes: ${kernel}, sheaves of ${sheafCapacity}`, () => {
    const world = createWorld(life);
    const random = new Random(seed);
    let deaths = 0;
    for (let number = 0; number < steps; number++) {
      const step = nextStep(world, random, number);
      for (let n = 0, died = true; died; n++) {
        rehearse(world, () => {
          died = stepUntil(world, step, n);
          if (!died) return;
          deaths++;
          try {
            world.machine.detachCpu(world.token);
            world.machine.validate('full');
            assertUnlocked(world.machine);
            checkCensus(world);
            if (deaths % 16 === 0) checkUse(world);
          } catch (error) {
            const going = JSON.stringify(world.going);
            throw new Error(`step ${number} was cut off before write ${n}, while ${going}`, { cause: error });
          }
        });
      }
      step(world);
    }
    world.machine.validate('full');
    assert.ok(deaths > 1000, `${deaths} deaths`);
  });
}
