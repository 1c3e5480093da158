/**
 * SLUB against a model that knows nothing of slabs: a map from live addresses to the caches that they belong
 * to. After each operation the whole equation of the ledger is checked as well.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Gfp,
  LedgerFullError,
  LiveObjectsError,
  MIB,
  NO_PFN,
  NULL,
  type Pfn,
  type PhysAddr,
  Random,
} from '../base/index.js';
import { __GFP, GFP, linkPagesInUse, type MemoryMap } from '../machine/index.js';
import { SLAB } from './flags.js';
import type { KmemCache } from './kmem-cache.js';
import { Machine, type MachineOptions } from './machine.js';

const PAGE = 4096;
const CACHES = 12;

/** Three zones in a few MiB, so that each can run dry. */
function smallMap(mib: number): MemoryMap {
  return {
    name: 'small',
    title: '',
    ram: [{ start: PAGE, end: mib * MIB }],
    reserved: [],
    zones: [
      { name: 'DMA', end: (mib / 4) * MIB },
      { name: 'DMA32', end: (mib / 2) * MIB },
      { name: 'Normal', end: Number.POSITIVE_INFINITY },
    ],
  };
}

// ---- random operations ------------------------------------------------------------------------------------

const GFPS: readonly number[] = [
  GFP.KERNEL,
  GFP.KERNEL,
  GFP.ATOMIC,
  GFP.NOWAIT | __GFP.NOWARN,
  GFP.KERNEL | __GFP.ZERO,
  GFP.KERNEL | GFP.DMA32,
];

const FLAGS: readonly number[] = [
  SLAB.NONE,
  SLAB.NONE,
  SLAB.CACHE_DMA32,
  SLAB.CACHE_DMA32 | SLAB.HWCACHE_ALIGN,
  SLAB.CACHE_DMA,
  SLAB.HWCACHE_ALIGN,
  SLAB.RECLAIM_ACCOUNT,
  SLAB.TYPESAFE_BY_RCU,
  SLAB.RED_ZONE | SLAB.POISON,
  SLAB.CONSISTENCY_CHECKS,
];

/** Few enough that caches of one size meet, and merge. */
const sizes = fc.oneof(fc.constantFrom(8, 60, 64, 1000, 1024, 4096, 8192), fc.integer({ min: 1, max: 8192 }));

const creation = fc.record({
  kind: fc.constant('create' as const),
  size: sizes,
  align: fc.constantFrom(0, 0, 8, 64, 1024),
  flags: fc.constantFrom(...FLAGS),
  ctor: fc.boolean(),
});

const operation = fc.oneof(
  { weight: 2, arbitrary: creation },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('alloc' as const, 'allocBulk' as const),
      cache: fc.nat(),
      gfp: fc.constantFrom(...GFPS),
      count: fc.integer({ min: 1, max: 120 }),
      cpu: fc.nat(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('free' as const, 'freeBulk' as const),
      cache: fc.nat(),
      at: fc.nat(),
      step: fc.constantFrom(1, 1, 3, 17),
      count: fc.integer({ min: 1, max: 120 }),
      cpu: fc.nat(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('shrink' as const, 'destroy' as const), cache: fc.nat() }),
  },
);

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;
type Alloc = Extract<Operation, { kind: 'alloc' | 'allocBulk' }>;
type Free = Extract<Operation, { kind: 'free' | 'freeBulk' }>;
type Create = Extract<Operation, { kind: 'create' }>;

/** A machine always has two caches to begin with: operations on none would be wasted. */
const operations = fc
  .tuple(creation, creation, fc.array(operation, { minLength: 1, maxLength: 40, size: 'max' }))
  .map(([first, second, rest]): Operation[] => [first, second, ...rest]);

const boots: fc.Arbitrary<MachineOptions> = fc
  .record({
    mib: fc.constantFrom(4, 8, 24),
    cpus: fc.integer({ min: 1, max: 4 }),
    slubMinOrder: fc.constantFrom(0, 0, 0, 1, 3),
    slubMaxOrder: fc.constantFrom(3, 3, 3, 0, 1, 5),
    slubDebug: fc.constantFrom('', '', '', 'FZPU', 'F'),
    slubNomerge: fc.boolean(),
  })
  .map(({ mib, ...boot }) => ({
    ...boot,
    machine: smallMap(mib),
    ledger: { caches: CACHES, slabs: 2048, linkPages: 512 },
  }));

