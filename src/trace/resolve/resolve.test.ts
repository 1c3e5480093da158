import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { runsOf } from '../../base/runs.case.test.js';
import { GFP, parseGfp } from '../../machine/index.js';
import { CHUNK_ROWS } from '../batch/column-codec.js';
import {
  ACCOUNTED,
  BATCH_EVENTS,
  createBatch,
  EVENT,
  type EventBatch,
  NODE_NONE,
  PFN_NONE,
} from '../batch/events.js';
import {
  AGAIN,
  CLASS_KIND,
  GREW,
  LARGE_PAGES,
  NO_SLOT,
  OP,
  OP_MASK,
  OVER,
  SLAB_PAGES,
  type TraceChunk,
  UNSEEN,
} from '../batch/trace.js';
import { createTextTraceReader, detectFormat } from '../file/detect.js';
import { createResolver, type TraceHead } from './resolve.js';

interface Event {
  readonly kind: keyof typeof EVENT;
  readonly cpu?: number;
  readonly pid?: number;
  /** 64 bits. */
  readonly pointer?: bigint;
  readonly site?: string;
  readonly bytes?: number;
  readonly gfp?: string;
  readonly name?: string;
  readonly order?: number;
  readonly lost?: number;
}

interface Resolved {
  readonly head: TraceHead;
  /** Rows of all chunks. */
  readonly op: readonly number[];
  readonly slot: readonly number[];
  readonly class: readonly number[];
}

const DIRECT_MAP = 0xffff888000000000n;
const PAGE = 4096n;

function fill(batch: EventBatch, event: Event, intern: (text: string) => number): void {
  const at = batch.length++;
  const { pointer = 0n, bytes = 64 } = event;
  batch.kind[at] = EVENT[event.kind];
  batch.cpu[at] = event.cpu ?? 0;
  batch.pid[at] = event.pid ?? 1;
  batch.time[at] = at;
  batch.pointerLow[at] = Number(pointer & 0xffffffffn);
  batch.pointerHigh[at] = Number(pointer >> 32n);
  batch.site[at] = intern(event.site ?? 'site+0x1');
  batch.comm[at] = intern('task');
  batch.bytesReq[at] = event.lost ?? bytes;
  batch.bytesAlloc[at] = bytes;
  batch.gfp[at] = parseGfp(event.gfp ?? 'GFP_KERNEL');
  batch.name[at] = intern(event.name ?? '');
  batch.order[at] = event.order ?? 0;
  batch.node[at] = NODE_NONE;
  batch.accounted[at] = ACCOUNTED.UNSTATED;
}

function collect(take: (chunk: (chunk: TraceChunk) => void) => TraceHead): Resolved {
  const chunks: TraceChunk[] = [];
  const head = take((chunk) => chunks.push(chunk));
  // Only made for who asks: a recording has hundreds of thousands of rows.
  const column = (name: 'op' | 'slot' | 'class') =>
    chunks.flatMap((chunk) => [...chunk[name].subarray(0, chunk.rows)]);
  let row = 0;
  for (const chunk of chunks) {
    assert.equal(chunk.first, row);
    row += chunk.rows;
  }
  assert.equal(head.rows, row);
  return {
    head,
    get op() {
      return column('op');
    },
    get slot() {
      return column('slot');
    },
    get class() {
      return column('class');
    },
  };
}

function resolve(events: readonly Event[], batchEvents = BATCH_EVENTS): Resolved {
  return collect((chunk) => {
    const resolver = createResolver({ chunk });
    const batch = createBatch();
    for (const event of events) {
      fill(batch, event, (text) => resolver.strings.internText(text));
      if (batch.length < batchEvents) continue;
      resolver.take(batch);
      batch.length = 0;
    }
    resolver.take(batch);
    return resolver.finish();
  });
}

// ---- a model -------------------------------------------------------------------------------------------------------------

