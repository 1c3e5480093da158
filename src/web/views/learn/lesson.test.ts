import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ArgumentError,
  type Gfp,
  KernelWouldCrashError,
  SlablabError,
  UnknownNameError,
} from '../../../base/index.js';
import { GFP } from '../../../machine/index.js';
import type { AllocatorName } from '../../../slab/index.js';
import { type Act, parseActs } from './acts.js';
import { Lesson } from './lesson.js';
import { pictureOf } from './picture.js';
import { TOURS } from './tour.js';

function lessonOf(text: string, allocator: AllocatorName = 'slub'): Lesson {
  const lesson = new Lesson(allocator);
  for (const act of parseActs(text)) lesson.do(act);
  lesson.machine.validate();
  return lesson;
}

const cacheOf = (lesson: Lesson, name: string) => {
  const id = lesson.state.names.get(name);
  return lesson.state.picture.caches.find((cache) => cache.id === id)!;
};

const TABLES = 'create tables 1024 align=1024 flags=CACHE_DMA32';

test('two zones of 64 pages meet at 4 GiB, in blocks of the order that fits', () => {
  const { zones, caches } = new Lesson('slub').state.picture;
  assert.deepEqual(
    zones.map(({ name, pages, free }) => [name, pages.length, free, pages[0]!.pfn]),
    [
      ['DMA32', 64, 64, 2 ** 20 - 64],
      ['Normal', 64, 64, 2 ** 20],
    ],
  );
  assert.equal(zones[0]!.freeBlocks[6], 1);
  assert.deepEqual(caches, []);
});

test('the way of an allocation is told as the kernel went it', () => {
  const paths = (text: string) => lessonOf(text).steps.map(({ story }) => story.path);
  assert.deepEqual(paths(`${TABLES}; alloc tables 2; free 1; free 2 cpu=1; alloc tables 16`).slice(1, 6), [
    'slow path: new slab',
    'fast path',
    'fast path',
    'slow path: frozen slab',
    'fast path',
  ]);
  // 16 objects fill the slab of CPU 0; what CPU 1 freed waits on the slab's own list.
  assert.deepEqual(paths(`${TABLES}; alloc tables 16; free 3 cpu=1; alloc tables 2`).slice(17), [
    'slow path: frozen slab',
    'slow path: slab’s own list',
    'slow path: new slab',
  ]);
  const toPartial = paths(`${TABLES}; alloc tables 17; free 3; alloc tables 16`);
  assert.equal(toPartial[18], 'slow path: to CPU partial');
  assert.equal(toPartial.at(-1), 'slow path: CPU partial');
  assert.equal(
    paths(`${TABLES}; alloc tables; shrink tables; alloc tables cpu=1`).at(-1),
    'slow path: node partial',
  );
});

