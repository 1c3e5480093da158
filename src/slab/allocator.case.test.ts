/**
 * What every slab allocator must do, whichever it is: SLUB and SLAB run the same cases.
 *
 * Some are told one by one; the rest is random operations against a model that knows nothing of slabs, a map from live addresses to the
 * caches that they belong to. After each operation the whole equation of the ledger is checked as well.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BadFreeError,
  type Gfp,
  LedgerFullError,
  LiveObjectsError,
  MIB,
  NO_PFN,
  NULL,
  type PhysAddr,
  Random,
} from '../base/index.js';
import { runsOf } from '../base/runs.case.test.js';
import { __GFP, GFP, linkPagesInUse, type MemoryMap, sparseBytes } from '../machine/index.js';
import { CFLGS_OFF_SLAB } from './cache/layout-slab.js';
import { SLAB } from './kernel/flags.js';
import type { KmemCache } from './kmem-cache.js';
import { Machine, type MachineOptions } from './machine.js';

/** What tells one allocator's run of the suite from another's. */
export interface AllocatorUnderTest {
  /** For the names of the tests. */
  readonly name: string;
  readonly allocator: NonNullable<MachineOptions['allocator']>;
  /** The kernel whose allocator it is; `6.1` unless told. */
  readonly kernel?: string;
  /** Whether it takes memory from kmalloc itself, whose caches are there then. */
  readonly usesKmalloc?: boolean;
  /** Boot parameters that change what it does. */
  readonly boots: fc.Arbitrary<MachineOptions>;
}

const PAGE = 4096;
/** Rows for caches beside those of kmalloc, which SLAB needs for itself. */
const CACHES = 12;
const KMALLOC_CACHES = 52;

/** Three zones in a few MiB, so that each can run dry. */
export function smallMap(mib: number): MemoryMap {
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

/** A machine of one of the boots, small, and with few rows in its ledger. */
function machines({
  allocator,
  boots,
  kernel,
  usesKmalloc,
}: AllocatorUnderTest): fc.Arbitrary<MachineOptions> {
  const size = fc.record({
    mib: fc.constantFrom(4, 8, 24),
    cpus: fc.integer({ min: 1, max: 4 }),
    slubNomerge: fc.boolean(),
  });
  return fc.tuple(size, boots).map(([{ mib, ...size }, boot]) => ({
    ...size,
    ...boot,
    allocator,
    ...(kernel !== undefined && { kernel }),
    machine: smallMap(mib),
    ledger: { caches: CACHES + (usesKmalloc ? KMALLOC_CACHES : 0), slabs: 2048, linkPages: 512 },
  }));
}

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

  /** On a fresh machine, which has the kernel's own caches already where it will need them. */
  static begin(boot: MachineOptions): Run {
    const run = new Run(Machine.create(boot));
    if (boot.ledger!.caches! > CACHES) run.machine.kfree(run.machine.kmalloc(1));
    for (const cache of run.own) cache.shrink();
    return run;
  }

  /** The kernel's own caches. */
  get own(): KmemCache[] {
    return this.machine.caches().filter((cache) => (cache.info.flags & SLAB.KMALLOC) !== 0);
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
    const full = this.machine.caches().length === this.machine.ledger.shape.caches;
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

  /** NULL is the truth if neither a partial slab nor the smallest block is available, or nothing for a list beside the slab. */
  #expectNoMemory(cache: KmemCache, gfp: number): void {
    const { nrPartial, min, flags, slab } = cache.info;
    assert.equal(nrPartial, 0, 'there was a slab with free objects');
    assert.equal((slab?.freeSlabs ?? 0) + (slab?.sharedAvail ?? 0), 0, 'there was a free object');
    const pfn = this.machine.allocPages(pageGfp(cache, gfp), min.order);
    if (pfn === NO_PFN) return;
    assert.ok(slab !== undefined && flags & CFLGS_OFF_SLAB, 'there was a block');
    const list = this.machine.kmalloc(slab.freelistSize, (gfp & ~GFP.DMA32) as Gfp);
    assert.equal(list, NULL, 'there was a block, and room for its list');
    this.machine.freePages(pfn, min.order);
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
      const kernels = cache.info.flags & SLAB.KMALLOC ? 1 : 0;
      const creations = this.creations.filter((other) => other === cache).length;
      assert.equal(cache.info.refcount, creations + kernels);
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
    // What lies in them for good: the sheaves and barns of the kernel's own caches.
    const holdsSheaves = this.machine.kernel.sheafRule !== null;
    for (const cache of this.own) {
      const left = cache.shrink();
      if (!holdsSheaves) assert.equal(left, false, 'no list of free objects is left');
    }
    const own = this.own.reduce((sum, cache) => sum + cache.info.nrSlabs * 2 ** cache.info.oo.order, 0);
    assert.equal(this.machine.memory.takenPages(), holdsSheaves ? own : 0);
    for (const cache of this.creations) cache.destroy();
    assert.deepEqual(this.machine.caches(), this.own);
    this.machine.validate('full');
    // A size class keeps its last page; there are 40 classes.
    assert.ok(linkPagesInUse(this.machine.ledger) <= 40);
  }
}

