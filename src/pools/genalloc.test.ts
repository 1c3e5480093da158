import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, MIB, type PhysAddr } from '../base/index.js';
import { KernelLog } from '../machine/index.js';
import { GenPool, type GenPoolAlgo } from './genalloc.js';

const ALGOS: readonly GenPoolAlgo[] = [
  'first_fit',
  'first_fit_align',
  'first_fit_order_align',
  'best_fit',
  'fixed_alloc',
];

// ---- A plain model: one boolean a granule, and every rule as it is told ----------------------------------

interface ModelChunk {
  readonly start: number;
  readonly size: number;
  readonly used: boolean[];
  avail: number;
}

class Model {
  readonly chunks: ModelChunk[] = [];
  readonly granule: number;

  constructor(granule: number) {
    this.granule = granule;
  }

  add(start: number, size: number): void {
    const used = new Array<boolean>(Math.floor(size / this.granule)).fill(false);
    this.chunks.unshift({ start, size, used, avail: size });
  }

  alloc(size: number, algo: GenPoolAlgo, data: number): number {
    if (size === 0) return 0;
    const count = Math.ceil(size / this.granule);
    for (const chunk of this.chunks) {
      if (size > chunk.avail) continue;
      const first = this.#place(chunk, count, algo, data);
      if (first < 0) continue;
      chunk.used.fill(true, first, first + count);
      chunk.avail -= count * this.granule;
      return chunk.start + first * this.granule;
    }
    return 0;
  }

  #place(chunk: ModelChunk, count: number, algo: GenPoolAlgo, data: number): number {
    const free = (at: number) =>
      at + count <= chunk.used.length && !chunk.used.slice(at, at + count).includes(true);
    const places = chunk.used.map((_, at) => at).filter(free);
    if (algo === 'fixed_alloc')
      return data % this.granule === 0 && free(data / this.granule) ? data / this.granule : -1;
    if (algo === 'first_fit_align') {
      // For a power of two: the place's address is aligned, or the granule is larger than the alignment.
      const unit = Math.max(data, this.granule);
      const base = chunk.start - (chunk.start % this.granule);
      return places.find((at) => (base + at * this.granule) % unit === 0) ?? -1;
    }
    if (algo === 'first_fit_order_align') {
      let unit = 1;
      while (unit < count) unit *= 2;
      return places.find((at) => at % unit === 0) ?? -1;
    }
    if (algo === 'first_fit') return places[0] ?? -1;
    return this.#bestPlace(chunk, count);
  }

  #bestPlace(chunk: ModelChunk, count: number): number {
    let best = -1;
    let bestLength = Number.POSITIVE_INFINITY;
    for (let at = 0; at < chunk.used.length; ) {
      let end = at;
      while (end < chunk.used.length && !chunk.used[end]) end++;
      if (end - at >= count && end - at < bestLength) {
        best = at;
        bestLength = end - at;
      }
      at = end + 1;
    }
    return best;
  }

  free(address: number, size: number): void {
    const chunk = this.chunks.find((c) => address >= c.start && address < c.start + c.size)!;
    const first = (address - chunk.start) / this.granule;
    const count = Math.ceil(size / this.granule);
    chunk.used.fill(false, first, first + count);
    chunk.avail += count * this.granule;
  }

  get avail(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.avail, 0);
  }
}

type Command =
  | {
      readonly kind: 'alloc';
      readonly granules: number;
      readonly less: number;
      readonly algo: number;
      readonly data: number;
    }
  | { readonly kind: 'free'; readonly which: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('alloc' as const),
      granules: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 70 })),
      less: fc.nat({ max: 15 }),
      algo: fc.nat({ max: ALGOS.length - 1 }),
      data: fc.nat({ max: 40 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('free' as const), which: fc.nat() }),
  },
);

/** Chunks that do not touch, sometimes with a rest behind the last whole granule. */
const chunkSizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 3200 }), fc.nat({ max: 30 })), {
  minLength: 1,
  maxLength: 4,
});

