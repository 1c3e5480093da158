/**
 * The page allocator against a model that knows nothing of buddies or lists: each frame is free or taken, and
 * a zone can give a block when some aligned run of its frames is free and its watermark allows. What the
 * model says of marks is computed here from truth/README.md, "Page allocator", not taken from the engine.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BadFreeError,
  type BadFreeReason,
  type Gfp,
  GIB,
  KIB,
  MIB,
  NO_PFN,
  type Pfn,
  Random,
} from '../base/index.js';
import { runsOf } from '../base/runs.case.test.js';
import { checkFrames } from './check-frames.js';
import { __GFP, GFP } from './gfp.js';
import { boardMap, type MemoryMap } from './memory-map.js';
import { createPhysicalMemory, type PhysicalMemory } from './physical-memory.js';
import type { PageProfile } from './profile.js';

const PAGE = 4096;
const TOP_ORDER = 10;
const PROFILE: PageProfile = {
  pageSize: PAGE,
  orders: TOP_ORDER + 1,
  watermarkScaleFactor: 10,
  lowmemReserveRatio: { DMA: 256, DMA32: 256, Normal: 32 },
};

function memoryOf(map: MemoryMap): PhysicalMemory {
  return createPhysicalMemory({
    map,
    profile: PROFILE,
    cpus: 1,
    ledger: { slabs: 4, linkPages: 1, caches: 1 },
  });
}

function bytesOf(memory: PhysicalMemory): Buffer {
  return Buffer.from(memory.ledger.buffer.slice(0));
}

/** Throws at the first term of the equation that does not hold; returns the blocks that are handed out. */
function validFrames(memory: PhysicalMemory): Map<number, number> {
  return checkFrames(memory, 'full', (term, message) => assert.fail(`${term}: ${message}`));
}

// ---- the model --------------------------------------------------------------------------------------------

type Request = 'KERNEL' | 'KERNEL|DMA32' | 'DMA' | 'ATOMIC';

const REQUESTS: Readonly<Record<Request, { gfp: Gfp; zone: string; mark: (min: number) => number }>> = {
  KERNEL: { gfp: GFP.KERNEL, zone: 'Normal', mark: (min) => min },
  'KERNEL|DMA32': { gfp: (GFP.KERNEL | GFP.DMA32) as Gfp, zone: 'DMA32', mark: (min) => min },
  DMA: { gfp: GFP.DMA, zone: 'DMA', mark: (min) => min },
  // Half of min for __GFP_HIGH, three quarters of that for atomic; parts of a page count for the reserve.
  ATOMIC: { gfp: GFP.ATOMIC, zone: 'Normal', mark: (min) => Math.ceil(Math.ceil(min / 2) * 0.75) },
};

interface ModelZone {
  readonly name: string;
  readonly managed: number;
  free: number;
  /** The most that was taken at the same time. */
  peak: number;
  min: number;
  low: number;
  /** By the index of the request's highest zone. */
  reserve: number[];
}

class FrameModel {
  readonly base: number;
  readonly zones: ModelZone[];
  /** By pfn - base: the zone that manages the frame, -1 none. */
  readonly zone: Int8Array;
  readonly taken: Uint8Array;
  /** Blocks handed out: first pfn and order. */
  readonly owned = new Map<number, number>();

  constructor(map: MemoryMap) {
    this.base = Math.floor(map.ram[0]!.start / PAGE);
    const count = Math.ceil(map.ram.at(-1)!.end / PAGE) - this.base;
    this.zone = Int8Array.from({ length: count }, (_, i) => zoneOfPage(map, (this.base + i) * PAGE));
    this.taken = new Uint8Array(count);
    const managed = map.zones.map((_, z) => this.zone.filter((of) => of === z).length);
    this.zones = map.zones.map(({ name }, z) => ({
      name,
      managed: managed[z]!,
      free: managed[z]!,
      peak: 0,
      ...marksOf(managed, z),
    }));
  }

