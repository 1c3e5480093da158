/**
 * What must hold of every replay of a machine that was recorded, whatever the trace leaves out: small made-up kernels are traced, with and
 * without names, behind hashes and not, and what the replay has is held against what was asked for, event by event.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../../base/runs.case.test.js';
import {
  CLASS_KIND,
  createBatch,
  createResolver,
  EVENT,
  NODE_NONE,
  type Trace,
  type TraceChunk,
} from '../../trace/index.js';
import { OTHER_PAGES, REQUESTED } from '../replay/measure.js';
import { prepareReplay, replay } from '../replay/replay.js';
import { startReplay } from '../replay/start.js';
import { AS_RECORDED, parseWhatIf } from '../what-if/what-if.js';

/** A cache of the made-up kernel. */
interface Made {
  readonly name: string;
  readonly asked: number;
  /** Bytes that the kernel adds to an object: a free pointer, a red zone. */
  readonly more: number;
}

interface Kernel {
  readonly caches: readonly Made[];
  readonly namesAllocs: boolean;
  readonly namesFrees: boolean;
  readonly isHashed: boolean;
  readonly tracesPages: boolean;
  readonly cpus: number;
  /** Each: what to do, on which of the caches, which CPU, which of the live objects. */
  readonly steps: readonly (readonly [what: number, cache: number, cpu: number, pick: number])[];
}

// Names that a preset knows, mostly with other sizes; and some that nobody knows.
const NAMES = [
  'radix_tree_node',
  'dentry',
  'filp',
  'pid',
  'vm_area_struct',
  'widget',
  'gadget',
  'kernfs_node_cache',
];
// Functions that are known to allocate from a cache, and some that are not.
const SITES = [
  'xas_alloc',
  '__d_alloc',
  'alloc_empty_file',
  'alloc_pid',
  'vm_area_alloc',
  'make_widget',
  'make_gadget',
  'other',
];
const KMALLOC = [8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192];

const kernels: fc.Arbitrary<Kernel> = fc.record({
  caches: fc.uniqueArray(fc.nat(NAMES.length - 1), { minLength: 1, maxLength: 6 }).chain((picks) =>
    fc.tuple(
      ...picks.map((pick) =>
        fc.record({
          name: fc.constant(NAMES[pick]!),
          asked: fc.integer({ min: 1, max: 2200 }),
          more: fc.constantFrom(0, 0, 8, 24, 64),
        }),
      ),
    ),
  ),
  namesAllocs: fc.boolean(),
  namesFrees: fc.boolean(),
  isHashed: fc.boolean(),
  tracesPages: fc.boolean(),
  cpus: fc.constantFrom(1, 2, 4),
  steps: fc.array(fc.tuple(fc.nat(99), fc.nat(1000), fc.nat(3), fc.nat(1 << 20)), {
    minLength: 1,
    maxLength: 300,
  }),
});

const distanceOf = ({ asked, more }: Made) => Math.ceil((asked + more) / 8) * 8;
const HIGH = 0xffff8881;
const PAGE = 4096;
/** Bytes of a machine that has room for whatever these kernels do, and is made quickly. */
const ENOUGH = 2 ** 27;

