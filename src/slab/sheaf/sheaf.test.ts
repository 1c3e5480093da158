/**
 * Sheaves: the suite of all slab allocators, random operations against a model that knows the stack, and what the theory in sheaf.ts says.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BadFreeError, GIB, LedgerFullError, MIB, NULL, type PhysAddr } from '../../base/index.js';
import { __GFP, flatBytes, GFP, LINK_ARRAY, type MemoryMap, sparseBytes } from '../../machine/index.js';
import { smallMap, testAllocator } from '../allocator.case.test.js';
import { SLAB } from '../kernel/flags.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine, type MachineOptions } from '../machine.js';
import { SHEAF_CAPACITY_MAX } from './sheaf.js';

testAllocator({
  name: 'SLUB with sheaves',
  allocator: 'slub',
  boots: fc.record({
    sheafCapacity: fc.constantFrom(1, 2, 3, 8, 64),
    liveCheck: fc.boolean(),
    kernel: fc.constantFrom('6.1', 'library'),
    slubDebug: fc.constantFrom('', '', '', 'FZPU'),
  }),
});

function flatMap(start: number, bytes: number): MemoryMap {
  const zones = [{ name: 'Normal' as const, end: Number.POSITIVE_INFINITY }];
  return { name: 'flat', title: '', ram: [{ start, end: start + bytes }], reserved: [], zones };
}

function library(options: MachineOptions = {}): Machine {
  return Machine.create({ kernel: 'library', machine: flatMap(16 * MIB, 16 * MIB), cpus: 2, ...options });
}

function cacheOf(machine: Machine, size: number, options = {}): KmemCache {
  return machine.kmemCacheCreate(`of ${size} bytes`, size, options)!;
}

/** Whatever is freed to it is refused with this reason, and the machine is as before. */
function refuses(cache: KmemCache, address: number, reason: string): void {
  const before = [cache.live, cache.info.sheafObjects];
  assert.throws(
    () => cache.free(address as PhysAddr),
    (error) => error instanceof BadFreeError && error.reason === reason && Object.is(error.address, address),
    `${address}: ${reason}`,
  );
  assert.deepEqual([cache.live, cache.info.sheafObjects], before);
}

// ---- against a model ------------------------------------------------------------------------------------------------------

/** What a CPU does: `count` times, on the first or the second cache. */
const step = fc.record({
  kind: fc.constantFrom(
    'alloc' as const,
    'alloc' as const,
    'free' as const,
    'free' as const,
    'shrink' as const,
  ),
  cache: fc.nat(1),
  cpu: fc.nat(1),
  count: fc.integer({ min: 1, max: 9 }),
  at: fc.nat(),
});

test('every alloc and free is that of two stacks, whatever the address and the way', () => {
  const property = fc.property(
    fc.constantFrom(1, 2, 5),
    fc.boolean(),
    fc.constantFrom(16 * MIB, 6 * GIB),
    fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
    (sheafCapacity, liveCheck, start, steps) => {
      const map = start > GIB ? flatMap(4096 * 1024, start) : flatMap(start, 4 * MIB);
      const ledger = { slabs: 512, linkPages: 64, caches: 8 };
      const machine = library({ machine: map, sheafCapacity, liveCheck, ledger });
      const caches = [cacheOf(machine, 1000), cacheOf(machine, 24)];
      // Free objects that each CPU would hand out, oldest first, and live ones.
      const stacks = caches.map(() => [[] as PhysAddr[], [] as PhysAddr[]]);
      const live = caches.map(() => [] as PhysAddr[]);
      for (const { kind, cache: which, cpu, count, at } of steps) {
        const cache = caches[which]!;
        const stack = stacks[which]![cpu]!;
        for (let i = 0; i < count; i++) {
          if (kind === 'alloc') {
            const address = cache.alloc(GFP.KERNEL, cpu);
            assert.ok(!live[which]!.includes(address));
            if (stack.length > 0) assert.equal(address, stack.pop());
            else stack.push(...sheafOf(machine, cache, cpu));
            live[which]!.push(address);
          } else if (kind === 'free' && live[which]!.length > 0) {
            const [address] = live[which]!.splice(at % live[which]!.length, 1) as [PhysAddr];
            if (stack.length === 2 * sheafCapacity) stack.splice(0, sheafCapacity);
            stack.push(address);
            if (at % 2 === 0) cache.free(address, cpu);
            else cache.cpu(cpu).free(address);
          }
        }
        if (kind === 'shrink') {
          cache.shrink();
          for (const one of stacks[which]!) one.length = 0;
        }
        machine.validate();
        assert.equal(cache.live, live[which]!.length);
        assert.deepEqual(sheafOf(machine, cache, cpu), stack);
      }
      caches.forEach((cache, which) => {
        for (const address of live[which]!) cache.free(address);
        assert.equal(cache.shrink(), false);
        cache.destroy();
      });
      assert.equal(machine.memory.takenPages(), 0);
      machine.validate();
    },
  );
  fc.assert(property, { seed: 20261, numRuns: 60 });
});

