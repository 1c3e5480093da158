import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KernelWouldCrashError } from '../../base/index.js';
import { runsOf } from '../../base/runs.case.test.js';
import { SLAB } from '../../slab/index.js';
import { layoutReport } from './report.js';
import type { CacheLayout, Segment } from './result.js';

/** `what from to`, with a star where the free pointer is. */
function told(segments: readonly Segment[]): string[] {
  return segments.map((s) => `${s.what}${s.freePointer ? '*' : ''} ${s.from} ${s.to}`);
}

function assertTiles(layout: CacheLayout): void {
  const { segments, slabSize } = layout;
  let at = 0;
  for (const { from, to } of segments) {
    assert.equal(from, at, 'segments follow each other');
    assert.ok(to > from, 'a segment has bytes');
    at = to;
  }
  assert.equal(at, slabSize, 'segments end where the object does');
  const pointer = segments.filter((s) => s.freePointer);
  if (layout.allocator === 'slab') return assert.deepEqual(pointer, []);
  const { redLeftPad, freePointer } = layout;
  assert.equal(pointer[0]?.from, redLeftPad + freePointer.offset);
  assert.equal(pointer.at(-1)?.to, redLeftPad + freePointer.offset + freePointer.bytes);
}

test('the table of the patch series: order 2 with 16 objects on 4 CPUs, below 4 GiB', () => {
  const options = {
    size: 1024,
    align: 1024,
    flags: SLAB.CACHE_DMA32,
    machine: { machine: 'mt8173', cpus: 4 },
  };
  const { alone, merged, refused } = layoutReport(options);
  assert.equal(refused, null);
  assert.equal(merged, null);
  assert.deepEqual(
    { ...alone, segments: told(alone!.segments) },
    {
      allocator: 'slub',
      id: ':D-0001024',
      slabSize: 1024,
      objectSize: 1024,
      inuse: 1024,
      align: 1024,
      freePointer: { offset: 512, bytes: 8, insideObject: true },
      redLeftPad: 0,
      order: 2,
      objects: 16,
      fallback: { order: 0, objects: 4 },
      slabBytes: 16384,
      wasteBytes: 0,
      wasteShare: 0,
      allocflags: 0x40004,
      allocflagNames: 'GFP_DMA32|__GFP_COMP',
      minPartial: 5,
      cpuPartial: 24,
      cpuPartialSlabs: 3,
      flags: 0x40008000,
      flagNames: 'CACHE_DMA32',
      firstZone: 'DMA32',
      mayLieAbove4GiB: false,
      segments: ['object 0 512', 'object* 512 520', 'object 520 1024'],
    },
  );
});

test('slub_debug=FZPU makes it 3 KiB, because the red zone in front keeps its alignment', () => {
  const { alone } = layoutReport({ size: 1024, align: 1024, machine: { slubDebug: 'FZPU' } });
  assert.deepEqual(told(alone!.segments), [
    'left red zone 0 1024',
    'object 1024 2048',
    'red zone 2048 2056',
    'free pointer* 2056 2064',
    'alloc track 2064 2096',
    'free track 2096 2128',
    'padding 2128 3072',
  ]);
  assert.deepEqual([alone!.order, alone!.objects, alone!.wasteBytes], [3, 10, 2048]);
  assert.ok(alone!.allocator === 'slub' && alone!.id === 'new_cache');
});

test('what merges is told twice: the cache that it joins, and what it would have been alone', () => {
  const { merged, alone } = layoutReport({ size: 1024, align: 1024, machine: { machine: 'mt8173' } });
  assert.equal(merged?.name, 'biovec-64');
  assert.equal(merged.sharedBy, 3);
  assert.equal(merged.layout.align, 64);
  assert.equal(alone?.align, 1024);
  assert.ok(
    merged.layout.mayLieAbove4GiB && alone.mayLieAbove4GiB,
    'without the flag it is Normal memory first',
  );
  const grown = layoutReport({ size: 250, align: 64 });
  assert.equal(grown.merged?.name, 'maple_node');
  assert.equal(layoutReport({ size: 1024, machine: { slubNomerge: true } }).merged, null);
});