/** The trace of a kernel that keeps each cache's objects in pages of its own, and gives every address again. */
function traced(kernel: Kernel): Trace {
  const chunks: TraceChunk[] = [];
  const resolver = createResolver({ chunk: (chunk) => chunks.push(chunk) });
  const batch = createBatch(kernel.steps.length * 3 + 8);
  const text = (value: string) => resolver.strings.internText(value);
  let nextPage = 1;
  const free = new Map<string, number[]>();
  const live: {
    readonly at: number;
    readonly cache: string;
    readonly kind: number;
    readonly order: number;
  }[] = [];
  let time = 1e9;
  const put = (kind: number, cpu: number, at: number): number => {
    const i = batch.length++;
    batch.kind[i] = kind;
    batch.cpu[i] = cpu % kernel.cpus;
    batch.pid[i] = 7;
    batch.time[i] = time += 1000;
    batch.pointerLow[i] = kernel.isHashed ? Math.imul(at + 17, 0x9e3779b1) >>> 0 : at;
    batch.pointerHigh[i] = kernel.isHashed ? 0 : HIGH;
    batch.node[i] = NODE_NONE;
    batch.gfp[i] = 0xcc0;
    batch.comm[i] = text('task');
    batch.name[i] = 0;
    return i;
  };
  const pages = (order: number, cpu: number): number => {
    const first = nextPage;
    nextPage += 1 << order;
    if (kernel.tracesPages) {
      const i = put(EVENT.PAGE_ALLOC, cpu, 0);
      batch.pointerLow[i] = first;
      batch.pointerHigh[i] = 0;
      batch.order[i] = order;
      batch.gfp[i] = 0x12cc0;
    }
    return first * PAGE;
  };
  const take = (key: string, distance: number, cpu: number): number => {
    const list = free.get(key) ?? [];
    free.set(key, list);
    if (list.length === 0) {
      const order = distance > 2000 ? 3 : 0;
      const at = pages(order, cpu);
      for (let n = Math.floor((PAGE << order) / distance) - 1; n >= 0; n--) list.push(at + n * distance);
    }
    return list.pop()!;
  };
  for (const [what, which, cpu, pick] of kernel.steps) {
    if (what < 45) {
      const cache = kernel.caches[which % kernel.caches.length]!;
      const distance = distanceOf(cache);
      const at = take(cache.name, distance, cpu);
      const i = put(EVENT.CACHE_ALLOC, cpu, at);
      // A cache is allocated from by its own function, mostly.
      batch.site[i] = text(
        `${SITES[(NAMES.indexOf(cache.name) + (pick % 9 === 0 ? 1 : 0)) % SITES.length]}+0x1`,
      );
      batch.bytesReq[i] = cache.asked;
      batch.bytesAlloc[i] = distance;
      if (kernel.namesAllocs) batch.name[i] = text(cache.name);
      live.push({ at, cache: cache.name, kind: EVENT.CACHE_FREE, order: -1 });
    } else if (what < 60) {
      const bytes = KMALLOC[which % KMALLOC.length]!;
      const at = take(`kmalloc-${bytes}`, bytes, cpu);
      const i = put(EVENT.KMALLOC, cpu, at);
      batch.site[i] = text('asks+0x2');
      batch.bytesReq[i] = Math.max(bytes - (pick % 5), 1);
      batch.bytesAlloc[i] = bytes;
      live.push({ at, cache: '', kind: EVENT.KFREE, order: -1 });
    } else if (what < 65) {
      const order = 2 + (which % 4);
      const at = pages(order, cpu);
      const i = put(EVENT.KMALLOC, cpu, at);
      batch.site[i] = text('asks_much+0x3');
      batch.bytesReq[i] = (PAGE << order) - (pick % PAGE);
      batch.bytesAlloc[i] = PAGE << order;
      live.push({ at, cache: '', kind: EVENT.KFREE, order });
    } else if (what < 70) {
      // Of something that nobody saw allocated.
      const i = put(EVENT.CACHE_FREE, cpu, (nextPage - 1) * PAGE + (pick % 500) * 8);
      batch.site[i] = text('puts+0x4');
      if (kernel.namesFrees) batch.name[i] = text(NAMES[pick % NAMES.length]!);
    } else if (live.length > 0) {
      const at = pick % live.length;
      const object = live[at]!;
      live[at] = live.at(-1)!;
      live.pop();
      const i = put(object.kind, cpu, object.at);
      batch.site[i] = text('puts+0x5');
      if (kernel.namesFrees && object.cache !== '') batch.name[i] = text(object.cache);
      if (object.order >= 0) {
        if (kernel.tracesPages) {
          const page = put(EVENT.PAGE_FREE, cpu, 0);
          batch.pointerLow[page] = object.at / PAGE;
          batch.pointerHigh[page] = 0;
          batch.order[page] = object.order;
        }
      } else {
        const key = object.cache === '' ? undefined : object.cache;
        // kmalloc's are not given again, so that a list needs no other key.
        if (key !== undefined) free.get(key)!.push(object.at);
      }
    }
  }
  resolver.take(batch);
  return { ...resolver.finish(), chunks: () => chunks };
}

