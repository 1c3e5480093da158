/**
 * SLAB's layout by hand and by its own promises. The thousands of recorded creations are compared in truth/.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArgumentError, KernelWouldCrashError, MIB } from '../../base/index.js';
import { __GFP } from '../../machine/index.js';
import { SLAB } from '../kernel/flags.js';
import { KERNELS } from '../kernel/kernels.js';
import { slabKernel } from '../kernel/profile.js';
import {
  CFLGS_OBJFREELIST_SLAB,
  CFLGS_OFF_SLAB,
  cpusCountedEarly,
  freelistPlace,
  type SlabLayout,
  type SlabLayoutRequest,
  slabLayout,
} from './layout-slab.js';

const LINUX = slabKernel(KERNELS.get('6.1')!);

interface Asked extends Partial<SlabLayoutRequest> {
  readonly size: number;
  readonly cpus?: number;
  readonly slabMaxOrder?: number;
}

function layoutOf({ cpus = 4, slabMaxOrder = 1, ...request }: Asked): SlabLayout | null {
  return slabLayout(LINUX, { cpus, slabMaxOrder }, { align: 0, flags: 0, ctor: false, ...request });
}

/** Place, order, objects, colours. */
function shapeOf(asked: Asked): [place: string, order: number, objects: number, colours: number] {
  const { flags, oo, colours } = layoutOf(asked)!;
  return [freelistPlace(flags), oo.order, oo.objects, colours];
}

// ---- the three places --------------------------------------------------------------------------------------------------

test('a free object holds the list where it has room for it', () => {
  assert.deepEqual(shapeOf({ size: 64 }), ['object', 0, 64, 0], '64 indices in 64 bytes');
  assert.deepEqual(shapeOf({ size: 192 }), ['object', 0, 21, 1]);
  assert.deepEqual(shapeOf({ size: 1024, align: 1024, flags: SLAB.CACHE_DMA32 }), ['object', 0, 4, 0]);
  // What counts is the size asked for, not the room that alignment makes.
  assert.deepEqual(
    shapeOf({ size: 56, align: 64 }),
    ['slab', 0, 63, 0],
    '64 indices do not fit into 56 bytes',
  );
});

test('a list outside its slab is for objects that stay as they are, if they are large enough to pay for it', () => {
  const rcu = SLAB.TYPESAFE_BY_RCU;
  assert.deepEqual(shapeOf({ size: 256, flags: rcu }), ['outside', 0, 16, 0], 'kmalloc-32 for 16 indices');
  assert.deepEqual(shapeOf({ size: 128, ctor: true }), ['outside', 0, 32, 0]);
  assert.deepEqual(
    shapeOf({ size: 64, ctor: true }),
    ['slab', 0, 63, 0],
    'kmalloc-64 is more than half of 64',
  );
  assert.deepEqual(
    shapeOf({ size: 200, ctor: true }),
    ['slab', 0, 20, 1],
    '96 bytes left over hold 20 indices anyway',
  );
  assert.deepEqual(shapeOf({ size: 256, flags: rcu | SLAB.NOLEAKTRACE }), ['slab', 0, 15, 3]);
});

test('the smallest objects have 255 to a slab at most, and so their list in it', () => {
  assert.equal(layoutOf({ size: 1 })!.size, 16);
  assert.deepEqual(shapeOf({ size: 8 }), ['slab', 0, 240, 0], '256 would fit, which one byte cannot number');
  assert.equal(layoutOf({ size: 4, align: 8 })!.size, 16);
  assert.equal(layoutOf({ size: 4, align: 32 })!.size, 32);
});

test('the final flags say where the list lies, and how pages are asked for', () => {
  const dma32 = layoutOf({ size: 1024, flags: SLAB.CACHE_DMA32 })!;
  assert.equal(dma32.flags, SLAB.CACHE_DMA32 + CFLGS_OBJFREELIST_SLAB);
  assert.equal(dma32.allocflags, __GFP.COMP | __GFP.DMA32, 'compound at order 0 too');
  const both = SLAB.CACHE_DMA | SLAB.CACHE_DMA32 | SLAB.RECLAIM_ACCOUNT;
  assert.equal(
    layoutOf({ size: 64, flags: both })!.allocflags,
    __GFP.COMP | __GFP.DMA | __GFP.DMA32 | __GFP.RECLAIMABLE,
  );
  assert.equal(layoutOf({ size: 256, ctor: true })!.flags, CFLGS_OFF_SLAB);
});

// ---- the order ---------------------------------------------------------------------------------------------------------

test('an order is kept until an eighth or less is left over, or slab_max_order is reached', () => {
  assert.deepEqual(shapeOf({ size: 700 }), ['object', 1, 11, 7]);
  assert.deepEqual(shapeOf({ size: 700, slabMaxOrder: 0 }), ['object', 0, 5, 9]);
  assert.deepEqual(shapeOf({ size: 2700, slabMaxOrder: 5 }), ['object', 1, 3, 1]);
  assert.deepEqual(shapeOf({ size: 3008, slabMaxOrder: 5 }), ['object', 2, 5, 21]);
  // Above slab_max_order the first one that holds an object is the only one.
  assert.deepEqual(shapeOf({ size: 9000 }), ['object', 2, 1, 115]);
  assert.deepEqual(
    shapeOf({ size: 700, flags: SLAB.RECLAIM_ACCOUNT }),
    ['object', 0, 5, 9],
    'a small slab is empty sooner',
  );
});

