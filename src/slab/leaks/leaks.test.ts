/** The report of what is live, stacks, and the debug mode of a library's machine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadFreeError, MIB, type PhysAddr } from '../../base/index.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine, type MachineOptions } from '../machine.js';
import { formatMachineReport, type MachineReport } from './leaks.js';

function library(options: MachineOptions = {}): Machine {
  return Machine.create({ kernel: 'library', memory: 32 * MIB, cpus: 2, ...options });
}

function spawn(cache: KmemCache): PhysAddr {
  return cache.alloc();
}

function bury(cache: KmemCache, object: PhysAddr): void {
  cache.free(object);
}

test('a report counts what is live by cache; what lies in sheaves is not', () => {
  const machine = library();
  assert.match(formatMachineReport(machine.report()), /Nothing is live\.$/);
  const cache = machine.kmemCacheCreate('particle', 64)!;
  const objects = Array.from({ length: 100 }, () => cache.alloc());
  for (const object of objects.slice(0, 40)) cache.free(object, 1);
  const block = machine.kmalloc(100_000);
  const report = machine.report();
  const particle = report.caches.find(({ name }) => name === 'particle')!;
  assert.deepEqual([particle.live, particle.inSheaves], [60, cache.info.sheafObjects]);
  assert.ok(particle.inSheaves >= 40);
  assert.deepEqual(report.live.pages, [{ address: block, bytes: 131072 }]);
  assert.deepEqual([report.live.objects, report.live.bytes], [60, 60 * 64 + 131072]);
  const [group] = report.live.groups;
  assert.deepEqual(group, {
    cache: 'particle',
    objects: 60,
    bytes: 3840,
    allocatedAt: null,
    addresses: objects.slice(40, 48),
  });
  assert.equal(report.memory.sheafBytes, particle.inSheaves * 64);
  assert.equal(report.memory.heldBytes, machine.memory.takenPages() * 4096);
  assert.ok(report.memory.peakBytes >= report.memory.heldBytes);
  assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
  const text = formatMachineReport(report);
  assert.match(text, /Live: 60 objects and 1 block of pages, 131\.\d KiB\./);
  assert.match(text, /particle: 60 objects, 3\.75 KiB: 0x[0-9a-f]+(, 0x[0-9a-f]+){7}, …/);
});

test('with stacks, live objects are grouped by who allocated them', () => {
  const machine = library({ stacks: 1 });
  const cache = machine.kmemCacheCreate('particle', 64)!;
  const spawned = [spawn(cache), spawn(cache), spawn(cache)];
  const other = cache.alloc();
  bury(cache, spawned[1]!);
  const groups = machine.report().live.groups;
  assert.equal(
    groups.reduce((sum, { objects }) => sum + objects, 0),
    3,
  );
  const by = groups.filter(({ allocatedAt }) => /^at spawn /.test(allocatedAt!));
  assert.deepEqual(
    by.flatMap(({ addresses }) => addresses),
    [spawned[0], spawned[2]],
  );
  assert.ok(groups.some(({ addresses }) => addresses.includes(other)));
  assert.match(formatMachineReport(machine.report()), /\n {6}at spawn /);
});

test('a second free says who allocated and who freed the object', () => {
  for (const options of [{ debug: true }, { stacks: 1, liveCheck: true }] as MachineOptions[]) {
    const machine = library(options);
    const cache = machine.kmemCacheCreate('particle', 64)!;
    const object = spawn(cache);
    bury(cache, object);
    assert.throws(
      () => cache.free(object),
      (error) =>
        error instanceof BadFreeError &&
        /^at spawn /.test(error.allocatedAt!) &&
        /^at bury /.test(error.freedAt!) &&
        /free already\nallocated at spawn [\s\S]*\nfreed at bury /.test(error.message),
    );
    assert.equal(spawn(cache), object, 'its next life begins without a free');
    cache.free(object);
    machine.validate();
  }
});

test('a sample knows every n-th', () => {
  const machine = library({ stacks: 4 });
  const cache = machine.kmemCacheCreate('particle', 64)!;
  for (let i = 0; i < 100; i++) spawn(cache);
  const groups = machine.report().live.groups;
  assert.deepEqual(
    groups.map(({ objects, allocatedAt }) => [objects, allocatedAt === null]),
    [
      [75, true],
      [25, false],
    ],
  );
  for (const wrong of [0, -1, 1.5, Number.NaN])
    assert.throws(() => library({ stacks: wrong }), { code: 'argument' });
});

test('debug finds a write behind an object and one after its free, and says whose it was', () => {
  const machine = library({ debug: true });
  const cache = machine.kmemCacheCreate('particle', 64)!;
  const [behind, after] = [spawn(cache), spawn(cache)];
  machine.bytes!.set(behind + 64, 1);
  cache.free(behind);
  bury(cache, after);
  machine.bytes!.set(after + 3, 7);
  cache.validate();
  const log = machine.report().log.join('\n');
  assert.match(log, /\[Right Redzone overwritten\][\s\S]*Allocated in spawn /);
  assert.match(log, /\[Poison overwritten\][\s\S]*Allocated in spawn [^\n]*\n *Freed in bury /);
  assert.equal(cache.info.sheafCapacity, 0);
});

test('using: a cache is destroyed, and a machine tells who wants to know what is live', () => {
  const told: MachineReport[] = [];
  const machine = library({ onLeak: (report) => told.push(report) });
  const cache = machine.kmemCacheCreate('particle', 64)!;
  cache[Symbol.dispose]();
  assert.equal(machine.findCache('particle'), undefined);
  machine[Symbol.dispose]();
  assert.equal(told.length, 0);
  machine.kmalloc(10);
  machine[Symbol.dispose]();
  assert.deepEqual(
    told.map(({ live }) => live.objects),
    [1],
  );
  library()[Symbol.dispose]();
});