/** Few pointers, so that they are allocated over, freed twice and freed before they are allocated. */
const someEvent: fc.Arbitrary<Event> = fc.record({
  kind: fc.constantFrom('KMALLOC', 'KFREE', 'CACHE_ALLOC', 'CACHE_FREE', 'CACHE_ALLOC', 'CACHE_FREE'),
  cpu: fc.nat(1),
  pointer: fc.nat(12).map((n) => (n === 0 ? 0n : n === 1 ? 16n : 0x12340000n + BigInt(n) * 64n)),
  site: fc.constantFrom('one+0x10', 'one+0x20', 'two+0x8', 'three.constprop.0+0x1 [module]'),
  bytes: fc.constantFrom(64, 192),
  name: fc.constantFrom('dentry', 'filp'),
});

test('slots, ops and counts are what a Map of pointers says', () => {
  fc.assert(
    fc.property(
      fc.array(someEvent, { maxLength: 120 }),
      fc.constantFrom(1, 7, BATCH_EVENTS),
      (events, pieces) => {
        const { head, op, slot } = resolve(events, pieces);
        const live = new Map<bigint, { slot: number; row: number }>();
        let [over, unseen, nothing, peak] = [0, 0, 0, 0];
        events.forEach(({ kind, pointer = 0n }, row) => {
          const isAlloc = kind === 'KMALLOC' || kind === 'CACHE_ALLOC';
          const at = live.get(pointer);
          if (pointer === 0n || (!isAlloc && pointer === 16n)) {
            assert.equal(op[row], OP.NONE);
            if (!isAlloc) nothing++;
          } else if (isAlloc) {
            assert.equal(op[row], at === undefined ? OP.ALLOC : OP.ALLOC | OVER);
            if (at === undefined) for (const other of live.values()) assert.notEqual(slot[row], other.slot);
            else {
              assert.equal(slot[row], at.slot, 'the slot goes to the new object');
              over++;
            }
            live.set(pointer, { slot: slot[row]!, row });
          } else if (at === undefined) {
            assert.equal(op[row]! & (OP_MASK | UNSEEN), OP.FREE | UNSEEN);
            assert.equal(slot[row], NO_SLOT);
            unseen++;
          } else {
            assert.equal(op[row], OP.FREE);
            assert.equal(slot[row], at.slot);
            live.delete(pointer);
          }
          peak = Math.max(peak, live.size);
        });
        const { objects } = head.report;
        assert.deepEqual(
          [objects.over, objects.unseen, objects.freesOfNothing, objects.live, objects.peakLive],
          [over, unseen, nothing, live.size, peak],
        );
        assert.equal(head.slots, peak, 'there are as many slots as objects were live at once');
        const liveByClass = head.classes.reduce((sum, each) => sum + each.live, 0);
        assert.equal(liveByClass, live.size);
      },
    ),
    { numRuns: runsOf(100) },
  );
});

test('a class is what is constant of an allocation, and knows its functions, counts and names', () => {
  const alloc = (pointer: bigint, more: Partial<Event> = {}): Event => ({
    kind: 'CACHE_ALLOC',
    pointer,
    ...more,
  });
  const { head, class: classes } = resolve([
    alloc(64n, { site: 'dup_fd+0x31' }),
    alloc(128n, { site: 'dup_fd+0x77' }),
    alloc(192n, { site: 'dup_fd+0x31', bytes: 192 }),
    alloc(256n, { site: 'dup_fd+0x31', gfp: 'GFP_ATOMIC' }),
    alloc(320n, { site: '0xffffffff81234567' }),
    { kind: 'CACHE_FREE', pointer: 64n, name: 'files_cache' },
    { kind: 'CACHE_FREE', pointer: 128n, name: 'files_cache' },
    { kind: 'KMALLOC', pointer: 64n, site: 'dup_fd+0x31', bytes: 16384 },
  ]);
  assert.equal(classes[0], classes[1], 'the same function, bytes and flags');
  assert.equal(new Set([...classes.slice(0, 5), classes[7]]).size, 5);
  const [first, , , , , , , large] = classes.map((id) => head.classes[id]!);
  assert.deepEqual(
    { site: first!.site, allocs: first!.allocs, frees: first!.frees, live: first!.live, names: first!.names },
    { site: 'dup_fd', allocs: 2, frees: 2, live: 0, names: [['files_cache', 2]] },
  );
  assert.equal(head.classes[classes[4]!]!.site, '0xffffffff81234567');
  assert.equal(large!.kind, CLASS_KIND.LARGE);
});