test('GenPool: any operations agree with a model of one boolean a granule', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4 }),
      chunkSizes,
      fc.array(command, { maxLength: 120 }),
      (minOrder, sizes, commands) => {
        const pool = new GenPool({ minOrder, algo: 'first_fit' });
        const model = new Model(2 ** minOrder);
        let start = 2 ** 32;
        for (const [size, gap] of sizes) {
          pool.add(start, size);
          model.add(start, size);
          start += size + gap;
        }
        const live: { address: PhysAddr; size: number }[] = [];
        for (const cmd of commands) {
          run(pool, model, live, cmd);
          assert.equal(pool.avail, model.avail);
          assert.equal(pool.live, live.length);
          pool.validate();
        }
        for (const { address, size } of live) pool.free(address, size);
        pool.validate();
        assert.equal(pool.avail, pool.size);
        pool.destroy();
      },
    ),
    { numRuns: 300 },
  );
});

function run(pool: GenPool, model: Model, live: { address: PhysAddr; size: number }[], cmd: Command): void {
  if (cmd.kind === 'free') {
    if (live.length === 0) return;
    const [{ address, size }] = live.splice(cmd.which % live.length, 1) as [
      { address: PhysAddr; size: number },
    ];
    pool.free(address, size);
    model.free(address, size);
    return;
  }
  const size = Math.max(0, cmd.granules * pool.granule - cmd.less);
  const algo = ALGOS[cmd.algo]!;
  const data = algo === 'first_fit_align' ? 2 ** (cmd.data % 9) : cmd.data;
  const address = pool.alloc(size, { algo, data });
  assert.equal(address, model.alloc(size, algo, data), `${algo} ${size} with ${data}`);
  if (address !== 0) live.push({ address, size });
}

test('GenPool: searches cross words of 32 granules', () => {
  const pool = new GenPool({ minOrder: 0, algo: 'first_fit' });
  pool.add(4096, 200);
  assert.equal(pool.alloc(31), 4096);
  assert.equal(pool.alloc(33), 4096 + 31);
  assert.equal(pool.alloc(100), 4096 + 64);
  pool.free((4096 + 31) as PhysAddr, 33);
  assert.equal(pool.alloc(34), 4096 + 164);
  assert.equal(pool.alloc(33), 4096 + 31);
  pool.validate();
});

test('GenPool: a full pool of 4 MiB takes nothing more and gives everything back', () => {
  const pool = new GenPool({ minOrder: 10, algo: 'first_fit' });
  pool.add(2 ** 31, 4 * MIB);
  const tables = Array.from({ length: 4096 }, () => pool.alloc(KIB));
  assert.equal(new Set(tables).size, 4096);
  assert.equal(pool.alloc(1), 0);
  assert.equal(pool.avail, 0);
  for (const table of tables) pool.free(table, KIB);
  assert.equal(pool.alloc(4 * MIB), 2 ** 31);
});

test('GenPool: first_fit_align looks at the address, not at the offset in the chunk', () => {
  const pool = new GenPool({ minOrder: 5, algo: 'first_fit_align', data: 4096 });
  pool.add(0x10e0, 64 * KIB);
  assert.equal(pool.alloc(32), 0x2000);
  assert.equal(pool.alloc(32), 0x3000);
  assert.equal(pool.alloc(32, { data: 256 }), 0x1100);
});

test('GenPool: an alignment that is no power of two is used as the mask it makes', () => {
  // Five granules make the mask 4: every place without that bit qualifies.
  const pool = new GenPool({ minOrder: 4, algo: 'first_fit_align', data: 80 });
  pool.add(0x1000, 4096);
  const granules = Array.from({ length: 6 }, () => (pool.alloc(16) - 0x1000) / 16);
  assert.deepEqual(granules, [0, 1, 2, 3, 8, 9]);
});

test('GenPool: an alignment beyond 32 bits is exact', () => {
  const pool = new GenPool({ minOrder: 12, algo: 'first_fit_align', data: 2 ** 33 });
  pool.add(2 ** 33 - 8192, 64 * KIB);
  assert.equal(pool.alloc(4096), 2 ** 33);
});

test('GenPool: a misplaced fixed_alloc warns and fails', () => {
  const log = new KernelLog();
  const pool = new GenPool({ minOrder: 10, algo: 'fixed_alloc', data: 512, log });
  pool.add(4096, 64 * KIB);
  assert.equal(pool.alloc(1024), 0);
  assert.match(log.lines[0]!, /offset 0x200 is no multiple of 1024/);
  assert.equal(pool.alloc(1024, { data: 2048 }), 4096 + 2048);
  assert.equal(pool.alloc(2048, { data: 1024 }), 0);
  assert.equal(pool.alloc(1, { data: 64 * KIB }), 0);
});

