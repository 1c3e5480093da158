import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, MIB, NO_PFN, type Pfn, type PhysAddr } from '../base/index.js';
import {
  __GFP,
  boardMap,
  checkFrames,
  createPhysicalMemory,
  GFP,
  type PhysicalMemory,
} from '../machine/index.js';
import { PageFragCache } from './page-frag.js';

const profile = {
  pageSize: 4096,
  orders: 11,
  watermarkScaleFactor: 10,
  lowmemReserveRatio: { DMA: 256, DMA32: 256, Normal: 32 },
};

function machine(): PhysicalMemory {
  return createPhysicalMemory({ map: boardMap('x86_64', 64 * MIB), profile, cpus: 1 });
}

/** All blocks that are handed out, as [pfn, order]. */
function blocks(memory: PhysicalMemory): [number, number][] {
  const used = checkFrames(memory, 'full', (term, message) => assert.fail(`${term}: ${message}`));
  return [...used].map(([frame, order]) => [frame + memory.basePfn, order]);
}

/** Takes every block of `order` that `gfp` can have. */
function exhaust(memory: PhysicalMemory, order: number, gfp = GFP.KERNEL): Pfn[] {
  const taken: Pfn[] = [];
  for (;;) {
    const pfn = memory.pages.allocPages(gfp, order);
    if (pfn === NO_PFN) return taken;
    taken.push(pfn);
  }
}

type Command =
  | { readonly kind: 'alloc'; readonly size: number; readonly align: number }
  | { readonly kind: 'free'; readonly which: number }
  | { readonly kind: 'drain' };

const size = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 1, max: 9000 }),
  fc.integer({ min: 1, max: 40000 }),
  fc.constant(0),
);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('alloc' as const),
      // A fragment of no size may lie at the neighbour's address, which makes its free ambiguous: a test of its own.
      size: size.map((bytes) => Math.max(bytes, 1)),
      align: fc.oneof(
        fc.constant(1),
        fc.nat({ max: 15 }).map((n) => 2 ** n),
      ),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('free' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'drain' as const }) },
);

interface Fragment {
  readonly address: PhysAddr;
  readonly size: number;
}

/** What an allocation must satisfy whatever the rules: its own bytes, of a held chunk, aligned. */
function checkFragment(
  cache: PageFragCache,
  live: readonly Fragment[],
  fragment: Fragment,
  align: number,
): void {
  const { address, size: bytes } = fragment;
  const chunk = cache.chunks().find((c) => c.current)!;
  assert.ok(address >= chunk.address && address + bytes <= chunk.address + chunk.bytes);
  assert.equal((address - chunk.address) % align, 0);
  for (const other of live) {
    assert.ok(
      address + bytes <= other.address ||
        other.address + other.size <= address ||
        bytes === 0 ||
        other.size === 0,
      `${address} + ${bytes} overlaps ${other.address} + ${other.size}`,
    );
  }
}

test('PageFragCache: any operations agree with a Map of live fragments', () => {
  fc.assert(
    fc.property(fc.constantFrom(0, 1, 3), fc.array(command, { maxLength: 150 }), (chunkOrder, commands) => {
      const memory = machine();
      const cache = new PageFragCache(memory, { gfp: GFP.KERNEL, chunkOrder });
      const live: Fragment[] = [];
      for (const cmd of commands) {
        if (cmd.kind === 'drain') {
          cache.drain();
          assert.equal(cache.state().page, -1);
        } else if (cmd.kind === 'free') {
          if (live.length === 0) continue;
          cache.free(live.splice(cmd.which % live.length, 1)[0]!.address);
        } else {
          const address = cache.alloc(cmd.size, cmd.align);
          assert.equal(address === 0, cmd.size > 4096 * 2 ** chunkOrder);
          if (address === 0) continue;
          const fragment = { address, size: cmd.size };
          checkFragment(cache, live, fragment, cmd.align);
          live.push(fragment);
        }
        checkAgainst(memory, cache, live, chunkOrder);
      }
      for (const { address } of live) cache.free(address);
      cache.drain();
      cache.validate();
      assert.equal(cache.liveChunks, 0);
      assert.deepEqual(blocks(memory), []);
    }),
    { numRuns: 200 },
  );
});