// ---- the model --------------------------------------------------------------------------------------------

/**
 * Bits of a request that the page allocator gets to see: all that our list above has, but for zero and the
 * zone.
 */
function pageGfp(cache: KmemCache, gfp: number): Gfp {
  return ((gfp & ~(__GFP.ZERO | GFP.DMA32)) | cache.info.allocflags | __GFP.NOWARN) as Gfp;
}

class Run {
  readonly machine: Machine;
  /** One entry a creation: merged ones hold the same cache. */
  readonly creations: KmemCache[] = [];
  readonly live = new Map<PhysAddr, KmemCache>();
  /** The strictest alignment that a creation asked of a cache: merging does not raise the cache's own. */
  readonly aligns = new Map<number, number>();
  /** Everything that came back, in order. */
  readonly answers: number[] = [];
  /** Allocations that found no memory. */
  failed = 0;
  /** Creations that got a standing cache. */
  merged = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** The same state on a machine that was opened from a copy of the ledger. */
  copyTo(machine: Machine): Run {
    const copy = new Run(machine);
    const byId = new Map(machine.caches().map((cache) => [cache.id, cache]));
    copy.creations.push(...this.creations.map(({ id }) => byId.get(id)!));
    for (const [address, { id }] of this.live) copy.live.set(address, byId.get(id)!);
    for (const [id, align] of this.aligns) copy.aligns.set(id, align);
    copy.answers.push(...this.answers);
    return copy;
  }

  step(each: Operation): void {
    if (each.kind === 'create') this.#create(each);
    else {
      const cache = this.creations[each.cache % Math.max(this.creations.length, 1)];
      if (cache === undefined) return;
      if (each.kind === 'alloc' || each.kind === 'allocBulk') this.#alloc(cache, each);
      else if (each.kind === 'free' || each.kind === 'freeBulk') this.#free(cache, each);
      else if (each.kind === 'shrink') this.answers.push(cache.shrink() ? 1 : 0);
      else this.#destroy(cache);
    }
    this.check();
  }

