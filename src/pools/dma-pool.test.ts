import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, MIB, NO_PFN, type PhysAddr } from '../base/index.js';
import { boardMap, checkFrames, createPhysicalMemory, GFP, type PhysicalMemory } from '../machine/index.js';
import { DmaPool, type DmaPoolOptions } from './dma-pool.js';

const profile = {
  pageSize: 4096,
  orders: 11,
  watermarkScaleFactor: 10,
  lowmemReserveRatio: { DMA: 256, DMA32: 256, Normal: 32 },
};

function machine(): PhysicalMemory {
  return createPhysicalMemory({ map: boardMap('x86_64', 64 * MIB), profile, cpus: 1 });
}

function pool(options: Partial<DmaPoolOptions>, memory = machine()): DmaPool {
  return DmaPool.create({ name: 'test', size: 64, ...options }, memory, GFP.KERNEL);
}

/** Bytes of all blocks that are handed out. */
function takenBytes(memory: PhysicalMemory): number {
  const used = checkFrames(memory, 'full', (term, message) => assert.fail(`${term}: ${message}`));
  return [...used.values()].reduce((sum, order) => sum + 4096 * 2 ** order, 0);
}

/** A plain model: a list of pages, newest first, each with a stack of free blocks. */
class Model {
  readonly pages: { base: number; free: number[] }[] = [];
  readonly live = new Map<number, { base: number; free: number[] }>();

  /** `address` is what the pool gave: a page that the model does not know begins there. */
  alloc(address: number, offsets: readonly number[]): number {
    let page = this.pages.find((p) => p.free.length > 0);
    if (!page) {
      page = { base: address, free: offsets.map((offset) => address + offset).reverse() };
      this.pages.unshift(page);
    }
    const block = page.free.pop()!;
    this.live.set(block, page);
    return block;
  }

  free(address: number): void {
    this.live.get(address)!.free.push(address);
    this.live.delete(address);
  }
}

const options = fc.record({
  size: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 9000 })),
  align: fc.nat({ max: 10 }).map((n) => 2 ** n),
  parts: fc.nat({ max: 4 }),
  exactFit: fc.boolean(),
});

/** The rule told backwards: every multiple of the size, counted from the last boundary, that may be used. */
function expectedOffsets(size: number, allocation: number, boundary: number, exactFit: boolean): number[] {
  const offsets: number[] = [];
  for (let offset = 0; offset < allocation; offset++) {
    const inPart = offset % boundary;
    const left = boundary - inPart;
    if (inPart % size !== 0) continue;
    if (inPart === 0 || left > size || (exactFit && left === size)) offsets.push(offset);
  }
  return offsets;
}

test('DmaPool: any operations agree with a list of pages that are stacks of blocks', () => {
  fc.assert(
    fc.property(
      options,
      fc.array(fc.tuple(fc.boolean(), fc.nat()), { minLength: 1, maxLength: 200 }),
      ({ size, align, parts, exactFit }, commands) => {
        const memory = machine();
        const rounded = Math.ceil(Math.max(size, 4) / align) * align;
        const allocation = Math.max(rounded, 4096);
        const boundary = rounded <= 4096 >> parts ? 4096 >> parts : 0;
        const mine = pool({ size, align, boundary, exactFit }, memory);
        const offsets = expectedOffsets(rounded, allocation, boundary || allocation, exactFit);
        assert.equal(mine.size, rounded);
        assert.equal(mine.blocksPerPage, offsets.length);
        const model = new Model();
        for (const [alloc, which] of commands) {
          if (alloc || model.live.size === 0) {
            const address = mine.alloc();
            assert.equal(address, model.alloc(address, offsets));
            assert.equal(address % Math.min(align, 4096), 0);
          } else {
            const victim = [...model.live.keys()][which % model.live.size]!;
            mine.free(victim as PhysAddr);
            model.free(victim);
          }
          mine.validate();
          assert.equal(mine.live, model.live.size);
          assert.equal(mine.pages, model.pages.length);
        }
        assert.equal(takenBytes(memory), mine.heldBytes);
        for (const address of [...model.live.keys()]) mine.free(address as PhysAddr);
        mine.validate();
        mine.destroy();
        assert.equal(takenBytes(memory), 0);
      },
    ),
    { numRuns: 200 },
  );
});

test('DmaPool: 6.1 leaves out the block that ends at a boundary', () => {
  assert.equal(pool({ size: 1024 }).blocksPerPage, 3);
  assert.equal(pool({ size: 1024, exactFit: true }).blocksPerPage, 4);
  assert.equal(pool({ size: 1024, boundary: 8192 }).blocksPerPage, 4);
  assert.equal(pool({ size: 1024, boundary: 1024 }).blocksPerPage, 4);
  assert.equal(pool({ size: 512, boundary: 2048 }).blocksPerPage, 6);
  assert.equal(pool({ size: 4096 }).blocksPerPage, 1);
  assert.equal(pool({ size: 1000 }).blocksPerPage, 4);
});

