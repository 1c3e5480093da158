/** What of sheaves no recording shows: bounds, who is asked for what it does not have, and what is refused until there is an engine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError, LedgerFullError } from '../../base/index.js';
import { LINUX_6_12, LINUX_7_3, SLAB, SLAB_NO_SHEAVES } from '../kernel/index.js';
import { Machine } from '../machine.js';
import { sheafCapacity } from './sheaf-capacity.js';

test('the final size decides, and what a sheaf is rounded up to is used', () => {
  for (const [size, objects] of [
    [8, 60],
    [255, 60],
    [256, 28],
    [1023, 28],
    [1024, 12],
    [4095, 12],
    [4096, 4],
    [262144, 4],
  ] as const)
    assert.equal(sheafCapacity(LINUX_7_3, { size, flags: 0 }), objects);
});

test('who asks for more gets it, who asks for less gets the usual number, and some get none whatever they ask for', () => {
  const small = { size: 64, flags: 0 };
  assert.equal(sheafCapacity(LINUX_7_3, small, 61), 61);
  assert.equal(sheafCapacity(LINUX_7_3, small, 5000), 5000);
  assert.equal(sheafCapacity(LINUX_7_3, small, 4), 60);
  for (const flags of [SLAB.TRACE, SLAB.CONSISTENCY_CHECKS, SLAB.NOLEAKTRACE, SLAB.KMALLOC, SLAB_NO_SHEAVES])
    assert.equal(sheafCapacity(LINUX_7_3, { size: 64, flags }, 100), 0);
  assert.equal(sheafCapacity(LINUX_6_12, small, 100), 0);
});

test('a cache that asks for a number is its own, and says the number', () => {
  const machine = Machine.create({ kernel: '7.3', standing: true });
  const usual = machine.kmemCacheCreate('usual', 192)!;
  assert.notEqual(usual.name, 'usual');
  const own = machine.kmemCacheCreate('own', 192, { sheafCapacity: 100 })!;
  assert.equal(own.name, 'own');
  assert.equal(own.sysfsId, 'own');
  assert.equal(own.info.sheafCapacity, 100);
  assert.ok(own.info.flags & SLAB.NO_MERGE);
  // Nothing is asked with 0.
  assert.equal(machine.kmemCacheCreate('nothing', 192, { sheafCapacity: 0 })!.id, usual.id);
  assert.equal(Machine.open(machine.ledger.buffer.slice(0)).findCache('own')!.info.sheafCapacity, 100);
  machine.validate();
});

test('a number that no sheaf can hold is refused before anything is made', () => {
  const machine = Machine.create({ kernel: '7.3' });
  for (const wrong of [-1, 0.5, 524285, 2 ** 32, Number.NaN])
    assert.throws(() => machine.kmemCacheCreate('wrong', 64, { sheafCapacity: wrong }), ArgumentError);
  assert.deepEqual(machine.caches(), []);
  assert.equal(machine.kmemCacheCreate('most', 64, { sheafCapacity: 524284 })!.info.sheafCapacity, 524284);
  machine.validate();
});

test('each kernel is asked for what it has', () => {
  const machine = Machine.create({ kernel: '7.3' });
  const cache = machine.kmemCacheCreate('cache', 64)!;
  assert.throws(() => cache.setCpuPartial(30), /7\.3 has no cpu_partial/);
  assert.throws(() => Machine.create({ kernel: '7.3', allocator: 'slab' }), /no SLAB/);
  assert.throws(() => Machine.create({ kernel: '7.3', sheafCapacity: 30 }), /sheaves of their own/);
  const older = Machine.create({ kernel: '6.12' });
  assert.throws(() => older.kmemCacheCreate('cache', 64, { sheafCapacity: 30 }), ArgumentError);
});

test('a ledger without room for a sheaf refuses the cache, and nothing is left of it', () => {
  const machine = Machine.create({ kernel: '7.3', ledger: { sheafSlots: 20_000 } });
  const known = () => machine.caches().map(({ name }) => name);
  machine.kfree(machine.kmalloc(8));
  const before = known();
  assert.throws(() => machine.kmemCacheCreate('wide', 64, { sheafCapacity: 30_000 }), LedgerFullError);
  assert.deepEqual(known(), before);
  machine.validate();
});

test('with a ledger without sheaves caches are described; nothing but debugged ones is allocated from', () => {
  const machine = Machine.create({ kernel: '7.3', ledger: { sheaves: 0 } });
  const cache = machine.kmemCacheCreate('cache', 64)!;
  assert.equal(cache.info.sheafCapacity, 60);
  assert.throws(() => cache.alloc(), /described and not used/);
  assert.throws(() => cache.allocBulk(3), /described and not used/);
  const debugged = machine.kmemCacheCreate('debugged', 64, { flags: SLAB.RED_ZONE })!;
  debugged.free(debugged.alloc());
  cache.destroy();
  debugged.destroy();
  machine.validate();
});