// ---- the cases ---------------------------------------------------------------------------------------------

/** Declares the suite's tests for one allocator. */
export function testAllocator(under: AllocatorUnderTest): void {
  oneByOne(under);
  construction(under);
  fullLedger(under);
  randomOperations(under);
}

function oneByOne({ name, allocator }: AllocatorUnderTest): void {
  const machineWith = (options: MachineOptions = {}) =>
    Machine.create({ allocator, machine: smallMap(24), slubNomerge: true, ...options });

  test(`${name}: an object has its size, its alignment, its slab and its zone, and is live until it is freed`, () => {
    const machine = machineWith();
    for (const [size, align, flags, zone] of [
      [24, 0, SLAB.NONE, 'Normal'],
      [1000, 64, SLAB.CACHE_DMA32, 'DMA32'],
      [1024, 1024, SLAB.CACHE_DMA32, 'DMA32'],
      [4096, 4096, SLAB.CACHE_DMA, 'DMA'],
      [8192, 0, SLAB.RECLAIM_ACCOUNT, 'Normal'],
    ] as const) {
      const cache = machine.kmemCacheCreate(`${size} bytes`, size, { align, flags })!;
      const objects = Array.from({ length: 50 }, (_, i) => cache.alloc(GFP.KERNEL, i % 4));
      assert.equal(new Set(objects).size, 50);
      for (const object of objects) {
        assert.equal(object % Math.max(align, 8), 0);
        assert.equal(machine.zoneOf(object), zone);
        const where = machine.whereIs(object)!;
        assert.ok(where.cache === cache && where.live && where.index < cache.info.oo.objects);
      }
      assert.equal(cache.live, 50);
      cache.free(objects[7]!, 3);
      assert.equal(machine.whereIs(objects[7]!)!.live, false);
      assert.equal(cache.live, 49);
      machine.validate();
    }
  });

  test(`${name}: the object freed last on a CPU is the next one there`, () => {
    const machine = machineWith();
    const cache = machine.kmemCacheCreate('objects', 192)!;
    const [a, b] = cache.allocBulk(2) as [PhysAddr, PhysAddr];
    cache.free(a);
    cache.free(b);
    assert.deepEqual([cache.alloc(), cache.alloc()], [b, a]);
    machine.validate();
  });

  test(`${name}: what is not a live object of the cache cannot be freed to it, alone or in bulk`, () => {
    const machine = machineWith();
    const cache = machine.kmemCacheCreate('mine', 192)!;
    const other = machine.kmemCacheCreate('other', 192)!;
    const object = cache.alloc();
    const kept = cache.alloc();
    const foreign = other.alloc();
    cache.free(object);
    const before = Buffer.from(machine.ledger.buffer.slice(0));
    for (const [address, reason] of [
      [object, 'not-live'],
      [kept + 8, 'misaligned'],
      [foreign, 'wrong-cache'],
      [16 * PAGE * 1024, 'unknown-address'],
      [NULL, 'unknown-address'],
    ] as const) {
      const refused = { name: 'BadFreeError', code: 'bad-free', reason };
      assert.throws(() => cache.free(address as PhysAddr), refused, reason);
      assert.throws(() => cache.freeBulk([kept, address as PhysAddr]), refused, reason);
    }
    assert.throws(() => cache.freeBulk([kept, kept]), BadFreeError);
    assert.ok(before.equals(Buffer.from(machine.ledger.buffer)), 'nothing changed');
    machine.validate();
  });

  test(`${name}: a bulk is all or none`, () => {
    const machine = machineWith({ machine: smallMap(4) });
    const cache = machine.kmemCacheCreate('objects', 2048)!;
    assert.deepEqual(cache.allocBulk(5000, GFP.NOWAIT), []);
    assert.equal(cache.live, 0);
    const objects = cache.allocBulk(100);
    assert.equal(objects.length, 100);
    cache.freeBulk(objects);
    assert.equal(cache.live, 0);
    assert.throws(() => cache.allocBulk(-1), { code: 'argument' });
    machine.validate();
  });

  test(`${name}: shrinking gives back what is empty, and says whether anything is left`, () => {
    const machine = machineWith();
    const cache = machine.kmemCacheCreate('objects', 512)!;
    const objects = cache.allocBulk(200);
    const last = objects.pop()!;
    for (const [i, object] of objects.entries()) cache.free(object, i % 4);
    assert.equal(cache.shrink(), true);
    assert.equal(cache.info.nrSlabs, 1);
    cache.free(last);
    assert.equal(cache.shrink(), false);
    assert.equal(machine.memory.takenPages(), 0);
    machine.validate();
  });

  test(`${name}: bits of the caller's that name a zone are told when a slab grows, and dropped`, () => {
    const machine = machineWith();
    const cache = machine.kmemCacheCreate('objects', 1024)!;
    assert.equal(machine.zoneOf(cache.alloc((GFP.KERNEL | GFP.DMA32) as Gfp)), 'Normal');
    const line = 'Unexpected gfp: 0x4 (GFP_DMA32). Fixing up to gfp: 0xcc0 (GFP_KERNEL). Fix your code!';
    assert.deepEqual(machine.log.lines, [line]);
    cache.alloc((GFP.KERNEL | GFP.DMA32) as Gfp);
    assert.equal(machine.log.lines.length, 1, 'an object of a standing slab says nothing');
    cache.alloc((GFP.KERNEL | GFP.DMA) as Gfp);
    assert.equal(machine.log.lines.length, 1, 'GFP_DMA is for kmalloc to look at');
    machine.validate();
  });

  test(`${name}: a cache with live objects cannot be destroyed, and one that is gone cannot be used`, () => {
    const machine = machineWith();
    const cache = machine.kmemCacheCreate('objects', 512)!;
    const object = cache.alloc();
    assert.throws(() => cache.destroy(), LiveObjectsError);
    cache.free(object);
    cache.destroy();
    assert.deepEqual(machine.caches(), []);
    assert.throws(() => cache.alloc(), { code: 'argument' });
    assert.throws(() => cache.free(object), BadFreeError);
    assert.throws(() => cache.destroy(), { code: 'argument' });
    machine.validate();
  });

  test(`${name}: a CPU is one that the machine has`, () => {
    const machine = machineWith({ cpus: 2 });
    const cache = machine.kmemCacheCreate('objects', 512)!;
    const object = cache.alloc();
    for (const cpu of [2, -1, 0.5, Number.NaN]) {
      assert.throws(() => cache.alloc(GFP.KERNEL, cpu), { code: 'argument' });
      assert.throws(() => cache.free(object, cpu), { code: 'argument' });
      assert.throws(() => cache.freeBulk([object], cpu), { code: 'argument' });
    }
    assert.equal(cache.live, 1);
    machine.validate();
  });

  test(`${name}: without memory there is NULL, and what comes back can be had again`, () => {
    const machine = machineWith({ machine: smallMap(8) });
    const cache = machine.kmemCacheCreate('tables', 1000, { flags: SLAB.CACHE_DMA32 })!;
    const quiet = (GFP.ATOMIC | __GFP.NOWARN) as Gfp;
    const objects: PhysAddr[] = [];
    for (let object = cache.alloc(quiet); object !== NULL; object = cache.alloc(quiet)) objects.push(object);
    assert.ok(objects.length > 1000);
    assert.equal(cache.info.totalObjects, objects.length);
    assert.equal(cache.info.failed, 1);
    assert.deepEqual(machine.log.lines, []);
    cache.free(objects[500]!);
    assert.equal(cache.alloc(quiet), objects[500]);
    machine.validate();
  });
}

