/**
 * SLAB: the suite of all slab allocators, then its arrays, lists, colours and reaper against a plain model of the rules at the top of
 * slab.ts. A real kernel's sequences are compared in truth/.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Gfp, LedgerFullError, MIB, NULL, type PhysAddr } from '../../base/index.js';
import { runsOf } from '../../base/runs.case.test.js';
import {
  __GFP,
  C_ARRAYS,
  C_COLOUR_NEXT,
  C_FREE_HEAD,
  C_FREE_OBJECTS,
  C_FULL_HEAD,
  C_LIMIT,
  C_PARTIAL_HEAD,
  C_SHARED_AVAIL,
  CACHE_WORDS,
  CPU_WORDS,
  GFP,
  P_AVAIL,
  P_ENTRIES,
  sparseBytes,
} from '../../machine/index.js';
import { smallMap, testAllocator } from '../allocator.case.test.js';
import type { SlabTunables } from '../cache/array-entries.js';
import { freelistPlace } from '../cache/layout-slab.js';
import { eachCpuLine } from '../cache/table.js';
import { SLAB } from '../kernel/flags.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine, type MachineOptions } from '../machine.js';
import { firstReap } from './reap.js';

testAllocator({
  name: 'SLAB',
  allocator: 'slab',
  usesKmalloc: true,
  boots: fc.record({ slabMaxOrder: fc.constantFrom(0, 0, 1, 3) }),
});

function slabMachine(options: MachineOptions = {}): Machine {
  return Machine.create({ allocator: 'slab', memory: 256 * MIB, slubNomerge: true, ...options });
}

// ---- the model -------------------------------------------------------------------------------------------------------

/** A free object: its slab's number and its index there. */
type Place = readonly [slab: number, index: number];

interface ModelSlab {
  readonly serial: number;
  readonly colour: number;
  /** Free indices, the next one last. */
  readonly free: number[];
}

/** The rules of slab.ts as lists of plain objects: one cache, its CPUs' arrays, its node. Memory never runs out. */
class Model {
  readonly #num: number;
  readonly #colours: number;
  readonly arrays: Place[][];
  readonly #touched: boolean[];
  shared: Place[] = [];
  #sharedTouched = false;
  full: ModelSlab[] = [];
  partial: ModelSlab[] = [];
  free: ModelSlab[] = [];
  freeObjects = 0;
  #freeTouched = false;
  colourNext = 0;
  #made = 0;
  #tunables: SlabTunables;
  #freeLimit: number;
  #now = 0;
  #nodeDue = 4000;

  constructor(cpus: number, { oo, slab }: KmemCache['info']) {
    this.#num = oo.objects;
    this.#colours = slab!.colours;
    this.#tunables = slab!;
    this.#freeLimit = slab!.freeLimit;
    this.arrays = Array.from({ length: cpus }, () => []);
    this.#touched = this.arrays.map(() => false);
  }

  alloc(cpu: number): Place {
    const array = this.arrays[cpu]!;
    if (array.length === 0) this.#refill(cpu, array);
    this.#touched[cpu] = true;
    return array.pop()!;
  }