  /** The zone that this request is served from, -1 if no allowed one can. */
  expectedZone(request: Request, order: number): number {
    const { zone, mark } = REQUESTS[request];
    const highest = this.zones.findIndex(({ name }) => name === zone);
    for (const markOf of [(z: ModelZone) => z.low, (z: ModelZone) => mark(z.min)]) {
      for (let z = highest; z >= 0; z--) {
        const each = this.zones[z]!;
        if (each.managed === 0) continue;
        // All of the block but its last page counts as gone already: recorded with order 3 (zones run dry,
        // truth/).
        if (each.free - (2 ** order - 1) <= markOf(each) + each.reserve[highest]!) continue;
        if (this.#hasFreeRun(z, order)) return z;
      }
    }
    return -1;
  }

  #hasFreeRun(z: number, order: number): boolean {
    const size = 2 ** order;
    const first = (size - (this.base % size)) % size;
    for (let at = first; at + size <= this.zone.length; at += size) {
      let free = 0;
      while (free < size && this.zone[at + free] === z && this.taken[at + free] === 0) free++;
      if (free === size) return true;
    }
    return false;
  }

  take(pfn: number, order: number, z: number): void {
    assert.equal(pfn % 2 ** order, 0, `pfn ${pfn} is aligned to order ${order}`);
    for (let i = pfn - this.base; i < pfn - this.base + 2 ** order; i++) {
      assert.equal(this.zone[i], z, `frame ${i} lies in ${this.zones[z]?.name}`);
      assert.equal(this.taken[i], 0, `frame ${i} was free`);
      this.taken[i] = 1;
    }
    const zone = this.zones[z]!;
    zone.free -= 2 ** order;
    zone.peak = Math.max(zone.peak, zone.managed - zone.free);
    this.owned.set(pfn, order);
  }

  give(pfn: number): number {
    const order = this.owned.get(pfn)!;
    this.owned.delete(pfn);
    this.taken.fill(0, pfn - this.base, pfn - this.base + 2 ** order);
    this.zones[this.zone[pfn - this.base]!]!.free += 2 ** order;
    return order;
  }
}

/**
 * The zone of the page at an address: -1 unless all of it is RAM, not reserved, and not the page of address
 * 0.
 */
function zoneOfPage(map: MemoryMap, start: number): number {
  const end = start + PAGE;
  if (start === 0 || !map.ram.some((r) => start >= r.start && end <= r.end)) return -1;
  if (map.reserved.some((r) => start < r.end && end > r.start)) return -1;
  return map.zones.findIndex((zone) => end <= zone.end);
}

function marksOf(managed: readonly number[], z: number): { min: number; low: number; reserve: number[] } {
  const total = managed.reduce((sum, pages) => sum + pages, 0);
  const minFreeKib = Math.min(Math.max(Math.floor(Math.sqrt(16 * total * 4)), 128), 262144);
  const min = Math.floor((Math.floor(minFreeKib / 4) * managed[z]!) / total);
  const low = min + Math.max(Math.floor(min / 4), Math.floor((managed[z]! * 10) / 10000));
  const reserve = managed.map((_, highest) => {
    const above = managed.slice(z + 1, highest + 1).reduce((sum, pages) => sum + pages, 0);
    return highest > z ? Math.floor(above / [256, 256, 32][z]!) : 0;
  });
  return { min, low, reserve };
}

// ---- random operations ------------------------------------------------------------------------------------

type Operation =
  | { readonly kind: 'alloc'; readonly request: Request; readonly order: number; readonly times: number }
  | { readonly kind: 'free'; readonly at: number; readonly times: number };

const request = fc.constantFrom<Request>('KERNEL', 'KERNEL|DMA32', 'DMA', 'ATOMIC');

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('alloc' as const),
      request,
      order: fc.integer({ min: 0, max: TOP_ORDER }),
      times: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    // Bursts of small blocks break the large ones up.
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('alloc' as const),
      request,
      order: fc.integer({ min: 0, max: 2 }),
      times: fc.integer({ min: 50, max: 400 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('free' as const),
      at: fc.nat(),
      times: fc.integer({ min: 1, max: 200 }),
    }),
  },
);

const boards = fc.integer({ min: 32, max: 96 }).map((mib) => boardMap('x86_64', mib * MIB));

/**
 * RAM in several pieces that end anywhere, under zones that end at any page. `gap` is what lies between two
 * pieces, in bytes.
 */
