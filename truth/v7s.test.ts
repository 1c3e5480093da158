/**
 * The page tables against recorded ones: every public set, and differences planted into them that must be found.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyRecording } from '#lab';
import { recording, type Tree, testSet } from './sets.js';

for (const [name, cases] of [
  ['v7s-public', 400],
  ['v7s-2G', 78],
  // 100,000 operations, 200 rows of counts, the beginning and the end.
  ['v7s-workload', 100_202],
] as const)
  testSet(name, [cases]);

// ---- planted differences: a case each --------------------------------------------------------------------------------------------

const published = recording('v7s-public');
const cases = published.cases as Tree[];

function child(json: Tree, key: string | number): Tree {
  return json[key] as Tree;
}

/** A recording of one case: the first that has what `find` looks for, doctored there. `find` returns where to doctor it. */
function doctored(find: (recorded: Tree) => Tree | undefined, change: (at: Tree) => void): Tree {
  for (const original of cases) {
    if (find(original) === undefined) continue;
    const recorded = structuredClone(original);
    change(find(recorded)!);
    return { meta: published.meta, cases: [recorded] };
  }
  return assert.fail('no case has what should be doctored');
}

const created = (recorded: Tree) => (child(recorded, 'create').ok ? child(recorded, 'create') : undefined);
const refused = (recorded: Tree) => (child(recorded, 'create').ok ? undefined : child(recorded, 'create'));
const freed = (recorded: Tree) => (child(recorded, 'create').ok ? child(recorded, 'free') : undefined);
const operation =
  (wanted: (op: Tree) => unknown) =>
  (recorded: Tree): Tree | undefined =>
    (recorded.ops as Tree[]).find((op) => wanted(op));

const more = (key: string) => (at: Tree) => {
  at[key] = typeof at[key] === 'number' ? Number(at[key]) + 1 : `0x${(Number(at[key]) + 4096).toString(16)}`;
};
/** Adds 1 to a number inside nested lists. */
const moreAt =
  (key: string, ...path: number[]) =>
  (at: Tree): void => {
    let list = at[key] as unknown as Tree;
    for (const index of path.slice(0, -1)) list = child(list, index);
    list[path.at(-1)!] = Number(list[path.at(-1)!]) + 1;
  };

const dumped = (op: Tree, row: (row: unknown[]) => unknown) =>
  op.op === 'dump' && (op.l1 as unknown[][]).some((each) => row(each));
const tableRows = (op: Tree) => Object.values(op.tables ?? {}) as unknown[][][];