test('a request that the kernel refuses is a report with its line, nonsense an error', () => {
  const refused = layoutReport({ name: 'huge', size: 4 * 2 ** 20 + 1 });
  assert.equal(refused.refused, 'kmem_cache_create_usercopy(huge) failed with error -22');
  assert.equal(refused.alone, null);
  const panic = layoutReport({ size: 8, flags: SLAB.PANIC | 0x400000 });
  assert.match(panic.refused ?? '', /^Kernel panic - not syncing: .* Error -22$/);
  assert.throws(() => layoutReport({ size: 0 }), KernelWouldCrashError);
  assert.throws(() => layoutReport({ size: 8, align: 3 }), KernelWouldCrashError);
  assert.equal(layoutReport({ size: 8, align: 3, machine: { faithful: true } }).alone?.align, 8);
  const outside = layoutReport({ size: 64, usersize: 65 });
  assert.match(outside.warnings.join(), /usercopy region/);
});

test('segments cover every byte of an object once, whatever is asked for', () => {
  const flag = fc.constantFrom(
    0,
    SLAB.HWCACHE_ALIGN,
    SLAB.CACHE_DMA32,
    SLAB.TYPESAFE_BY_RCU,
    SLAB.RED_ZONE,
    SLAB.POISON,
    SLAB.STORE_USER,
  );
  const request = fc.record({
    size: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 4 << 20 })),
    align: fc.oneof(fc.constantFrom(0, 1, 8, 64, 1024, 4096), fc.integer({ min: 0, max: 300 })),
    flags: fc.tuple(flag, flag).map(([a, b]) => a | b),
    ctor: fc.boolean(),
  });
  const machine = fc.record({
    machine: fc.constant({
      name: 'small',
      title: 'small',
      ram: [{ start: 0x1000, end: 1 << 24 }],
      reserved: [],
      zones: [{ name: 'Normal' as const, end: Number.POSITIVE_INFINITY }],
    }),
    slubDebug: fc.constantFrom('', 'F', 'Z', 'P', 'U', 'FZPU', 'FZPUO'),
    cpus: fc.constantFrom(1, 4, 64),
    faithful: fc.constant(true),
  });
  fc.assert(
    fc.property(request, machine, (asked, on) => {
      const report = layoutReport({ ...asked, machine: on });
      for (const layout of [report.alone, report.merged?.layout]) if (layout) assertTiles(layout);
      assert.equal(report.refused === null, report.alone !== null);
    }),
    { seed: 7441, numRuns: runsOf(100) },
  );
});

// ---- SLAB --------------------------------------------------------------------------------------------------------------

test('the table of the patch series with SLAB: a page of four, whose last free one holds the list', () => {
  const request = { size: 1024, align: 1024, flags: SLAB.CACHE_DMA32 };
  const { alone, merged, machine } = layoutReport({
    ...request,
    machine: { machine: 'mt8173', cpus: 4, allocator: 'slab' },
  });
  assert.equal(merged, null);
  assert.deepEqual([machine.allocator, machine.slabMaxOrder], ['slab', 1]);
  assert.deepEqual(
    { ...alone, segments: told(alone!.segments) },
    {
      allocator: 'slab',
      slabSize: 1024,
      objectSize: 1024,
      align: 1024,
      order: 0,
      objects: 4,
      slabBytes: 4096,
      wasteBytes: 0,
      wasteShare: 0,
      allocflags: 0x40004,
      allocflagNames: 'GFP_DMA32|__GFP_COMP',
      flags: 0x40008000,
      flagNames: 'CACHE_DMA32|CFLGS_OBJFREELIST_SLAB',
      firstZone: 'DMA32',
      mayLieAbove4GiB: false,
      freelist: { place: 'object', bytes: 4, kmalloc: null, refused: [] },
      colours: 0,
      colourBytes: 1024,
      colourOffsets: [0],
      limit: 54,
      batchcount: 27,
      sharedFactor: 8,
      sharedLimit: 216,
      freeLimit: 139,
      segments: ['object 0 1024'],
    },
  );
});

/** A SLAB layout of a cache of its own. */
function slabLayoutOf(options: Parameters<typeof layoutReport>[0]) {
  const { alone } = layoutReport({
    ...options,
    machine: { allocator: 'slab', slubNomerge: true, ...options.machine },
  });
  assert.ok(alone?.allocator === 'slab');
  return alone;
}