test('the cache that an allocation names is part of its class', () => {
  const alloc = (pointer: bigint, name: string): Event => ({
    kind: 'CACHE_ALLOC',
    pointer,
    site: 'sk_prot_alloc+0x31',
    name,
  });
  const { head, class: classes } = resolve([
    alloc(64n, 'TCP'),
    alloc(128n, 'UNIX'),
    alloc(192n, 'TCP'),
    alloc(256n, ''),
    { kind: 'CACHE_FREE', pointer: 64n, name: 'TCP' },
  ]);
  assert.deepEqual(
    classes.map((id) => head.classes[id]!.allocatedAs),
    ['TCP', 'UNIX', 'TCP', '', 'TCP'],
  );
  assert.equal(head.classes.length, 3);
});

test('a pointer that was freed without an allocation was there before, or was seen before', () => {
  const free = (pointer: bigint): Event => ({ kind: 'CACHE_FREE', pointer, name: 'maple_node' });
  const { op } = resolve([
    free(0xffff888100000100n),
    free(0xffff888100000200n),
    { kind: 'CACHE_ALLOC', pointer: 0xffff888100000300n },
    free(0xffff888100000300n),
    free(0xffff888100000300n),
    free(0xffff888100000100n),
  ]);
  assert.deepEqual(
    [op[0], op[1], op[3], op[4], op[5]],
    [OP.FREE | UNSEEN, OP.FREE | UNSEEN, OP.FREE, OP.FREE | UNSEEN | AGAIN, OP.FREE | UNSEEN | AGAIN],
  );
});

test('ZERO_SIZE_PTR behind a hash is freed again and again and never allocated', () => {
  const zero = 0x00000000beef1234n;
  const frees = Array.from({ length: 5 }, (): Event => ({ kind: 'KFREE', pointer: zero }));
  const { head } = resolve([
    { kind: 'KMALLOC', pointer: 0x77n },
    ...frees,
    { kind: 'KFREE', pointer: 0x99n },
  ]);
  assert.deepEqual(head.report.objects.zeroSizeLike, [1, 5]);
  assert.equal(head.report.pointers, 'hashed');
  const real = resolve([{ kind: 'KMALLOC', pointer: DIRECT_MAP }, ...frees]);
  assert.deepEqual(real.head.report.objects.zeroSizeLike, [0, 0], 'real pointers show it as what it is');
});

// ---- pages ---------------------------------------------------------------------------------------------------------------

const SLUB_GFP = 'GFP_KERNEL|__GFP_NOWARN|__GFP_NORETRY';
const pages = (pfn: number, more: Partial<Event> = {}): Event => ({
  kind: 'PAGE_ALLOC',
  pointer: BigInt(pfn),
  gfp: SLUB_GFP,
  ...more,
});
const object = (pfn: number, more: Partial<Event> = {}): Event => ({
  kind: 'CACHE_ALLOC',
  pointer: DIRECT_MAP + BigInt(pfn) * PAGE,
  ...more,
});
/** Enough slabs to show where memory is mapped. */
const slabs = (count: number): Event[] =>
  Array.from({ length: count }, (_, i) => [pages(0x1000 + 3 * i), object(0x1000 + 3 * i)]).flat();

