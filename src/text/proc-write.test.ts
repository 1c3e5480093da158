/** /proc/slabinfo of a machine with SLAB: what it says, and what a write to it does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArgumentError, MIB } from '../base/index.js';
import { Machine, type MachineOptions, sysfsCounters } from '../slab/index.js';
import { formatSlabinfo, parseSlabinfo, slabinfoRows } from './proc.js';
import { slabinfoWrite } from './proc-write.js';
import { sysfsFiles, sysfsTree } from './sysfs.js';
import { sysfsWrite } from './sysfs-write.js';

function machineWith(options: MachineOptions = {}): Machine {
  const ledger = { caches: 24, slabs: 512, linkPages: 64, arrayEntries: 20000 };
  return Machine.create({ allocator: 'slab', memory: 64 * MIB, cpus: 2, ledger, ...options });
}

test('slabinfo counts as SLAB does: objects in arrays are active, those in slabs are not', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('objects', 256)!;
  const row = () => slabinfoRows(machine).find(({ name }) => name === 'objects')!;
  const fixed = {
    name: 'objects',
    objSize: 256,
    objPerSlab: 16,
    pagesPerSlab: 1,
    limit: 120,
    batchCount: 60,
    sharedFactor: 8,
  };
  assert.deepEqual(row(), {
    ...fixed,
    activeObjs: 0,
    numObjs: 0,
    activeSlabs: 0,
    numSlabs: 0,
    sharedAvail: 0,
  });
  // The first allocation takes 16 into the array: a whole slab, of which one object is live.
  const objects = [cache.alloc()];
  assert.deepEqual(row(), {
    ...fixed,
    activeObjs: 16,
    numObjs: 16,
    activeSlabs: 1,
    numSlabs: 1,
    sharedAvail: 0,
  });
  while (objects.length < 600) objects.push(cache.alloc());
  for (const object of objects) cache.free(object);
  const { activeObjs, numObjs, activeSlabs, numSlabs, sharedAvail } = row();
  const { slab } = cache.info;
  assert.equal(cache.live, 0);
  assert.equal(sharedAvail, 480, 'the shared array is full');
  assert.equal(activeObjs, numObjs - slab!.freeObjects);
  assert.equal(numSlabs - activeSlabs, slab!.freeSlabs);
  assert.ok(activeObjs >= 480 + 60, 'what arrays hold counts as used');
  machine.validate();
});

test('the text is the recorded layout, and is read again', () => {
  const machine = machineWith({ standing: true, ledger: { caches: 200, slabs: 512, linkPages: 64 } });
  machine.findCache('dentry')!.alloc();
  const text = formatSlabinfo(slabinfoRows(machine));
  assert.equal(formatSlabinfo(parseSlabinfo(text, 'x')), text);
  const sample = readFileSync(
    new URL('../../src/text/samples/slabinfo-6.1-slab.txt', import.meta.url),
    'utf8',
  );
  const columns = (line: string) => line.replace(/\d+/g, '').replace(/ +/g, ' ');
  const lineOf = (all: string) => all.split('\n').find((line) => line.startsWith('dentry '))!;
  assert.equal(columns(lineOf(text)), columns(lineOf(sample)));
  assert.match(lineOf(text), /^dentry +16 +21 +192 +21 +1 : tunables +120 +60 +8 : slabdata +1 +1 +0$/);
  machine.validate();
});

test('three numbers make new arrays, and what lay in the old ones goes home', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('objects', 256)!;
  const objects = Array.from({ length: 100 }, () => cache.alloc());
  for (const object of objects.splice(50)) cache.free(object);
  const text = 'objects 30 10 4\n';
  assert.equal(slabinfoWrite(machine, text), text.length);
  const { limit, batchCount, sharedFactor, sharedAvail } = slabinfoRows(machine)[0]!;
  assert.deepEqual([limit, batchCount, sharedFactor, sharedAvail], [30, 10, 4, 0]);
  assert.equal(cache.info.slab!.freeObjects, cache.info.totalObjects - 50, 'all that is free is in slabs');
  assert.equal(cache.info.slab!.freeLimit, 3 * 10 + 16);
  assert.equal(cache.live, 50);
  machine.validate();
  for (const object of objects) cache.free(object);
  assert.equal(cache.live, 0);
  machine.validate();
});

test('what the kernel takes, and what it answers', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('objects', 256)!;
  machine.kmemCacheCreate('two words', 300);
  const before = cache.info;
  const answers: readonly (readonly [text: string, answer: number])[] = [
    ['', -22],
    ['objects', -22],
    ['objects ', -22],
    ['objects 10 5', -22],
    ['objects 1055', -22],
    ['objects 10 5 x', -22],
    ['objects +10 5 1', -22],
    ['objects 0x10 5 1', -22],
    ['nothing 10 5 1', -22],
    [' objects 10 5 1', -22],
    ['two words 10 5 1', -22],
    [`objects 10 5 ${'1'.repeat(120)}`, -22],
    // Numbers that make no arrays are taken, and nothing happens.
    ['objects 0 0 0', 13],
    ['objects 10 11 0', 15],
    ['objects 10 5 -1', 15],
    ['objects -1 -1 8\n', 16],
    ['objects 4294967296 1 0', 22],
  ];
  for (const [text, answer] of answers) {
    assert.equal(slabinfoWrite(machine, text), answer, JSON.stringify(text));
    assert.deepEqual(cache.info, before, JSON.stringify(text));
  }
  assert.equal(slabinfoWrite(machine, 'objects\t10 5 1'), -22, 'a tab ends no name');
  assert.equal(slabinfoWrite(machine, 'objects  10\t5\n1 and more'), 24);
  assert.equal(cache.info.slab!.limit, 10);
  assert.equal(slabinfoWrite(machine, 'objects 4294967306 4 1'), 22, 'of a number 32 bits are kept');
  assert.deepEqual([cache.info.slab!.limit, cache.info.slab!.batchcount], [10, 4]);
  machine.validate();
});

test('of two caches of one name the newer one is tuned', () => {
  const machine = machineWith();
  const [older, newer] = [64, 256].map((size) => machine.kmemCacheCreate('twice', size)!);
  slabinfoWrite(machine, 'twice 7 3 0');
  assert.deepEqual([older!.info.slab!.limit, newer!.info.slab!.limit], [120, 7]);
  machine.validate();
});

test('SLUB has no tunables, and SLAB no /sys/kernel/slab', () => {
  const slub = machineWith({ allocator: 'slub' });
  slub.kmemCacheCreate('objects', 256);
  assert.equal(slabinfoWrite(slub, 'objects 10 5 1'), -5);
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('objects', 256)!;
  const none = (error: unknown) =>
    error instanceof ArgumentError && /no \/sys\/kernel\/slab/.test(error.message);
  for (const look of [
    () => sysfsTree(machine),
    () => sysfsFiles(machine, cache),
    () => sysfsCounters(machine, cache),
    () => sysfsWrite(machine, cache, 'shrink', '1'),
  ])
    assert.throws(look, none);
  machine.validate();
});

test('whatever is tuned while objects come and go, all are found again', () => {
  const step = fc.oneof(
    fc.record({
      tune: fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), fc.nat(6)),
    }),
    fc.record({ alloc: fc.integer({ min: 1, max: 50 }), cpu: fc.nat(1) }),
    fc.record({ free: fc.integer({ min: 1, max: 50 }), cpu: fc.nat(1) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const machine = machineWith();
      const cache = machine.kmemCacheCreate('objects', 300)!;
      const live: ReturnType<typeof cache.alloc>[] = [];
      for (const each of steps) {
        if ('tune' in each) {
          const [limit, batch, shared] = each.tune;
          slabinfoWrite(machine, `objects ${limit} ${batch} ${shared}`);
          const { slab } = cache.info;
          if (batch <= limit) assert.deepEqual([slab!.limit, slab!.sharedAvail], [limit, 0]);
        } else if ('alloc' in each)
          for (let i = 0; i < each.alloc; i++) live.push(cache.alloc(undefined, each.cpu));
        else for (const object of live.splice(0, each.free)) cache.free(object, each.cpu);
        machine.validate();
        assert.equal(cache.live, live.length);
        assert.equal(new Set(live).size, live.length);
      }
    }),
    { seed: 20221211, numRuns: 40 },
  );
});