/** The cache holds the chunks of live fragments and the current one, and nothing else. */
function checkAgainst(
  memory: PhysicalMemory,
  cache: PageFragCache,
  live: readonly Fragment[],
  order: number,
): void {
  cache.validate();
  const chunks = cache.chunks();
  assert.equal(chunks.length, cache.liveChunks);
  assert.equal(cache.heldBytes, memory.takenPages() * 4096);
  assert.deepEqual(
    blocks(memory),
    chunks.map((c) => [c.address / 4096, order]).sort((a, b) => a[0]! - b[0]!),
  );
  assert.equal(
    chunks.reduce((sum, c) => sum + c.fragments, 0),
    live.length,
  );
  for (const chunk of chunks) assert.ok(chunk.current || chunk.fragments > 0);
}

test('PageFragCache: fragments go down from the end; a chunk without fragments is taken again', () => {
  const memory = machine();
  const cache = new PageFragCache(memory, { gfp: GFP.KERNEL });
  const a = cache.alloc(100);
  const { address } = cache.state();
  assert.equal(a - address, 32668);
  assert.deepEqual(cache.state(), {
    page: 0,
    address,
    pagecntBias: 32768,
    pageRefcount: 32769,
    offset: 32668,
  });
  const b = cache.alloc(1000, 1024);
  assert.equal(b - address, 30720);
  cache.free(a);
  cache.free(b);
  // All fragments are free, and still it goes on where it was.
  assert.deepEqual(cache.state(), {
    page: 0,
    address,
    pagecntBias: 32767,
    pageRefcount: 32767,
    offset: 30720,
  });
  assert.equal(cache.alloc(30721) - address, 32768 - 30721);
  assert.deepEqual(cache.state(), {
    page: 0,
    address,
    pagecntBias: 32768,
    pageRefcount: 32769,
    offset: 2047,
  });
});

test('PageFragCache: a request larger than a chunk fails and leaves its traces', () => {
  const cache = new PageFragCache(machine(), { gfp: GFP.KERNEL });
  assert.equal(cache.alloc(32769), 0);
  assert.equal(cache.state().page, -1);
  assert.equal(cache.liveChunks, 1);
  const a = cache.alloc(100);
  assert.equal(cache.state().page, 0);
  // With a fragment the chunk is given up for a fresh one.
  assert.equal(cache.alloc(40000), 0);
  assert.equal(cache.liveChunks, 2);
  assert.deepEqual([cache.state().page, cache.state().offset], [-1, 32768]);
  cache.free(a);
  assert.equal(cache.liveChunks, 1);
  // Without one it stays, and keeps its offset.
  const b = cache.alloc(200);
  cache.free(b);
  assert.equal(cache.alloc(40000), 0);
  assert.deepEqual([cache.state().page, cache.state().offset, cache.state().pagecntBias], [1, 32568, 32769]);
});

test('PageFragCache: fragments of no size share an address and are freed once each', () => {
  const memory = machine();
  const cache = new PageFragCache(memory, { gfp: GFP.KERNEL });
  const behind = cache.alloc(0);
  assert.equal(behind, cache.state().address + 32768);
  const whole = cache.alloc(32768);
  const next = cache.alloc(32768);
  // The machine's chunks follow each other: the same address, live in two chunks.
  assert.equal(next, behind);
  cache.free(behind);
  cache.free(behind);
  cache.validate();
  assert.throws(() => cache.free(behind), { name: 'BadFreeError' });
  cache.free(whole);
  const a = cache.alloc(64);
  const b = cache.alloc(0);
  assert.equal(a, b);
  cache.free(a);
  cache.validate();
  cache.free(b);
  assert.throws(() => cache.free(b), { name: 'BadFreeError', reason: 'not-live' });
  cache.drain();
  assert.deepEqual(blocks(memory), []);
});

