/**
 * The kernel's own tests of SLUB (lib/slub_kunit.c): each counts the errors that slub_debug reports. The
 * first five are in 6.1, all are in 6.12.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIB, type PhysAddr } from '../base/index.js';
import { SLAB } from './kernel/flags.js';
import type { KmemCache } from './kmem-cache.js';
import { Machine, type MachineOptions } from './machine.js';

function machineOf(kernel: string, options: MachineOptions = {}): Machine {
  return Machine.create({ kernel, memory: 32 * MIB, bytes: true, faithful: true, ...options });
}

/** What KUnit counts: each report and each repair once. `Object corrupt` is the body of a report that was counted already. */
function errors(machine: Machine): number {
  const counted = machine.log.lines.filter((line) => {
    return /^(BUG|FIX) |^\[[\w ]+ overwritten\]|^SLUB/.test(line) && !/: Object corrupt$/.test(line);
  });
  machine.log.clear();
  return counted.length;
}

function make(machine: Machine, flags: number): { cache: KmemCache; object: PhysAddr } {
  const cache = machine.kmemCacheCreate('TestSlub', 64, { flags: flags | SLAB.NO_USER_FLAGS })!;
  return { cache, object: cache.alloc() };
}

function finish(machine: Machine, cache: KmemCache): void {
  cache.destroy();
  assert.equal(machine.caches().includes(cache), false);
  assert.deepEqual(machine.log.lines, []);
  machine.validate('full');
}

for (const kernel of ['6.1', '6.12']) {
  test(`${kernel}: a write past an object hits its right red zone`, () => {
    const machine = machineOf(kernel);
    const { cache, object } = make(machine, SLAB.RED_ZONE);
    machine.bytes!.set(object + 64, 0x12);
    cache.validate();
    assert.equal(errors(machine), 2);
    cache.free(object);
    finish(machine, cache);
  });

  test(`${kernel}: a corrupted next pointer is noticed, again after it was repaired, and then no more`, () => {
    const machine = machineOf(kernel);
    const { cache, object } = make(machine, SLAB.POISON);
    cache.free(object);
    const next = object + cache.info.offset;
    const word = machine.bytes!.getU32(next);
    machine.bytes!.set(next, ~machine.bytes!.get(next) & 0xff);
    // One for the list, one for the count of objects, one for its repair. The ledger's own list is taken from what was found.
    cache.validate();
    assert.equal(errors(machine), 3);
    machine.validate('full');
    assert.equal(cache.live, 0);
    machine.bytes!.setU32(next, word);
    cache.validate();
    assert.equal(errors(machine), 2);
    machine.validate('full');
    cache.validate();
    assert.equal(errors(machine), 0);
    finish(machine, cache);
  });

  for (const [what, at, value] of [
    ['first word', 0, 0x78],
    ['50th byte', 50, 0x9a],
  ] as const) {
    test(`${kernel}: a clobbered ${what} of a free, poisoned object is found`, () => {
      const machine = machineOf(kernel);
      const { cache, object } = make(machine, SLAB.POISON);
      cache.free(object);
      machine.bytes!.set(object + at, value);
      cache.validate();
      assert.equal(errors(machine), 2);
      finish(machine, cache);
    });
  }

  test(`${kernel}: a clobbered red zone of a free object is found`, () => {
    const machine = machineOf(kernel);
    const { cache, object } = make(machine, SLAB.RED_ZONE);
    cache.free(object);
    machine.bytes!.set(object + 64, 0xab);
    cache.validate();
    assert.equal(errors(machine), 2);
    finish(machine, cache);
  });
}

test('6.12: access past the size that kmalloc was asked for is found where Z and U are on', () => {
  const machine = machineOf('6.12', { slubDebug: 'ZU' });
  const object = machine.kmalloc(18);
  const { cache } = machine.whereIs(object)!;
  assert.equal(cache.name, 'kmalloc-32');
  machine.bytes!.set(object + 18, 0xab);
  machine.bytes!.set(object + 19, 0xab);
  cache.validate();
  assert.equal(errors(machine), 2);
  machine.kfree(object);
  machine.validate('full');
});

test('6.12: a destroy waits for what kfree_rcu put off; 6.1 finds the object still there', () => {
  for (const [kernel, left] of [
    ['6.12', 0],
    ['6.1', 1],
  ] as const) {
    const machine = machineOf(kernel);
    const cache = machine.kmemCacheCreate('TestSlub_kfree_rcu', 64, { flags: SLAB.NO_USER_FLAGS })!;
    cache.freeRcu(cache.alloc());
    cache.destroy();
    assert.equal(errors(machine), left, kernel);
  }
});

test('a leak at destroy is reported: the slab, and each object', () => {
  const machine = machineOf('6.12');
  const cache = machine.kmemCacheCreate('TestSlub_leak', 64, { flags: SLAB.NO_USER_FLAGS })!;
  cache.alloc();
  cache.destroy();
  const lines = machine.log.lines.filter((line) => /^(BUG|Object) /.test(line));
  assert.match(
    lines[0]!,
    /^BUG TestSlub_leak \(Not tainted\): Objects remaining on __kmem_cache_shutdown\(\)$/,
  );
  assert.match(lines[1]!, /^Object 0x[0-9a-f]{16} @offset=0$/);
  assert.equal(lines.length, 2);
  assert.equal(machine.findCache('TestSlub_leak'), undefined);
  machine.validate('full');
});
