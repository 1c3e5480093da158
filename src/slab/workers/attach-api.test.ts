/** Machines that threads share: what they are made of, who may come, what is refused. What happens when a thread dies: attach.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetachedError, GIB, KIB, MIB, NoCpuError, NULL } from '../../base/index.js';
import { GFP, H_CONCURRENT } from '../../machine/index.js';
import { SLAB } from '../kernel/flags.js';
import { Machine } from '../machine.js';

test('memory as it is: one range from 0, in zones that its user names', () => {
  const plain = Machine.create({ memory: '64M', workers: 2 });
  assert.deepEqual(
    plain.zones().map(({ name, startPfn, present }) => [name, startPfn, present]),
    [['Normal', 0, (64 * MIB) / 4096]],
  );
  assert.equal(plain.kernel.name, 'library');
  const zoned = Machine.create({ memory: '8G', zones: [{ name: 'DMA32', end: 4 * GIB }] });
  assert.deepEqual(
    zoned.zones().map(({ name, endPfn }) => [name, endPfn]),
    [
      ['DMA32', (4 * GIB) / 4096],
      ['Normal', (8 * GIB) / 4096],
    ],
  );
  const narrow = zoned.kmemCacheCreate('narrow', 64, { flags: SLAB.CACHE_DMA32 })!;
  assert.ok(narrow.alloc() < 4 * GIB);
  const wide = zoned.kmemCacheCreate('wide', 64)!;
  assert.ok(wide.alloc() >= 4 * GIB);
  zoned.validate();
  const bad = [
    { name: 'DMA32', end: 4 * GIB },
    { name: 'DMA', end: GIB },
  ] as const;
  assert.throws(() => Machine.create({ memory: '8G', zones: bad }), /ends at 1073741824/);
  assert.throws(() => Machine.create({ machine: 'mt8173', zones: bad }), /zones of its own/);
});

test('managed bytes are a buffer of the program, and large enough', () => {
  const bytes = new SharedArrayBuffer(MIB);
  const machine = Machine.create({ memory: MIB, workers: 2, shared: true, bytes });
  const other = Machine.attach(machine.handle);
  const object = machine.kmemCacheCreate('words', 64)!.alloc();
  machine.bytes!.setU32(object, 0xdeadbeef);
  assert.equal(other.bytes!.getU32(object), 0xdeadbeef);
  assert.equal(new Uint32Array(bytes)[object / 4], 0xdeadbeef);
  const small = new SharedArrayBuffer(MIB - 4 * KIB);
  assert.throws(() => Machine.create({ memory: MIB, workers: 2, bytes: small }), { code: 'argument' });
  other.detach();
  machine.validate();
});

test('each thread is a CPU of its own, until all are taken; a CPU that was given back can be had again', () => {
  const machine = Machine.create({ memory: '4M', workers: 3, shared: true });
  const cache = machine.kmemCacheCreate('objects', 256)!;
  const { handle } = machine;
  const [one, two] = [Machine.attach(handle), Machine.attach(handle)];
  assert.deepEqual([machine.cpu, one.cpu, two.cpu], [0, 1, 2]);
  assert.throws(() => Machine.attach(handle), NoCpuError);
  const theirs = one.findCache('objects')!;
  const object = theirs.alloc();
  cache.free(object);
  assert.equal(cache.live, 0);
  one.detach();
  assert.equal(one.cpu, -1);
  assert.throws(() => theirs.alloc(), DetachedError);
  assert.throws(() => theirs.free(object), DetachedError);
  assert.throws(() => one.kmalloc(64), DetachedError);
  assert.throws(() => one.allocPages(GFP.KERNEL, 0 as never), DetachedError);
  one.detach();
  const next = Machine.attach(handle);
  assert.equal(next.cpu, 1);
  const tokens = [next.attachment!, two.attachment!];
  assert.deepEqual(machine.detachCpu(...tokens), ['detached', 'detached']);
  assert.deepEqual(machine.detachCpu(...tokens), ['stale', 'stale']);
  assert.throws(() => machine.detachCpu(machine.attachment!), /is this thread/);
  assert.throws(() => machine.detachCpu({ cpu: 3, generation: 1 }), /has CPUs 0 to 2/);
  machine.validate();
});

test('who is not shared, or keeps something beside the ledger, has no handle', () => {
  assert.throws(() => Machine.create({ workers: 2 }).handle, /shared: true/);
  assert.throws(() => Machine.create({ shared: true, faithful: true }).handle, /faithful/);
  assert.throws(() => Machine.create({ shared: true, allocator: 'slab' }).handle, /SLAB/);
  const bytes = new ArrayBuffer(MIB);
  assert.throws(
    () => Machine.create({ memory: MIB, workers: 2, shared: true, bytes }).handle,
    /SharedArrayBuffer/,
  );
  assert.throws(() => Machine.attach({} as never), /no handle/);
});

test('nothing is locked before a handle is given away, and the same objects come', () => {
  const [alone, among] = [1, 2].map(() => Machine.create({ memory: '4M', workers: 2, shared: true })) as [
    Machine,
    Machine,
  ];
  assert.equal(alone.ledger.header[H_CONCURRENT], 0);
  assert.ok(among.handle);
  assert.equal(among.ledger.header[H_CONCURRENT], 1);
  const objects = [alone, among].map((machine) => {
    const cache = machine.kmemCacheCreate('objects', 700, { sheafCapacity: 0 })!;
    const found = cache.allocBulk(200);
    cache.freeBulk(found.filter((_, i) => i % 3 === 0));
    for (const address of found.filter((_, i) => i % 3 === 1)) cache.free(address);
    return [...found, ...cache.allocBulk(150)];
  });
  assert.deepEqual(objects[0], objects[1]);
  for (const machine of [alone, among]) machine.validate();
});

test('a cache is destroyed when no other thread keeps slabs of it', () => {
  const machine = Machine.create({ memory: '4M', workers: 2, shared: true });
  const other = Machine.attach(machine.handle);
  const cache = machine.kmemCacheCreate('objects', 256)!;
  const theirs = other.findCache('objects')!;
  theirs.free(theirs.alloc());
  assert.throws(() => cache.destroy(), /CPU 1 keeps slabs of objects/);
  theirs.flush();
  cache.destroy();
  assert.equal(other.findCache('objects'), undefined);
  machine.validate();
});

test('an object that another thread freed is refused, and so is half of a bulk', () => {
  const machine = Machine.create({ memory: '4M', workers: 2, shared: true, sheafCapacity: 0 });
  const other = Machine.attach(machine.handle);
  const cache = machine.kmemCacheCreate('objects', 256)!;
  const objects = cache.allocBulk(40);
  assert.ok(!objects.includes(NULL as never));
  other.findCache('objects')!.free(objects[7]!);
  assert.throws(() => cache.free(objects[7]!), { code: 'bad-free', reason: 'not-live' });
  assert.throws(() => cache.freeBulk(objects), { code: 'bad-free', reason: 'not-live' });
  assert.throws(() => cache.freeBulk([objects[3]!, objects[3]!]), { code: 'bad-free' });
  assert.equal(cache.live, 39);
  machine.validate();
});
