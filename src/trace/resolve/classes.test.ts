import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GFP, sizeSuffix } from '../../machine/index.js';
import { ACCOUNTED } from '../batch/events.js';
import { CLASS_KIND, type TraceClass } from '../batch/trace.js';
import { type KnownCache, nameClasses } from './classes.js';

const aClass = (more: Partial<TraceClass> = {}): TraceClass => ({
  kind: CLASS_KIND.CACHE,
  site: 'somebody',
  bytesReq: 100,
  bytesAlloc: 104,
  gfp: GFP.KERNEL,
  order: 0,
  accounted: ACCOUNTED.UNSTATED,
  freedAs: '',
  allocatedAs: '',
  allocs: 10,
  frees: 0,
  live: 10,
  grew: [],
  names: [],
  neighbours: [],
  ...more,
});

const known = (name: string, size: number, more: Partial<KnownCache> = {}): KnownCache => ({
  name,
  names: [name],
  size,
  objectSize: size,
  ...more,
});

const named = (classes: readonly TraceClass[], caches: readonly KnownCache[] = []) =>
  nameClasses(classes, caches).map(({ name, how }) => `${name} (${how})`);

test('kmalloc: the type by the flags in their order, the class of sizes by the distance', () => {
  const kmalloc = (gfp: number, bytesAlloc = 64, bytesReq = bytesAlloc) =>
    aClass({ kind: CLASS_KIND.KMALLOC, gfp, bytesAlloc, bytesReq });
  assert.deepEqual(
    named([
      kmalloc(GFP.KERNEL),
      kmalloc(GFP.KERNEL_ACCOUNT, 2048),
      kmalloc(GFP.KERNEL_ACCOUNT | 0x10, 96),
      kmalloc(GFP.KERNEL_ACCOUNT | 0x11, 8192),
    ]),
    [
      'kmalloc-64 (kmalloc)',
      'kmalloc-cg-2k (kmalloc)',
      'kmalloc-rcl-96 (kmalloc)',
      'dma-kmalloc-8k (kmalloc)',
    ],
  );
  // With SLAB objects of 96 bytes lie 128 apart.
  const slab = [known('kmalloc-128', 128), known('kmalloc-96', 128, { objectSize: 96 })];
  assert.deepEqual(named([kmalloc(GFP.KERNEL, 128, 80), kmalloc(GFP.KERNEL, 128, 97)], slab), [
    'kmalloc-96 (kmalloc)',
    'kmalloc-128 (kmalloc)',
  ]);
  assert.deepEqual([8, 1024, 65536, 2 ** 21].map(sizeSuffix), ['8', '1k', '64k', '2M']);
});

test('what its allocations say names it before anything else', () => {
  const caches = [known('dio', 640), known(':A-0000128', 128, { names: ['pid', 'eventpoll_epi'] })];
  const frees: TraceClass['names'] = [['dentry', 7]];
  assert.deepEqual(
    nameClasses(
      [aClass({ bytesReq: 632, bytesAlloc: 640, allocatedAs: 'widget', names: frees, allocs: 12 })],
      caches,
    ),
    [{ name: 'widget', how: 'event', isCertain: true, why: 'from its allocations, 12 of 12' }],
  );
  assert.deepEqual(named([aClass({ bytesAlloc: 128, allocatedAs: 'eventpoll_epi' })], caches), [
    ':A-0000128 (event)',
  ]);
  // Only kmem_cache_alloc has a cache of its own.
  assert.deepEqual(named([aClass({ kind: CLASS_KIND.KMALLOC, bytesAlloc: 64, allocatedAs: 'x' })]), [
    'kmalloc-64 (kmalloc)',
  ]);
});

test('frees name it, by the one name of those who share the cache', () => {
  const caches = [known(':A-0000128', 128, { names: ['pid', 'eventpoll_epi'] })];
  assert.deepEqual(
    nameClasses(
      [
        aClass({
          bytesAlloc: 128,
          names: [
            ['pid', 7],
            ['eventpoll_epi', 1],
            ['dentry', 2],
          ],
        }),
      ],
      caches,
    ),
    [{ name: ':A-0000128', how: 'frees', isCertain: true, why: 'from its frees, 8 of 10' }],
  );
  assert.deepEqual(named([aClass({ kind: CLASS_KIND.CACHE_FREE, freedAs: 'pid', frees: 3 })], caches), [
    ':A-0000128 (frees)',
  ]);
  assert.deepEqual(named([aClass({ kind: CLASS_KIND.PAGES }), aClass({ kind: CLASS_KIND.KFREE })]), [
    ' (none)',
    ' (none)',
  ]);
});

test('a page that it shares with somebody named names it, and then those that share one with it', () => {
  const classes = [
    aClass({ site: 'far', neighbours: [[1, 1]] }),
    aClass({
      site: 'near',
      neighbours: [
        [2, 3],
        [0, 1],
      ],
    }),
    aClass({ site: 'named', names: [['dentry', 1]] }),
  ];
  assert.deepEqual(named(classes), ['dentry (pages)', 'dentry (pages)', 'dentry (frees)']);
});

