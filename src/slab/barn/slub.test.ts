/**
 * SLUB with sheaves: the case suite of all allocators, and what only it has. Recorded sequences of a real kernel are in
 * truth/sheaves-7.3.test.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NULL, type PhysAddr } from '../../base/index.js';
import { testAllocator } from '../allocator.case.test.js';
import { SLAB } from '../kernel/index.js';
import { Machine } from '../machine.js';

testAllocator({
  name: 'SLUB of 7.3',
  allocator: 'slub',
  kernel: '7.3',
  usesKmalloc: true,
  boots: fc.record({ slubDebug: fc.constantFrom('-', '-', '-', 'FZPU') }),
});

const boot = () => Machine.create({ kernel: '7.3', machine: 'x86_64', memory: 2 ** 28, cpus: 2 });

test('the first object of a fresh cache is the last one of the first refill', () => {
  const machine = boot();
  const cache = machine.kmemCacheCreate('tables', 64)!;
  const objects = Array.from({ length: 65 }, () => cache.alloc());
  const indexes = objects.map((address) => machine.whereIs(address)!.index);
  assert.deepEqual(
    indexes.slice(0, 60),
    Array.from({ length: 60 }, (_, i) => 59 - i),
  );
  // The second refill takes the four that are left of the first slab, and then a new one: it comes out from the end.
  assert.deepEqual(indexes.slice(60), [55, 54, 53, 52, 51]);
  machine.validate();
});

test('a sheaf is memory of kmalloc, and goes back with its cache', () => {
  const machine = boot();
  machine.kfree(machine.kmalloc(64));
  const [live64, live512] = ['kmalloc-64', 'kmalloc-512'].map((name) => machine.findCache(name)!);
  const before = [live64!.live, live512!.live];
  const cache = machine.kmemCacheCreate('small', 64)!;
  assert.deepEqual(
    [live64!.live, live512!.live],
    [before[0]! + 1, before[1]! + 2],
    'a barn, a main for each CPU',
  );
  const object = cache.alloc();
  assert.equal(live512!.live, before[1]! + 3, 'a sheaf that was filled');
  cache.free(object);
  cache.destroy();
  assert.deepEqual([live64!.live, live512!.live], before);
  machine.validate();
});

test('a second free is refused wherever the object lies meanwhile', () => {
  const machine = boot();
  const cache = machine.kmemCacheCreate('objects', 256)!;
  const [a, b] = [cache.alloc(), cache.alloc()];
  cache.free(a, 1);
  assert.throws(() => cache.free(a, 0), { code: 'bad-free', reason: 'not-live' });
  cache.freeRcu(b);
  assert.throws(() => cache.freeRcu(b), { code: 'bad-free', reason: 'not-live' });
  cache.rcuBarrier();
  assert.throws(() => cache.free(b), { code: 'bad-free', reason: 'not-live' });
  assert.equal(cache.live, 0);
  machine.validate();
});

test('sheaves that nobody has are refused', () => {
  const machine = boot();
  const cache = machine.kmemCacheCreate('nodes', 256)!;
  const other = machine.kmemCacheCreate('others', 2048)!;
  const sheaf = cache.sheaves.prefill(10);
  for (const wrong of [0, -1, 0.5, Number.NaN, sheaf + 1000])
    assert.throws(() => cache.sheaves.alloc(wrong), { code: 'argument' });
  assert.throws(() => other.sheaves.giveBack(sheaf), { code: 'argument' });
  assert.notEqual(cache.sheaves.alloc(sheaf), NULL);
  cache.sheaves.giveBack(sheaf);
  assert.throws(() => cache.sheaves.giveBack(sheaf), { code: 'argument' });
  const plain = Machine.create({ kernel: '6.12' }).kmemCacheCreate('plain', 64)!;
  assert.throws(() => plain.sheaves, { code: 'argument' });
  machine.validate();
});

test('whoever opens a copy of the ledger goes on from there', () => {
  const machine = boot();
  const cache = machine.kmemCacheCreate('inodes', 600)!;
  const held = Array.from({ length: 200 }, (_, i) => cache.alloc(undefined, i % 2));
  for (const [i, address] of held.slice(0, 90).entries()) cache.free(address, i % 2);
  const copy = Machine.open(machine.ledger.buffer.slice(0) as ArrayBuffer);
  const twin = copy.findCache('inodes')!;
  const next = (one: typeof cache): PhysAddr[] =>
    Array.from({ length: 300 }, (_, i) => one.alloc(undefined, i % 2));
  assert.deepEqual(next(twin), next(cache));
  copy.validate();
  machine.validate();
});

test('a debugged cache has no sheaves', () => {
  const machine = boot();
  const cache = machine.kmemCacheCreate('checked', 64, { flags: SLAB.POISON })!;
  assert.equal(cache.info.sheafCapacity ?? 0, 0);
  const object = cache.alloc();
  assert.equal(machine.whereIs(object)!.index, 0);
  cache.free(object);
  machine.validate();
});