  #refill(cpu: number, array: Place[]): void {
    const batch = this.#tunables.batchcount;
    const wanted = this.#touched[cpu] ? batch : Math.min(batch, 16);
    if (this.shared.length > 0) {
      array.push(...this.shared.splice(-wanted));
      this.#sharedTouched = true;
      return;
    }
    if (this.freeObjects > 0) {
      while (array.length < wanted) {
        if (this.partial.length === 0) this.#freeTouched = true;
        const slab = this.partial.shift() ?? this.free.shift();
        if (slab === undefined) break;
        this.#give(slab, array, wanted);
      }
      this.freeObjects -= array.length;
      return;
    }
    this.colourNext = this.colourNext + 1 >= this.#colours ? 0 : this.colourNext + 1;
    const indices = Array.from({ length: this.#num }, (_, i) => this.#num - 1 - i);
    const slab = { serial: this.#made++, colour: this.colourNext, free: indices };
    this.#give(slab, array, wanted);
    this.freeObjects += slab.free.length;
  }

  #give(slab: ModelSlab, array: Place[], wanted: number): void {
    while (array.length < wanted && slab.free.length > 0) array.push([slab.serial, slab.free.pop()!]);
    (slab.free.length === 0 ? this.full : this.partial).unshift(slab);
  }

  release(cpu: number, object: Place): void {
    const array = this.arrays[cpu]!;
    const { limit, batchcount, sharedFactor } = this.#tunables;
    if (array.length === limit) {
      const room = sharedFactor * batchcount - this.shared.length;
      if (room > 0) this.shared.push(...array.splice(0, Math.min(room, batchcount)));
      else this.#toSlabs(array.splice(0, batchcount));
    }
    array.push(object);
  }

  #toSlabs(objects: readonly Place[]): void {
    for (const [serial, index] of objects) {
      for (const list of [this.full, this.partial]) {
        const at = list.findIndex((slab) => slab.serial === serial);
        if (at < 0) continue;
        const [slab] = list.splice(at, 1);
        slab!.free.push(index);
        if (slab!.free.length === this.#num) this.free.unshift(slab!);
        else this.partial.push(slab!);
        break;
      }
      this.freeObjects++;
    }
    while (this.freeObjects > this.#freeLimit && this.free.length > 0) this.#destroyLast();
  }

  #destroyLast(): void {
    this.free.pop();
    this.freeObjects -= this.#num;
  }

  shrink(): void {
    for (const array of this.arrays) this.#toSlabs(array.splice(0));
    this.#toSlabs(this.shared.splice(0));
    while (this.free.length > 0) this.#destroyLast();
  }

  tune(tunables: SlabTunables): void {
    for (const array of this.arrays) this.#toSlabs(array.splice(0));
    this.#freeLimit = (1 + this.arrays.length) * tunables.batchcount + this.#num;
    this.#toSlabs(this.shared.splice(0));
    this.#tunables = tunables;
    this.#touched.fill(false);
    this.#sharedTouched = false;
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    const visits = this.arrays.flatMap((_, cpu) => {
      const times: (readonly [time: number, cpu: number])[] = [];
      for (let time = 1000 - 12 * cpu; time <= end; time += 2000)
        if (time > this.#now) times.push([time, cpu]);
      return times;
    });
    for (const [time, cpu] of visits.sort(([a], [b]) => a - b)) this.#reap(time, cpu);
    this.#now = end;
  }

  #reap(time: number, cpu: number): void {
    const { limit, batchcount, sharedFactor } = this.#tunables;
    const array = this.arrays[cpu]!;
    if (array.length > 0 && this.#touched[cpu]) this.#touched[cpu] = false;
    else this.#drain(array, limit);
    if (time < this.#nodeDue) return;
    this.#nodeDue = time + 4000;
    if (this.shared.length > 0 && this.#sharedTouched) this.#sharedTouched = false;
    else this.#drain(this.shared, sharedFactor * batchcount);
    if (this.#freeTouched) this.#freeTouched = false;
    else {
      const slabs = Math.ceil(this.#freeLimit / (5 * this.#num));
      for (let i = 0; i < slabs && this.free.length > 0; i++) this.#destroyLast();
    }
  }

  #drain(array: Place[], limit: number): void {
    const fifth = Math.ceil(limit / 5);
    this.#toSlabs(array.splice(0, fifth <= array.length ? fifth : Math.ceil(array.length / 2)));
  }

  state(): object {
    const slabs = (list: readonly ModelSlab[]) =>
      list.map(({ serial, colour, free }) => [serial, colour, free.toReversed()]);
    return {
      arrays: this.arrays,
      shared: this.shared,
      full: slabs(this.full),
      partial: slabs(this.partial),
      free: slabs(this.free),
      freeObjects: this.freeObjects,
      colourNext: this.colourNext,
    };
  }
}

/** The same of a machine's cache, read from the ledger. */
function stateOf(machine: Machine, cache: KmemCache): object {
  const { ledger } = machine;
  const c = cache.id * CACHE_WORDS;
  const word = (at: number) => ledger.cache[c + at]!;
  const places = (first: number, count: number) =>
    Array.from(ledger.arrayAddress.subarray(first, first + count), (address) => placeOf(machine, address));
  const slabs = (head: number) => {
    const found: [serial: number, colour: number, free: number[]][] = [];
    for (let slab = word(head); slab !== 0; slab = ledger.slabNext[slab]!) {
      const free: number[] = [];
      const links = ledger.slabLinks[slab]!;
      for (let at = ledger.slabCounters[slab]! & 0xffff; at !== 0; at = ledger.link[links + at - 1]!)
        free.push(at - 1);
      found.push([ledger.slabSerial[slab]!, ledger.slabOffset[slab]! / cache.info.slab!.colourOff, free]);
    }
    return found;
  };
  const arrays: Place[][] = [];
  eachCpuLine(ledger, cache.id, (p) => {
    arrays.push(places(ledger.cpuCache[p + P_ENTRIES]!, ledger.cpuCache[p + P_AVAIL]!));
  });
  return {
    arrays,
    shared: places(word(C_ARRAYS) + machine.cpus * word(C_LIMIT), word(C_SHARED_AVAIL)),
    full: slabs(C_FULL_HEAD),
    partial: slabs(C_PARTIAL_HEAD),
    free: slabs(C_FREE_HEAD),
    freeObjects: word(C_FREE_OBJECTS),
    colourNext: word(C_COLOUR_NEXT),
  };
}

function placeOf(machine: Machine, address: number): Place {
  const { slab, index } = machine.whereIs(address as PhysAddr)!;
  return [slab, index];
}

const tunables = fc.integer({ min: 1, max: 30 }).chain((limit) =>
  fc.record({
    limit: fc.constant(limit),
    batchcount: fc.integer({ min: 1, max: limit }),
    sharedFactor: fc.integer({ min: 0, max: 4 }),
  }),
);

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('alloc' as const, 'free' as const, 'freeBulk' as const),
      count: fc.integer({ min: 1, max: 150 }),
      cpu: fc.nat(),
      step: fc.constantFrom(1, 1, 7, 31),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      ms: fc.constantFrom(0, 1, 500, 1000, 2000, 5000, 9001, 60_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tune' as const), tunables }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'shrink' as const }) },
);

/** Sizes with few and many objects a slab, with several colours, with and without a shared array. */
const cacheKind = fc.record({
  size: fc.constantFrom(8, 64, 256, 328, 700, 1024, 1100, 2700, 5000, 150_000),
  // A constructor moves the list of free objects out of them: beside the slab or into it.
  ctor: fc.boolean(),
  cpus: fc.integer({ min: 1, max: 4 }),
});

test('arrays, lists, colours and the reaper do what a plain model of the rules does, step by step', () => {
  const places = new Set<string>();
  let reaped = 0;
  fc.assert(
    fc.property(
      cacheKind,
      fc.array(operation, { maxLength: 40, size: 'max' }),
      ({ size, ctor, cpus }, steps) => {
        const machine = slabMachine({ cpus });
        const cache = machine.kmemCacheCreate('modelled', size, { ...(ctor && { ctor: () => {} }) })!;
        places.add(freelistPlace(cache.info.flags));
        const model = new Model(cpus, cache.info);
        const live: PhysAddr[] = [];
        for (const each of steps) {
          if (each.kind === 'alloc') {
            for (let i = 0; i < each.count && live.length < 600; i++) {
              const address = cache.alloc(GFP.KERNEL, each.cpu % cpus);
              assert.deepEqual(placeOf(machine, address), model.alloc(each.cpu % cpus));
              live.push(address);
            }
          } else if (each.kind === 'free' || each.kind === 'freeBulk') {
            const chosen: PhysAddr[] = [];
            for (let i = 0; i < each.count && live.length > 0; i++)
              chosen.push(...live.splice((i * each.step) % live.length, 1));
            const objects = chosen.map((address) => placeOf(machine, address));
            if (each.kind === 'freeBulk') cache.freeBulk(chosen, each.cpu % cpus);
            else for (const address of chosen) cache.free(address, each.cpu % cpus);
            for (const object of objects) model.release(each.cpu % cpus, object);
          } else if (each.kind === 'advance') {
            const before = model.freeObjects;
            machine.advance(each.ms);
            model.advance(each.ms);
            if (model.freeObjects !== before) reaped++;
          } else if (each.kind === 'tune') {
            cache.setTunables(each.tunables);
            model.tune(each.tunables);
          } else {
            assert.equal(cache.shrink(), live.length > 0);
            model.shrink();
          }
          assert.deepEqual(stateOf(machine, cache), model.state());
          machine.validate();
          assert.equal(cache.live, live.length);
        }
      },
    ),
    { seed: 7411, numRuns: runsOf(40) },
  );
  assert.deepEqual([...places].sort(), ['object', 'outside', 'slab']);
  assert.ok(reaped > 20);
});

// ---- arrays ------------------------------------------------------------------------------------------------------------

test('a new slab hands out its 16th object first, and then batches from their ends', () => {
  const machine = slabMachine();
  const cache = machine.kmemCacheCreate('objects', 64)!;
  const indices = Array.from({ length: 64 }, () => placeOf(machine, cache.alloc())[1]);
  const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, i) => from - i);
  assert.equal(cache.info.oo.objects, 64);
  assert.deepEqual(indices, [...down(15, 0), ...down(63, 16)]);
  machine.validate();
});

test('what one CPU frees reaches another through the shared array, and never its slab', () => {
  const machine = slabMachine({ cpus: 2 });
  const cache = machine.kmemCacheCreate('objects', 1024)!;
  const { limit, batchcount } = cache.info.slab!;
  const objects = cache.allocBulk(limit + 1);
  const { freeObjects } = cache.info.slab!;
  for (const object of objects) cache.free(object, 1);
  assert.equal(cache.info.slab!.sharedAvail, batchcount);
  assert.equal(cache.info.slab!.freeObjects, freeObjects);
  // CPU 0 used up what it had, and then takes the shared ones from the top: those that were freed last.
  const left = machine.ledger.cpuCache[cache.id * CPU_WORDS + P_AVAIL]!;
  for (let i = 0; i < left; i++) cache.alloc();
  assert.equal(cache.alloc(), objects[batchcount - 1]);
  assert.equal(cache.info.slab!.sharedAvail, 0);
  machine.validate();
});

test('tunables make new arrays; what they hold goes back to the slabs, and numbers that make none are refused', () => {
  const machine = slabMachine({ cpus: 2 });
  const cache = machine.kmemCacheCreate('objects', 256)!;
  cache.freeBulk(cache.allocBulk(400));
  assert.ok(cache.info.slab!.sharedAvail > 0);
  cache.setTunables({ limit: 7, batchcount: 3, sharedFactor: 2 });
  const { limit, batchcount, sharedFactor, freeLimit, sharedAvail } = cache.info.slab!;
  assert.deepEqual(
    { limit, batchcount, sharedFactor, freeLimit, sharedAvail },
    {
      limit: 7,
      batchcount: 3,
      sharedFactor: 2,
      freeLimit: 3 * 3 + 16,
      sharedAvail: 0,
    },
  );
  assert.ok(cache.info.slab!.freeObjects <= freeLimit);
  assert.equal(cache.info.totalObjects, cache.info.slab!.freeObjects);
  const before = cache.info;
  for (const [l, b, s] of [
    [0, 1, 0],
    [4, 0, 0],
    [4, 5, 0],
    [4, 4, -1],
    [4.5, 4, 1],
    [2 ** 31, 4, 1],
  ] as const) {
    const wrong = { limit: l, batchcount: b, sharedFactor: s };
    assert.throws(() => cache.setTunables(wrong), { code: 'argument' }, JSON.stringify(wrong));
  }
  assert.throws(() => cache.setTunables({ limit: 2 ** 30, batchcount: 1, sharedFactor: 0 }), LedgerFullError);
  assert.deepEqual(cache.info, before);
  machine.validate();
  cache.destroy();
  assert.throws(() => cache.setTunables({ limit: 7, batchcount: 3, sharedFactor: 2 }), { code: 'argument' });
  machine.validate();
});

test('what only the other allocator has is refused', () => {
  const slab = slabMachine().kmemCacheCreate('objects', 256)!;
  assert.throws(() => slab.setCpuPartial(3), { code: 'argument' });
  assert.throws(() => slab.setMinPartial(3), { code: 'argument' });
  const slub = Machine.create().kmemCacheCreate('objects', 256)!;
  const some = { limit: 7, batchcount: 3, sharedFactor: 2 };
  assert.throws(() => slub.setTunables(some), { code: 'argument' });
  assert.equal(slub.info.slab, undefined);
});

test('entries of caches that are gone serve again, and running out of them is an error of its own', () => {
  const machine = slabMachine({ cpus: 2, ledger: { caches: 8, arrayEntries: 1500 } });
  const first = machine.kmemCacheCreate('first', 64)!;
  machine.kmemCacheCreate('second', 64)!;
  assert.throws(() => machine.kmemCacheCreate('third', 64), { code: 'ledger-full', table: 'array entries' });
  assert.equal(machine.caches().length, 2);
  first.alloc();
  machine.validate();
  first.shrink();
  assert.throws(() => first.destroy(), { code: 'live-objects' });
  first.free(machine.ledger.arrayAddress[15] as PhysAddr);
  first.destroy();
  machine.kmemCacheCreate('third', 64)!.alloc();
  machine.validate();
});

// ---- lists of free objects outside ----------------------------------------------------------------------------------------

test('a list outside its slab is an object of kmalloc, and comes and goes with the slab', () => {
  const machine = slabMachine();
  const cache = machine.kmemCacheCreate('objects', 1024, { ctor: () => {} })!;
  assert.equal(freelistPlace(cache.info.flags), 'outside');
  assert.deepEqual([cache.info.oo.objects, cache.info.slab!.freelistSize], [4, 4]);
  const objects = cache.allocBulk(40);
  const lists = machine.findCache('kmalloc-32')!;
  assert.equal(lists.live, 10);
  machine.validate();
  cache.freeBulk(objects);
  cache.shrink();
  assert.equal(lists.live, 0);
  assert.equal(lists.shrink(), false);
  assert.equal(machine.memory.takenPages(), 0);
  machine.validate();
});

test('a slab without room for its list outside is none: its pages go back', () => {
  const machine = slabMachine({ machine: smallMap(4), ledger: { caches: 64 } });
  const quiet = (GFP.NOWAIT | __GFP.NOWARN) as Gfp;
  const cache = machine.kmemCacheCreate('objects', 1024, { ctor: () => {}, flags: SLAB.CACHE_DMA })!;
  // Lists lie in any zone: all are full but for DMA, which lists can have only below its reserve.
  const all = machine.kmemCacheCreate('all', 4096)!;
  while (all.alloc(quiet) !== NULL);
  const taken = machine.memory.takenPages();
  assert.equal(cache.alloc(quiet), NULL);
  assert.equal(machine.memory.takenPages(), taken);
  assert.equal(cache.info.failed, 1);
  assert.equal(cache.info.nrSlabs, 0);
  machine.validate();
});

test('a constructor may free objects of its own cache: then they are handed out, and the slab waits', () => {
  const machine = slabMachine();
  const held: PhysAddr[] = [];
  const cache: KmemCache = machine.kmemCacheCreate('objects', 1024, {
    ctor: () => {
      for (const object of held.splice(0)) cache.free(object);
    },
  })!;
  held.push(...cache.allocBulk(cache.info.oo.objects));
  const last = held.at(-1)!;
  assert.equal(cache.alloc(), last);
  assert.equal(cache.info.nrSlabs, 2);
  assert.equal(cache.info.slab!.freeSlabs, 1);
  machine.validate();
});

// ---- the reaper ------------------------------------------------------------------------------------------------------------

test('reapers come at whole seconds, each further CPU 12 ms earlier', () => {
  assert.deepEqual([0, 1, 2, 3, 20].map(firstReap), [1000, 988, 976, 964, 760]);
  // From a quarter of a second on the time is rounded up: CPU 21's would be 748.
  assert.deepEqual([21, 84, 85].map(firstReap), [1748, 992, 980]);
});

test('memory that nobody uses comes back over time, and not while it is used', () => {
  const machine = slabMachine({ cpus: 1 });
  const cache = machine.kmemCacheCreate('objects', 256)!;
  cache.freeBulk(cache.allocBulk(1000));
  const held = () => cache.info.nrSlabs;
  assert.ok(held() > 0);
  const inArray = () => machine.ledger.cpuCache[cache.id * CPU_WORDS + P_AVAIL]!;
  const atFirst = inArray();
  assert.ok(atFirst > 24);
  // The first visit finds the array used, and the second takes a fifth of what it can hold.
  machine.advance(1000);
  assert.equal(inArray(), atFirst);
  machine.advance(2000);
  assert.equal(inArray(), atFirst - 24);
  const byTime = [held()];
  for (let minute = 0; minute < 3; minute++) {
    machine.advance(60_000);
    byTime.push(held());
  }
  assert.deepEqual(
    byTime.toSorted((a, b) => b - a),
    byTime,
  );
  assert.equal(held(), 0);
  assert.equal(machine.memory.takenPages(), 0);
  assert.equal(machine.now, 183_000);
  machine.validate();
});

test('time that passes at once does what it does second by second, however much it is', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 40 }),
      fc.integer({ min: 1, max: 600 }),
      (cpus, parts, objects) => {
        const [whole, cut] = [0, 1].map(() => {
          const machine = slabMachine({
            cpus,
            memory: 32 * MIB,
            ledger: { caches: 64, slabs: 1024, linkPages: 64 },
          });
          const cache = machine.kmemCacheCreate('objects', 328, { ctor: () => {} })!;
          const all = Array.from({ length: objects }, (_, i) => cache.alloc(GFP.KERNEL, i % cpus));
          for (const [i, object] of all.entries()) if (i % 5 !== 0) cache.free(object, (i >> 3) % cpus);
          return machine;
        }) as [Machine, Machine];
        whole.advance(parts.reduce((sum, ms) => sum + ms, 0));
        for (const ms of parts) cut.advance(ms);
        assert.ok(Buffer.from(whole.ledger.buffer).equals(Buffer.from(cut.ledger.buffer)));
        whole.validate();
      },
    ),
    { seed: 7412, numRuns: runsOf(20) },
  );
  const machine = slabMachine();
  const cache = machine.kmemCacheCreate('objects', 328)!;
  cache.freeBulk(cache.allocBulk(500));
  const began = performance.now();
  machine.advance(365 * 24 * 3_600_000);
  assert.ok(performance.now() - began < 5000, 'a year of nothing to do passes at once');
  assert.equal(cache.info.nrSlabs, 0);
  machine.advance(1);
  assert.equal(machine.now, 365 * 24 * 3_600_000 + 1);
  machine.validate();
});

