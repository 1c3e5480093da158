import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Machine } from '../../slab/index.js';
import {
  ACCOUNTED,
  CLASS_KIND,
  createResolver,
  createTextTraceReader,
  nameClasses,
  OP,
  OP_MASK,
  type Trace,
  type TraceChunk,
} from '../../trace/index.js';
import { knownCaches, planFromProfile } from '../evidence/plan.js';
import { readSnapshots } from '../evidence/snapshots.js';
import { AS_RECORDED, parseWhatIf } from '../what-if/what-if.js';
import { POINTS_MAX } from './measure.js';
import { recordMachine } from './recorder.case.test.js';
import { prepareReplay, type Recorded, replay } from './replay.js';
import type { ReplayResult } from './result.js';
import { compareReplays, resultWords } from './words.js';

const TRACES = new URL('../../../truth/traces/', import.meta.url);
const unzipped = (name: string) => gunzipSync(readFileSync(new URL(`${name}.gz`, TRACES)));

/** Replays and validates the machine, at the end and that it agrees with what is told of it. */
function checked(recorded: Recorded, settings: readonly string[] = []): ReplayResult {
  let end: Machine | undefined;
  const onEnd = (machine: Machine) => {
    machine.validate();
    end = machine;
  };
  const result = replay(recorded, parseWhatIf(settings), { onEnd });
  const sum = (value: (cache: ReplayResult['caches'][number]) => number) =>
    result.caches.reduce((total, cache) => total + value(cache), 0);
  assert.equal(
    sum(({ live }) => live),
    result.end.live,
  );
  for (const { name, slabs, fullness, live, objects, bytes, recoverable, peakSlabs } of result.caches) {
    const counted = Object.values(fullness).reduce((total, count) => total + count, 0);
    assert.equal(counted, slabs, name);
    assert.ok(live <= objects && recoverable <= bytes && slabs <= peakSlabs, name);
  }
  const taken =
    end!.zones().reduce((pages, { managed, free }) => pages + managed - free, 0) * end!.kernel.pageSize;
  assert.equal(result.end.bytes + result.end.others, taken);
  const { series } = result;
  assert.ok(series.rows.length <= POINTS_MAX);
  assert.equal(Math.max(...series.most), result.peak.bytes);
  assert.equal(series.last.at(-1), result.end.bytes);
  for (const [i, last] of series.last.entries())
    assert.ok(series.least[i]! <= last && last <= series.most[i]!, `point ${i}`);
  assert.deepEqual(JSON.parse(JSON.stringify(result)), result, 'a result is data');
  return result;
}

const simulated = (options: Partial<Parameters<typeof recordMachine>[0]> = {}) => {
  const { trace, snapshots, machine } = recordMachine({
    seed: 5,
    cpus: 2,
    allocator: 'slub',
    operations: 9000,
    snapshots: 2,
    ...options,
  });
  return { recorded: prepareReplay({ trace, snapshots }), machine, trace };
};

test('what was recorded comes out again: slabs, live objects, bytes that were asked for', () => {
  const { recorded, machine, trace } = simulated();
  const result = checked(recorded);
  for (const cache of machine.caches()) {
    const told = result.caches.find(({ name }) => name === cache.name);
    assert.equal(told?.slabs ?? 0, cache.info.nrSlabs, cache.name);
    assert.equal(told?.live ?? 0, cache.live, cache.name);
  }
  const asked = trace.classes.reduce((sum, { live, bytesReq }) => sum + live * bytesReq, 0);
  assert.equal(result.end.requested, asked);
  assert.equal(result.counts.allocs, trace.report.objects.allocs);
  assert.deepEqual(checked(recorded), result, 'a replay of the same is the same');
});

test('every what-if ends with a machine in order, and all of the same objects', () => {
  const { recorded } = simulated();
  const { live } = checked(recorded).end;
  const settings = [
    ['slub_max_order=0'],
    ['slub_min_order=2'],
    ['slub_min_objects=100'],
    ['slab_nomerge'],
    ['slub_debug=FZPU'],
    ['cpus=1'],
    ['cpus=8'],
    ['page_size=16K'],
    ['page_size=64K'],
    ['allocator=slab'],
    ['cpu_partial=0', 'min_partial=0'],
    ['sheaves'],
    ['sheaves=16', 'cpus=2'],
    ['sim_192.size=200', 'sim_584.flags+=RECLAIM_ACCOUNT'],
  ];
  for (const each of settings) {
    const result = checked(recorded, each);
    assert.equal(result.end.live, live, each.join(' '));
    assert.deepEqual(result.settings, each);
    assert.equal(result.failed, 0);
  }
});