test('GenPool: addresses, physical addresses, and the rest behind the last granule', () => {
  const pool = new GenPool({ minOrder: 10, algo: 'first_fit' });
  pool.add(0x10000, 5000);
  pool.add(0x20000, 1000);
  pool.add(0x30000, 2048, 0x8000_0000);
  assert.equal(pool.size, 8048);
  assert.equal(pool.hasAddr(0x10000, 5000), true);
  assert.equal(pool.hasAddr(0x10000, 5001), false);
  assert.equal(pool.hasAddr(0x18000, 1), false);
  assert.equal(pool.virtToPhys(0x30064), 0x8000_0064);
  assert.equal(pool.virtToPhys(0x18000), -1);
  assert.equal(pool.virtToPhys(0x10002), 1);
  assert.equal(pool.alloc(0), 0);
  assert.equal(pool.alloc(5000), 0);
  assert.equal(pool.alloc(4096), 0x10000);
  assert.equal(pool.alloc(1), 0x30000);
});

test('GenPool: a bad free is refused and changes nothing', () => {
  const pool = new GenPool({ minOrder: 4, algo: 'first_fit', name: 'sram' });
  pool.add(0x1000, 1000);
  const a = pool.alloc(64);
  const b = pool.alloc(64);
  const refuse = (address: number, size: number, reason: string) => {
    const { avail, live } = pool;
    assert.throws(() => pool.free(address as PhysAddr, size), {
      name: 'BadFreeError',
      reason,
      cache: 'sram',
    });
    assert.deepEqual([pool.avail, pool.live], [avail, live]);
    pool.validate();
  };
  refuse(0x900, 64, 'unknown-address');
  refuse(0x1000 + 1000, 64, 'unknown-address');
  refuse(a + 16, 48, 'misaligned');
  refuse(a + 8, 64, 'misaligned');
  refuse(a, 32, 'wrong-size');
  refuse(a, 128, 'wrong-size');
  refuse(a, 0, 'wrong-size');
  refuse(0x1000 + 992, 8, 'not-live');
  pool.free(a, 64);
  refuse(a, 64, 'not-live');
  pool.free(b, 50);
  assert.equal(pool.avail, 1000);
});

test('GenPool: destroy with live allocations is refused, and the pool goes on', () => {
  const pool = new GenPool({ minOrder: 4, algo: 'first_fit' });
  pool.add(0x1000, 1024);
  const a = pool.alloc(100);
  assert.throws(() => pool.destroy(), { name: 'LiveObjectsError', live: 1 });
  pool.free(a, 100);
  pool.destroy();
  assert.throws(() => pool.alloc(1), { name: 'ArgumentError' });
  assert.throws(() => pool.destroy(), { name: 'ArgumentError' });
});

test('GenPool: arguments that cannot be meant', () => {
  const make = (options: object) => new GenPool({ minOrder: 4, algo: 'first_fit', ...options });
  assert.throws(() => make({ minOrder: 31 }), { name: 'ArgumentError' });
  assert.throws(() => make({ minOrder: 1.5 }), { name: 'ArgumentError' });
  assert.throws(() => make({ algo: 'best-fit' }), {
    name: 'UnknownNameError',
    message: /did you mean 'best_fit'/,
  });
  assert.throws(() => make({ data: -1 }), { name: 'ArgumentError' });
  assert.throws(() => make({ algo: 'first_fit_align' }), { name: 'KernelWouldCrashError' });
  const pool = make({});
  pool.add(0x1000, 0x1000);
  for (const [address, size] of [
    [0, 4096],
    [4096, 0],
    [1.5, 4096],
    [-4096, 4096],
    [2 ** 53, 4096],
    [0x1fff, 1],
    [1, 0x1000],
  ]) {
    assert.throws(() => pool.add(address!, size!), { name: 'ArgumentError' }, `${address} + ${size}`);
  }
  assert.throws(() => pool.add(2 ** 40, 2 ** 36), { name: 'ArgumentError' });
  assert.throws(() => pool.add(2 ** 40, 4096, -5), { name: 'ArgumentError' });
  for (const size of [-1, 0.5, Number.NaN]) assert.throws(() => pool.alloc(size), { name: 'ArgumentError' });
  assert.throws(() => pool.free(0x1000 as PhysAddr, Number.NaN), { name: 'ArgumentError' });
  assert.throws(() => pool.alloc(16, { algo: 'first_fit_align' }), { name: 'KernelWouldCrashError' });
});