test('where the list of free objects lies, and why not in a better place', () => {
  const small = slabLayoutOf({ size: 56 });
  assert.deepEqual(small.freelist, {
    place: 'slab',
    bytes: 71,
    kmalloc: null,
    refused: [
      { place: 'object', why: '73 indices do not fit into the 56 bytes asked for' },
      { place: 'outside', why: 'its kmalloc object would take more than half of the 56 bytes asked for' },
    ],
  });
  assert.equal(small.wasteBytes, 4096 - 71 * 57, 'the list is no waste');
  const constructed = slabLayoutOf({ size: 256, ctor: true });
  assert.deepEqual(
    [constructed.freelist.place, constructed.freelist.kmalloc],
    ['outside', { cache: 'kmalloc-32', bytes: 32 }],
  );
  assert.match(constructed.freelist.refused[0]!.why, /constructor/);
  const reader = slabLayoutOf({ size: 200, flags: SLAB.TYPESAFE_BY_RCU });
  assert.deepEqual(
    reader.freelist.refused.map(({ why }) => why),
    ['with TYPESAFE_BY_RCU a free object may still be read', 'the 96 bytes left over hold 20 indices anyway'],
  );
  const tiny = slabLayoutOf({ size: 8, flags: SLAB.NOLEAKTRACE });
  assert.match(tiny.freelist.refused[0]!.why, /more than 255/);
  assert.match(tiny.freelist.refused[1]!.why, /NOLEAKTRACE/);
});

test('colours move the objects of the next slab, the first one already', () => {
  assert.deepEqual(slabLayoutOf({ size: 328 }).colourOffsets, [64, 0], '160 bytes are left over');
  assert.deepEqual(slabLayoutOf({ size: 640 }).colourOffsets, [64, 128, 192, 0]);
  assert.deepEqual(slabLayoutOf({ size: 192 }).colourOffsets, [0]);
});

test('with SLAB, too, a request joins a standing cache or is refused with the line of the log', () => {
  const machine = { allocator: 'slab' as const };
  const { merged, alone } = layoutReport({ size: 1024, align: 64, machine });
  assert.equal(merged?.name, 'biovec-64');
  assert.ok(alone?.allocator === 'slab' && merged.layout.allocator === 'slab');
  assert.equal(
    layoutReport({ size: 1024, align: 1024, machine }).merged,
    null,
    'SLAB looks at the alignment, SLUB does not',
  );
  assert.match(layoutReport({ size: 5 << 20, machine }).refused!, /error -7$/);
  assert.throws(
    () => layoutReport({ size: 64, machine: { allocator: 'slab', kernel: '6.12' } }),
    /removed in 6\.8/,
  );
});

test('segments and slabs of SLAB cover their bytes, whatever is asked for', () => {
  const request = fc.record({
    size: fc.oneof(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 4 << 20 })),
    align: fc.constantFrom(0, 8, 64, 1024),
    ctor: fc.boolean(),
    flags: fc.constantFrom(
      0,
      SLAB.HWCACHE_ALIGN,
      SLAB.TYPESAFE_BY_RCU,
      SLAB.NOLEAKTRACE,
      SLAB.RECLAIM_ACCOUNT,
    ),
  });
  fc.assert(
    fc.property(request, (asked) => {
      const { alone, refused } = layoutReport({ ...asked, machine: { allocator: 'slab', standing: false } });
      if (alone === null) return refused !== null;
      assert.ok(alone.allocator === 'slab');
      assertTiles(alone);
      const { objects, slabSize, wasteBytes, slabBytes, freelist, colourOffsets } = alone;
      assert.equal(
        objects * slabSize + wasteBytes + (freelist.place === 'slab' ? freelist.bytes : 0),
        slabBytes,
      );
      assert.ok(Math.max(...colourOffsets) <= wasteBytes);
      assert.equal(freelist.kmalloc !== null, freelist.place === 'outside');
      return true;
    }),
    { seed: 61, numRuns: runsOf(100) },
  );
});

test('where CPUs have sheaves, their capacity stands in place of cpu_partial', () => {
  const of = (kernel: string, more: Partial<Parameters<typeof layoutReport>[0]> = {}) =>
    layoutReport({ size: 300, ...more, machine: { kernel } });
  const alone = of('7.3').alone!;
  assert.ok('sheafCapacity' in alone && !('cpuPartial' in alone) && !('cpuPartialSlabs' in alone));
  assert.equal(alone.sheafCapacity, 28);
  assert.ok(!('sheafCapacity' in of('6.12').alone!));
  const asked = of('7.3', { sheafCapacity: 61 });
  assert.equal(asked.merged, null);
  assert.equal(asked.request.sheafCapacity, 61);
  assert.ok('sheafCapacity' in asked.alone! && asked.alone.sheafCapacity === 61);
  assert.throws(() => of('6.1', { sheafCapacity: 61 }), /6\.1 has no sheaf_capacity/);
});