test('sheaves hold objects that nobody has, and none of them changes nothing', () => {
  const { recorded } = simulated();
  const before = checked(recorded);
  const none = checked(recorded, ['sheaves=0']);
  assert.deepEqual(none.end, before.end);
  const { end, recoverable } = checked(recorded, ['sheaves=32']);
  assert.ok(end.bytes >= before.end.bytes, `${end.bytes} bytes, ${before.end.bytes} without`);
  assert.ok(recoverable >= before.recoverable);
  assert.throws(() => checked(recorded, ['sheaves=32', 'allocator=slab']), /sheaves are for SLUB/);
});

test('a struct that grows costs what its slabs say', () => {
  const { recorded } = simulated({ cpus: 1 });
  const cacheOf = (result: ReplayResult) => result.caches.find(({ name }) => name === 'sim_192')!;
  const before = cacheOf(checked(recorded));
  const after = checked(recorded, ['sim_192.size=250']);
  const { objectsPerSlab, peakSlabs, size } = cacheOf(after);
  // slabinfo does not tell of constructors, which would keep the free pointer out of the object.
  assert.deepEqual([size, objectsPerSlab], [256, 16]);
  assert.ok(peakSlabs >= Math.ceil(((before.peakSlabs - 2) * before.objectsPerSlab) / 16), `${peakSlabs}`);
  const [first, second] = compareReplays(checked(recorded), after);
  assert.match(first!, /^sim_192\.size=250 holds .* more than as recorded/);
  assert.match(second!, /The peaks that differ most: sim_192 \+/);
});

test('objects of a strategy are held by its pages', () => {
  const { recorded } = simulated({ cpus: 1 });
  const base = checked(recorded);
  const result = checked(recorded, ['sim_1100.strategy=pages']);
  const { live } = base.caches.find(({ name }) => name === 'sim_1100')!;
  assert.equal(
    result.caches.find(({ name }) => name === 'sim_1100'),
    undefined,
  );
  const others = base.caches
    .filter(({ name }) => name !== 'sim_1100')
    .reduce((sum, { bytes }) => sum + bytes, 0);
  assert.equal(result.end.bytes, others + live * 4096);
  assert.equal(result.end.requested, base.end.requested);
});

test('a machine without enough memory: allocations fail, their frees free nothing, and it is told', () => {
  const { trace, snapshots } = recordMachine({
    seed: 6,
    cpus: 1,
    allocator: 'slub',
    operations: 20_000,
    snapshots: 2,
  });
  // 1 MiB is reserved.
  const result = checked(prepareReplay({ trace, snapshots, machine: 'x86_64', memory: 2 ** 22 }));
  assert.ok(result.failed > 0);
  assert.equal(result.counts.allocs, trace.report.objects.allocs);
  assert.match(resultWords(result).join(' '), /found no memory/);
});

test('without snapshots the machine is one that has just booted, and that is said', () => {
  const { trace } = recordMachine({ seed: 7, cpus: 1, allocator: 'slub', operations: 3000, snapshots: 1 });
  const recorded = prepareReplay({ trace, snapshots: undefined, memory: 2 ** 28 });
  const result = checked(recorded);
  assert.match(result.machine.source, /as Linux 6\.1 has them after booting/);
  assert.match(result.notUnderstood[0]!, /the machine begins empty/);
  assert.equal(result.end.live, trace.report.objects.live);
});

test('who pins a sparse slab: the last of many', () => {
  const lines = (count: number, line: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => line(i));
  const head = (comm: string, pid: number, i: number) =>
    `  ${comm}-${pid}  [000] .....  ${(1 + i / 1000).toFixed(6)}: `;
  const pointer = (i: number) => (0xffff888000000000n + BigInt(i) * 64n).toString(16);
  const alloc = (i: number) =>
    `${head(i === 40 ? 'keeper' : 'visitor', i === 40 ? 40 : 7, i)}kmalloc: call_site=${i === 40 ? 'keep' : 'visit'}+0x1/0x2 ` +
    `ptr=${pointer(i)} bytes_req=64 bytes_alloc=64 gfp_flags=GFP_KERNEL node=-1 accounted=false`;
  const free = (i: number) =>
    `${head('visitor', 7, 200 + i)}kfree: call_site=leave+0x1/0x2 ptr=${pointer(i)}`;
  const text = ['# tracer: nop', ...lines(64, alloc), ...lines(64, (i) => (i === 40 ? '#' : free(i)))].join(
    '\n',
  );
  const chunks: TraceChunk[] = [];
  const resolver = createResolver({ chunk: (chunk) => chunks.push(chunk) });
  const reader = createTextTraceReader('ftrace', 'pin.txt', resolver);
  reader.write(Buffer.from(`${text}\n`));
  reader.end();
  const trace: Trace = { ...resolver.finish(), chunks: () => chunks };
  const result = checked(prepareReplay({ trace }));
  assert.deepEqual(result.pins, [
    {
      cache: 'kmalloc-64',
      site: 'keep',
      comm: 'keeper',
      pids: 1,
      objects: 1,
      slabs: 1,
      bytes: 4096,
      since: 1.04e9,
    },
  ]);
});