  #create({ size, align, flags, ctor }: Create): void {
    const full = new Set(this.creations).size === CACHES;
    try {
      const cache = this.machine.kmemCacheCreate(`cache-${this.answers.length}`, size, {
        align,
        flags,
        ...(ctor && { ctor: () => {} }),
      });
      assert.ok(cache !== null && cache.info.objectSize >= size);
      const shared = this.creations.includes(cache);
      this.aligns.set(cache.id, Math.max(align, shared ? this.aligns.get(cache.id)! : cache.info.align));
      if (shared) this.merged++;
      this.creations.push(cache);
      this.answers.push(cache.id);
    } catch (error) {
      assert.ok(full && error instanceof LedgerFullError, String(error));
    }
  }

  #alloc(cache: KmemCache, { kind, gfp, count, cpu }: Alloc): void {
    const onCpu = cpu % this.machine.cpus;
    const failedBefore = this.failed;
    const got: PhysAddr[] = [];
    if (kind === 'allocBulk') {
      got.push(...cache.allocBulk(count, gfp as Gfp, onCpu));
      if (got.length !== count) assert.equal(got.length, 0, 'all or none');
    } else {
      while (got.length < count) {
        const address = cache.alloc(gfp as Gfp, onCpu);
        if (address === NULL) break;
        got.push(address);
      }
      if (got.length < count) this.#expectNoMemory(cache, gfp);
    }
    if (got.length < count) this.failed++;
    assert.ok(this.failed === failedBefore || cache.info.failed > 0);
    for (const address of got) this.#handedOut(cache, address);
    this.answers.push(...got);
  }

  /** NULL is the truth if neither a partial slab nor the smallest block is to be had. */
  #expectNoMemory(cache: KmemCache, gfp: number): void {
    assert.equal(cache.info.nrPartial, 0, 'there was a slab with free objects');
    assert.equal(
      this.machine.allocPages(pageGfp(cache, gfp), cache.info.min.order),
      NO_PFN,
      'there was a block',
    );
  }

  #handedOut(cache: KmemCache, address: PhysAddr): void {
    const { size, objectSize, flags } = cache.info;
    const align = this.aligns.get(cache.id)!;
    assert.ok(!this.live.has(address), `${address} was handed out twice`);
    assert.equal(address % align, 0, `${address} is aligned to ${align}`);
    const where = this.machine.whereIs(address);
    assert.ok(where?.cache === cache && where.live && where.index >= 0);
    assert.equal(
      this.machine.whereIs((address + objectSize - 1) as PhysAddr)?.slab,
      where.slab,
      'in one slab',
    );
    assert.ok(objectSize <= size);
    const zones = this.machine.zones();
    const limit = flags & SLAB.CACHE_DMA ? zones[0]! : flags & SLAB.CACHE_DMA32 ? zones[1]! : zones[2]!;
    assert.ok(address + objectSize <= limit.endPfn * PAGE, `${address} lies in ${limit.name} or below`);
    this.live.set(address, cache);
  }

  #free(cache: KmemCache, { kind, at, step, count, cpu }: Free): void {
    const onCpu = cpu % this.machine.cpus;
    const mine = [...this.live].filter(([, owner]) => owner === cache).map(([address]) => address);
    const chosen = new Set<PhysAddr>();
    for (let i = 0; i < Math.min(count, mine.length); i++) chosen.add(mine[(at + i * step) % mine.length]!);
    if (kind === 'freeBulk') cache.freeBulk([...chosen], onCpu);
    else for (const address of chosen) cache.free(address, onCpu);
    for (const address of chosen) this.live.delete(address);
  }

  #destroy(cache: KmemCache): void {
    const last = this.creations.filter((other) => other === cache).length === 1;
    const busy = [...this.live.values()].includes(cache);
    if (last && busy) {
      assert.throws(() => cache.destroy(), LiveObjectsError);
      return;
    }
    cache.destroy();
    this.creations.splice(this.creations.indexOf(cache), 1);
    if (!last) return;
    assert.throws(() => cache.alloc(), { code: 'argument' });
    assert.ok(!this.machine.caches().includes(cache));
  }

  check(): void {
    this.machine.validate('full');
    const counts = new Map<KmemCache, number>();
    let end = 0;
    for (const address of [...this.live.keys()].sort((a, b) => a - b)) {
      const cache = this.live.get(address)!;
      counts.set(cache, (counts.get(cache) ?? 0) + 1);
      assert.ok(address >= end, `${address} lies in another live object`);
      end = address + cache.info.objectSize;
    }
    for (const cache of new Set(this.creations)) {
      assert.equal(cache.live, counts.get(cache) ?? 0, cache.name);
      assert.equal(cache.info.refcount, this.creations.filter((other) => other === cache).length);
    }
  }

  /** Frees everything on random CPUs in random order, and shrinks: all pages come back. */
  end(seed: number): void {
    const random = new Random(seed);
    const left = [...this.live];
    while (left.length > 0) {
      const [[address, cache]] = left.splice(random.below(left.length), 1) as [[PhysAddr, KmemCache]];
      cache.free(address, random.below(this.machine.cpus));
      this.live.delete(address);
    }
    this.check();
    for (const cache of new Set(this.creations)) {
      assert.equal(cache.shrink(), false, 'no slab is left');
      assert.equal(cache.info.totalObjects, 0);
    }
    assert.equal(this.machine.memory.takenPages(), 0);
    for (const cache of this.creations) cache.destroy();
    assert.deepEqual(this.machine.caches(), []);
    this.machine.validate('full');
    // A size class keeps its last page; there are 40 classes.
    assert.ok(linkPagesInUse(this.machine.ledger) <= 40);
  }
}