test('a copy of the ledger has the same time, and its reapers come when they are due', () => {
  const machine = slabMachine();
  const cache = machine.kmemCacheCreate('objects', 328)!;
  cache.freeBulk(cache.allocBulk(500));
  machine.advance(2500);
  const copy = Machine.open(machine.ledger.buffer.slice(0));
  assert.equal(copy.now, 2500);
  assert.equal(copy.boot.allocator, 'slab');
  for (const each of [machine, copy]) each.advance(7000);
  assert.ok(Buffer.from(machine.ledger.buffer).equals(Buffer.from(copy.ledger.buffer)));
  copy.validate();
});

test('with SLUB time passes and changes nothing; and time is whole and goes forward', () => {
  const machine = Machine.create();
  const cache = machine.kmemCacheCreate('objects', 328)!;
  cache.freeBulk(cache.allocBulk(500));
  const { info } = cache;
  machine.advance(3_600_000);
  assert.equal(machine.now, 3_600_000);
  assert.deepEqual(cache.info, info);
  for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
    assert.throws(() => machine.advance(wrong), { code: 'argument' });
  assert.equal(machine.now, 3_600_000);
});

// ---- misuse ------------------------------------------------------------------------------------------------------------------

test('the faithful mode takes every free unlooked at, and hands the address out again', () => {
  const machine = slabMachine({ faithful: true });
  const [one, two] = [96, 160].map(
    (size) => machine.kmemCacheCreate(`${size}`, size, { ctor: () => {} })!,
  ) as [KmemCache, KmemCache];
  const object = one.alloc();
  two.alloc();
  two.free(object);
  assert.notEqual(one.alloc(), object);
  assert.equal(two.alloc(), object, 'the wrong cache hands it out');

  const twice = one.alloc();
  one.free(twice);
  one.free(twice);
  assert.deepEqual([one.alloc(), one.alloc()], [twice, twice]);

  const shifted = (one.alloc() + 8) as PhysAddr;
  one.free(shifted);
  assert.equal(one.alloc(), shifted);

  const pages = (machine.allocPages(GFP.KERNEL, 0) * 4096) as PhysAddr;
  one.free(pages);
  assert.equal(one.alloc(), pages);
  assert.deepEqual(machine.log.lines, []);
  machine.validate();
});