function handMade(gap: fc.Arbitrary<number>, length: fc.Arbitrary<number>): fc.Arbitrary<MemoryMap> {
  return fc
    .record({
      // Three quarters of a page behind a boundary: the machine's first frame is not its first whole page.
      origin: fc.constantFrom(0, 0xc00, GIB, 5 * GIB + 0xc00),
      pieces: fc.array(fc.record({ gap, length }), { minLength: 1, maxLength: 6 }),
      dma: fc.integer({ min: 1, max: 4000 }),
      dma32: fc.integer({ min: 1, max: 6000 }),
      hole: fc.record({ start: fc.nat({ max: 20 * MIB }), length: fc.nat({ max: MIB }) }),
    })
    .map(({ origin, pieces, dma, dma32, hole }): MemoryMap => {
      let end = origin;
      const ram = pieces.map((piece, i) => {
        const start = end + (i === 0 ? 0 : piece.gap);
        end = start + piece.length;
        return { start, end };
      });
      const firstPage = Math.floor(origin / PAGE);
      return {
        name: 'hand-made',
        title: '',
        ram,
        reserved: [{ start: origin + hole.start, end: origin + hole.start + hole.length }],
        zones: [
          { name: 'DMA', end: (firstPage + dma) * PAGE },
          { name: 'DMA32', end: (firstPage + dma + dma32) * PAGE },
          { name: 'Normal', end: Number.POSITIVE_INFINITY },
        ],
      };
    })
    .filter((map) => new FrameModel(map).zones.some(({ managed }) => managed > 0));
}

const apart = handMade(fc.integer({ min: 1, max: 3 * MIB }), fc.integer({ min: 4 * PAGE, max: 16 * MIB }));
const touching = handMade(
  fc.constant(0),
  fc.integer({ min: 1, max: 3000 }).map((pages) => pages * PAGE),
);

class Run {
  readonly memory: PhysicalMemory;
  readonly model: FrameModel;
  refused = 0;
  readonly #fresh: readonly (readonly number[])[];

  constructor(map: MemoryMap) {
    this.memory = memoryOf(map);
    this.model = new FrameModel(map);
    this.#fresh = this.memory.zones().map((zone) => zone.freeBlocks);
  }

  step(each: Operation): void {
    for (let i = 0; i < each.times; i++) {
      if (each.kind === 'alloc') this.#alloc(each.request, each.order);
      else this.#free(each.at + 7 * i);
    }
    const used = validFrames(this.memory);
    const owned = [...this.model.owned].map(([pfn, order]) => [pfn - this.memory.basePfn, order] as const);
    assert.deepEqual(
      [...used],
      owned.sort((a, b) => a[0] - b[0]),
    );
    const views = this.memory.zones();
    this.model.zones.forEach((zone, z) => {
      assert.equal(this.memory.takenPages(z), zone.managed - zone.free);
      assert.equal(views[z]!.peakTaken, zone.peak);
    });
  }

  #alloc(what: Request, order: number): void {
    const expected = this.model.expectedZone(what, order);
    const pfn = this.memory.pages.allocPages(REQUESTS[what].gfp, order);
    if (pfn === NO_PFN) {
      assert.equal(expected, -1, `${what}, order ${order}: ${this.model.zones[expected]?.name} can give it`);
      this.refused++;
      return;
    }
    assert.notEqual(expected, -1, `${what}, order ${order}: no zone may give it, got pfn ${pfn}`);
    this.model.take(pfn, order, expected);
  }

  #free(at: number): void {
    const pfns = [...this.model.owned.keys()];
    if (pfns.length === 0) return;
    const pfn = pfns[at % pfns.length]!;
    this.memory.pages.freePages(pfn as Pfn, this.model.give(pfn));
  }

  /** Frees everything in random order: nothing is left of what was broken up. */
  end(seed: number): void {
    const random = new Random(seed);
    const pfns = [...this.model.owned.keys()];
    while (pfns.length > 0) {
      const [pfn] = pfns.splice(random.below(pfns.length), 1);
      this.memory.pages.freePages(pfn as Pfn, this.model.give(pfn!));
    }
    validFrames(this.memory);
    assert.equal(this.memory.takenPages(), 0);
    assert.deepEqual(
      this.memory.zones().map((zone) => zone.freeBlocks),
      this.#fresh,
    );
  }
}