test('once real pointers show where memory is mapped, pages are a slab if and only if the object lies in them', () => {
  const warmUp = slabs(12);
  const { head, op } = resolve([
    ...warmUp,
    // An interrupt between the two.
    pages(0x5000, { order: 1 }),
    { kind: 'KFREE', pointer: 0x1n },
    object(0x5001),
    // The very next event and the right flags, but elsewhere.
    pages(0x6000),
    object(0x5001, { kind: 'KMALLOC' }),
    // A kmalloc of more than a cache has.
    pages(0x7000, { order: 2, gfp: 'GFP_KERNEL|__GFP_COMP' }),
    object(0x7000, { kind: 'KMALLOC', bytes: 16384 }),
    { kind: 'PAGE_FREE', pointer: 0x5000n, order: 1 },
    { kind: 'PAGE_FREE', pointer: 0x6000n },
    { kind: 'PAGE_FREE', pointer: 0x7000n, order: 2 },
  ]);
  const at = warmUp.length;
  assert.equal(op[at], OP.PAGE_ALLOC | SLAB_PAGES);
  assert.equal(op[at + 2], OP.ALLOC | GREW);
  assert.equal(op[at + 3], OP.PAGE_ALLOC);
  assert.equal(op[at + 4]! & GREW, 0);
  assert.equal(op[at + 5], OP.PAGE_ALLOC | LARGE_PAGES);
  assert.equal(op[at + 6], OP.ALLOC);
  assert.deepEqual(op.slice(at + 7), [OP.PAGE_FREE | SLAB_PAGES, OP.PAGE_FREE, OP.PAGE_FREE | LARGE_PAGES]);
  assert.equal(head.report.pointers, 'real');
  assert.equal(head.report.pageSize, 4096);
  assert.equal(head.report.pages.slabs, 13);
});

test('with pages of 64 KiB kmalloc has caches of up to two of them, also of what came before that was seen', () => {
  const large = 0x10000n;
  const at = (pfn: number): bigint => DIRECT_MAP + BigInt(pfn) * large;
  const slab = (pfn: number): Event[] => [pages(pfn), { kind: 'CACHE_ALLOC', pointer: at(pfn) }];
  const kmalloc = (pfn: number, bytes: number): Event => ({ kind: 'KMALLOC', pointer: at(pfn), bytes });
  const { head, op } = resolve([
    kmalloc(0x100, 16_384),
    ...Array.from({ length: 12 }, (_, i) => slab(0x1000 + 3 * i)).flat(),
    pages(0x5000, { order: 1 }),
    kmalloc(0x5000, 131_072),
    pages(0x6000, { order: 2, gfp: 'GFP_KERNEL|__GFP_COMP' }),
    kmalloc(0x6000, 262_144),
  ]);
  assert.equal(head.report.pageSize, 65_536);
  const kinds = head.classes.filter(({ bytesAlloc }) => bytesAlloc > 64);
  assert.deepEqual(
    kinds.map(({ kind, bytesAlloc }) => [kind, bytesAlloc]),
    [
      [CLASS_KIND.KMALLOC, 16_384],
      [CLASS_KIND.KMALLOC, 131_072],
      [CLASS_KIND.LARGE, 262_144],
    ],
  );
  assert.deepEqual(op.slice(-4), [
    OP.PAGE_ALLOC | SLAB_PAGES,
    OP.ALLOC | GREW,
    OP.PAGE_ALLOC | LARGE_PAGES,
    OP.ALLOC,
  ]);
});

test('before that, and with hashes, by flags and order of events', () => {
  const other = { pointer: 0x2222n } as const;
  const { op, head } = resolve([
    pages(0x10),
    { kind: 'CACHE_ALLOC', pointer: 0x1111n },
    // The flags of somebody who wants zeroes: no slab's.
    pages(0x11, { gfp: 'GFP_KERNEL|__GFP_ZERO|__GFP_COMP' }),
    { kind: 'CACHE_ALLOC', ...other },
    // Another task came in between.
    pages(0x12),
    { kind: 'CACHE_ALLOC', pid: 7, pointer: 0x3333n },
    // SLAB's.
    pages(0x13, { gfp: 'GFP_KERNEL|__GFP_COMP' }),
    { kind: 'CACHE_ALLOC', pointer: 0x4444n },
  ]);
  assert.deepEqual(
    op.map((what) => (what & (GREW | SLAB_PAGES)) !== 0),
    [true, true, false, false, false, false, true, true],
  );
  assert.equal(head.report.pages.slabs, 2);
});