test('an address that was freed unlooked at is forgotten on its way to a slab', () => {
  const machine = slabMachine({ faithful: true, cpus: 1 });
  const cache = machine.kmemCacheCreate('objects', 512)!;
  const objects = cache.allocBulk(100);
  for (const object of objects) {
    cache.free(object);
    cache.free((object + 8) as PhysAddr);
    cache.free(object);
  }
  machine.validate();
  assert.equal(cache.live, 0);
  assert.equal(cache.shrink(), false);
  assert.equal(machine.memory.takenPages(), 0);
  machine.validate();
});

test('a cache that is destroyed with live objects stays, with a warning', () => {
  const machine = slabMachine({ faithful: true });
  const cache = machine.kmemCacheCreate('mis_cache', 512)!;
  cache.alloc();
  cache.destroy();
  assert.deepEqual(machine.log.lines, [
    '------------[ cut here ]------------',
    'kmem_cache_destroy mis_cache: Slab cache still has objects when called from caller',
    'WARNING: CPU: 0 PID: 0 at mm/slab_common.c kmem_cache_destroy',
    '---[ end trace 0000000000000000 ]---',
  ]);
  assert.equal(cache.info.refcount, 0);
  assert.equal(cache.info.nrSlabs, 1);
  machine.validate();
});

