/**
 * Two CPUs free one object, and between the look at it and the slab's lock its slab goes and its id becomes another's. The schedule is
 * forced: both CPUs are played by one thread, and the other one's calls are made at the first atomic exchange of the free under test.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadFreeError, type PhysAddr } from '../../base/index.js';
import { LINK_LIVE } from '../../machine/index.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine, type MachineOptions } from '../machine.js';

/** Makes `act` happen once, just before the next atomic exchange. */
function atNextExchange(act: () => void, then: () => void): void {
  const { compareExchange } = Atomics;
  let done = false;
  const hooked = (array: Int32Array, at: number, expected: number, value: number) => {
    if (!done) {
      done = true;
      act();
    }
    return compareExchange(array, at, expected, value);
  };
  Atomics.compareExchange = hooked as typeof Atomics.compareExchange;
  try {
    then();
  } finally {
    Atomics.compareExchange = compareExchange;
  }
  assert.ok(done, 'the free took no lock');
}

interface Scene {
  readonly a: Machine;
  readonly b: Machine;
  /** Objects of one slab of `x` that is no CPU's active one, the others of which are free. */
  readonly left: PhysAddr[];
  readonly x: KmemCache;
  readonly xOfB: KmemCache;
  readonly others: PhysAddr[];
}

function scene(options: MachineOptions, live: number): Scene {
  const a = Machine.create({
    memory: '16M',
    cpus: 2,
    shared: true,
    slubMaxOrder: 0,
    slubNomerge: true,
    ...options,
  });
  const x = a.kmemCacheCreate('x', 1024, { sheafCapacity: 0 })!;
  a.kmemCacheCreate('y', 1024, { sheafCapacity: 0 });
  x.setMinPartial(0);
  x.setCpuPartial(0);
  const objects = Array.from({ length: 9 }, () => x.alloc());
  const left = objects.slice(0, live);
  const b = Machine.attach(a.handle);
  for (const address of objects.slice(live, 4)) x.free(address);
  // The slab was full and went to the CPU's partial list; from there it goes to the node.
  x.flush();
  return { a, b, left, x, xOfB: b.findCache('x')!, others: objects.slice(4) };
}

const isLive = (machine: Machine, address: PhysAddr) => {
  const slab = machine.ledger.frameSlab[(address / 4096) | 0]!;
  return slab !== 0 && machine.whereIs(address)!.live;
};

for (const [name, options] of [
  ['6.1', { kernel: '6.1' }],
  ['6.12', { kernel: '6.12' }],
  ['library', { kernel: 'library' }],
] as const) {
  for (const reuser of ['x', 'y']) {
    for (const bulk of [false, true]) {
      for (const live of [1, 2, 3]) {
        test(`${name}: a ${bulk ? 'bulk free' : 'free'} of ${live} of a slab that went and whose id is one of ${reuser} is refused`, () => {
          const { a, b, left, x, xOfB, others } = scene(options, live);
          const again = b.findCache(reuser)!;
          const before = a.whereIs(left[0]!)!;
          const id = a.ledger.frameSlab[(left[0]! / 4096) | 0]!;
          const taken: PhysAddr[] = [];
          const act = () => {
            for (const address of left) xOfB.free(address);
            xOfB.flush();
            assert.equal(a.ledger.slabCache[id], 0, 'the slab is gone');
            // Another cache's block comes first, so that the id is a slab's elsewhere.
            b.allocPages(0xcc0 as never, 0 as never);
            while (a.ledger.slabCache[id] === 0) taken.push(again.alloc());
            for (let i = 0; i < 3; i++) taken.push(again.alloc());
          };
          assert.equal(before.live, true);
          atNextExchange(act, () => {
            assert.throws(() => (bulk ? x.freeBulk(left) : x.free(left[0]!)), BadFreeError);
          });
          assert.equal(a.ledger.slabCache[id], again.id);
          for (const address of taken) assert.ok(isLive(a, address), 'what another was given stays live');
          a.validate();
          for (const address of taken) again.free(address);
          for (const address of others) x.free(address);
          assert.equal(x.live, 0);
          a.validate();
        });
      }
    }
  }
}

test('an object in a sheaf whose slab went meanwhile is dropped when the sheaf is flushed', () => {
  for (const liveCheck of [false, true]) {
    const a = Machine.create({
      kernel: 'library',
      memory: '16M',
      cpus: 2,
      shared: true,
      slubMaxOrder: 0,
      liveCheck,
    });
    const x = a.kmemCacheCreate('x', 1024, { sheafCapacity: 4 })!;
    const y = a.kmemCacheCreate('y', 1024, { sheafCapacity: 0 })!;
    x.setMinPartial(0);
    x.setCpuPartial(0);
    const objects = Array.from({ length: 40 }, () => x.alloc());
    const b = Machine.attach(a.handle);
    const xOfB = b.findCache('x')!;
    // The whole of the first slab goes into A's sheaf; B frees the same objects, and its sheaf gives them back first.
    const twice = objects.slice(0, 4);
    for (const address of twice) x.free(address);
    if (liveCheck) for (const address of twice) assert.throws(() => xOfB.free(address), BadFreeError);
    else for (const address of twice) xOfB.free(address);
    let others: PhysAddr[] = [];
    atNextExchange(
      () => {
        xOfB.flush();
        others = Array.from({ length: 8 }, () => b.findCache('y')!.alloc());
      },
      () => x.flush(),
    );
    for (const address of others) assert.ok(isLive(a, address));
    for (const address of objects.slice(4)) x.free(address);
    x.flush();
    for (const address of others) y.free(address);
    assert.equal(x.live, 0);
    a.validate();
    assert.equal(a.ledger.link.includes(LINK_LIVE), a.liveObjects(x).length > 0);
  }
});

test('in one thread too, an object that was freed twice takes nothing from the cache that has its page by then', () => {
  const machine = Machine.create({ kernel: 'library', memory: '16M', cpus: 1, slubMaxOrder: 0 });
  const x = machine.kmemCacheCreate('x', 1024, { sheafCapacity: 4 })!;
  const y = machine.kmemCacheCreate('y', 1024, { sheafCapacity: 0 })!;
  x.setMinPartial(0);
  x.setCpuPartial(0);
  const objects = Array.from({ length: 40 }, () => x.alloc());
  for (const address of objects.slice(0, 4)) x.free(address);
  for (const address of objects.slice(4, 8)) x.free(address);
  // Freed a second time while the first four lie in the sheaf: the flush of the first lets their slab go.
  const more = objects.slice(0, 4);
  for (const address of more) x.free(address);
  const others = Array.from({ length: 8 }, () => y.alloc());
  x.flush();
  for (const address of others) assert.ok(isLive(machine, address));
  for (const address of objects.slice(8)) x.free(address);
  x.flush();
  for (const address of others) y.free(address);
  assert.equal(x.live, 0);
  machine.validate();
});
