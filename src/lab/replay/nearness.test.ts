import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import {
  createResolver,
  createTextTraceReader,
  detectFormat,
  type Trace,
  type TraceChunk,
} from '../../trace/index.js';
import { readSnapshots } from '../evidence/snapshots.js';
import { measureNearness, type Nearness } from './nearness.js';
import { recordMachine } from './recorder.case.test.js';
import { prepareReplay, type Recorded } from './replay.js';

const TRACES = new URL('../../../truth/traces/', import.meta.url);
const unzipped = (name: string) => gunzipSync(readFileSync(new URL(`${name}.gz`, TRACES)));

function traceOf(name: string): Trace {
  const text = unzipped(`${name}-public.txt`);
  const chunks: TraceChunk[] = [];
  const resolver = createResolver({ chunk: (chunk) => chunks.push(chunk) });
  const format = detectFormat(name, text);
  assert.ok(format === 'ftrace' || format === 'trace-cmd' || format === 'perf-script', format);
  const reader = createTextTraceReader(format, name, resolver);
  reader.write(text);
  reader.end();
  return { ...resolver.finish(), chunks: () => chunks };
}

const nearness = (recorded: Recorded, leastSlabs?: number): Nearness =>
  measureNearness({
    ...recorded,
    snapshots: recorded.snapshots!,
    ...(leastSlabs !== undefined && { leastSlabs }),
  });

/** Rows that are not as recorded, to read when a test fails. */
const wrong = ({ rows, leastSlabs }: Nearness) =>
  rows
    .filter(({ slabs }) => slabs.error > 0 && slabs.recorded >= leastSlabs)
    .map(
      ({ snapshot, at, cache, slabs }) =>
        `${snapshot} (${at}) ${cache}: ${slabs.begin} for ${slabs.recorded}`,
    );

// ---- machines that we recorded ourselves ---------------------------------------------------------------------------------

for (const allocator of ['slub', 'slab'] as const) {
  for (const [cpus, seed] of [
    [1, 11],
    [2, 12],
    [4, 13],
  ] as const) {
    test(`${allocator} on ${cpus} CPUs: a replay of what was traced from the start is the recorded machine, exactly`, () => {
      const { trace, snapshots } = recordMachine({ seed, cpus, allocator, operations: 8000, snapshots: 4 });
      const near = nearness(prepareReplay({ trace, snapshots }), 1);
      assert.deepEqual(wrong(near), []);
      assert.ok(near.slabs.count >= 15, `${near.slabs.count} comparisons`);
      assert.deepEqual([near.slabs.max, near.objects.max, near.active.max], [0, 0, 0]);
    });
  }

  test(`${allocator}: what was there before the trace is found from a snapshot and the first slab that is taken`, () => {
    for (const before of [1, 100, 777]) {
      const { trace, snapshots } = recordMachine({
        seed: 20 + before,
        cpus: 1,
        allocator,
        before,
        operations: 8000,
        snapshots: 3,
      });
      const recorded = prepareReplay({ trace, snapshots });
      const near = nearness(recorded, 1);
      assert.deepEqual(wrong(near), []);
      assert.equal(near.slabs.max, 0);
      assert.ok(recorded.estimate.history.caches.length > 0);
    }
  });

  test(`${allocator}: what was allocated without an event is found by the slabs that are taken early`, () => {
    const { trace, snapshots, hidden } = recordMachine({
      seed: 31,
      cpus: 1,
      allocator,
      operations: 9000,
      hidden: 20,
      snapshots: 4,
    });
    const recorded = prepareReplay({ trace, snapshots });
    const near = nearness(recorded, 1);
    const inferred = recorded.estimate.history.inferred.reduce((sum, { objects }) => sum + objects, 0);
    // While a cache shrinks it takes no slab, and nothing can be found.
    assert.ok(hidden > 50 && inferred > hidden / 3, `${inferred} of ${hidden} were found`);
    // Where in a slab a hidden object lies cannot be known, and so not which slab is given back.
    assert.equal(near.slabs.median, 0);
    assert.ok(near.slabs.max <= 0.15, JSON.stringify(wrong(near)));
    const blind = nearness(
      {
        ...recorded,
        estimate: { ...recorded.estimate, history: { ...recorded.estimate.history, inferred: [] } },
      },
      1,
    );
    assert.ok(blind.objects.max > near.objects.max, 'and it matters');
  });
}

test('a snapshot that does not agree is seen', () => {
  const { trace, snapshots } = recordMachine({
    seed: 41,
    cpus: 1,
    allocator: 'slub',
    operations: 8000,
    snapshots: 3,
  });
  const recorded = prepareReplay({ trace, snapshots });
  const last = snapshots.all.at(-1)!;
  const planted = last.slabinfo.map((row) =>
    row.name === 'sim_584' ? { ...row, numSlabs: row.numSlabs + 5 } : row,
  );
  const all = snapshots.all.with(-1, { ...last, slabinfo: planted });
  const near = measureNearness({ ...recorded, snapshots: { ...snapshots, all }, leastSlabs: 1 });
  assert.deepEqual(wrong(near).length, 1);
  assert.ok(near.slabs.max > 0);
});

test('with hashed pointers nothing is inferred, and what is known still agrees', () => {
  const { trace, snapshots } = recordMachine({
    seed: 51,
    cpus: 2,
    allocator: 'slub',
    operations: 8000,
    snapshots: 3,
    hashed: true,
  });
  const recorded = prepareReplay({ trace, snapshots });
  assert.equal(trace.report.pointers, 'hashed');
  assert.deepEqual(recorded.estimate.history.inferred, []);
  assert.equal(nearness(recorded, 1).slabs.max, 0);
});

// ---- real kernels --------------------------------------------------------------------------------------------------------

for (const name of ['boot-find', 'boot-find-slab']) {
  test(`${name}: recorded from boot, every cache with 10 slabs has the recorded number at every marker`, () => {
    const snapshots = readSnapshots(unzipped(`${name}-public.snapshots.json`).toString(), name);
    const near = nearness(prepareReplay({ trace: traceOf(name), snapshots }));
    assert.ok(near.slabs.count >= 40, `${near.slabs.count} comparisons`);
    assert.equal(near.slabs.median, 0);
    assert.ok(near.slabs.max <= 0.02, JSON.stringify(wrong(near)));
    assert.equal(near.slabsAfter.median, 0);
    assert.ok(near.slabsAfter.max <= 0.02, JSON.stringify(wrong(near)));
  });
}

test('tar: recorded from a running system of two CPUs, most caches agree exactly', () => {
  const snapshots = readSnapshots(unzipped('tar-public.snapshots.json').toString(), 'tar');
  const near = nearness(prepareReplay({ trace: traceOf('tar'), snapshots }));
  assert.ok(near.slabs.count >= 15, `${near.slabs.count} comparisons`);
  assert.equal(near.slabs.median, 0);
  assert.ok(near.slabs.p90 <= 0.3, JSON.stringify(wrong(near)));
});