/** Bytes asked for and live at the end, and the most objects of a cache, from the rows alone: without caches, addresses or a machine. */
function countedByHand({ trace, names }: Recorded, cache: string): { asked: number; mostLive: number } {
  const classOf = new Map<number, number>();
  let [asked, live, mostLive] = [0, 0, 0];
  for (const { op, class: classes, slot, rows } of trace.chunks()) {
    for (let i = 0; i < rows; i++) {
      const kind = op[i]! & OP_MASK;
      if (kind !== OP.ALLOC && kind !== OP.FREE) continue;
      const old = classOf.get(slot[i]!);
      if (old !== undefined) asked -= trace.classes[old]!.bytesReq;
      if (old !== undefined && names[old]!.name === cache) live--;
      classOf.delete(slot[i]!);
      if (kind !== OP.ALLOC) continue;
      classOf.set(slot[i]!, classes[i]!);
      asked += trace.classes[classes[i]!]!.bytesReq;
      if (names[classes[i]!]!.name === cache) live++;
      mostLive = Math.max(mostLive, live);
    }
  }
  return { asked, mostLive };
}

/** A recorded boot, read once. */
let boot: Recorded | undefined;
function recordedBoot(): Recorded {
  if (boot !== undefined) return boot;
  const chunks: TraceChunk[] = [];
  const resolver = createResolver({ chunk: (chunk) => chunks.push(chunk) });
  const reader = createTextTraceReader('ftrace', 'boot', resolver);
  reader.write(unzipped('boot-find-public.txt'));
  reader.end();
  const trace: Trace = { ...resolver.finish(), chunks: () => chunks };
  const snapshots = readSnapshots(unzipped('boot-find-public.snapshots.json').toString(), 'boot');
  boot = prepareReplay({ trace, snapshots });
  return boot;
}

test('a recorded boot with three what-ifs: figures that can be checked by hand', () => {
  const recorded = recordedBoot();
  const base = checked(recorded);
  assert.deepEqual(base.settings, AS_RECORDED.settings);
  const before = recorded.estimate.history.caches.reduce((sum, { full, onCpu, name }) => {
    const size = recorded.plan.caches.find((spec) => spec.name === name)!.grownSize;
    const live = full + onCpu.reduce((all, { allocated, freed }) => all + allocated - freed, 0);
    return sum + live * size;
  }, 0);
  // Of the frees without an allocation, those of before take from that.
  const { asked, mostLive } = countedByHand(recorded, 'dentry');
  assert.ok(Math.abs(base.end.requested - asked - before) < 64 * base.counts.fromBefore + 20_000);
  const dentry = base.caches.find(({ name }) => name === 'dentry')!;
  assert.deepEqual([dentry.slabs, dentry.peakSlabs, dentry.objectsPerSlab], [230, 346, 21]);
  // None of them is from before the trace. With 200 bytes 20 fit into a page, with 256 bytes 16.
  assert.equal(dentry.peakSlabs, Math.ceil(mostLive / 21));
  const peakOf = (settings: readonly string[]) =>
    checked(recorded, settings).caches.find(({ name }) => name === 'dentry')!.peakSlabs;
  assert.equal(peakOf(['dentry.size=200']), Math.ceil(mostLive / 20));
  assert.equal(peakOf(['dentry.size=256']), Math.ceil(mostLive / 16));
  const small = checked(recorded, ['slub_max_order=0']);
  assert.ok(small.caches.every(({ order, size }) => order === 0 || size > 4096));
});

test('a kernel whose frees have no names: by size, flags and function, nearly all objects find the same cache', () => {
  const { trace, names, plan } = recordedBoot();
  const nameless = trace.classes.map((each) => ({
    ...each,
    names: [],
    freedAs: '',
    allocatedAs: '',
    accounted: ACCOUNTED.UNSTATED,
  }));
  for (const known of [knownCaches(plan), knownCaches(planFromProfile(1))]) {
    const found = nameClasses(nameless, known);
    let [same, all] = [0, 0];
    trace.classes.forEach(({ kind, allocs }, id) => {
      if (kind !== CLASS_KIND.CACHE || names[id]!.how !== 'frees') return;
      all += allocs;
      if (found[id]!.name === names[id]!.name) same += allocs;
      else assert.notEqual(found[id]!.how, 'frees');
    });
    assert.ok(same / all > 0.99, `${same} of ${all}`);
  }
});