/** What lies in a CPU's sheaves, oldest first: read from the ledger by its layout. */
function sheafOf(machine: Machine, cache: KmemCache, cpu: number): PhysAddr[] {
  const { cpuCache, sheafAddress, shape } = machine.ledger;
  const p = (cpu * (shape.caches + 1) + cache.id) * 16;
  const [avail, first] = [cpuCache[p + 9]!, cpuCache[p + 14]!];
  return [...sheafAddress.subarray(first, first + avail)] as PhysAddr[];
}

// ---- one by one -----------------------------------------------------------------------------------------------------------

test('a new slab’s objects come in ascending order, also through a sheaf', () => {
  const machine = library();
  const cache = cacheOf(machine, 64);
  const objects = Array.from({ length: 200 }, () => cache.alloc());
  assert.deepEqual(
    objects,
    objects.map((_, i) => objects[0]! + 64 * i),
  );
  machine.validate();
});

test('a full stack gives up its oldest objects, and keeps those that are hot', () => {
  const machine = library({ sheafCapacity: 4 });
  const cache = cacheOf(machine, 512);
  const objects = Array.from({ length: 20 }, () => cache.alloc());
  cache.shrink();
  for (const object of objects.slice(0, 9)) cache.free(object);
  assert.deepEqual(sheafOf(machine, cache, 0), objects.slice(4, 9));
  assert.equal(cache.live, 11);
  assert.equal(cache.alloc(), objects[8]);
  machine.validate();
});

test('what is no object of the cache is refused at once, and changes nothing', () => {
  for (const [liveCheck, bytes] of [
    [false, 16 * MIB],
    [true, 16 * MIB],
    [false, 6 * GIB],
    [true, 6 * GIB],
  ] as const) {
    const machine = library({ liveCheck, machine: flatMap(16 * MIB, bytes) });
    const cache = cacheOf(machine, 200);
    const other = cacheOf(machine, 64);
    const object = cache.alloc();
    const foreign = other.alloc();
    for (const [address, reason] of [
      [object + 8, 'misaligned'],
      [object + 0.5, 'misaligned'],
      [foreign, 'wrong-cache'],
      [0, 'unknown-address'],
      [-4096, 'unknown-address'],
      [Number.NaN, 'unknown-address'],
      [Number.POSITIVE_INFINITY, 'unknown-address'],
      [object + 2 ** 32, 'unknown-address'],
      [object + 2 ** 33, 'unknown-address'],
      [16 * MIB + bytes, 'unknown-address'],
    ] as const)
      refuses(cache, address, reason);
    assert.throws(() => cache.free(object, 2), { code: 'argument' });
    assert.throws(() => cache.alloc(GFP.KERNEL, -1), { code: 'argument' });
    cache.free(object);
    other.free(foreign);
    machine.validate();
  }
});

test('with liveCheck a second free is refused at once; the link says what the object is', () => {
  const machine = library();
  const cache = cacheOf(machine, 64, { liveCheck: true });
  assert.deepEqual([cache.info.liveCheck, cacheOf(machine, 128).info.liveCheck], [true, false]);
  const object = cache.alloc();
  cache.free(object);
  const where = machine.whereIs(object)!;
  assert.equal(where.live, false);
  assert.ok(machine.ledger.link.includes(LINK_ARRAY));
  refuses(cache, object, 'not-live');
  assert.throws(() => cache.freeBulk([cache.alloc(), object]), BadFreeError);
  machine.validate();
});