test('one cache of its exact size; of larger ones if there is one alone', () => {
  const caches = [known('bio-160', 192, { objectSize: 160 }), known('dentry', 192)];
  const of = (bytesReq: number) => aClass({ bytesReq, bytesAlloc: 192 });
  assert.deepEqual(named([of(160), of(192), of(170)], caches), [
    'bio-160 (size)',
    'dentry (size)',
    'dentry (size)',
  ]);
  // 100 fits into both: the one with more objects is taken, and said to be a choice.
  assert.deepEqual(named([of(100)], caches), ['bio-160 (choice)']);
  assert.match(nameClasses([of(100)], caches)[0]!.why, /one of 2 caches that fit \(bio-160, dentry\)/);
});

test('a cache that charges its objects is out for objects that are not charged, and the reverse', () => {
  const caches = [known('plain', 192, { accounted: false }), known('charged', 192, { accounted: true })];
  const of = (accounted: number, gfp: number = GFP.KERNEL) =>
    aClass({ bytesReq: 192, bytesAlloc: 192, accounted, gfp });
  assert.deepEqual(named([of(ACCOUNTED.NO), of(ACCOUNTED.YES)], caches), ['plain (size)', 'charged (size)']);
  // Charged because the caller asked for it: both can be.
  assert.match(named([of(ACCOUNTED.YES, GFP.KERNEL_ACCOUNT)], caches)[0]!, /choice/);
  // What frees named teaches whether a cache charges.
  const learnt = named(
    [aClass({ bytesAlloc: 192, accounted: ACCOUNTED.YES, names: [['dentry', 5]] }), of(ACCOUNTED.NO)],
    [known('dentry', 192), known('proc_dir_entry', 192)],
  );
  assert.equal(learnt[1], 'proc_dir_entry (size)');
});

test('a cache without room for so many objects is out', () => {
  const caches = [known('names_cache', 4096, { capacity: 8 }), known('biovec-max', 4096, { capacity: 40 })];
  const pool = aClass({ site: 'mempool_alloc_slab', bytesReq: 4096, bytesAlloc: 4096, live: 40 });
  assert.deepEqual(named([pool], caches), ['biovec-max (size)']);
  // What is known to be others' takes room as well.
  const other = aClass({ bytesReq: 4096, bytesAlloc: 4096, live: 30, names: [['biovec-max', 1]] });
  assert.deepEqual(named([{ ...pool, live: 20 }, other], caches), [
    '?mempool_alloc_slab/4096 (unnamed)',
    'biovec-max (frees)',
  ]);
});

test('an earlier class of a function has fewer bytes, because the cache grew since', () => {
  const now = aClass({ site: 'alloc_pid', bytesReq: 128, bytesAlloc: 128, names: [['pid', 9]] });
  const before = aClass({ site: 'alloc_pid', bytesReq: 112, bytesAlloc: 128 });
  const larger = aClass({ site: 'alloc_pid', bytesReq: 130, bytesAlloc: 136 });
  assert.deepEqual(named([before, now, larger]), ['pid (site)', 'pid (frees)', '?alloc_pid/136 (unnamed)']);
});

test('of several that fit, the one that a function is known to allocate from', () => {
  const caches = [
    known('kmem_cache_node', 64),
    known(':0000064', 64, { names: ['vmap_area', 'iommu_iova'] }),
  ];
  const area = aClass({ site: 'alloc_vmap_area.constprop.0', bytesReq: 64, bytesAlloc: 64 });
  assert.deepEqual(named([area], caches), [':0000064 (function)']);
});

/** Classes of which each has one neighbour, the one before it, and few are named by their frees; `reads` counts what is asked of them. */
function chain(length: number): { classes: TraceClass[]; reads: () => number } {
  let reads = 0;
  const watch = {
    get(target: TraceClass, key: keyof TraceClass) {
      reads++;
      return target[key];
    },
  };
  const classes = Array.from({ length }, (_, i) => {
    const each = aClass({
      site: `function_${i % 50}`,
      bytesReq: 60 + (i % 40),
      // Against the order in which they are looked at, so that each name goes on only in the next round.
      live: i,
      names: i === 0 ? [['dentry', 3]] : [],
      // Half of them share no page, and are found by their functions and sizes.
      neighbours: i > 0 && i < length / 2 ? [[i - 1, 1]] : [],
    });
    return new Proxy(each, watch);
  });
  return { classes, reads: () => reads };
}

test('ten times as many classes are little more than ten times the work', () => {
  const [small, large] = [1000, 10_000].map((length) => {
    const { classes, reads } = chain(length);
    const found = nameClasses(classes, [known('vm_area', 104), known('pid', 128)]);
    assert.equal(found.filter(({ how }) => how === 'pages').length, length / 2 - 1);
    return reads();
  }) as [number, number];
  // Sorting makes it more than ten.
  assert.ok(large < 15 * small, `${large} reads of fields, and ${small} of a tenth of the classes`);
});
