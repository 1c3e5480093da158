/**
 * The slabinfo tool's reports. The expected texts were printed by Linux 6.1.192's own tools/vm/slabinfo (with the series' `D` added) from
 * the folder that `slablab sysfs` wrote of this machine.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Machine, SLAB } from '../slab/index.js';
import { slabinfoReport } from './slabinfo-cache.js';
import {
  aliasGroups,
  aliasLines,
  slabinfoCaches,
  slabinfoList,
  slabinfoSize,
  sortCaches,
} from './slabinfo-report.js';
import { slabinfoTotals, totalsLines } from './slabinfo-totals.js';
import { type SysfsTree, sysfsTree } from './sysfs.js';

const PAGE = 4096;

/** 100 tables of which 50 were freed, and so on: what stands in the expected lists. */
function scene(): SysfsTree {
  const machine = Machine.create({ standing: true, cpus: 4 });
  const tables = machine.kmemCacheCreate('tables', 1024, { align: 1024, flags: SLAB.CACHE_DMA32 })!;
  machine.kmemCacheCreate('more_tables', 1024, { align: 1024, flags: SLAB.CACHE_DMA32 });
  tables.allocBulk(100);
  for (let i = 0; i < 1600; i++) machine.kmalloc(200);
  machine.kmemCacheCreate('w', 100, { ctor: () => {}, flags: SLAB.HWCACHE_ALIGN })!.allocBulk(77);
  machine.kmemCacheCreate('dma', 300, { flags: SLAB.CACHE_DMA })!.allocBulk(7000);
  return sysfsTree(machine, { cacheDma32: true });
}

const TREE = scene();
const CACHES = slabinfoCaches(TREE, PAGE);
const USED = CACHES.filter(({ slabs }) => slabs > 0);

test('the list by size, and by loss', () => {
  assert.deepEqual(slabinfoList(sortCaches(USED, 'size'), {}), [
    'Name                   Objects Objsize           Space Slabs/Part/Cpu  O/S O %Fr %Ef Flg',
    'dma                       7020     300            2.2M        269/0/1   26 1   0  95 d',
    'kmalloc-256               1600     256          409.6K         99/0/1   16 0   0 100',
    ':D-0001024                 112    1024          114.6K          6/0/1   16 2   0 100 *D',
    'w                           96     100           12.2K          2/0/1   32 0   0  78 A',
  ]);
  assert.deepEqual(slabinfoList(sortCaches(USED, 'loss'), { loss: true, bytes: true }), [
    'Name                   Objects Objsize            Loss Slabs/Part/Cpu  O/S O %Fr %Ef Flg',
    'dma                       7020     300          105840        269/0/1   26 1   0  95 d',
    'w                           96     100            2688          2/0/1   32 0   0  78 A',
    ':D-0001024                 112    1024               0          6/0/1   16 2   0 100 *D',
    'kmalloc-256               1600     256               0         99/0/1   16 0   0 100',
  ]);
});

test('on a narrow terminal columns give way, down to what stands in them', () => {
  for (const width of [60, 70, 80, 90]) {
    const lines = slabinfoList(USED, { width });
    const widest = Math.max(...lines.map((line) => line.length));
    assert.ok(widest <= Math.max(width, 72), `${widest} of ${width}`);
  }
  assert.equal(
    slabinfoList(USED, { width: 80 })[0],
    'Name                   Objects Objsize   Space Slabs/Part/Cpu  O/S O %Fr %Ef Flg',
  );
  assert.deepEqual(slabinfoList([], {}), []);
});

test('one cache, with the line of the series', () => {
  assert.deepEqual(slabinfoReport(USED.find(({ id }) => id === ':D-0001024')!), [
    'Slabcache: :D-0001024       Aliases:  1 Order :  2 Objects: 112',
    '** Memory is allocated in a special DMA32 zone',
    '',
    'Sizes (bytes)     Slabs              Debug                Memory',
    '------------------------------------------------------------------------',
    'Object :    1024  Total  :       7   Sanity Checks : Off  Total:  114688',
    'SlabObj:    1024  Full   :       6   Redzoning     : Off  Used :  114688',
    'SlabSiz:   16384  Partial:       0   Poisoning     : Off  Loss :       0',
    'Loss   :       0  CpuSlab:       1   Tracking      : Off  Lalig:       0',
    'Align  :    1024  Objects:      16   Tracing       : Off  Lpadd:       0',
  ]);
});

test('totals over the caches in use', () => {
  const totals = slabinfoTotals(TREE, PAGE)!;
  assert.deepEqual(
    [totals.caches, totals.aliases, totals.aliasTargets, totals.active, totals.perCache.objects.total],
    [141, 92, 55, 4, 8828],
  );
  const lines = totalsLines(totals);
  assert.equal(lines[3], 'Memory used:            2.7M   # Loss   :          108.5K   MRatio:     4%');
  assert.equal(lines[11], '%PartSlab              0%               0%               0%               0%');
  assert.equal(lines.at(-3), 'Memory                302              128             1.0K');
  assert.ok(lines.every((line) => line.length <= 80));
  const empty = { directories: new Map(), links: new Map() };
  assert.deepEqual(totalsLines(slabinfoTotals(empty, PAGE)), ['No objects']);
});