/** Runs random operations on random machines. Returns how many requests were refused in all runs. */
function checkAgainstModel(maps: fc.Arbitrary<MemoryMap>, numRuns: number): number {
  let refused = 0;
  fc.assert(
    fc.property(
      maps,
      fc.array(operation, { maxLength: 40, size: 'max' }),
      fc.integer(),
      (map, operations, seed) => {
        const run = new Run(map);
        for (const each of operations) run.step(each);
        run.end(seed);
        refused += run.refused;
      },
    ),
    { seed: 7431, numRuns: runsOf(numRuns) },
  );
  return refused;
}

test('a PC of 32 to 96 MiB gives and takes blocks as the model says, until its zones run dry', () => {
  assert.ok(checkAgainstModel(boards, 40) > 0, 'some zone ran dry');
});

test('so do machines whose RAM and zones end anywhere', () => {
  assert.ok(checkAgainstModel(apart, 80) > 0, 'some zone ran dry');
});

test('RAM ranges that touch are as good as one', () => {
  checkAgainstModel(touching, 30);
});

test('a fresh machine manages the frames that the model counts', () => {
  fc.assert(
    fc.property(fc.oneof(boards, apart), (map) => {
      const model = new FrameModel(map);
      const zones = memoryOf(map).zones();
      assert.deepEqual(
        zones.map(({ name, managed, free, peakTaken, min, low, lowmemReserve }) => ({
          name,
          managed,
          free,
          peak: peakTaken,
          min,
          low,
          reserve: managed === 0 ? [] : lowmemReserve,
        })),
        model.zones.map((zone) => ({ ...zone, reserve: zone.managed === 0 ? [] : zone.reserve })),
      );
    }),
    { numRuns: 60 },
  );
});

// ---- bad frees --------------------------------------------------------------------------------------------

function refuses(memory: PhysicalMemory, pfn: number, order: number, reason: BadFreeReason): void {
  const before = bytesOf(memory);
  assert.throws(
    () => memory.pages.freePages(pfn as Pfn, order),
    (error) =>
      error instanceof BadFreeError && error.reason === reason && Object.is(error.address, pfn * PAGE),
    `pfn ${pfn}, order ${order}`,
  );
  assert.ok(before.equals(bytesOf(memory)), `freeing pfn ${pfn} with order ${order} changed the ledger`);
  validFrames(memory);
}

test('a bad free throws and changes nothing', () => {
  const memory = memoryOf(boardMap('x86_64', 32 * MIB));
  const { pages } = memory;
  const block = pages.allocPages(GFP.KERNEL, 3);
  const other = pages.allocPages(GFP.KERNEL, 0);
  refuses(memory, block, 2, 'wrong-order');
  refuses(memory, block, 4, 'wrong-order');
  refuses(memory, block, Number.NaN, 'wrong-order');
  refuses(memory, block + 1, 0, 'not-live');
  refuses(memory, block + 7, 3, 'not-live');
  refuses(memory, -1, 0, 'unknown-address');
  refuses(memory, block + 0.5, 0, 'unknown-address');
  refuses(memory, Number.NaN, 0, 'unknown-address');
  refuses(memory, 2 ** 40, 0, 'unknown-address');
  refuses(memory, (32 * MIB) / PAGE, 0, 'unknown-address');
  // Address 0, and RAM that is reserved.
  refuses(memory, 0, 0, 'not-live');
  refuses(memory, 0x80, 0, 'not-live');
  pages.freePages(other, 0);
  refuses(memory, other, 0, 'not-live');
  pages.freePages(block, 3);
  refuses(memory, block, 3, 'not-live');
});

test('a page of a slab cannot be freed as a page', () => {
  const memory = memoryOf(boardMap('x86_64', 32 * MIB));
  const pfn = memory.pages.allocPages(GFP.KERNEL, 0);
  memory.ledger.frameSlab[pfn - memory.basePfn] = 1;
  refuses(memory, pfn, 0, 'not-live');
});

test('after random operations only blocks that are handed out can be freed', () => {
  const attempt = fc.record({
    pfn: fc.integer({ min: -2, max: 9000 }),
    order: fc.integer({ min: 0, max: 10 }),
  });
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 20, size: 'max' }),
      fc.array(attempt, { maxLength: 100, size: 'max' }),
      (operations, attempts) => {
        const run = new Run(boardMap('x86_64', 32 * MIB));
        for (const each of operations) run.step(each);
        const before = bytesOf(run.memory);
        for (const { pfn, order } of attempts) {
          if (run.model.owned.get(pfn) === order) continue;
          assert.throws(() => run.memory.pages.freePages(pfn as Pfn, order), BadFreeError);
        }
        assert.ok(before.equals(bytesOf(run.memory)));
      },
    ),
    { numRuns: 30 },
  );
});