test('without it, a second free is found by validate(), and dropped on its way to the slab', () => {
  const machine = library({ sheafCapacity: 8 });
  const cache = cacheOf(machine, 64);
  const [object] = [cache.alloc(), cache.alloc()];
  cache.free(object);
  cache.free(object);
  assert.throws(() => machine.validate(), /freed twice/);
  assert.equal(cache.shrink(), true);
  assert.match(machine.log.lines[0]!, /of 64 bytes: 0x1000000 was freed twice: the second free is dropped/);
  assert.equal(machine.log.lines.length, 1);
  assert.equal(cache.live, 1);
  machine.validate();
});

test('a cache decides for itself, and a debugged one has none', () => {
  const machine = library({ slubDebug: 'F,debugged' });
  assert.equal(cacheOf(machine, 64).info.sheafCapacity, 128);
  assert.equal(cacheOf(machine, 4096).info.sheafCapacity, 32);
  assert.equal(cacheOf(machine, 64, { sheafCapacity: 7 }).info.sheafCapacity, 7);
  const none = cacheOf(machine, 64, { sheafCapacity: 0 });
  const debugged = machine.kmemCacheCreate('debugged', 64)!;
  for (const cache of [none, debugged, machine.kmemCacheCreate('poisoned', 64, { flags: SLAB.POISON })!]) {
    assert.equal(cache.info.sheafCapacity, 0);
    const object = cache.alloc();
    cache.free(object);
    refuses(cache, object, 'not-live');
  }
  for (const bad of [-1, 1.5, SHEAF_CAPACITY_MAX + 1, Number.NaN])
    assert.throws(() => cacheOf(machine, 8, { sheafCapacity: bad }), { code: 'argument' });
  machine.validate();
});

test('a kernel’s machine has none unless told, and neither the faithful mode nor SLAB can', () => {
  const plain = Machine.create({ machine: smallMap(8) });
  assert.equal(plain.kmemCacheCreate('a', 64)!.info.sheafCapacity, undefined);
  assert.throws(() => plain.kmemCacheCreate('b', 64, { sheafCapacity: 4 }), /make it with `sheafCapacity`/);
  const told = Machine.create({ machine: smallMap(8), sheafCapacity: 5 });
  assert.equal(told.kmemCacheCreate('a', 64)!.info.sheafCapacity, 5);
  assert.throws(() => Machine.create({ faithful: true, sheafCapacity: 4 }), /faithful/);
  assert.throws(() => Machine.create({ allocator: 'slab', sheafCapacity: 4 }), /arrays of its own/);
});

test('a view of a cache that was destroyed throws, also when another cache came', () => {
  const machine = library();
  const cache = cacheOf(machine, 64);
  const { alloc, free } = cache;
  const other = cache.cpu(1);
  const object = alloc();
  free(object);
  cache.destroy();
  const next = cacheOf(machine, 64);
  const live = next.alloc();
  for (const call of [() => alloc(), () => other.alloc(), () => cache.alloc()])
    assert.throws(call, /does not exist/);
  for (const call of [() => free(live), () => other.free(live), () => cache.free(live)])
    assert.throws(call, BadFreeError);
  next.free(live);
  machine.validate();
});

test('no room for sheaves is a failure of the ledger, and no cache is left behind', () => {
  const machine = library({ ledger: { sheafEntries: 600, caches: 8 } });
  const [first] = [cacheOf(machine, 64)];
  assert.throws(() => cacheOf(machine, 32), LedgerFullError);
  assert.deepEqual(machine.caches(), [first]);
  first!.destroy();
  assert.equal(cacheOf(machine, 32).info.sheafCapacity, 128);
  machine.validate();
});

test('a sheaf that cannot be filled holds what there was', () => {
  const machine = library({ machine: flatMap(16 * MIB, 4 * MIB), sheafCapacity: 64 });
  const cache = cacheOf(machine, 4096);
  const objects: PhysAddr[] = [];
  for (let object = cache.alloc(); object !== NULL; object = cache.alloc()) objects.push(object);
  assert.equal(new Set(objects).size, objects.length);
  assert.ok(objects.length > 900);
  assert.equal(cache.info.sheafObjects, 0);
  machine.validate();
  cache.free(objects[500]!, 1);
  assert.equal(cache.alloc(), NULL, 'another CPU has it in a sheaf');
  assert.equal(cache.alloc(GFP.KERNEL, 1), objects[500]);
  machine.validate();
});