function construction({ name, allocator }: AllocatorUnderTest): void {
  test(`${name}: each object of a new slab is constructed once, in ascending order, before any is handed out`, () => {
    const machine = Machine.create({ allocator, machine: smallMap(24) });
    const built: PhysAddr[] = [];
    const cache = machine.kmemCacheCreate('built', 300, { ctor: (address) => void built.push(address) })!;
    const object = cache.alloc();
    assert.equal(built.length, cache.info.oo.objects);
    assert.deepEqual(
      built,
      built.map((_, i) => built[0]! + i * cache.info.size),
    );
    assert.ok(built.includes(object));
    cache.free(object);
    cache.alloc();
    assert.equal(built.length, cache.info.oo.objects);
    machine.validate();
  });

  test(`${name}: a constructor that throws ends the allocation, and its slab goes as it came`, () => {
    for (const size of [300, 1000]) {
      const machine = Machine.create({ allocator, machine: smallMap(24) });
      let left = 3;
      const ctor = () => {
        if (--left === 0) throw new Error('no');
      };
      const cache = machine.kmemCacheCreate(`${size}`, size, { ctor })!;
      assert.throws(() => cache.alloc(), { message: 'no' });
      assert.equal(cache.info.nrSlabs, 0);
      for (const each of machine.caches()) assert.equal(each.shrink(), false);
      assert.equal(machine.memory.takenPages(), 0);
      machine.validate();
      assert.notEqual(cache.alloc(), NULL);
      machine.validate();
    }
  });

  test(`${name}: zeroed memory is zeroed, and undoes a constructor's work with a warning`, () => {
    const bytes = sparseBytes(PAGE, 0xa5);
    const machine = Machine.create({ allocator, machine: smallMap(24), bytes });
    const plain = machine.kmemCacheCreate('plain', 200)!;
    const object = plain.alloc((GFP.KERNEL | __GFP.ZERO) as Gfp);
    assert.deepEqual([...bytes.read(object, 200)], Array(200).fill(0));
    const built = machine.kmemCacheCreate('built', 200, { ctor: (address) => bytes.fill(address, 200, 7) })!;
    assert.deepEqual(new Set(bytes.read(built.alloc(), 200)), new Set([7]));
    assert.deepEqual(machine.log.lines, []);
    const other = machine.kmemCacheCreate('built', 200, { ctor: (address) => bytes.fill(address, 200, 7) })!;
    assert.deepEqual(new Set(bytes.read(other.alloc((GFP.KERNEL | __GFP.ZERO) as Gfp), 200)), new Set([0]));
    assert.equal(machine.log.lines.length, 1);
    assert.match(machine.log.lines[0]!, /^WARNING: __GFP_ZERO with a constructor/);
    machine.validate();
  });
}

