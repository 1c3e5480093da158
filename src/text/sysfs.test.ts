/**
 * The files of a cache, as the recorded kernel wrote them. Counters after allocations are worked out by hand
 * from truth/README.md, "SLUB at run time"; the recorded sequences compare them in the thousands.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { MIB } from '../base/index.js';
import { type KmemCache, Machine, type MachineOptions, SLAB, sysfsCounters } from '../slab/index.js';
import { sysfsFiles } from './sysfs.js';

interface CreateRecording {
  readonly sysfs_files_that_exist: readonly string[];
  readonly cases: readonly {
    readonly name: string;
    readonly size: number;
    readonly align: number;
    readonly flags: string;
    readonly ctor: number;
    readonly useroffset?: number;
    readonly usersize?: number;
    readonly out: { readonly merged_with?: string; readonly sysfs?: Readonly<Record<string, string>> };
  }[];
}

const RECORDED: CreateRecording = JSON.parse(
  gunzipSync(
    readFileSync(new URL('../../truth/create-slub-nomerge-public.json.gz', import.meta.url)),
  ).toString(),
);

function machineWith(options: MachineOptions = {}): Machine {
  return Machine.create({
    memory: 64 * MIB,
    cpus: 4,
    slubNomerge: true,
    ledger: { caches: 128, slabs: 1024, linkPages: 64 },
    ...options,
  });
}

/** What the files that count say, as numbers where they are. */
function counts(machine: Machine, cache: KmemCache): Record<string, string> {
  const files = sysfsFiles(machine, cache);
  const named = [
    'objects',
    'total_objects',
    'slabs',
    'objects_partial',
    'partial',
    'cpu_slabs',
    'slabs_cpu_partial',
  ];
  return Object.fromEntries(named.map((name) => [name, files.get(name)!.trimEnd()]));
}

test('a cache has the 28 recorded files; text ends in a newline', () => {
  const machine = machineWith();
  const files = sysfsFiles(machine, machine.kmemCacheCreate('tables', 1024)!);
  assert.equal(RECORDED.sysfs_files_that_exist.length, 28);
  assert.deepEqual([...files.keys()].sort(), [...RECORDED.sysfs_files_that_exist].sort());
  for (const [name, text] of files) {
    const empty = ['ctor', 'shrink', 'validate'].includes(name);
    assert.match(text, empty ? /^$/ : name === 'slabs_cpu_partial' ? /^0\(0\)\n$/ : /^\d+\n$/, name);
  }
});

test('the files of all recorded fresh caches read as recorded', () => {
  const recorded = RECORDED.cases.filter(
    ({ out }) => out.sysfs !== undefined && out.merged_with === undefined,
  );
  assert.ok(recorded.length > 50);
  const machine = machineWith({ faithful: true });
  for (const { name, size, align, flags, ctor, useroffset = 0, usersize = 0, out } of recorded) {
    const cache = machine.kmemCacheCreate(name, size, {
      align,
      flags: Number.parseInt(flags, 16),
      useroffset,
      usersize,
      ...(ctor && { ctor: () => {} }),
    })!;
    // A constructor reads as the symbol of the recorder's function.
    const { ctor: _symbol, ...texts } = out.sysfs!;
    const ours = sysfsFiles(machine, cache);
    assert.deepEqual(
      Object.fromEntries(Object.keys(texts).map((file) => [file, ours.get(file)])),
      texts,
      name,
    );
  }
});

test('flags read as 0 or 1', () => {
  const machine = machineWith();
  const flagFiles: readonly (readonly [flag: number, file: string])[] = [
    [SLAB.CACHE_DMA, 'cache_dma'],
    [SLAB.TYPESAFE_BY_RCU, 'destroy_by_rcu'],
    [SLAB.HWCACHE_ALIGN, 'hwcache_align'],
    [SLAB.POISON, 'poison'],
    [SLAB.RECLAIM_ACCOUNT, 'reclaim_account'],
    [SLAB.RED_ZONE, 'red_zone'],
    [SLAB.CONSISTENCY_CHECKS, 'sanity_checks'],
    [SLAB.STORE_USER, 'store_user'],
    [SLAB.TRACE, 'trace'],
  ];
  for (const [flag, file] of flagFiles) {
    const files = sysfsFiles(machine, machine.kmemCacheCreate(`with-${file}`, 64, { flags: flag })!);
    for (const [, other] of flagFiles)
      assert.equal(files.get(other), other === file ? '1\n' : '0\n', `${file}: ${other}`);
  }
});

