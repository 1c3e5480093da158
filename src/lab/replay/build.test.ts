import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError, UnknownNameError } from '../../base/index.js';
import { GFP } from '../../machine/index.js';
import { ACCOUNTED, CLASS_KIND, nameClasses, type TraceClass } from '../../trace/index.js';
import { knownCaches, planFromProfile } from '../evidence/plan.js';
import { parseWhatIf } from '../what-if/what-if.js';
import { buildMachine } from './build.js';

const plan = planFromProfile(4, { memory: 256 * 2 ** 20 });

const aClass = (more: Partial<TraceClass>): TraceClass => ({
  kind: CLASS_KIND.CACHE,
  site: '',
  bytesReq: 64,
  bytesAlloc: 64,
  gfp: GFP.KERNEL,
  order: 0,
  accounted: ACCOUNTED.UNSTATED,
  freedAs: '',
  allocatedAs: '',
  allocs: 1,
  frees: 0,
  live: 1,
  grew: [],
  names: [],
  neighbours: [],
  ...more,
});
const pid = aClass({ site: 'alloc_pid', bytesReq: 120, bytesAlloc: 128, names: [['pid', 5]] });
const epoll = aClass({ site: 'do_epoll_ctl', bytesReq: 120, bytesAlloc: 128, names: [['pid', 5]] });
const dentry = aClass({ site: '__d_alloc', bytesReq: 192, bytesAlloc: 192, names: [['dentry', 5]] });
const kmalloc = (bytesReq: number, bytesAlloc: number) =>
  aClass({ kind: CLASS_KIND.KMALLOC, bytesReq, bytesAlloc });
const large = aClass({ kind: CLASS_KIND.LARGE, bytesReq: 100_000, bytesAlloc: 131072 });
const pages = aClass({ kind: CLASS_KIND.PAGES, order: 2 });

/** Where each class's objects come from, under some settings. */
function routes(classes: readonly TraceClass[], settings: readonly string[]) {
  const names = nameClasses(classes, knownCaches(plan));
  const built = buildMachine({ plan, whatIf: parseWhatIf(settings), classes, names });
  built.machine.validate();
  const told = built.routes.map((route) => {
    if (route.to === 'cache') return route.cache.cache.name;
    return route.to === 'pages' ? `order ${route.order}` : route.to;
  });
  return { told, built, notes: built.notes.join('\n') };
}

test('as recorded, each class has its cache, with the recorded layout', () => {
  const { told, built } = routes([pid, epoll, dentry, kmalloc(100, 128), large, pages], []);
  assert.deepEqual(told, ['pid', 'pid', 'dentry', 'kmalloc-128', 'order 5', 'order 2']);
  assert.equal(built.caches.length, plan.caches.length);
  for (const { spec, cache } of built.caches) {
    const { size, oo, cpuPartial, minPartial } = cache.info;
    assert.deepEqual(
      { size, oo, cpuPartial, minPartial },
      {
        size: spec.layout.size,
        oo: spec.layout.oo,
        cpuPartial: spec.layout.cpuPartial,
        minPartial: spec.layout.minPartial,
      },
    );
  }
});

test('SLAB with larger pages: indices of two bytes, so that a page of small objects is no less than full', () => {
  for (const [pageSize, bytes] of [
    ['16K', 16384],
    ['64K', 65536],
  ] as const) {
    const settings = ['allocator=slab', `page_size=${pageSize}`];
    const { told, built } = routes([kmalloc(20, 32), dentry], settings);
    assert.deepEqual(told, ['kmalloc-32', 'dentry']);
    const { oo, size, slab } = built.find('kmalloc-32')!.cache.info;
    assert.equal(size, 32);
    // As many as fit, with an index each where the list lies in the slab itself.
    const outside = Math.floor((bytes * 2 ** oo.order) / size);
    assert.ok(oo.objects > 255 && oo.objects <= outside, `${oo.objects}`);
    assert.equal(slab!.freelistSize, oo.objects * 2);
  }
});

test('large kmallocs are pages where no page is traced', () => {
  assert.deepEqual(routes([large], []).told, ['order 5']);
});