// ---- requests that no block can satisfy, and which zone is meant ------------------------------------------

test('order 11 is NO_PFN: one warning in all, none with NOWARN', () => {
  const memory = memoryOf(boardMap('x86_64', 64 * MIB));
  const before = bytesOf(memory);
  assert.equal(memory.pages.allocPages((GFP.KERNEL | __GFP.NOWARN) as Gfp, 11), NO_PFN);
  assert.deepEqual(memory.log.lines, []);
  assert.equal(memory.pages.allocPages(GFP.KERNEL, 11), NO_PFN);
  assert.equal(memory.pages.allocPages(GFP.ATOMIC, 20), NO_PFN);
  assert.equal(memory.log.lines.length, 1);
  assert.match(memory.log.lines[0]!, /^WARNING: .*gfp_mask=GFP_KERNEL/);
  assert.ok(before.equals(bytesOf(memory)));
  assert.notEqual(memory.pages.allocPages(GFP.KERNEL, TOP_ORDER), NO_PFN);
});

test('an order that is no whole number from 0 is an argument error', () => {
  const { pages } = memoryOf(boardMap('x86_64', 32 * MIB));
  for (const order of [-1, 0.5, Number.NaN]) {
    assert.throws(() => pages.allocPages(GFP.KERNEL, order), { code: 'argument' });
  }
});

function zoneServing(memory: PhysicalMemory, gfp: number): string | undefined {
  return memory.zoneNames[memory.pages.zoneOf(memory.pages.allocPages(gfp as Gfp, 0))];
}

test('a kernel without ZONE_DMA serves GFP_DMA from Normal, above 4 GiB on mt8173', () => {
  const memory = memoryOf(boardMap('mt8173'));
  assert.equal(zoneServing(memory, GFP.DMA), 'Normal');
  assert.ok(memory.pages.allocPages((GFP.KERNEL | GFP.DMA) as Gfp, 0) * PAGE >= 4 * GIB);
  assert.equal(zoneServing(memory, GFP.DMA32), 'DMA32');
  assert.deepEqual(memory.log.lines, []);
});

test('DMA and DMA32 at once name no zone: the lowest one is taken, and the log says so once', () => {
  const memory = memoryOf(boardMap('x86_64', 6 * GIB));
  assert.equal(zoneServing(memory, GFP.KERNEL | GFP.DMA | GFP.DMA32), 'DMA');
  assert.equal(zoneServing(memory, GFP.DMA | GFP.DMA32), 'DMA');
  assert.equal(memory.log.lines.length, 1);
  assert.match(memory.log.lines[0]!, /GFP_DMA\|GFP_DMA32 names an impossible zone.*the lowest zone \(DMA\)/);
});

test('an arm64 kernel whose DMA32 zone is empty serves DMA32 from DMA', () => {
  const memory = memoryOf(boardMap('arm64'));
  assert.equal(memory.zones().find(({ name }) => name === 'DMA32')!.managed, 0);
  assert.equal(zoneServing(memory, GFP.KERNEL | GFP.DMA32), 'DMA');
  assert.equal(zoneServing(memory, GFP.DMA), 'DMA');
  assert.equal(zoneServing(memory, GFP.KERNEL), 'Normal');
});

test('a fresh machine hands out its lowest blocks first', () => {
  const memory = memoryOf(boardMap('mt8173'));
  const first = Array.from({ length: 3 }, () => memory.pages.allocPages(GFP.DMA32, TOP_ORDER) * PAGE);
  assert.deepEqual(first, [GIB, GIB + 4 * MIB, GIB + 8 * MIB]);
  assert.equal(memory.pages.allocPages(GFP.DMA32, 0) * PAGE, GIB + 12 * MIB);
  assert.equal(memory.pages.allocPages(GFP.DMA32, 0) * PAGE, GIB + 12 * MIB + 4 * KIB);
});
