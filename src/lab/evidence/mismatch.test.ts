/** Snapshots of another recording are noticed, and a recording's own never are: every recorded trace with every file of snapshots. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import {
  createResolver,
  createTextTraceReader,
  detectFormat,
  nameClasses,
  type TextFormat,
  type Trace,
  type TraceChunk,
} from '../../trace/index.js';
import { heldBackOf, measureNearness } from '../replay/nearness.js';
import { recordMachine } from '../replay/recorder.case.test.js';
import { prepareReplay, replay } from '../replay/replay.js';
import { machineParts, replayName } from '../replay/words.js';
import { AS_RECORDED } from '../what-if/what-if.js';
import { contradictions } from './mismatch.js';
import { knownCaches, planFromSnapshots } from './plan.js';
import { readSnapshots, type Snapshots } from './snapshots.js';

const TRACES = new URL('../../../truth/traces/', import.meta.url);
const unzipped = (name: string) => gunzipSync(readFileSync(new URL(`${name}.gz`, TRACES)));
const NAMES = ['boot-find', 'boot-find-slab', 'sock', 'tar', 'mm', 'gcc'];

function openTrace(name: string): Trace {
  const bytes = unzipped(`${name}-public.txt`);
  const chunks: TraceChunk[] = [];
  const resolver = createResolver({ chunk: (chunk) => chunks.push(chunk) });
  const reader = createTextTraceReader(
    detectFormat(name, bytes.subarray(0, 4096)) as TextFormat,
    name,
    resolver,
  );
  reader.write(bytes);
  reader.end();
  return { ...resolver.finish(), chunks: () => chunks };
}

const read = new Map<string, Snapshots>();
/** The snapshots of a recording, read once. */
function snapshotsOf(name: string): Snapshots {
  const known = read.get(name);
  if (known !== undefined) return known;
  const snapshots = readSnapshots(unzipped(`${name}-public.snapshots.json`).toString(), `${name}.json`);
  read.set(name, snapshots);
  return snapshots;
}

type Known = ReturnType<typeof knownCaches>;
const known = new WeakMap<Snapshots, Map<number, Known>>();
/** The caches of a plan for so many CPUs, which is made once: six traces ask for it. */
function cachesOf(snapshots: Snapshots, cpus: number): Known {
  const byCpus = known.get(snapshots) ?? new Map<number, Known>();
  known.set(snapshots, byCpus);
  const caches = byCpus.get(cpus) ?? knownCaches(planFromSnapshots(snapshots, cpus));
  byCpus.set(cpus, caches);
  return caches;
}

function mismatch(trace: Trace, snapshots: Snapshots): string[] {
  const names = nameClasses(trace.classes, cachesOf(snapshots, trace.report.believedCpus!.cpus));
  return contradictions({ trace, snapshots, names });
}

test('of six recordings each fits its own snapshots and no others', () => {
  for (const name of NAMES) {
    const trace = openTrace(name);
    for (const other of NAMES) {
      const found = mismatch(trace, snapshotsOf(other));
      if (other === name) assert.deepEqual(found, [], name);
      else assert.notDeepEqual(found, [], `${name} with the snapshots of ${other}`);
    }
    // Whoever has some of them only has no others.
    const own = snapshotsOf(name);
    for (let from = 0; from < own.all.length; from++)
      assert.deepEqual(
        mismatch(trace, { ...own, all: own.all.slice(from, from + 2) }),
        [],
        `${name} ${from}`,
      );
  }
});

const simulated = (snapshots = 3) =>
  recordMachine({ seed: 3, cpus: 2, allocator: 'slub', operations: 6000, snapshots, before: 200 });

test('a recording’s own snapshots fit, another machine’s caches, CPUs and times do not', () => {
  const { trace, snapshots } = simulated();
  assert.deepEqual(mismatch(trace, snapshots), []);
  const [first, ...rest] = snapshots.all;
  const changed = (change: Partial<(typeof snapshots.all)[number]>) => ({
    ...snapshots,
    all: [{ ...first!, ...change }, ...rest.map((each) => ({ ...each, ...change }))],
  });
  const slabinfo = first!.slabinfo.map((row) => (row.name === 'sim_192' ? { ...row, objSize: 256 } : row));
  assert.match(mismatch(trace, changed({ slabinfo })).join(), /sim_192 lie 200 bytes apart .* 256 in them/);
  const without = first!.slabinfo.filter(({ name }) => name !== 'sim_584');
  assert.match(mismatch(trace, changed({ slabinfo: without })).join(), /they have no cache sim_584/);
  assert.match(mismatch(trace, changed({ cpus: 1 })).join(), /events of 2 CPUs, and they have 1/);
  const late = {
    ...snapshots,
    all: snapshots.all.map((each) => ({ ...each, begin: each.begin + 9e15, end: each.end + 9e15 })),
  };
  assert.match(mismatch(trace, late).join(), /taken \d+ s after its last event/);
});