const PLANTED: readonly (readonly [
  field: string,
  (recorded: Tree) => Tree | undefined,
  (at: Tree) => void,
])[] = [
  ['create.pgsizes', created, more('pgsizes')],
  ['create.ttbrLow', created, more('ttbrLow')],
  ['create.tcr', created, more('tcr')],
  ['create.nmrr', created, more('nmrr')],
  ['create.prrr', created, more('prrr')],
  ['create.l1', created, (at) => more('order')(child(at, 'l1'))],
  ['create.l1', created, (at) => more('bytes')(child(at, 'l1'))],
  ['create.l1', created, (at) => Object.assign(child(at, 'l1'), { zone: 'DMA' })],
  ['create.l2size', created, more('l2size')],
  ['ret', operation(({ op, ret }) => op === 'map' && ret === -17), more('ret')],
  ['mapped', operation(({ op, ret, count }) => op === 'map' && ret === 0 && count === 2), more('mapped')],
  ['ret', operation(({ op }) => op === 'unmap'), more('ret')],
  ['ret', operation(({ op, ret }) => op === 'phys' && ret !== '0x0'), more('ret')],
  ['ret', operation(({ op, ret }) => op === 'phys' && ret === '0x0'), more('ret')],
  ['calls', operation(({ calls }) => calls), (at) => Object.assign(at, { calls: [] })],
  [
    'calls',
    operation(({ calls }) => (calls as unknown[][] | undefined)?.[0]?.[0] === 'w'),
    moreAt('calls', 0, 4),
  ],
  ['flush', operation(({ flush }) => flush), moreAt('flush', 1)],
  ['l2', operation(({ l2, op }) => l2 && op === 'unmap'), moreAt('l2', 0, 1)],
  ['warn', operation(({ warn }) => warn), (at) => Object.assign(at, { warn: 0 })],
  ['warn', operation(({ warn, op }) => !warn && op === 'map'), (at) => Object.assign(at, { warn: 1 })],
  ['dump.live', operation(({ op }) => op === 'dump'), more('live')],
  [
    'dump.l1',
    operation((op) => dumped(op, (row) => row[1] !== 't')),
    (at) => {
      const row = (at.l1 as unknown[][]).find((each) => each[1] !== 't')!;
      row[1] = (Number.parseInt(String(row[1]), 16) ^ (1 << 16)).toString(16);
    },
  ],
  [
    'dump.l1',
    operation((op) => dumped(op, (row) => row[1] === 't' && Number.parseInt(String(row[3]), 16) & 8)),
    (at) => {
      const row = (at.l1 as unknown[][]).find(
        (each) => each[1] === 't' && Number.parseInt(String(each[3]), 16) & 8,
      )!;
      row[3] = (Number.parseInt(String(row[3]), 16) & ~8).toString(16);
    },
  ],
  [
    'dump.l1',
    operation((op) => dumped(op, (row) => row[1] === 't')),
    (at) => {
      const row = (at.l1 as unknown[][]).find((each) => each[1] === 't')!;
      row[2] = Number(row[2]) + 1;
    },
  ],
  [
    'dump.tables',
    operation((op) => tableRows(op).some((rows) => rows.length > 0)),
    (at) => {
      const row = tableRows(at).find((rows) => rows.length > 0)![0]!;
      row[1] = (Number.parseInt(String(row[1]), 16) ^ (1 << 10)).toString(16);
    },
  ],
  [
    'dump.tables',
    operation((op) => tableRows(op).some((rows) => rows.length === 0)),
    (at) => {
      const empty = Object.entries(at.tables as Tree).find(([, rows]) => (rows as unknown[]).length === 0)!;
      delete (at.tables as Tree)[empty[0]];
    },
  ],
  [
    'l2',
    (recorded) => ((freed(recorded)?.l2 as unknown[])?.length > 1 ? freed(recorded) : undefined),
    (at) => (at.l2 as unknown[]).reverse(),
  ],
  ['calls', freed, (at) => Object.assign(at, { calls: [['a'], ['a']] })],
  ['free.leaked', freed, (at) => Object.assign(at, { leaked: [0] })],
  [
    'free.l2zones',
    (recorded) => ((freed(recorded)?.l2zones as unknown[])?.length === 1 ? freed(recorded) : undefined),
    (at) => Object.assign(at, { l2zones: [['DMA', 1]] }),
  ],
];

for (const [i, [field, find, change]] of PLANTED.entries()) {
  test(`a planted difference is found: ${field} (${i})`, () => {
    const [result] = verifyRecording(doctored(find, change), 'planted');
    assert.deepEqual([result!.total, result!.agreed], [1, 0]);
    assert.equal(result!.disagreements[0]!.field, field);
  });
}

test('a domain that should have been refused, or made, is found', () => {
  const accepts = doctored(refused, (at) => Object.assign(at, { ok: true }));
  const [recorded] = accepts.cases as Tree[];
  Object.assign(recorded!, { free: { leaked: [], l2zones: [], calls: [['a']], flush: [1, 0, 0] } });
  const refuses = doctored(created, (at) => Object.assign(at, { ok: false }));
  Object.assign((refuses.cases as Tree[])[0]!, { ops: [] });
  for (const planted of [accepts, refuses]) {
    const [result] = verifyRecording(planted, 'planted');
    assert.deepEqual([result!.agreed, result!.disagreements[0]!.field], [0, 'create.ok']);
  }
});

test('memory that is gone must make the engine fail, and memory that is there must not', () => {
  const isNomem = (recorded: Tree) => (recorded.kind === 'nomem' ? recorded : undefined);
  const change = (wanted: (op: Tree) => unknown, doctor: (op: Tree) => void) =>
    doctored(isNomem, (recorded) => {
      const ops = recorded.ops as Tree[];
      const gone = ops.findIndex(({ op, on }) => op === 'exhaust' && on);
      doctor(ops.slice(gone).find((op) => wanted(op))!);
    });
  // A map that failed and is said to have succeeded, without the table that it would need; and one that succeeded without it.
  const failed = change(
    ({ ret }) => ret === -12,
    (op) => Object.assign(op, { ret: 0, mapped: '0x1000' }),
  );
  const starved = change(
    ({ ret, l2 }) => ret === 0 && l2,
    (op) => {
      delete op.l2;
    },
  );
  for (const planted of [failed, starved]) {
    const [result] = verifyRecording(planted, 'planted');
    assert.deepEqual([result!.agreed, result!.disagreements[0]!.field], [0, 'ret']);
  }
});