test('PageFragCache: falls back to a page, then fails, then recovers', () => {
  const memory = machine();
  const cache = new PageFragCache(memory, { gfp: GFP.KERNEL });
  const large = exhaust(memory, 3);
  const a = cache.alloc(1000);
  assert.equal(cache.state().offset, 3096);
  assert.equal(cache.heldBytes, 4096);
  // Does not fit into the fallback, nor into the next.
  assert.equal(cache.alloc(5000), 0);
  assert.deepEqual([cache.liveChunks, cache.heldBytes, cache.state().offset], [2, 8192, 4096]);
  const b = cache.alloc(4096);
  const pages = exhaust(memory, 0);
  assert.equal(cache.alloc(64), 0);
  assert.deepEqual([cache.state().page, cache.state().pageRefcount, cache.liveChunks], [-1, -1, 2]);
  assert.equal(cache.alloc(64), 0);
  cache.validate();
  for (const pfn of pages) memory.pages.freePages(pfn, 0);
  for (const pfn of large) memory.pages.freePages(pfn, 3);
  const c = cache.alloc(64);
  assert.equal(cache.heldBytes, 8192 + 32 * KIB);
  for (const address of [a, b, c]) cache.free(address);
  cache.drain();
  cache.validate();
  assert.deepEqual(blocks(memory), []);
});

test('PageFragCache: a large chunk does not use the reserves, its fallback does', () => {
  const memory = machine();
  exhaust(memory, 3, (GFP.ATOMIC | __GFP.NOMEMALLOC) as typeof GFP.ATOMIC);
  const cache = new PageFragCache(memory, { gfp: GFP.ATOMIC });
  assert.notEqual(cache.alloc(64), 0);
  assert.equal(cache.heldBytes, 4096);
  assert.notEqual(memory.pages.allocPages(GFP.ATOMIC, 3), NO_PFN);
});

test('PageFragCache: chunks below 4 GiB when asked, whatever else there is', () => {
  const memory = createPhysicalMemory({ map: boardMap('mt8173'), profile, cpus: 1 });
  assert.ok(new PageFragCache(memory, { gfp: GFP.KERNEL }).alloc(64) > 2 ** 32);
  const dma32 = (GFP.KERNEL | GFP.DMA32) as typeof GFP.KERNEL;
  assert.ok(new PageFragCache(memory, { gfp: dma32 }).alloc(64) < 2 ** 32);
});

test('PageFragCache: a bad free is refused and changes nothing', () => {
  const cache = new PageFragCache(machine(), { gfp: GFP.KERNEL });
  const refuse = (address: number, reason: string) => {
    const before = [cache.state(), cache.chunks()];
    assert.throws(() => cache.free(address as PhysAddr), { name: 'BadFreeError', reason });
    assert.deepEqual([cache.state(), cache.chunks()], before);
    cache.validate();
  };
  refuse(4096, 'unknown-address');
  refuse(0, 'unknown-address');
  refuse(Number.NaN, 'unknown-address');
  const a = cache.alloc(256);
  const b = cache.alloc(256);
  refuse(a + 1, 'not-live');
  refuse(a - 4096, 'not-live');
  refuse(a + 256, 'unknown-address');
  cache.free(a);
  refuse(a, 'not-live');
  cache.drain();
  cache.free(b);
  refuse(b, 'unknown-address');
});

test('PageFragCache: arguments that cannot be meant', () => {
  const memory = machine();
  assert.throws(() => new PageFragCache(memory, { gfp: GFP.KERNEL, chunkOrder: 11 }), {
    name: 'ArgumentError',
  });
  assert.throws(() => new PageFragCache(memory, { gfp: GFP.KERNEL, chunkOrder: 0.5 }), {
    name: 'ArgumentError',
  });
  const cache = new PageFragCache(memory, { gfp: GFP.KERNEL });
  for (const bytes of [-1, 0.5, Number.NaN])
    assert.throws(() => cache.alloc(bytes), { name: 'ArgumentError' });
  for (const align of [0, -8, 2.5]) assert.throws(() => cache.alloc(8, align), { name: 'ArgumentError' });
  assert.throws(() => cache.alloc(2 ** 31), { name: 'KernelWouldCrashError' });
  for (let i = 0; i < 32768; i++) cache.alloc(1);
  assert.throws(() => cache.alloc(0), { name: 'KernelWouldCrashError' });
  cache.validate();
  assert.notEqual(cache.alloc(1), 0);
  assert.equal(cache.liveChunks, 2);
});