test('random operations on random machines do what the model says, and all pages come back', () => {
  let failed = 0;
  let merged = 0;
  fc.assert(
    fc.property(boots, operations, fc.integer(), (boot, steps, seed) => {
      const run = new Run(Machine.create(boot));
      for (const each of steps) run.step(each);
      failed += run.failed;
      merged += run.merged;
      run.end(seed);
    }),
    { numRuns: 300 },
  );
  assert.ok(failed > 0, 'some machine ran out of memory');
  assert.ok(merged > 0, 'some caches merged');
});

test('a copy of the ledger goes on exactly as the original does', () => {
  fc.assert(
    fc.property(boots, operations, fc.nat(), (boot, steps, cut) => {
      const original = new Run(Machine.create(boot));
      const middle = cut % (steps.length + 1);
      for (const each of steps.slice(0, middle)) original.step(each);
      const copy = original.copyTo(Machine.open(original.machine.ledger.buffer.slice(0)));
      copy.check();
      for (const each of steps.slice(middle)) {
        original.step(each);
        copy.step(each);
      }
      assert.deepEqual(copy.answers, original.answers);
      const [ours, theirs] = [original, copy].map((run) => Buffer.from(run.machine.ledger.buffer));
      assert.ok(ours!.equals(theirs!), 'the ledgers are the same to the last byte');
    }),
    { numRuns: 100 },
  );
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

test('where the preferred order is not to be had, the smallest one serves and is counted', () => {
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

// ---- a full ledger ----------------------------------------------------------------------------------------

test('a ledger without room for another slab is an error of its own, and the machine goes on', () => {
  for (const limits of [{ slabs: 2 }, { linkPages: 1 }]) {
    const machine = Machine.create({ machine: smallMap(8), ledger: { caches: 4, ...limits } });
    const cache = machine.kmemCacheCreate('large', 2048)!;
    const other = machine.kmemCacheCreate('small', 8)!;
    const objects: PhysAddr[] = [];
    const table = 'slabs' in limits ? 'slabs' : 'link pages';
    const fill = () => {
      for (;;) objects.push(cache.alloc());
    };
    if ('slabs' in limits) assert.throws(fill, { code: 'ledger-full', table });
    else objects.push(cache.alloc());
    const taken = machine.memory.takenPages();
    assert.throws(() => (table === 'slabs' ? cache : other).alloc(), { code: 'ledger-full', table });
    assert.equal(machine.memory.takenPages(), taken, 'its pages went back');
    machine.validate();
    assert.equal(cache.live, objects.length);
    cache.freeBulk(objects);
    cache.shrink();
    assert.equal(machine.memory.takenPages(), 0);
    machine.validate();
  }
});

test('slabs that come and go leave nothing in the ledger', () => {
  const machine = Machine.create({ machine: smallMap(8), ledger: { caches: 4, slabs: 8, linkPages: 4 } });
  const [tiny, large] = [8, 3000].map((size) => machine.kmemCacheCreate(`${size} bytes`, size)!);
  for (let round = 0; round < 200; round++) {
    for (const cache of [tiny!, large!]) {
      cache.freeBulk(cache.allocBulk(2 * cache.info.oo.objects, GFP.KERNEL, round % 4), (round + 1) % 4);
      assert.equal(cache.shrink(), false);
    }
  }
  assert.equal(tiny!.info.slabsMade, 400);
  assert.ok(linkPagesInUse(machine.ledger) <= 2);
  machine.validate();
});

test('a bulk that the ledger has no room for is given back as a whole', () => {
  const machine = Machine.create({ machine: smallMap(8), ledger: { caches: 4, slabs: 2 } });
  const cache = machine.kmemCacheCreate('large', 2048)!;
  assert.throws(() => cache.allocBulk(1000), LedgerFullError);
  assert.equal(cache.live, 0, 'the caller never got an address, so nothing may stay live');
  machine.validate();
});

// ---- a machine on paper -----------------------------------------------------------------------------------

test('1000 slabs on a machine of 1 TiB hold less than 64 MiB of this computer', () => {
  const slab = new URL('./index.js', import.meta.url).href;
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
