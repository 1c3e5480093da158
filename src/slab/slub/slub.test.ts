/**
 * SLUB: the suite of all slab allocators, and what only SLUB says and does without memory. Sequences of single objects are compared with a
 * real kernel's in truth/.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type Gfp, NO_PFN, NULL, type Pfn } from '../../base/index.js';
import { __GFP, formatGfp, GFP, GFP_NUMBERS_6_12, gfpHex } from '../../machine/index.js';
import { smallMap, testAllocator } from '../allocator.case.test.js';
import { SLAB } from '../kernel/flags.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine } from '../machine.js';

testAllocator({
  name: 'SLUB',
  allocator: 'slub',
  boots: fc.record({
    slubMinOrder: fc.constantFrom(0, 0, 0, 1, 3),
    slubMaxOrder: fc.constantFrom(3, 3, 3, 0, 1, 5),
    slubDebug: fc.constantFrom('', '', '', 'FZPU', 'F'),
  }),
});

// ---- no memory --------------------------------------------------------------------------------------------

/** Allocates until there is no more. Returns how many objects. */
function exhaust(cache: KmemCache, gfp: number): number {
  let count = 0;
  while (cache.alloc(gfp as Gfp) !== NULL) count++;
  return count;
}

test('an allocation without memory prints the kernel’s block: ten times, and not with NOWARN', () => {
  const machine = Machine.create({ machine: smallMap(8), slubNomerge: true });
  const cache = machine.kmemCacheCreate('tables', 1000, { flags: SLAB.CACHE_DMA32 })!;
  const silent = exhaust(cache, GFP.ATOMIC | __GFP.NOWARN);
  assert.ok(silent > 1000);
  assert.deepEqual(machine.log.lines, []);
  const { nrSlabs, totalObjects } = cache.info;
  assert.equal(totalObjects, silent);
  assert.equal(cache.alloc(GFP.ATOMIC), NULL);
  const block = [
    'SLUB: Unable to allocate memory on node -1, gfp=0xa20(GFP_ATOMIC)',
    '  cache: tables, object size: 1000, buffer size: 1000, default order: 2, min order: 0',
    `  node 0: slabs: ${nrSlabs}, objs: ${totalObjects}, free: 0`,
  ];
  assert.deepEqual(machine.log.lines, block);
  for (let i = 0; i < 20; i++) assert.equal(cache.alloc(GFP.ATOMIC), NULL);
  assert.equal(machine.log.lines.length, 10 * block.length);
  assert.equal(cache.info.failed, 22);
  machine.validate();
});

test('each kernel prints its own numbers of gfp flags: those that were recorded', () => {
  for (const [kernel, atomic] of [
    ['6.1', '0xa20(GFP_ATOMIC)'],
    ['6.12', '0x820(GFP_ATOMIC)'],
  ] as const) {
    const machine = Machine.create({ machine: smallMap(4), kernel, slubNomerge: true });
    const cache = machine.kmemCacheCreate('tables', 1000, { flags: SLAB.CACHE_DMA32 })!;
    exhaust(cache, GFP.ATOMIC | __GFP.NOWARN);
    assert.equal(cache.alloc(GFP.ATOMIC), NULL);
    assert.equal(machine.log.lines[0], `SLUB: Unable to allocate memory on node -1, gfp=${atomic}`);
    cache.alloc((GFP.ATOMIC | GFP.DMA32) as Gfp);
    const named = `${atomic.replace('(', ' (')}. Fix your code!`;
    assert.ok(machine.log.lines.some((line) => line.endsWith(`Fixing up to gfp: ${named}`)));
    machine.validate();
  }
  const file = new URL('../../../truth/6.12/kmalloc-slub.json.gz', import.meta.url);
  const recorded = JSON.parse(gunzipSync(readFileSync(file)).toString()).constants.gfp;
  assert.equal(gfpHex(GFP.ATOMIC, GFP_NUMBERS_6_12), `0x${recorded.GFP_ATOMIC}`);
  assert.equal(formatGfp(Number(`0x${recorded.GFP_NOWAIT}`), GFP_NUMBERS_6_12), 'GFP_NOWAIT');
  assert.equal(formatGfp(GFP.NOWAIT, GFP_NUMBERS_6_12), '__GFP_KSWAPD_RECLAIM');
});