test('pages and objects that come again at the same places do not make a map', () => {
  // The same object after the same page, over and over: one vote.
  const pair = [pages(0x100), { kind: 'CACHE_ALLOC', pointer: 0xffff888877770000n } as const];
  const back: Event[] = [
    { kind: 'CACHE_FREE', pointer: 0xffff888877770000n },
    { kind: 'PAGE_FREE', pointer: 0x100n },
  ];
  const { head } = resolve([...Array.from({ length: 50 }, () => [...pair, ...back]).flat(), ...slabs(12)]);
  assert.equal(head.report.pageSize, 4096);
});

test('a block that is freed piece by piece is freed with its last piece', () => {
  const piece = (pfn: number, order = 0): Event => ({ kind: 'PAGE_FREE', pointer: BigInt(pfn), order });
  const { op, head } = resolve([
    pages(0x40, { order: 2, gfp: 'GFP_KERNEL' }),
    piece(0x41),
    piece(0x40),
    piece(0x42, 1),
    piece(0x42, 1),
    { kind: 'PAGE_ALLOC', pointer: (BigInt(PFN_NONE) << 32n) | BigInt(PFN_NONE) },
    { kind: 'PAGE_FREE_BATCHED', pointer: 0x42n },
  ]);
  assert.deepEqual(op, [
    OP.PAGE_ALLOC,
    OP.NONE,
    OP.NONE,
    OP.PAGE_FREE,
    OP.PAGE_FREE | UNSEEN,
    OP.NONE,
    OP.NONE,
  ]);
  const { split, unseen, failed, livePages, live } = head.report.pages;
  assert.deepEqual(
    { split, unseen, failed, livePages, live },
    { split: 1, unseen: 1, failed: 1, livePages: 0, live: 0 },
  );
});

test('classes of caches that have live objects in one page are neighbours', () => {
  const { head } = resolve([
    ...slabs(12),
    object(0x9000, { site: 'a+0x1', pointer: DIRECT_MAP + 0x9000n * PAGE }),
    object(0x9000, { site: 'b+0x1', pointer: DIRECT_MAP + 0x9000n * PAGE + 192n }),
    object(0x9000, { site: 'c+0x1', kind: 'KMALLOC', pointer: DIRECT_MAP + 0x9000n * PAGE + 384n }),
  ]);
  const id = (site: string) => head.classes.findIndex((each) => each.site === site);
  assert.deepEqual(head.classes[id('a')]!.neighbours, [[id('b'), 1]]);
  assert.deepEqual(head.classes[id('c')]!.neighbours, [], 'kmalloc is known without');
});

// ---- rows ----------------------------------------------------------------------------------------------------------------

test('rows go on over chunks; marks and losses have their places', () => {
  const count = CHUNK_ROWS + 5000;
  const events = Array.from({ length: count }, (_, i): Event => {
    if (i === CHUNK_ROWS + 7) return { kind: 'MARK', name: 'SNAP a begin' };
    if (i === 12) return { kind: 'LOST', lost: 33 };
    return { kind: i % 2 === 0 ? 'KMALLOC' : 'KFREE', pointer: BigInt(1000 + (i >> 1)) };
  });
  const { head, op, slot } = resolve(events);
  assert.equal(head.rows, count);
  assert.equal(op[12], OP.LOST);
  assert.equal(slot[12], 33);
  assert.equal(head.report.lost, 33);
  assert.deepEqual(
    head.marks.map(({ row, text }) => [row, text]),
    [[CHUNK_ROWS + 7, 'SNAP a begin']],
  );
  assert.equal(op[CHUNK_ROWS + 20]! & OP_MASK, OP.ALLOC);
});

// ---- recorded traces -----------------------------------------------------------------------------------------------------

const TRACES = new URL('../../../truth/traces/', import.meta.url);
const unzipped = (name: string) => gunzipSync(readFileSync(new URL(`${name}.gz`, TRACES)));