function fullLedger({ name, allocator }: AllocatorUnderTest): void {
  test(`${name}: a ledger without room for another slab is an error of its own, and the machine goes on`, () => {
    for (const limits of [{ slabs: 2 }, { linkPages: 1 }]) {
      const machine = Machine.create({ allocator, machine: smallMap(8), ledger: { caches: 4, ...limits } });
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

  test(`${name}: slabs that come and go leave nothing in the ledger`, () => {
    const machine = Machine.create({
      allocator,
      machine: smallMap(8),
      ledger: { caches: 4, slabs: 8, linkPages: 4 },
    });
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

  test(`${name}: a bulk that the ledger has no room for is given back as a whole`, () => {
    const machine = Machine.create({ allocator, machine: smallMap(8), ledger: { caches: 4, slabs: 2 } });
    const cache = machine.kmemCacheCreate('large', 2048)!;
    assert.throws(() => cache.allocBulk(1000), LedgerFullError);
    assert.equal(cache.live, 0, 'the caller never got an address, so nothing may stay live');
    machine.validate();
  });
}

function randomOperations(under: AllocatorUnderTest): void {
  const { name } = under;
  test(`${name}: random operations on random machines do what the model says, and all pages come back`, () => {
    let failed = 0;
    let merged = 0;
    fc.assert(
      fc.property(machines(under), operations, fc.integer(), (boot, steps, seed) => {
        const run = Run.begin(boot);
        for (const each of steps) run.step(each);
        failed += run.failed;
        merged += run.merged;
        run.end(seed);
      }),
      { seed: 7401, numRuns: runsOf(60) },
    );
    assert.ok(failed > 0, 'some machine ran out of memory');
    assert.ok(merged > 0, 'some caches merged');
  });

  test(`${name}: a copy of the ledger goes on exactly as the original does`, () => {
    fc.assert(
      fc.property(machines(under), operations, fc.nat(), (boot, steps, cut) => {
        const original = Run.begin(boot);
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
      { seed: 7402, numRuns: runsOf(20) },
    );
  });
}