test('DmaPool: blocks larger than a page take a block of pages each', () => {
  const memory = machine();
  const large = pool({ size: 9 * KIB }, memory);
  assert.equal(large.pageBytes, 16 * KIB);
  const a = large.alloc();
  const b = large.alloc();
  assert.equal(large.heldBytes, 32 * KIB);
  large.free(a);
  assert.equal(large.alloc(), a);
  large.free(a);
  large.free(b);
  large.destroy();
  assert.equal(takenBytes(memory), 0);
});

test('DmaPool: empty pages stay; the newest page with room gives, the last freed block first', () => {
  const mine = pool({ size: 1000 });
  const blocks = Array.from({ length: 12 }, () => mine.alloc());
  for (const address of blocks) mine.free(address);
  assert.equal(mine.pages, 3);
  assert.equal(mine.live, 0);
  // Newest page: blocks 8 to 11; freed in order, so 11 is first.
  assert.deepEqual(
    Array.from({ length: 12 }, () => mine.alloc()),
    [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((i) => blocks[i]),
  );
  assert.equal(mine.pages, 3);
});

test('DmaPool: thousands of full pages do not make an allocation slow', () => {
  const memory = createPhysicalMemory({ map: boardMap('mt8173'), profile, cpus: 1 });
  const mine = pool({ size: 2048, exactFit: true }, memory);
  const blocks = Array.from({ length: 40_000 }, () => mine.alloc());
  assert.equal(mine.pages, 20_000);
  const oldest = blocks[0]!;
  const newest = blocks.at(-1)!;
  for (let i = 0; i < 50_000; i++) {
    // Each pair looks for room from the newest page down to the oldest.
    mine.free(oldest);
    mine.free(newest);
    assert.equal(mine.alloc(), newest);
    assert.equal(mine.alloc(), oldest);
  }
  mine.validate();
  for (const address of blocks) mine.free(address);
  mine.destroy();
});

test('DmaPool: no memory is NULL, and the pool goes on', () => {
  const memory = machine();
  const mine = pool({ size: 4096 }, memory);
  const taken: number[] = [];
  for (
    let pfn = memory.pages.allocPages(GFP.KERNEL, 0);
    pfn !== NO_PFN;
    pfn = memory.pages.allocPages(GFP.KERNEL, 0)
  ) {
    taken.push(pfn);
  }
  assert.equal(mine.alloc(), 0);
  assert.equal(mine.pages, 0);
  mine.validate();
  for (const pfn of taken) memory.pages.freePages(pfn as never, 0);
  assert.notEqual(mine.alloc(), 0);
});

test('DmaPool: a bad free is refused and changes nothing', () => {
  const mine = pool({ size: 1000, name: 'rings' });
  const refuse = (address: number, reason: string) => {
    const { live } = mine;
    assert.throws(() => mine.free(address as PhysAddr), { name: 'BadFreeError', reason, cache: 'rings' });
    assert.equal(mine.live, live);
    mine.validate();
  };
  const a = mine.alloc();
  refuse(a + 8192, 'unknown-address');
  refuse(Number.NaN, 'unknown-address');
  refuse(a + 8, 'misaligned');
  refuse(a + 4000, 'misaligned');
  refuse(a + 1000, 'not-live');
  mine.free(a);
  refuse(a, 'not-live');
});

test('DmaPool: destroy with live blocks is refused, and the pool goes on', () => {
  const mine = pool({});
  const a = mine.alloc();
  mine.alloc();
  assert.throws(() => mine.destroy(), { name: 'LiveObjectsError', cache: 'test', live: 2 });
  mine.free(a);
  assert.equal(mine.alloc(), a);
  const empty = pool({});
  empty.destroy();
  assert.throws(() => empty.alloc(), { name: 'ArgumentError' });
  assert.throws(() => empty.free(a), { name: 'ArgumentError' });
});

test('DmaPool: what the kernel refuses or gets wrong', () => {
  for (const bad of [
    { size: 0 },
    { size: 1.5 },
    { align: 0 },
    { align: 48 },
    { boundary: 32 },
    { boundary: 96 },
    { boundary: -1 },
  ]) {
    assert.throws(() => pool(bad), { name: 'ArgumentError' }, JSON.stringify(bad));
  }
  // A boundary behind the page, and blocks that do not divide it: the last one would lie half outside.
  assert.throws(() => pool({ size: 3000, boundary: 8192 }), { name: 'KernelWouldCrashError' });
});