test('tables that may lie anywhere do not run out of low memory', () => {
  const anywhere = doctored(
    (recorded) => {
      const { quirksHex } = child(recorded, 'cfg') as { quirksHex: string };
      return recorded.kind === 'mix' && Number(quirksHex) & 16 ? recorded : undefined;
    },
    (recorded) => {
      recorded.ops = [
        { op: 'exhaust', on: true, pages: 1 },
        ...(recorded.ops as Tree[]),
        { op: 'exhaust', on: false },
      ];
    },
  );
  const [result] = verifyRecording(anywhere, 'anywhere');
  assert.deepEqual(result!.disagreements, []);
});

test('differences planted into the workload are found, each', () => {
  const workload = structuredClone(recording('v7s-workload'));
  const [run] = workload.runs as Tree[];
  const ops = run!.ops as Tree[];
  const first = (kind: string, from: number) => ops.slice(from).find((row) => row[0] === kind)!;
  const withTables = ops.find((row, i) => i > 5000 && (row[5] as unknown[])?.length > 1 && row[0] === 'V')!;
  first('B', 1000)[6] = Number(first('B', 1000)[6]) + 1;
  first('V', 2000)[3] = Number(first('V', 2000)[3]) + 1;
  moreAt('4', 2)(first('V', 3000));
  (withTables[5] as unknown[]).reverse();
  moreAt('live', 7, 1)(run!);
  moreAt('live', 9, 3)(run!);
  child(run!, 'create').ttbrLow = '0x2';
  run!.finalEmptyTables = Number(run!.finalEmptyTables) + 1;
  const [result] = verifyRecording(workload, 'workload');
  assert.equal(result!.total - result!.agreed, 8);
});

test('every run of a workload is compared', () => {
  const workload = recording('v7s-workload');
  const [run] = workload.runs as Tree[];
  // The beginning of it is a workload of its own; only its end is another.
  const short = {
    ...run!,
    ops: (run!.ops as unknown[]).slice(0, 600),
    live: (run!.live as unknown[]).slice(0, 1),
  };
  const result = verifyRecording({ ...workload, runs: [short, short, short] }, 'three')[0]!;
  assert.deepEqual([result.total, result.agreed], [3 * 603, 3 * 602]);
  assert.deepEqual(
    result.disagreements.map(({ where }) => where),
    ['run 0, end', 'run 1, end', 'run 2, end'],
  );
});

test("a workload's quirks are taken by name", () => {
  const workload = recording('v7s-workload');
  const [run] = workload.runs as Tree[];
  const short = { ...run!, ops: (run!.ops as unknown[]).slice(0, 50), live: [] };
  const verify = (quirks: string[]) => {
    const meta = { ...child(workload, 'meta'), cfg: { ...child(child(workload, 'meta'), 'cfg'), quirks } };
    return verifyRecording({ meta, runs: [short] }, 'quirks')[0]!.disagreements.map(({ where }) => where);
  };
  assert.deepEqual(verify(['ARM_NS']), ['run 0, end']);
  // TTBR has no attributes there.
  assert.deepEqual(verify(['NO_PERMS', 'ARM_MTK_EXT']), ['run 0, create', 'run 0, end']);
  assert.throws(() => verify(['ARM_NSS']), /ARM_NS, NO_PERMS/);
});

test('what is no recording of page tables is an error and never a pass', () => {
  const first = cases[0]!;
  const workload = { schema: 'v7s-workload-1', cfg: child(first, 'cfg'), prot: 3 };
  const broken: readonly unknown[] = [
    { meta: published.meta },
    { meta: published.meta, cases: [] },
    { meta: published.meta, cases: [{}] },
    { meta: { ...child(published, 'meta'), kernel: 'Linux version 4.4.0' }, cases: [first] },
    { meta: published.meta, cases: [{ ...first, create: { ok: true } }] },
    { meta: published.meta, cases: [{ ...first, ops: [{ op: 'remap' }] }] },
    { meta: published.meta, cases: [{ ...first, ops: [{ op: 'phys', iova: '0x0' }] }] },
    { meta: { schema: 'v7s-2' }, cases: [first] },
    { meta: workload },
    { meta: workload, runs: [] },
    { meta: workload, runs: [{ ops: [] }] },
    { meta: { schema: 'v7s-workload-1' }, runs: [{}] },
    {
      meta: workload,
      runs: [
        { ops: [['B', 0, 4096, 0, 0, 0, 1, [0, 0, 0], []]], live: [], freeAll: [], l2zones: [], leaked: [] },
      ],
    },
  ];
  for (const wrong of broken)
    assert.throws(() => verifyRecording(wrong, 'broken'), JSON.stringify(wrong).slice(0, 200));
});
