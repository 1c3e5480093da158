/**
 * kmem_cache_create and kmalloc with SLAB, by hand: where they differ from SLUB's (create.test.ts, kmalloc.test.ts). The thousands of
 * recorded creations are compared in truth/.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError, KernelPanicError, KernelWouldCrashError, MIB } from '../base/index.js';
import { GFP } from '../machine/index.js';
import { freelistPlace } from './cache/layout-slab.js';
import { SLAB } from './kernel/flags.js';
import { ZERO_SIZE_PTR } from './kmalloc/kmalloc.js';
import { type CacheOptions, Machine, type MachineOptions } from './machine.js';

function machineWith(options: MachineOptions = {}): Machine {
  const ledger = { caches: 80, slabs: 512, linkPages: 64 };
  return Machine.create({ allocator: 'slab', memory: 64 * MIB, ledger, ...options });
}

/** The call throws this, and the ledger stays as it was to the last byte. */
function refuses(machine: Machine, call: () => unknown, expected: object): void {
  const before = Buffer.from(machine.ledger.buffer.slice(0));
  assert.throws(call, expected);
  assert.ok(before.equals(Buffer.from(machine.ledger.buffer.slice(0))), 'nothing changed');
  machine.validate();
}

// ---- merging -----------------------------------------------------------------------------------------------------------

test('SLAB merges with an older cache only if that is aligned as well', () => {
  for (const [allocator, shares] of [
    ['slub', true],
    ['slab', false],
  ] as const) {
    const machine = machineWith({ allocator });
    const plain = machine.kmemCacheCreate('plain', 64);
    assert.equal(
      machine.kmemCacheCreate('lines', 64, { flags: SLAB.HWCACHE_ALIGN }) === plain,
      shares,
      allocator,
    );
    assert.equal(machine.kmemCacheCreate('words', 60), plain, 'an alignment of a word is everyone’s');
    machine.validate();
  }
});

test('the alias grows the object size, and there is no inuse to grow', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('first', 57)!;
  assert.equal(machine.kmemCacheCreate('second', 62), cache);
  const { objectSize, size, refcount, inuse } = cache.info;
  assert.deepEqual([objectSize, size, refcount, inuse], [62, 64, 2, 0]);
  cache.destroy();
  assert.deepEqual([cache.info.objectSize, cache.info.refcount], [62, 1]);
  machine.validate();
});

test('debug flags are dropped without a word: they keep nothing from merging', () => {
  const machine = machineWith();
  const plain = machine.kmemCacheCreate('plain', 256)!;
  const debug = SLAB.RED_ZONE | SLAB.POISON | SLAB.STORE_USER | SLAB.CONSISTENCY_CHECKS | SLAB.TRACE;
  assert.equal(machine.kmemCacheCreate('debugged', 256, { flags: debug }), plain);
  assert.equal(plain.info.flags & debug, 0);
  assert.deepEqual(machine.log.lines, []);
  const kept: readonly CacheOptions[] = [
    { ctor: () => {} },
    { usersize: 8 },
    { flags: SLAB.TYPESAFE_BY_RCU },
    { flags: SLAB.NOLEAKTRACE },
    { flags: SLAB.CACHE_DMA32 },
    { flags: SLAB.ACCOUNT },
  ];
  for (const options of kept)
    assert.notEqual(machine.kmemCacheCreate('other', 256, options), plain, JSON.stringify(options));
  assert.equal(machine.kmemCacheCreate('spread', 256, { flags: SLAB.MEM_SPREAD }), plain, 'not compared');
  machine.validate();
});

test('slab_nomerge; and caches go by their own names, because there is no /sys/kernel/slab', () => {
  const machine = machineWith({ slubNomerge: true });
  const [first, second] = ['first', 'second'].map((name) => machine.kmemCacheCreate(name, 64)!);
  assert.notEqual(first, second);
  const merging = machineWith();
  const shared = merging.kmemCacheCreate('one', 64)!;
  assert.equal(merging.kmemCacheCreate('two', 64), shared);
  assert.deepEqual([shared.sysfsId, merging.links()], ['one', []]);
  machine.validate();
});

// ---- what is refused -----------------------------------------------------------------------------------------------------

test('no slab for it is -E2BIG, an illegal flag -EINVAL, and with SLAB_PANIC the end', () => {
  const machine = machineWith();
  assert.equal(machine.kmemCacheCreate('huge', 4 * MIB + 1), null);
  assert.equal(machine.log.lines.at(-1), 'kmem_cache_create_usercopy(huge) failed with error -7');
  assert.equal(machine.kmemCacheCreate('illegal', 64, { flags: 0x400000 }), null);
  assert.equal(machine.log.lines.at(-1), 'kmem_cache_create_usercopy(illegal) failed with error -22');
  assert.throws(
    () => machine.kmemCacheCreate('huge', 8 * MIB, { flags: SLAB.PANIC }),
    (error) => error instanceof KernelPanicError && /Error -7$/.test(error.message),
  );
  assert.equal(machine.kmemCacheCreate('large', 4 * MIB)!.info.oo.order, 10);
  machine.validate();
});

test('nonsense is refused, though SLAB takes it', () => {
  const machine = machineWith();
  const crash = (outcome: RegExp) => (error: Error) =>
    error instanceof KernelWouldCrashError && outcome.test(error.outcome);
  refuses(machine, () => machine.kmemCacheCreate(null, 100), crash(/a merge, else NULL/));
  refuses(machine, () => machine.kmemCacheCreate(null, 100, { ctor: () => {} }), crash(/error -12/));
  refuses(machine, () => machine.kmemCacheCreate('none', 0), crash(/objects of 0 bytes/));
  refuses(machine, () => machine.kmemCacheCreate('none', 0, { flags: SLAB.HWCACHE_ALIGN }), crash(/hang/));
  refuses(machine, () => machine.kmemCacheCreate('wraps', 0xffffffff), crash(/an object gets 16/));
  refuses(machine, () => machine.kmemCacheCreate('odd', 100, { align: 24 }), crash(/not aligned/));
  refuses(machine, () => machine.kmemCacheCreate('half', 0.5), ArgumentError);
});