test('a drawing has each object once, and the lists in the order in which they are handed out', () => {
  const lesson = lessonOf(`${TABLES}; alloc tables 5; free 2; free 4; free 1 cpu=1`);
  const { slabs, cpus } = cacheOf(lesson, 'tables');
  const [slab] = slabs;
  assert.equal(slabs.length, 1);
  assert.deepEqual([slab!.place, slab!.cpu, slab!.order, slab!.objects.length], ['active', 0, 2, 16]);
  assert.deepEqual(slab!.cpuFreelist, [3, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  assert.deepEqual(slab!.freelist, [0]);
  assert.equal(cpus[0]!.active, slab!.id);
  assert.equal(cpus[1]!.active, undefined);
  assert.deepEqual(
    slab!.objects.slice(0, 6).map(({ state }) => state),
    ['slab', 'cpu', 'live', 'cpu', 'live', 'cpu'],
  );
});

test('wrong flags: the kernel says so where it looks at them, and not before', () => {
  const wrong = 'alloc plain gfp=GFP_KERNEL|GFP_DMA32';
  const lesson = lessonOf(`create plain 512; ${wrong}; ${wrong}`);
  const warning = 'Unexpected gfp: 0x4 (GFP_DMA32). Fixing up to gfp: 0xcc0 (GFP_KERNEL). Fix your code!';
  assert.deepEqual(
    lesson.steps.map(({ printed }) => printed),
    [[], [warning], []],
  );
  assert.equal(lesson.steps[2]!.story.path, 'fast path');
  const both = lessonOf('create both 256 flags=CACHE_DMA,CACHE_DMA32; alloc both');
  assert.match(both.last!.printed.join(), /GFP_DMA\|GFP_DMA32 names an impossible zone/);
  const refused = lessonOf('create bad 64 flags=0x10');
  assert.match(refused.last!.printed.join(), /bad\) failed with error -22/);
  assert.equal(refused.last!.story.path, 'refused');
  assert.equal(refused.state.names.size, 0);
});

test('a cache that is destroyed too early is reported in the kernel’s words, and stays', () => {
  const lesson = lessonOf('create plain 512; alloc plain; destroy plain');
  assert.match(lesson.last!.printed.join('\n'), /Objects remaining in plain on __kmem_cache_shutdown/);
  assert.equal(lesson.last!.story.path, 'leaked');
  assert.equal(lesson.state.picture.caches[0]!.leaked, true);
  assert.throws(() => lesson.do({ kind: 'free', object: 1, cpu: 0 }), /nobody can free it/);
  assert.equal(
    lessonOf('create plain 512; alloc plain; free 1; destroy plain').last!.story.path,
    'destroyed',
  );
});

test('memory that runs out is an answer, and a smaller order is tried before', () => {
  const lesson = new Lesson('slub');
  for (const act of parseActs(TABLES)) lesson.do(act);
  while (lesson.last!.story.path !== 'no memory')
    lesson.do({ kind: 'alloc', name: 'tables', cpu: 0, gfp: GFP.ATOMIC });
  assert.match(lesson.last!.printed.join('\n'), /SLUB: Unable to allocate memory on node -1/);
  const { info, slabs } = cacheOf(lesson, 'tables');
  assert.ok(info.orderFallbacks > 0);
  assert.ok(slabs.some(({ order }) => order === 0));
  assert.ok(slabs.every(({ address, bytes }) => address + bytes <= 2 ** 32));
  lesson.machine.validate();
});

test('what cannot be done is refused in words, and nothing changed', () => {
  const lesson = lessonOf(`${TABLES}; alloc tables`);
  const before = lesson.state;
  const refusals: [Act, new (...args: never[]) => Error, RegExp][] = [
    [{ kind: 'alloc', name: 'table', cpu: 0, gfp: GFP.KERNEL }, UnknownNameError, /did you mean 'tables'/],
    [{ kind: 'alloc', name: 'tables', cpu: 7, gfp: GFP.KERNEL }, ArgumentError, /CPUs 0 to 1, not 7/],
    [{ kind: 'free', object: 9, cpu: 0 }, ArgumentError, /no object 9/],
    [
      { kind: 'create', name: 'x', size: 100, align: 3, flags: 0, ctor: false },
      KernelWouldCrashError,
      /no power of two/,
    ],
    [
      { kind: 'create', name: 'x', size: 0, align: 0, flags: 0, ctor: true },
      KernelWouldCrashError,
      /needs a size/,
    ],
    [{ kind: 'create', name: 'a b', size: 8, align: 0, flags: 0, ctor: false }, ArgumentError, /not 'a b'/],
  ];
  for (const [act, kind, message] of refusals) {
    assert.throws(
      () => lesson.do(act),
      (error) => error instanceof kind && message.test(error.message),
    );
    assert.equal(lesson.state, before);
    assert.equal(lesson.steps.length, 2);
  }
  lesson.machine.validate();
});

test('SLAB: arrays are stacks, refilled and flushed by batches', () => {
  const lesson = lessonOf('create small 256; alloc small; free 1 cpu=1; alloc small cpu=1', 'slab');
  const paths = lesson.steps.map(({ story }) => story.path);
  assert.deepEqual(paths, ['new cache', 'refill: new slab', 'fast path', 'fast path']);
  const { cpus, slabs } = cacheOf(lesson, 'small');
  assert.equal(cpus[0]!.array!.entries.length, 15);
  assert.equal(cpus[1]!.array!.entries.length, 0);
  assert.equal(slabs[0]!.objects.filter(({ state }) => state === 'array').length, 15);
  assert.equal(slabs[0]!.objects.filter(({ state }) => state === 'live').length, 1);
});

/** Any act that makes sense on two caches; what it cannot do it refuses. */
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('alloc' as const),
      name: fc.constantFrom('a', 'b'),
      cpu: fc.nat(1),
      gfp: fc.constantFrom<Gfp>(GFP.KERNEL, GFP.ATOMIC),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('free' as const),
      object: fc.integer({ min: 1, max: 60 }),
      cpu: fc.nat(1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('shrink' as const, 'destroy' as const),
      name: fc.constantFrom('a', 'b'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), milliseconds: fc.constantFrom(2000, 9000) }),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Act>({
      kind: 'create',
      name: 'b',
      size: 700,
      align: 0,
      flags: 0x8000,
      ctor: true,
    }),
  },
);