test('what no block holds has no layout', () => {
  assert.deepEqual(shapeOf({ size: 4 * MIB }), ['object', 10, 1, 0]);
  assert.equal(layoutOf({ size: 4 * MIB + 1 }), null);
  assert.equal(
    layoutOf({ size: 4 * MIB, ctor: true, flags: SLAB.NOLEAKTRACE }),
    null,
    'its index does not fit beside it',
  );
  assert.equal(layoutOf({ size: 0x80000000 }), null);
});

test('nonsense is laid out as the kernel does', () => {
  for (const size of [0, 0xffffffff]) {
    const layout = layoutOf({ size })!;
    assert.deepEqual([layout.size, layout.objectSize, layout.oo.objects], [16, size, 240]);
  }
  assert.throws(() => layoutOf({ size: 0, flags: SLAB.HWCACHE_ALIGN }), KernelWouldCrashError);
});

// ---- arrays ------------------------------------------------------------------------------------------------------------

test('arrays by size', () => {
  const tunables = (size: number, cpus = 4) => {
    const { limit, batchcount, sharedFactor, freeLimit, oo } = layoutOf({ size, cpus })!;
    assert.equal(freeLimit, (1 + cpus) * batchcount + oo.objects);
    return [limit, batchcount, sharedFactor];
  };
  assert.deepEqual(tunables(256), [120, 60, 8]);
  assert.deepEqual(tunables(257), [54, 27, 8]);
  assert.deepEqual(tunables(1024), [54, 27, 8]);
  assert.deepEqual(tunables(1025), [24, 12, 8]);
  assert.deepEqual(tunables(4096), [24, 12, 8]);
  assert.deepEqual(tunables(4097), [8, 4, 0]);
  assert.deepEqual(tunables(131072), [8, 4, 0]);
  assert.deepEqual(tunables(131073), [1, 1, 0]);
  assert.deepEqual(tunables(256, 1), [120, 60, 0], 'nobody to share with');
});

test('a cache that is older than the second CPU does not count the last one', () => {
  const freeLimit = (cpus: number) =>
    layoutOf({ size: 256, cpus, cpusCounted: cpusCountedEarly(cpus) })!.freeLimit;
  assert.deepEqual([1, 2, 4, 8].map(freeLimit), [136, 136, 256, 496]);
});

test('6.12 has no SLAB, and says since when', () => {
  assert.throws(
    () => slabKernel(KERNELS.get('6.12')!),
    (error) => error instanceof ArgumentError && /removed in 6\.8/.test(error.message),
  );
});

// ---- promises ----------------------------------------------------------------------------------------------------------

const asked = fc.record({
  size: fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 4 * MIB + 9 })),
  align: fc.integer({ min: 0, max: 13 }).map((log) => (log === 0 ? 0 : 2 ** log)),
  flags: fc
    .subarray([
      SLAB.HWCACHE_ALIGN,
      SLAB.CACHE_DMA32,
      SLAB.RECLAIM_ACCOUNT,
      SLAB.TYPESAFE_BY_RCU,
      SLAB.NOLEAKTRACE,
    ])
    .map((flags) => flags.reduce((all, flag) => all | flag, 0)),
  ctor: fc.boolean(),
  slabMaxOrder: fc.integer({ min: 0, max: 10 }),
});

test('every layout keeps its promises', () => {
  fc.assert(
    fc.property(asked, (request) => {
      const layout = layoutOf(request);
      if (layout === null) return request.size > 2 * MIB;
      const { size, align, oo, colours, colourOff, freelistSize, flags } = layout;
      const slabBytes = LINUX.pageSize * 2 ** oo.order;
      const place = freelistPlace(flags);
      const inSlab = place === 'slab' ? freelistSize : 0;
      const leftOver = slabBytes - oo.objects * size - inSlab;
      assert.ok(oo.objects >= 1 && oo.objects <= 255);
      assert.ok(leftOver >= 0, 'what a slab holds fits into it');
      assert.ok(leftOver < size + (inSlab === 0 ? 0 : 1), 'and no object more');
      assert.ok(size >= request.size && size % Math.max(align, 8) === 0);
      assert.equal(colours, Math.floor(leftOver / colourOff));
      assert.equal(colourOff % align, 0, 'no colour breaks the alignment');
      if (place === 'object')
        assert.ok(freelistSize <= request.size && !request.ctor && !(flags & SLAB.TYPESAFE_BY_RCU));
      if (place === 'outside') assert.ok(leftOver < freelistSize && !(flags & SLAB.NOLEAKTRACE));
      // A slab that is larger than it must be was made larger for what was left over.
      const smaller = oo.order === 0 ? 0 : Math.floor((slabBytes / 2 - inSlab) / size);
      if (smaller >= 1) assert.ok(oo.order <= request.slabMaxOrder && !(flags & SLAB.RECLAIM_ACCOUNT));
      return true;
    }),
    { seed: 20181104, numRuns: 3000 },
  );
});