test('the faithful mode does what SLAB does with it', () => {
  const machine = machineWith({ faithful: true });
  assert.equal(machine.kmemCacheCreate(null, 100), null, 'nothing to merge with');
  assert.equal(machine.log.lines.at(-1), 'kmem_cache_create_usercopy((null)) failed with error -12');
  const cache = machine.kmemCacheCreate('hundred', 100)!;
  assert.equal(machine.kmemCacheCreate(null, 100), cache);
  assert.equal(machine.kmemCacheCreate(null, 100, { ctor: () => {} }), null);
  for (const size of [0, 0xffffffff]) {
    const { info } = machine.kmemCacheCreate('nonsense', size, { ctor: () => {} })!;
    assert.deepEqual([info.size, info.objectSize], [16, size]);
  }
  assert.throws(
    () => machine.kmemCacheCreate('hang', 0, { flags: SLAB.HWCACHE_ALIGN }),
    KernelWouldCrashError,
  );
  machine.validate();
});

test('6.12 has no SLAB', () => {
  assert.throws(() => machineWith({ kernel: '6.12' }), /Linux 6\.12 has no SLAB: it was removed in 6\.8/);
});

// ---- the boot ------------------------------------------------------------------------------------------------------------

test('slab_max_order is 1 on machines with more than 32 MiB, and what the boot says', () => {
  const orderOf = (options: MachineOptions) =>
    machineWith(options).kmemCacheCreate('objects', 700)!.info.oo.order;
  assert.equal(orderOf({ memory: 64 * MIB }), 1);
  assert.equal(orderOf({ memory: 32 * MIB }), 0);
  assert.equal(orderOf({ slabMaxOrder: 0 }), 0);
  assert.equal(machineWith({ slabMaxOrder: 3 }).kmemCacheCreate('objects', 3008)!.info.oo.order, 2);
  assert.throws(() => machineWith({ slabMaxOrder: 11 }), /slab_max_order is a whole number from 0 to 10/);
});

test('a machine that is opened again is one with SLAB', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('objects', 256, { ctor: () => {} })!;
  const object = cache.alloc();
  const again = Machine.open(machine.ledger.buffer.slice(0));
  assert.deepEqual([again.boot.allocator, again.kernel.allocator], ['slab', 'slab']);
  const same = again.findCache('objects')!;
  assert.deepEqual(same.info, cache.info);
  assert.equal(freelistPlace(same.info.flags), 'outside');
  same.free(object);
  again.validate();
  assert.equal(again.findCache('objects')!.live, 0);
});

// ---- kmalloc -------------------------------------------------------------------------------------------------------------

test('kmalloc begins at 32 bytes, and promises no byte more than a cache is for', () => {
  const machine = machineWith();
  const served = (size: number, gfp = GFP.KERNEL) => {
    const object = machine.kmalloc(size, gfp);
    const at = machine.whereIs(object);
    const answer = [at?.cache.name, machine.ksize(object)];
    machine.kfree(object);
    return answer;
  };
  assert.deepEqual(served(1), ['kmalloc-32', 32]);
  assert.deepEqual(served(33), ['kmalloc-64', 64]);
  assert.deepEqual(served(65), ['kmalloc-96', 96], 'though each takes 128');
  assert.deepEqual(served(8192), ['kmalloc-8k', 8192]);
  assert.deepEqual(served(8193), [undefined, 16384]);
  assert.equal(machine.kmalloc(0), ZERO_SIZE_PTR);
  assert.equal(machine.findCache('kmalloc-8'), undefined);
  machine.validate();
});

test('kmalloc-128 is the first: SLAB keeps its nodes there', () => {
  const machine = machineWith();
  machine.kfree(machine.kmalloc(1));
  const names = machine.caches().map(({ name }) => name);
  assert.deepEqual(names.slice(0, 6), [
    'kmalloc-128',
    'kmalloc-32',
    'kmalloc-64',
    'kmalloc-96',
    'kmalloc-192',
    'kmalloc-256',
  ]);
  assert.deepEqual(
    ['kmalloc-128', 'kmalloc-64', 'kmalloc-rcl-64'].map((name) => machine.findCache(name)!.info.refcount),
    [1, -1, 1],
  );
  assert.equal(new Set(names).size, names.length, 'and there is one of each');
  const standing = machineWith({ standing: true, ledger: { caches: 200, slabs: 512, linkPages: 64 } });
  assert.deepEqual(
    standing
      .caches()
      .slice(0, 2)
      .map(({ name }) => name),
    ['kmem_cache', 'kmalloc-128'],
  );
  machine.validate();
  standing.validate();
});

test('kmalloc says nothing about DMA32 until a slab has to grow', () => {
  const machine = machineWith();
  const warned = () =>
    machine.log.lines.filter((line) => line.startsWith('Unexpected gfp: 0x4 (GFP_DMA32)')).length;
  const gfp = (GFP.KERNEL | GFP.DMA32) as typeof GFP.KERNEL;
  const objects = Array.from({ length: 64 }, () => machine.kmalloc(64, gfp));
  assert.equal(warned(), 1, 'one slab of 64');
  objects.push(machine.kmalloc(64, gfp));
  assert.equal(warned(), 2);
  for (const object of objects) machine.kfree(object);
  machine.validate();
});