test('a CPU’s active slab counts as used in full', () => {
  const machine = machineWith();
  // 16 objects a slab.
  const cache = machine.kmemCacheCreate('tables', 1024)!;
  const fresh = {
    objects: '0',
    total_objects: '0',
    slabs: '0',
    objects_partial: '0',
    partial: '0',
    cpu_slabs: '0',
    slabs_cpu_partial: '0(0)',
  };
  assert.deepEqual(counts(machine, cache), fresh);
  const one = cache.alloc();
  const withOneSlab = { ...fresh, objects: '16', total_objects: '16', slabs: '1', cpu_slabs: '1' };
  assert.deepEqual(counts(machine, cache), withOneSlab);
  cache.alloc(undefined, 3);
  assert.deepEqual(counts(machine, cache), {
    ...fresh,
    objects: '32',
    total_objects: '32',
    slabs: '2',
    cpu_slabs: '2',
  });
  cache.free(one);
  cache.shrink();
  // The other object is alone in its slab, which the node has now: 15 are free there.
  assert.deepEqual(counts(machine, cache), {
    ...fresh,
    objects: '1',
    total_objects: '16',
    slabs: '1',
    objects_partial: '1',
    partial: '1',
  });
});

test('CPU-partial slabs are counted half full, by CPU, and as CPU slabs only beside an active one', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('tables', 1024)!;
  // Five full slabs of CPU 0, and one that it goes on with.
  const objects = cache.allocBulk(5 * 16 + 1);
  // One object of three slabs is freed on CPU 1, which has no active slab, and of one slab on CPU 0.
  for (const slab of [0, 1, 2]) cache.free(objects[slab * 16]!, 1);
  cache.free(objects[3 * 16]!, 0);
  assert.deepEqual(counts(machine, cache), {
    objects: '96',
    total_objects: '96',
    slabs: '6',
    objects_partial: '0',
    partial: '0',
    cpu_slabs: '2',
    slabs_cpu_partial: '32(4) C0=8(1) C1=24(3)',
  });
  // The fourth slab is one too many for CPU 1 (three is the limit): the three others go to the node.
  cache.free(objects[4 * 16]!, 1);
  assert.deepEqual(counts(machine, cache), {
    objects: '93',
    total_objects: '96',
    slabs: '6',
    objects_partial: '45',
    partial: '3',
    cpu_slabs: '2',
    slabs_cpu_partial: '16(2) C0=8(1) C1=8(1)',
  });
  assert.deepEqual(sysfsCounters(machine, cache), {
    objects: 93,
    totalObjects: 96,
    slabs: 6,
    objectsPartial: 45,
    partial: 3,
    cpuSlabs: 2,
    cpuPartialSlabs: [1, 1, 0, 0],
  });
});

test('a debugged cache has no CPU slabs: its objects are the live ones', () => {
  const machine = machineWith({ slubDebug: 'P' });
  const cache = machine.kmemCacheCreate('tables', 1000)!;
  const objects = cache.allocBulk(40);
  const perSlab = cache.info.oo.objects;
  cache.free(objects[0]!);
  const slabs = Math.ceil(40 / perSlab);
  assert.deepEqual(counts(machine, cache), {
    objects: '39',
    total_objects: String(slabs * perSlab),
    slabs: String(slabs),
    objects_partial: String(39 - (slabs - 2) * perSlab),
    partial: '2',
    cpu_slabs: '0',
    slabs_cpu_partial: '0(0)',
  });
});

test('aliases are the users beyond the first; caches that none may share have none', () => {
  const machine = machineWith({ slubNomerge: false });
  const cache = machine.kmemCacheCreate('a', 1024, { flags: SLAB.CACHE_DMA32 })!;
  for (const name of ['b', 'c'])
    assert.equal(machine.kmemCacheCreate(name, 1024, { flags: SLAB.CACHE_DMA32 }), cache);
  assert.equal(sysfsFiles(machine, cache).get('aliases'), '2\n');
  machine.kmalloc(64);
  const kmalloc = machine.findCache('kmalloc-64')!;
  assert.equal(kmalloc.info.refcount, -1);
  assert.equal(sysfsFiles(machine, kmalloc).get('aliases'), '0\n');
  assert.equal(sysfsFiles(machine, kmalloc).get('usersize'), '64\n');
});