for (const allocator of ['slub', 'slab'] as const) {
  test(`every step can be taken back, and leads to the same again: ${allocator}`, () => {
    const property = fc.property(fc.array(act, { maxLength: 120 }), (acts) => {
      const lesson = new Lesson(allocator);
      lesson.do({ kind: 'create', name: 'a', size: 1024, align: 0, flags: 0, ctor: false });
      for (const each of acts) {
        try {
          lesson.do(each);
        } catch (error) {
          if (!(error instanceof SlablabError)) throw error;
        }
      }
      lesson.machine.validate();
      const end = lesson.steps.length;
      for (const position of [Math.floor(end / 2), 0, end]) {
        lesson.goTo(position);
        lesson.machine.validate();
        assert.deepEqual(pictureOf(lesson.machine), lesson.state.picture);
      }
      // From the middle on the same acts come to the same.
      const half = Math.floor(end / 2);
      lesson.goTo(half);
      const wanted = lesson.steps.map(({ act: done }) => done);
      const after = lesson.steps.map((step) => step.after.picture);
      for (const each of wanted.slice(half)) lesson.do(each);
      assert.deepEqual(
        lesson.steps.map((step) => step.after.picture),
        after,
      );
      for (const { slabs } of lesson.state.picture.caches) {
        for (const { objects, freelist, cpuFreelist } of slabs) {
          const free = objects.filter(({ state }) => state === 'slab' || state === 'cpu').length;
          assert.equal(free, freelist.length + cpuFreelist.length);
        }
      }
    });
    fc.assert(property, { seed: 3, numRuns: 15 });
  });
}

/** Goes through a tour. The path of the last act of a stop, by its title. */
function travel(allocator: AllocatorName): { lesson: Lesson; lastOf: (title: string) => string | undefined } {
  const lesson = new Lesson(allocator);
  const tour = TOURS[allocator];
  const paths = tour.map(({ acts }) => parseActs(acts).map((each) => lesson.do(each).story.path));
  lesson.machine.validate();
  return { lesson, lastOf: (title) => paths[tour.findIndex((stop) => stop.title === title)]!.at(-1) };
}

test('the tour of SLUB does what its words say', () => {
  const { lesson, lastOf } = travel('slub');
  assert.ok(TOURS.slub.length >= 10);
  assert.equal(lastOf('The first object'), 'slow path: new slab');
  assert.equal(lastOf('The fast path'), 'fast path');
  assert.equal(lesson.state.objects[5]!.address, lesson.state.objects[1]!.address, '#6 lies where #2 was');
  assert.equal(lastOf('A CPU of its own'), 'fast path');
  assert.equal(lastOf('Freed by the other CPU'), 'slow path: frozen slab');
  assert.equal(lastOf('Full'), 'slow path: new slab');
  assert.equal(lastOf('The CPU’s partial list'), 'slow path: to CPU partial');
  const drains = lesson.steps.filter(({ story }) =>
    story.sentences.some(({ by }) => by === '__unfreeze_partials'),
  );
  assert.deepEqual(
    drains.map(({ text }) => text),
    ['free 70'],
    'one CPU partial list overflows',
  );
  assert.equal(lastOf('Merged'), 'slow path: node partial');
  assert.equal(lastOf('Destroyed too early'), 'leaked');
});

test('the tour of SLAB does what its words say', () => {
  const { lesson, lastOf } = travel('slab');
  assert.equal(lastOf('The first object'), 'refill: new slab');
  assert.equal(lesson.state.objects[3]!.address, lesson.state.objects[1]!.address, '#4 lies where #2 was');
  assert.equal(lastOf('Freed by the other CPU'), 'fast path');
  const nodes = lesson.steps.map(({ after }) => after.picture.caches[0]);
  const colours = nodes[20]!.slabs.map(({ address, objects }) => objects[0]!.address - address);
  assert.deepEqual(new Set(colours), new Set([0, 64]));
  assert.ok(lesson.steps.some(({ story }) => story.path === 'flush: shared array'));
  assert.equal(lastOf('From the shared array'), 'fast path');
  assert.ok(lesson.steps.some(({ story }) => story.path === 'refill: shared array'));
  assert.match(lesson.last!.printed.join(), /Unexpected gfp/);
});