// ---- the machine ---------------------------------------------------------------------------------------------------------------

test('6.12 has no SLAB, and an allocator has one of two names', () => {
  assert.throws(() => Machine.create({ kernel: '6.12', allocator: 'slab' }), {
    code: 'argument',
    message: /6\.8/,
  });
  const wrong = { allocator: 'slob' } as unknown as MachineOptions;
  assert.throws(() => Machine.create(wrong), { message: /slob/ });
});

test('what is SLUB’s alone means nothing to a kernel with SLAB', () => {
  const machine = slabMachine({ slubDebug: 'FZPU', slubMinOrder: 3, statistics: true });
  const cache = machine.kmemCacheCreate('objects', 512)!;
  assert.deepEqual(cache.info.oo, { order: 0, objects: 8 });
  cache.alloc();
  assert.equal(machine.ledger.statistics.length, 0);
  assert.throws(() => cache.validate(), { code: 'argument' });
  machine.validate();
});

test('slab_max_order is 0 on small machines, 1 on others, and what it is told to be', () => {
  const orderOn = (options: MachineOptions) =>
    slabMachine(options).kmemCacheCreate('objects', 1500)!.info.oo.order;
  assert.equal(orderOn({ machine: smallMap(24) }), 0);
  assert.equal(orderOn({}), 1);
  assert.equal(orderOn({ slabMaxOrder: 0 }), 0);
  assert.throws(() => slabMachine({ slabMaxOrder: 11 }), { code: 'argument' });
});

test('bytes of an object are zeroed when that was asked for, as far as the object goes', () => {
  const bytes = sparseBytes(4096, 0x5a);
  const machine = slabMachine({ bytes });
  const cache = machine.kmemCacheCreate('objects', 100)!;
  const object = cache.alloc((GFP.KERNEL | __GFP.ZERO) as Gfp);
  assert.deepEqual([...bytes.read(object + 98, 4)], [0, 0, 0x5a, 0x5a]);
  machine.validate();
});