test('slab_nomerge parts those who shared a cache, by what their functions allocate from', () => {
  const unknown = aClass({
    site: 'some_driver',
    bytesReq: 120,
    bytesAlloc: 128,
    names: [['pid', 5]],
    allocs: 9,
  });
  const { told, built, notes } = routes([pid, epoll, unknown], ['slab_nomerge']);
  assert.deepEqual(told, ['pid', 'eventpoll_epi', 'pid']);
  assert.equal(built.find('eventpoll_epi')!.cache.name, 'eventpoll_epi');
  assert.match(
    notes,
    /9 objects of pid, eventpoll_epi, which share a cache, could not be told apart \(some_driver/,
  );
});

test('a debug flag that keeps caches apart does so as well', () => {
  assert.deepEqual(routes([pid, epoll], ['slub_debug=P']).told, ['pid', 'eventpoll_epi']);
  assert.deepEqual(routes([pid, epoll], ['slub_debug=F']).told, ['pid', 'pid']);
});

test('a cache that grows is laid out anew, by itself or with another', () => {
  const grown = routes([dentry], ['dentry.size=200']);
  const { info } = grown.built.find('dentry')!.cache;
  assert.deepEqual([info.size, info.oo.objects, info.oo.order], [200, 20, 0]);
  assert.match(grown.notes, /dentry takes 200 bytes, 20 in a slab of order 0 \(recorded: 192 bytes, 21 in/);
  // Charged, no usercopy region, 192 bytes apart: credentials have such a cache.
  const moved = routes([pid, epoll], ['eventpoll_epi.size=136']);
  assert.deepEqual(moved.told, ['pid', 'cred_jar']);
  assert.match(moved.notes, /eventpoll_epi of 136 bytes now shares/);
});

test('settings of one cache leave the others alone', () => {
  const { built } = routes([dentry], ['cpu_partial=0', 'dentry.cpu_partial=9', 'dentry.min_partial=2']);
  const infoOf = (name: string) => built.find(name)!.cache.info;
  assert.deepEqual([infoOf('dentry').cpuPartial, infoOf('dentry').minPartial], [9, 2]);
  assert.equal(infoOf('filp').cpuPartial, 0);
  const debugged = routes([dentry], ['kmalloc-64.slub_debug=U', 'cpu_partial=4']).built;
  assert.equal(debugged.find('kmalloc-64')!.cache.info.cpuPartial, 0);
  assert.equal(debugged.find('kmalloc-64')!.cache.info.size, 192);
});

test('larger pages: larger slabs, and kmalloc has caches for what were pages', () => {
  const { told, built, notes } = routes([dentry, large, pages, kmalloc(100, 128)], ['page_size=64K']);
  assert.deepEqual(told, ['dentry', 'kmalloc-128k', 'order 2', 'kmalloc-128']);
  assert.equal(built.find('dentry')!.cache.info.oo.objects, Math.floor(65536 / 192));
  assert.equal(built.replaysPages, false);
  assert.match(notes, /pages that are no slab are left out/);
});

test('the other allocator has its own layouts and sizes of kmalloc', () => {
  const { told, built } = routes([dentry, kmalloc(8, 8), kmalloc(70, 96), large, pages], ['allocator=slab']);
  assert.deepEqual(told, ['dentry', 'kmalloc-32', 'kmalloc-96', 'order 5', 'order 2']);
  assert.equal(built.machine.boot.allocator, 'slab');
  assert.equal(built.find('kmalloc-96')!.cache.info.size, 128);
});

test('a class that no cache has gets one of its own', () => {
  const stray = aClass({ site: 'mystery', bytesReq: 5000, bytesAlloc: 5000 });
  const { told, built } = routes([stray, { ...stray, bytesReq: 4990 }], []);
  assert.deepEqual(told, ['?mystery/5000', '?mystery/5000']);
  assert.equal(built.find('?mystery/5000')!.cache.info.size, 5000);
  assert.ok(built.find('?mystery/5000')!.cache.info.objectSize >= 5000);
});

test('objects can come from a strategy', () => {
  const { told, built } = routes([dentry, kmalloc(64, 64)], ['dentry.strategy=page_frag-32k']);
  assert.deepEqual(told, ['strategy', 'kmalloc-64']);
  assert.equal(built.strategies.length, 1);
});

test('what makes no machine is refused', () => {
  assert.throws(
    () => routes([dentry], ['dentri.size=200']),
    (error) => {
      assert.ok(error instanceof UnknownNameError);
      assert.match(error.message, /'dentry'/);
      return true;
    },
  );
  assert.throws(() => routes([dentry], ['kmalloc-64.size=72']), /kmalloc's sizes are the kernel's/);
  assert.throws(() => routes([dentry], ['cpus=5000']), ArgumentError);
});