test('names that share a cache', () => {
  const lines = aliasLines(aliasGroups(TREE));
  assert.ok(lines.includes(':D-0001024   <- more_tables tables'));
  assert.ok(lines.every((line) => line.split(' <- ')[1]!.includes(' ')));
  assert.ok(aliasLines(aliasGroups(TREE, true)).includes(':A-0000120   <- seq_file'));
});

/** A tree of directories with some files, and links. */
function tree(directories: Record<string, Record<string, string>>, links: Record<string, string>): SysfsTree {
  return {
    directories: new Map(
      Object.entries(directories).map(([id, files]) => [id, new Map(Object.entries(files))]),
    ),
    links: new Map(Object.entries(links)),
  };
}

test('a cache is shown by its only name, and a shared one by a name if that is asked for', () => {
  const shared = tree(
    { ':0000064': {}, ':0000128': {}, ':0000256': {}, own: {} },
    { only: ':0000128', a: ':0000064', longest: ':0000064', b: ':0000064', gone: ':0000512' },
  );
  const names = (firstAlias: boolean) => slabinfoCaches(shared, PAGE, { firstAlias }).map(({ name }) => name);
  assert.deepEqual(names(false), [':0000064', 'only', 'own']);
  assert.deepEqual(names(true), ['longest', 'only', 'own']);
  const links = { a: ':0000064', 'kmalloc-rcl-64': ':0000064', of_all_the_longest: ':0000064' };
  const [first] = slabinfoCaches(tree({ ':0000064': {} }, links), PAGE, { firstAlias: true });
  assert.equal(first!.name, 'kmalloc-rcl-64');
  assert.deepEqual(
    slabinfoCaches(shared, PAGE, { unnamed: true }).map(({ name }) => name),
    [':0000064', 'only', '*', 'own'],
  );
});

test('a file that is not there reads as 0, and text behind a number does not count', () => {
  const [cache] = slabinfoCaches(
    tree({ x: { partial: '7 N0=7\n', slabs: '9\n', cache_dma: '1\n' } }, {}),
    PAGE,
  );
  assert.deepEqual(
    [cache!.partial, cache!.slabs, cache!.order, cache!.flags, cache!.hasStats],
    [7, 9, 0, 'd', false],
  );
});

test('flags stand in the order of the tool, D right after d', () => {
  const files = ['aliases', 'trace', 'store_user', 'sanity_checks', 'red_zone', 'reclaim_account', 'poison'];
  files.push('hwcache_align', 'cache_dma32', 'cache_dma');
  const all = Object.fromEntries(files.map((file) => [file, '1\n']));
  assert.equal(slabinfoCaches(tree({ x: all }, {}), PAGE)[0]!.flags, '*dDAPaZFUT');
});

test('sizes have one decimal, cut off', () => {
  assert.deepEqual(
    [1000, 1001, 1999, 1000000, 1000001, 123456789, 1e9, 5.29e9].map((n) => slabinfoSize(n)),
    ['1000', '1.0K', '1.9K', '1000.0K', '1.0M', '123.4M', '1000.0M', '5.2G'],
  );
  assert.equal(slabinfoSize(1234567, true), '1234567');
});

test('equals are sorted by name, whatever its case', () => {
  const caches = slabinfoCaches(tree({ b: {}, A: {}, c: {}, C1: {} }, {}), PAGE);
  assert.deepEqual(
    sortCaches(caches, 'partial').map(({ name }) => name),
    ['A', 'b', 'c', 'C1'],
  );
});

test('a machine that counts shows its activity', () => {
  const machine = Machine.create({ cpus: 2, statistics: true, slubNomerge: true });
  const busy = machine.kmemCacheCreate('busy', 1024)!;
  machine.kmemCacheCreate('idle', 1024)!.alloc();
  for (const object of busy.allocBulk(100)) busy.free(object, 0);
  const counted = sysfsTree(machine);
  const caches = slabinfoCaches(counted, PAGE);
  assert.ok(caches.every(({ hasStats }) => hasStats));
  const lines = slabinfoList(sortCaches(caches, 'activity'), { activity: true });
  assert.equal(lines[0], 'Name                   Objects      Alloc       Free   %Fast Fallb O CmpX   UL');
  assert.match(lines[1]!, /^busy +64 +100 +100 {2}93 {3}4 {5}0 2 {4}0 {4}0$/);
  assert.match(lines[2]!, /^idle /);
  const report = slabinfoReport(sortCaches(caches, 'activity')[0]!);
  assert.ok(report.includes('Slab Perf Counter       Alloc     Free %Al %Fr'));
  assert.ok(report.includes('Total                     100      100'));
});