test('as recorded holds what was asked for, at every event, in caches with room for it that are called as the events call them', () => {
  fc.assert(
    fc.property(kernels, (kernel) => {
      const trace = traced(kernel);
      const recorded = prepareReplay({ trace, memory: ENOUGH });
      const { built, run, finish } = startReplay(recorded, AS_RECORDED);
      const { machine } = built;
      const { state } = run;
      let most = { bytes: -1, requested: 0, row: 0 };
      for (let row = 0; row < trace.rows; row++) {
        run.advance(row + 1);
        const taken = machine.zones().reduce((pages, { managed, free }) => pages + managed - free, 0);
        const bytes = taken * PAGE - state.measure.sums[OTHER_PAGES]! * PAGE;
        const requested = state.measure.sums[REQUESTED]!;
        assert.ok(bytes >= requested, `row ${row}: ${bytes} held, ${requested} asked for`);
        if (bytes > most.bytes || (bytes === most.bytes && requested > most.requested))
          most = { bytes, requested, row };
      }
      const result = finish();
      machine.validate();
      // The peak is the event with most asked for, of those at which most is held.
      const { time, ...peak } = result.peak;
      if (most.requested > 0) assert.deepEqual(peak, most);
      assert.ok(time >= trace.report.firstTime && time <= trace.report.lastTime);
      for (const [id, { kind, bytesReq, bytesAlloc, allocatedAs, names }] of trace.classes.entries()) {
        const route = built.routes[id]!;
        if (kind === CLASS_KIND.LARGE) assert.equal(route.to, 'pages');
        if (kind !== CLASS_KIND.CACHE && kind !== CLASS_KIND.KMALLOC) continue;
        assert.ok(route.to === 'cache', `class ${id} is nowhere`);
        const { cache, spec } = route.cache;
        assert.ok(cache.info.size >= bytesReq, `${spec.name}: ${cache.info.size} bytes for ${bytesReq}`);
        assert.equal(cache.info.size, Math.max(bytesAlloc, bytesReq));
        const told = allocatedAs || names[0]?.[0];
        if (told !== undefined) assert.equal(spec.names[0]!.replace(/\/\d+$/, ''), told);
      }
      for (const { name, notUnderstood } of result.caches.map(({ name }) => ({
        name,
        notUnderstood: result.notUnderstood,
      })))
        assert.ok(name !== '' && notUnderstood.every((words) => words.length > 20));
      // Nothing lies in a slab of a size that no event has.
      const sizes = new Set(trace.classes.map(({ bytesAlloc }) => bytesAlloc));
      for (const { name, size, slabsMade } of result.caches)
        assert.ok(slabsMade === 0 || sizes.has(size), `${name} of ${size} bytes`);
    }),
    { numRuns: runsOf(30) },
  );
});

test('the peak of a what-if too is the event with most asked for, of those at which most is held', () => {
  const settings = fc.constantFrom(
    'slub_max_order=0',
    'allocator=slab',
    'cpus=8',
    'page_size=16K',
    'sheaves',
    'slub_debug=FZ',
  );
  fc.assert(
    fc.property(kernels, settings, (kernel, setting) => {
      const trace = traced(kernel);
      const { built, run, finish } = startReplay(
        prepareReplay({ trace, memory: ENOUGH }),
        parseWhatIf([setting]),
      );
      const { machine } = built;
      const { sums } = run.state.measure;
      let most = { bytes: -1, requested: 0, row: 0 };
      for (let row = 0; row < trace.rows; row++) {
        run.advance(row + 1);
        const taken = machine.zones().reduce((pages, { managed, free }) => pages + managed - free, 0);
        const bytes = (taken - sums[OTHER_PAGES]!) * machine.kernel.pageSize;
        const requested = sums[REQUESTED]!;
        if (bytes > most.bytes || (bytes === most.bytes && requested > most.requested))
          most = { bytes, requested, row };
      }
      const { time: _, ...peak } = finish().peak;
      machine.validate();
      if (most.requested > 0) assert.deepEqual(peak, most, setting);
    }),
    { numRuns: runsOf(20) },
  );
});

test('where pointers are real a page is one cache’s, and who shares it goes by one name', () => {
  fc.assert(
    fc.property(kernels, (given) => {
      const kernel = { ...given, isHashed: false };
      const trace = traced(kernel);
      const recorded = prepareReplay({ trace });
      for (const [id, { kind, neighbours, bytesAlloc }] of trace.classes.entries()) {
        if (kind !== CLASS_KIND.CACHE) continue;
        for (const [other] of neighbours) {
          if (trace.classes[other]!.bytesAlloc !== bytesAlloc) continue;
          const names = [recorded.names[id]!, recorded.names[other]!];
          assert.equal(names[0]!.name, names[1]!.name, names.map(({ why }) => why).join('; '));
        }
      }
    }),
    { numRuns: runsOf(20) },
  );
});

test('a trace that holds more than a usual machine has gets a machine that has it', () => {
  const steps = Array.from({ length: 2000 }, () => [62, 3, 0, 0] as const);
  const kernel = { caches: [{ name: 'pid', asked: 100, more: 0 }], namesAllocs: true, namesFrees: true };
  const small = traced({ ...kernel, isHashed: true, tracesPages: false, cpus: 1, steps });
  const bytes = 4 * 2 ** 20;
  const trace = {
    ...small,
    classes: small.classes.map((each) => ({ ...each, bytesReq: bytes, bytesAlloc: bytes })),
  };
  const result = replay(prepareReplay({ trace }), AS_RECORDED, { onEnd: (machine) => machine.validate() });
  assert.equal(result.failed, 0);
  assert.deepEqual([result.peak.bytes, result.peak.requested], [2000 * bytes, 2000 * bytes]);
  assert.equal(result.machine.evidence.memory, 'assumed');
});