interface Expect {
  readonly allocNull: number;
  readonly freeNullOrZeroSize: number;
  readonly allocOverLive: number;
  readonly allocOverLiveSites: readonly (readonly [string, number])[];
  readonly freeUnknown: number;
  readonly freeUnknownTop: readonly (readonly [string, number])[];
  readonly mixed: readonly unknown[];
  readonly liveAtEnd: number;
  readonly ambiguousCallSites: number;
  readonly siteToCache: readonly (readonly [string, number, number, Readonly<Record<string, number>>])[];
  readonly pages: {
    readonly liveBlocksAtEnd: number;
    readonly freeUnknown: number;
    readonly allocOverLive: number;
  };
}

interface Recorded {
  readonly expect: Expect;
  readonly markers: readonly {
    readonly marker: string;
    readonly edge: string;
    readonly eventsBefore: number;
    readonly live: number;
    readonly livePages: number;
  }[];
}

const sorted = (counts: readonly (readonly [string, number])[]) =>
  [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));

for (const name of ['boot-find', 'boot-find-slab', 'sock', 'tar', 'mm', 'gcc']) {
  test(`${name}: what an independent reader of the recording found`, () => {
    const text = unzipped(`${name}-public.txt`);
    const { expect, markers } = JSON.parse(unzipped(`${name}-public.snapshots.json`).toString()) as Recorded;
    const { head } = collect((chunk) => {
      const resolver = createResolver({ chunk });
      const format = detectFormat(name, text);
      assert.ok(format === 'ftrace' || format === 'trace-cmd' || format === 'perf-script', format);
      const reader = createTextTraceReader(format, name, resolver);
      reader.write(text);
      reader.end();
      return resolver.finish();
    });
    const { objects, pages: blocks } = head.report;
    assert.equal(objects.failed, expect.allocNull);
    assert.equal(objects.freesOfNothing, expect.freeNullOrZeroSize);
    assert.equal(objects.over, expect.allocOverLive);
    assert.deepEqual(sorted(objects.overSites), sorted(expect.allocOverLiveSites));
    assert.equal(objects.unseen, expect.freeUnknown);
    const told = expect.freeUnknownTop.map(([who, times]) => [who.replace(/^.*:/, ''), times] as const);
    assert.deepEqual(sorted(objects.unseenBy).slice(0, told.length), sorted(told));
    assert.equal(objects.mixed, expect.mixed.length);
    assert.equal(objects.live, expect.liveAtEnd);
    assert.deepEqual(
      { live: blocks.live, unseen: blocks.unseen, over: blocks.over },
      {
        live: expect.pages.liveBlocksAtEnd,
        unseen: expect.pages.freeUnknown,
        over: expect.pages.allocOverLive,
      },
    );
    assert.deepEqual(
      head.marks.map(({ text: mark, row, live, livePages }) => [mark, row, live, livePages]),
      markers.map((each) => [
        `SNAP ${each.marker} ${each.edge}`,
        each.eventsBefore,
        each.live,
        each.livePages,
      ]),
    );
    const sites = new Map<string, Record<string, number>>();
    for (const { kind, site, bytesReq, bytesAlloc, names } of head.classes) {
      if (kind !== CLASS_KIND.CACHE || names.length === 0) continue;
      const key = `${site} ${bytesReq} ${bytesAlloc}`;
      const counts = sites.get(key) ?? {};
      for (const [cache, times] of names) counts[cache] = (counts[cache] ?? 0) + times;
      sites.set(key, counts);
    }
    assert.deepEqual(
      sites,
      new Map(expect.siteToCache.map(([site, req, alloc, names]) => [`${site} ${req} ${alloc}`, names])),
    );
    const ambiguous = head.classes.filter(({ kind, names }) => kind === CLASS_KIND.CACHE && names.length > 1);
    assert.equal(ambiguous.length, expect.ambiguousCallSites);
    assert.equal(head.report.pointers, name === 'sock' ? 'hashed' : 'real');
  });
}

test('GFP bits are part of a class, as 6.1 numbers them', () => {
  const { head } = resolve([{ kind: 'KMALLOC', pointer: 1n, gfp: 'GFP_KERNEL_ACCOUNT' }]);
  assert.equal(head.classes[0]!.gfp, GFP.KERNEL_ACCOUNT);
});