test('a replay with another recording’s snapshots says so', () => {
  const { trace, snapshots } = simulated();
  const all = snapshots.all.map((each) => ({ ...each, cpus: 1 }));
  const result = replay(prepareReplay({ trace, snapshots: { ...snapshots, all } }), AS_RECORDED);
  assert.equal(result.mismatch.length, 1);
  assert.match(
    result.notUnderstood[0]!,
    /The snapshots are of another recording: the trace has events of 2 CPUs/,
  );
  assert.deepEqual(replay(prepareReplay({ trace, snapshots }), AS_RECORDED).mismatch, []);
});

test('what a person says against the snapshots is no longer as recorded', () => {
  const { trace, snapshots } = simulated();
  const told = (more: object) => {
    const result = replay(
      prepareReplay({ trace, snapshots: { ...snapshots, kernel: '6.1.192' }, ...more }),
      AS_RECORDED,
    );
    return { name: replayName(result), overruled: result.machine.overruled, parts: machineParts(result) };
  };
  const own = told({});
  assert.deepEqual([own.name, own.overruled], ['as recorded', []]);
  const kernel = told({ kernel: '6.12' });
  assert.deepEqual(
    [kernel.name, kernel.overruled],
    ['as told', ['Linux 6.12 was asked for, and the snapshots are of 6.1.192']],
  );
  const memory = told({ memory: 2 ** 30 });
  assert.deepEqual([memory.name, memory.overruled.length], ['as told', 1]);
  // The same as the snapshots say is nothing against them.
  assert.deepEqual(told({ kernel: '6.1', cpus: 2 }).overruled, []);
});

test('sheaves that the recorded kernel had and the replay has not are told', () => {
  const own = snapshotsOf('boot-find');
  const all = own.all.map((each) => ({
    ...each,
    caches: new Map(
      [...each.caches].map(([name, cache]) => [
        name,
        { ...cache, sheafCapacity: name === 'dentry' ? 32 : 0 },
      ]),
    ),
  }));
  const { assumed } = planFromSnapshots({ ...own, all }, 1);
  assert.match(
    assumed.join('\n'),
    /1 cache had sheaves \(sheaf_capacity: dentry 32\), which are not replayed/,
  );
  assert.match(
    planFromSnapshots({ ...own, kernel: '6.18.44' }, 1).assumed.join('\n'),
    /There is no profile of Linux 6\.18\.44, \d+\.\d+ was taken/,
  );
});

test('snapshots before and after only: the end is held against the second one, which is no part of the estimate', () => {
  const { trace, snapshots } = simulated(4);
  const { firstTime, lastTime } = trace.report;
  const [first] = snapshots.all;
  const last = snapshots.all.at(-1)!;
  const before = { ...first!, name: 'before', begin: firstTime - 2e9, end: firstTime - 1e9 };
  const after = { ...last, name: 'after', begin: lastTime + 1e9, end: lastTime + 2e9 };
  const recipe = { ...snapshots, all: [before, after] };
  assert.equal(heldBackOf(trace, recipe), after);
  const recorded = prepareReplay({ trace, snapshots: recipe, heldBack: after });
  assert.equal(recorded.estimate.reference, before);
  const nearness = measureNearness({ ...recorded, snapshots: recipe, leastSlabs: 1 });
  assert.equal(nearness.judgedAt, 'after');
  assert.deepEqual(nearness.after, { snapshot: 'after', seconds: 1 });
  assert.ok(nearness.slabs.count > 5);
  // Minutes later, or with nothing in front, it tells nothing; and with one within it need not be asked.
  assert.equal(
    heldBackOf(trace, {
      ...recipe,
      all: [before, { ...after, begin: lastTime + 90e9, end: lastTime + 91e9 }],
    }),
    undefined,
  );
  assert.equal(heldBackOf(trace, { ...recipe, all: [after] }), undefined);
  assert.equal(heldBackOf(trace, { ...recipe, all: [before, snapshots.all[1]!, after] }), undefined);
});