test('the block counts what is free on the node, and quotes the caller’s gfp', () => {
  const machine = Machine.create({ machine: smallMap(4), cpus: 2, slubNomerge: true });
  const cache = machine.kmemCacheCreate('tables', 512, { flags: SLAB.CACHE_DMA32 })!;
  exhaust(cache, GFP.KERNEL | __GFP.NOWARN);
  const other = machine.kmemCacheCreate('others', 256, { flags: SLAB.CACHE_DMA32 })!;
  assert.equal(other.alloc((GFP.KERNEL | GFP.DMA32 | __GFP.ZERO) as Gfp), NULL);
  assert.deepEqual(machine.log.lines.slice(0, 2), [
    'Unexpected gfp: 0x4 (GFP_DMA32). Fixing up to gfp: 0xdc0 (GFP_KERNEL|__GFP_ZERO). Fix your code!',
    'SLUB: Unable to allocate memory on node -1, gfp=0xdc4(GFP_KERNEL|GFP_DMA32|__GFP_ZERO)',
  ]);
  assert.equal(machine.log.lines.at(-1), '  node 0: slabs: 0, objs: 0, free: 0');
});

/** The third line appears where the smallest order is above the one that the object alone would need. */
test('the block says where debugging raised the smallest order, for large objects too', () => {
  for (const [size, raised] of [
    [1024, false],
    [4096, true],
    [4100, false],
    [8192, true],
  ] as const) {
    const machine = Machine.create({ machine: smallMap(4), slubDebug: 'FZPU' });
    const cache = machine.kmemCacheCreate('objects', size)!;
    exhaust(cache, GFP.KERNEL | __GFP.NOWARN);
    cache.alloc();
    const { min } = cache.info;
    assert.ok(machine.log.lines[1]!.endsWith(`, min order: ${min.order}`));
    assert.deepEqual(
      machine.log.lines.slice(2, -1),
      raised ? ['  objects debugging increased min order, use slub_debug=O to disable.'] : [],
      `object size ${size}, min order ${min.order}`,
    );
  }
});

test('where the preferred order is not available, the smallest one serves and is counted', () => {
  const machine = Machine.create({ machine: smallMap(8), cpus: 8 });
  const cache = machine.kmemCacheCreate('tables', 1024, { align: 1024 })!;
  assert.deepEqual(cache.info.oo, { order: 3, objects: 32 });
  // Every second page is taken: plenty is free, in single pages.
  const takePage = () => machine.allocPages((__GFP.MEMALLOC | __GFP.NOWARN) as Gfp, 0);
  const even: Pfn[] = [];
  for (let pfn = takePage(); pfn !== NO_PFN; pfn = takePage()) if (pfn % 2 === 0) even.push(pfn);
  for (const pfn of even) machine.freePages(pfn, 0);
  const taken = machine.memory.takenPages();
  assert.deepEqual(new Set(machine.zones().flatMap(({ freeBlocks }) => freeBlocks.slice(1))), new Set([0]));
  const objects = cache.allocBulk(6);
  assert.equal(objects.length, 6);
  const { orderFallbacks, nrSlabs, totalObjects, failed } = cache.info;
  assert.deepEqual(
    { orderFallbacks, nrSlabs, totalObjects, failed },
    {
      orderFallbacks: 2,
      nrSlabs: 2,
      totalObjects: 8,
      failed: 0,
    },
  );
  assert.deepEqual(machine.log.lines, [], 'the larger order is an offer: nothing is printed');
  machine.validate();
  cache.freeBulk(objects);
  cache.shrink();
  assert.equal(machine.memory.takenPages(), taken);
});

// ---- a machine on paper -----------------------------------------------------------------------------------

test('1000 slabs on a machine of 1 TiB hold less than 64 MiB of this computer', () => {
  const slab = new URL('../index.js', import.meta.url).href;
  const script = (withMachine: boolean) => `
    import { Machine } from ${JSON.stringify(slab)};
    let objects = 0;
    if (${withMachine}) {
      const machine = Machine.create({ machine: 'x86_64', memory: 2 ** 40 });
      const cache = machine.kmemCacheCreate('objects', 256);
      while (cache.info.nrSlabs < 1000) if (cache.alloc() !== 0) objects++;
    }
    console.log(JSON.stringify({ objects, kib: process.resourceUsage().maxRSS }));`;
  const resident = (withMachine: boolean): { objects: number; kib: number } =>
    JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '--eval', script(withMachine)], {
        encoding: 'utf8',
      }),
    );
  const machine = resident(true);
  assert.ok(machine.objects > 15_000);
  const grown = (machine.kib - resident(false).kib) / 1024;
  assert.ok(grown < 64, `${grown.toFixed(1)} MiB`);
});