test('zeroed memory is zero, also from a sheaf', () => {
  const machine = library({ bytes: sparseBytes() });
  const cache = cacheOf(machine, 64);
  const object = cache.alloc();
  machine.bytes!.fill(object, 64, 7);
  cache.free(object);
  assert.equal(cache.alloc(), object);
  assert.equal(machine.bytes!.get(object), 7);
  cache.free(object);
  const zeroed = cache.alloc((GFP.KERNEL | __GFP.ZERO) as typeof GFP.KERNEL);
  assert.deepEqual([zeroed, machine.bytes!.firstOther(zeroed, 64, 0)], [object, -1]);
  machine.kfree(machine.kmalloc(100));
  const small = machine.kmalloc(100);
  machine.bytes!.fill(small, 100, 9);
  machine.kfree(small);
  const again = machine.kmalloc(100, (GFP.KERNEL | __GFP.ZERO) as typeof GFP.KERNEL);
  assert.deepEqual([again, machine.bytes!.firstOther(again, 100, 0)], [small, -1]);
});

test('a copy of the ledger goes on with the same sheaves', () => {
  const bytes = flatBytes(new Uint8Array(16 * MIB), 16 * MIB);
  const machine = library({ bytes, sheafCapacity: 6, liveCheck: true });
  const cache = cacheOf(machine, 64);
  const objects = Array.from({ length: 10 }, () => cache.alloc());
  for (const object of objects) cache.free(object);
  const copy = Machine.open((machine.ledger.buffer as ArrayBuffer).slice(0));
  const same = copy.findCache('of 64 bytes')!;
  assert.deepEqual(same.info, cache.info);
  assert.deepEqual(
    Array.from({ length: 10 }, () => same.alloc()),
    Array.from({ length: 10 }, () => cache.alloc()),
  );
  assert.equal(copy.kmemCacheCreate('next', 8)!.info.sheafCapacity, 6);
  copy.validate();
});

test('kmalloc through sheaves: what it gives and takes back is what any allocator would', () => {
  const machine = library();
  const property = fc.property(
    fc.array(fc.tuple(fc.integer({ min: 0, max: 9000 }), fc.nat(), fc.nat(1)), {
      maxLength: 120,
      size: 'max',
    }),
    (steps) => {
      const live = new Map<PhysAddr, number>();
      for (const [size, at, cpu] of steps) {
        if (size % 3 === 0 && live.size > 0) {
          const address = [...live.keys()][at % live.size]!;
          machine.kfree(address, cpu);
          live.delete(address);
          continue;
        }
        const address = machine.kmalloc(size, GFP.KERNEL, cpu);
        if (size === 0) continue;
        assert.ok(!live.has(address) && machine.ksize(address) >= size && address % 8 === 0);
        live.set(address, size);
      }
      let end = 0;
      for (const [address, size] of [...live].sort(([a], [b]) => a - b)) {
        assert.ok(address >= end, 'no byte belongs to two');
        end = address + size;
      }
      for (const address of live.keys()) machine.kfree(address);
      machine.validate();
    },
  );
  fc.assert(property, { seed: 7, numRuns: 60 });
  const [a, pages] = [machine.kmalloc(100), machine.kmalloc(20_000)];
  assert.throws(() => machine.kfree((a + 8) as PhysAddr), BadFreeError);
  const cache = cacheOf(machine, 48);
  const object = cache.alloc();
  machine.kfree(object);
  assert.equal(cache.live, 0, 'kfree takes the object of any cache');
  machine.kfree(pages);
  assert.throws(() => machine.kfree(pages), BadFreeError);
});

test('sizes between powers of two are what kmalloc holds for them, within a tenth', () => {
  const machine = library({ machine: flatMap(16 * MIB, 64 * MIB), cpus: 1 });
  let asked = 0;
  for (let i = 0; i < 20_000; i++) {
    const size = 8 + ((i * 2477) % 4089);
    assert.notEqual(machine.kmalloc(size), NULL);
    asked += size;
  }
  const held = machine.memory.takenPages() * 4096;
  assert.ok(held / asked < 1.1, `held ÷ asked is ${held / asked}`);
  machine.validate();
});
