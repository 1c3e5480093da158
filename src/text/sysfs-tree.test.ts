/** The directory as a whole, and what writes to its files do beyond what is recorded (truth/sysfs-slub.json.gz is compared elsewhere). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIB } from '../base/index.js';
import { type KmemCache, Machine, type MachineOptions, SLAB } from '../slab/index.js';
import { sysfsFiles, sysfsMode, sysfsTree } from './sysfs.js';
import { sysfsWrite } from './sysfs-write.js';

function machineWith(options: MachineOptions = {}): Machine {
  return Machine.create({
    memory: 64 * MIB,
    cpus: 4,
    ledger: { caches: 128, slabs: 1024, linkPages: 64 },
    ...options,
  });
}

const reads = (machine: Machine, cache: KmemCache, file: string) => sysfsFiles(machine, cache).get(file);

test('numbers are decimal, up to 64 bits for min_partial and 32 for cpu_partial', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('tables', 1024)!;
  for (const [file, text, returned, read] of [
    ['min_partial', '+7', 2, '7\n'],
    ['min_partial', '8\n', 2, '8\n'],
    ['min_partial', '9\n\n', -22, '8\n'],
    ['min_partial', ' 9', -22, '8\n'],
    ['min_partial', '9 ', -22, '8\n'],
    ['min_partial', '+', -22, '8\n'],
    ['min_partial', '007', 3, '7\n'],
    ['min_partial', '2147483647', 10, '2147483647\n'],
    ['min_partial', '4294967296', 10, '4294967296\n'],
    ['min_partial', '18446744073709551615', 20, '18446744073709551615\n'],
    ['min_partial', '18446744073709551616x', -34, '18446744073709551615\n'],
    ['min_partial', '12', 2, '12\n'],
    ['cpu_partial', '4294967296x', -22, '24\n'],
    ['cpu_partial', '18446744073709551616x', -34, '24\n'],
    ['cpu_partial', '4294967296', -34, '24\n'],
    ['cpu_partial', '31', 2, '31\n'],
    ['shrink', '1x', 2, ''],
    ['shrink', ' 1', -22, ''],
    ['cpu_partial', '', 0, '31\n'],
    ['order', '', -13, '2\n'],
    ['oder', '1', -2, undefined],
    ['cache_dma32', '1', -2, undefined],
  ] as const) {
    assert.equal(sysfsWrite(machine, cache, file, text), returned, `${text} to ${file}`);
    assert.equal(reads(machine, cache, file), read, file);
  }
  machine.validate();
});

test('a min_partial beyond all numbers keeps empty slabs; shrink gives them back', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('tables', 1024)!;
  sysfsWrite(machine, cache, 'min_partial', '18446744073709551615');
  const objects = cache.allocBulk(1000);
  for (const object of objects) cache.free(object);
  assert.equal(cache.info.nrSlabs, 63);
  assert.equal(sysfsWrite(machine, cache, 'shrink', '1'), 1);
  assert.equal(cache.info.nrSlabs, 0);
});

test('cpu_partial 0 flushes the CPUs', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('tables', 1024)!;
  cache.alloc(undefined, 2);
  assert.equal(reads(machine, cache, 'cpu_slabs'), '1\n');
  assert.equal(sysfsWrite(machine, cache, 'cpu_partial', '0'), 1);
  assert.equal(reads(machine, cache, 'cpu_slabs'), '0\n');
  assert.equal(reads(machine, cache, 'objects'), '1\n');
});

test('validate is for debugged caches', () => {
  const machine = machineWith();
  const plain = machine.kmemCacheCreate('plain', 1024)!;
  const debugged = machine.kmemCacheCreate('debugged', 1024, { flags: SLAB.POISON })!;
  assert.equal(sysfsWrite(machine, plain, 'validate', '1'), -22);
  assert.equal(sysfsWrite(machine, debugged, 'validate', '1'), 1);
  assert.equal(sysfsWrite(machine, debugged, 'validate', '2'), -22);
});

test('the counters of a machine that counts are files, and 0 clears one', () => {
  const machine = machineWith({ statistics: true });
  const cache = machine.kmemCacheCreate('tables', 1024)!;
  cache.allocBulk(17);
  cache.alloc(undefined, 2);
  assert.equal(sysfsFiles(machine, cache).size, 28 + 26);
  assert.equal(reads(machine, cache, 'alloc_slab'), '3 C0=2 C2=1\n');
  assert.equal(reads(machine, cache, 'free_fastpath'), '0\n');
  assert.equal(sysfsMode('alloc_slab'), 0o600);
  assert.equal(sysfsWrite(machine, cache, 'alloc_slab', '1'), -22);
  assert.equal(sysfsWrite(machine, cache, 'alloc_slab', '0'), 1);
  assert.equal(reads(machine, cache, 'alloc_slab'), '0\n');
  assert.notEqual(reads(machine, cache, 'alloc_fastpath'), '0\n');
});

test('four files may be written by root', () => {
  const machine = machineWith();
  const files = [...sysfsFiles(machine, machine.kmemCacheCreate('tables', 1024)!).keys()];
  assert.deepEqual(files.filter((file) => sysfsMode(file) === 0o600).sort(), [
    'cpu_partial',
    'min_partial',
    'shrink',
    'validate',
  ]);
});

test('cache_dma32 is there for who asks for it', () => {
  const machine = machineWith();
  const below = machine.kmemCacheCreate('below', 1024, { flags: SLAB.CACHE_DMA32 })!;
  const anywhere = machine.kmemCacheCreate('anywhere', 1024)!;
  assert.ok(!sysfsFiles(machine, below).has('cache_dma32'));
  assert.equal(sysfsFiles(machine, below, { cacheDma32: true }).get('cache_dma32'), '1\n');
  assert.equal(sysfsFiles(machine, anywhere, { cacheDma32: true }).get('cache_dma32'), '0\n');
  const tree = sysfsTree(machine, { cacheDma32: true });
  assert.equal(tree.directories.get(':D-0001024')!.size, 29);
});

test('every name that shares a cache is a link, the first too', () => {
  const machine = machineWith();
  machine.kmemCacheCreate('a', 1024, { flags: SLAB.CACHE_DMA32 });
  machine.kmemCacheCreate('b', 1020, { flags: SLAB.CACHE_DMA32 });
  machine.kmemCacheCreate('own', 1024, { ctor: () => {} });
  const { directories, links } = sysfsTree(machine);
  assert.deepEqual([...directories.keys()], [':D-0001024', 'own']);
  assert.deepEqual(
    [...links],
    [
      ['a', ':D-0001024'],
      ['b', ':D-0001024'],
    ],
  );
  assert.equal(directories.get(':D-0001024')!.get('aliases'), '1\n');
});

test('a link dangles when its cache is gone, until the id or the name comes back', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('a', 1024)!;
  machine.kmemCacheCreate('b', 1024);
  cache.destroy();
  assert.ok(sysfsTree(machine).directories.has(':0001024'));
  cache.destroy();
  const gone = sysfsTree(machine);
  assert.deepEqual([gone.directories.size, gone.links.get('a')], [0, ':0001024']);
  machine.kmemCacheCreate('c', 1024);
  assert.ok(sysfsTree(machine).directories.has(gone.links.get('a')!));
  machine.kmemCacheCreate('a', 512);
  assert.equal(sysfsTree(machine).links.get('a'), ':0000512');
  machine.kmemCacheCreate('b', 1024, { flags: SLAB.TYPESAFE_BY_RCU });
  const tree = sysfsTree(machine);
  assert.ok(tree.directories.has('b') && !tree.links.has('b'));
});

test('links travel with the ledger', () => {
  const machine = machineWith();
  machine.kmemCacheCreate('a', 1024);
  machine.kmemCacheCreate('b', 1024);
  machine.kmemCacheCreate('gone', 64)!.destroy();
  sysfsWrite(machine, machine.findCache('a')!, 'min_partial', '18446744073709551615');
  const opened = Machine.open(machine.ledger.buffer.slice(0));
  assert.deepEqual(sysfsTree(opened), sysfsTree(machine));
});

test('without merging there is no link; two caches of one name are one directory', () => {
  const machine = machineWith({ slubNomerge: true });
  machine.kmemCacheCreate('a', 1024);
  machine.kmemCacheCreate('b', 1024);
  machine.kmemCacheCreate('a', 512);
  const { directories, links } = sysfsTree(machine);
  assert.deepEqual([[...directories.keys()], links.size], [['a', 'b'], 0]);
  assert.equal(directories.get('a')!.get('slab_size'), '512\n');
});

test('a slash in a name becomes an exclamation mark', () => {
  const machine = machineWith({ slubNomerge: true });
  machine.kmemCacheCreate('../escape', 1024);
  assert.deepEqual([...sysfsTree(machine).directories.keys()], ['..!escape']);
});
