/**
 * The plain model of Linux 7.3 (model-7.3.case.test.ts) against every public sequence, and its rule for the capacity of sheaves against
 * every cache that was created. Each of its rules is changed in turn, and so is each kind of value in the recordings: a comparison that
 * notices nothing compares nothing.
 *
 *     TRUTH_WIDE=1 node tools/test.mjs truth/model-7.3
 *
 * plays every changed rule on every sequence instead of one, and counts those that tell (7.3/README.md, "What is checked here").
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelCache, minPartialOf, type Rules, sheafCapacity } from './model-7.3.case.test.js';
import { flagNames, type RecordedHead, type RecordedSequence } from './play-7.3.case.test.js';
import { randomSequence, type SequenceFile } from './record-7.3.case.test.js';
import { replaySequence } from './replay-7.3.case.test.js';
import { type Change, type Path, plusOne, recording } from './sets.js';

const WIDE = process.env.TRUTH_WIDE === '1';

// ---- The model is right --------------------------------------------------------------------------------------------

/** How many sequences a file has, so that one that is passed over is noticed, and how many values are compared. */
const SEQUENCES: readonly (readonly [name: string, sequences: number, values: number])[] = [
  ['seq-slub-public', 66, 229_886],
  ['seq-slub-debug-public', 33, 79_431],
  ['seq-slub-sheaves-public', 121, 650_962],
  ['seq-slub-kmalloc-public', 74, 466_664],
  ['seq-slub-stats-public', 68, 374_655],
  ['seq-slub-sheaves-debian-public', 26, 120_348],
];

interface ZonedFile extends SequenceFile {
  readonly zone_truth?: readonly {
    readonly flags61: string;
    readonly count: number;
    readonly cache_size: number;
    readonly objs_per_slab: number;
    readonly zones: Readonly<Record<string, { readonly objects: number; readonly slabs: number }>>;
  }[];
}

function sequenceFile(name: string): ZonedFile {
  return recording(`7.3/${name}`) as unknown as ZonedFile;
}

for (const [name, count, expected] of SEQUENCES) {
  test(`${name}: every value of ${count} sequences`, () => {
    const file = sequenceFile(name);
    let values = 0;
    for (const [i, sequence] of file.sequences.entries()) {
      const outcome = replaySequence(sequence, file);
      assert.deepEqual(outcome.differences, [], `sequence ${i}, ${sequence.pattern}`);
      values += outcome.values;
    }
    assert.deepEqual([file.sequences.length, values], [count, expected]);
  });
}

for (const [name, rows] of [
  ['seq-slub-public', 16],
  ['seq-slub-debug-public', 16],
] as const) {
  test(`${name}: how many slabs so many objects take`, () => {
    const { zone_truth: truths = [] } = sequenceFile(name);
    assert.equal(truths.length, rows);
    for (const { count, cache_size: size, objs_per_slab: objects, zones } of truths) {
      const debug = name.includes('debug');
      const flags = new Set(debug ? ['SLAB_CONSISTENCY_CHECKS', 'SLAB_STORE_USER'] : []);
      const capacity = sheafCapacity({ size, asked: 0, flags });
      const cache = new ModelCache({ objects, minPartial: minPartialOf(size), capacity, debug, cpus: 4 });
      for (let i = 0; i < count; i++) cache.alloc(0);
      assert.deepEqual(Object.values(zones), [{ objects: count, slabs: cache.node.slabs.size }]);
    }
  });
}

// ---- Sheaf capacities of created caches (C1 to C4) --------------------------------------------------------------------

interface RecordedCreate {
  readonly flags: string;
  /** In args_cases. */
  readonly sheaf_capacity?: number;
  readonly out: {
    readonly null?: boolean;
    readonly merged_with?: string;
    readonly flags: string;
    readonly size: number;
    readonly min_partial: number;
    readonly sheaf_capacity: number;
  };
}

interface CreateFile extends RecordedHead {
  readonly cases?: readonly RecordedCreate[];
  readonly args_cases?: readonly RecordedCreate[];
  readonly settings?: Readonly<Record<string, { readonly cases: readonly RecordedCreate[] }>>;
}

/** New caches in each file, neither merged nor refused. */
const CREATED: readonly (readonly [name: string, caches: number])[] = [
  ['create-slub-default-public', 2962],
  ['create-slub-nomerge-public', 4013],
  ['create-slub-debug-public', 4009],
  ['create-slub-params-public', 3400],
  ['create-slub-new73', 2407],
  ['create-slub-default-debian-public', 3090],
];

for (const [name, caches] of CREATED) {
  test(`${name}: sheaf_capacity and min_partial of ${caches} caches`, () => {
    const file = recording(`7.3/${name}`) as unknown as CreateFile;
    const lists = [
      file.cases,
      file.args_cases,
      ...Object.values(file.settings ?? {}).map(({ cases }) => cases),
    ];
    const created = lists.flatMap((cases) => cases ?? []).filter(({ out }) => !out.null && !out.merged_with);
    for (const [i, { sheaf_capacity: asked = 0, out }] of created.entries()) {
      const { size, sheaf_capacity, min_partial } = out;
      const expected = [
        sheafCapacity({ size, asked, flags: flagNames(out.flags, file) }),
        minPartialOf(size),
      ];
      assert.deepEqual([sheaf_capacity, min_partial], expected, `${i}: ${JSON.stringify(out)}`);
    }
    assert.equal(created.length, caches);
  });
}

// ---- A changed rule is noticed ---------------------------------------------------------------------------------------

interface ChangedRule {
  readonly what: string;
  readonly rules: Partial<Rules>;
  /** A sequence that tells, in seq-slub-sheaves-public unless said. */
  readonly sequence: number;
  readonly file?: string;
  /** How many sequences of the first five files tell. */
  readonly tell: readonly number[];
}

const SHEAVES = 'seq-slub-sheaves-public';
const DEBUG = 'seq-slub-debug-public';
const STATS = 'seq-slub-stats-public';
const RANDOMISED = 'seq-slub-sheaves-debian-public';

const CHANGED: readonly ChangedRule[] = [
  {
    what: 'N1 a slab is taken off the list although enough is at hand',
    rules: { takeUntil: 'more' },
    sequence: 10,
    tell: [5, 0, 14, 14, 18],
  },
  {
    what: 'N2 a slab that a refill used in part goes to the head',
    rules: { partlyUsedTo: 'head' },
    sequence: 0,
    tell: [8, 0, 54, 44, 42],
  },
  {
    what: 'N4 a single object comes from the last slab of the list',
    rules: { singleFrom: 'tail' },
    sequence: 77,
    tell: [0, 31, 20, 0, 23],
  },
  {
    what: 'N5 a full slab that gets an object back goes to the head',
    rules: { refilledTo: 'head' },
    sequence: 0,
    tell: [35, 31, 112, 67, 64],
  },
  {
    what: 'N6 a full slab counts itself before it is discarded',
    rules: { fullCountsItself: true },
    sequence: 14,
    tell: [3, 0, 13, 7, 11],
  },
  {
    what: 'N6 a slab of the list does not count itself',
    rules: { listedCountsItself: false },
    sequence: 25,
    tell: [7, 31, 25, 3, 24],
  },
  { what: 'N7 one stranger is passed over', rules: { strangers: 1 }, sequence: 1, tell: [5, 1, 43, 29, 31] },
  {
    what: 'N7 three strangers are passed over',
    rules: { strangers: 3 },
    sequence: 1,
    tell: [6, 0, 49, 34, 35],
  },
  {
    what: 'N8 a flushed group is turned round',
    rules: { groupHead: { inside: 'highest', asked: 'highest' } },
    sequence: 0,
    tell: [14, 0, 74, 53, 41],
  },
  {
    what: 'N8 a bulk free without sheaves is not turned round',
    rules: { groupHead: { inside: 'lowest', asked: 'lowest' } },
    sequence: 77,
    tell: [0, 1, 8, 0, 9],
  },
  {
    what: 'N9 shrink sorts slabs with at most 31 free objects',
    rules: { sortedUpTo: 31 },
    sequence: 24,
    tell: [0, 0, 2, 0, 0],
  },
  {
    what: 'N9 shrink sorts slabs with at most 33 free objects',
    rules: { sortedUpTo: 33 },
    sequence: 61,
    tell: [0, 0, 2, 2, 1],
  },
  {
    what: 'N9 shrink keeps the order of equal slabs',
    rules: { equalsReversed: false },
    sequence: 20,
    tell: [2, 1, 28, 14, 16],
  },
  {
    what: 'N10 a full slab goes to the end of the full list',
    rules: { fullListTo: 'tail' },
    sequence: 0,
    file: DEBUG,
    tell: [0, 31, 0, 0, 0],
  },
  {
    what: 'A1 the barn is asked before the spare',
    rules: { spareFirst: false },
    sequence: 4,
    tell: [28, 0, 19, 17, 22],
  },
  {
    what: "A2 the barn's last full sheaf is taken",
    rules: { fullFrom: 'tail' },
    sequence: 5,
    tell: [22, 0, 42, 36, 19],
  },
  {
    what: 'A3 a refill aims at half a sheaf',
    rules: { refillTo: (capacity) => Math.ceil(capacity / 2) },
    sequence: 0,
    tell: [66, 0, 62, 54, 40],
  },
  {
    what: 'A3 a refill leaves room for one',
    rules: { refillTo: (capacity) => Math.max(1, capacity - 1) },
    sequence: 0,
    tell: [66, 0, 62, 54, 40],
  },
  {
    what: 'A3 the emptied main goes to the barn',
    rules: { emptiedMainTo: 'barn' },
    sequence: 0,
    tell: [62, 0, 59, 49, 37],
  },
  {
    what: 'F2 the spare goes to the barn',
    rules: { toBarn: 'spare' },
    sequence: 0,
    tell: [63, 0, 82, 56, 36],
  },
  {
    what: 'F2 a full sheaf goes behind the others',
    rules: { fullTo: 'tail' },
    sequence: 0,
    tell: [61, 0, 85, 57, 34],
  },
  { what: 'F2 a barn holds 9 full sheaves', rules: { fullMax: 9 }, sequence: 2, tell: [36, 0, 38, 26, 12] },
  { what: 'F2 a barn holds 11 full sheaves', rules: { fullMax: 11 }, sequence: 2, tell: [32, 0, 37, 25, 12] },
  {
    what: 'F3 main is flushed instead of the spare',
    rules: { flushed: 'main' },
    sequence: 2,
    tell: [32, 0, 33, 20, 10],
  },
  {
    what: 'B1 a bulk allocation pops one by one',
    rules: { bulkOrder: 'popped' },
    sequence: 0,
    tell: [4, 0, 61, 44, 30],
  },
  {
    what: 'B2 a bulk allocation leaves the barn alone',
    rules: { bulkFromBarn: false },
    sequence: 4,
    tell: [0, 0, 40, 30, 34],
  },
  {
    what: 'B2 the rest of a bulk allocation refills a sheaf',
    rules: { bulkRest: 'singly' },
    sequence: 0,
    tell: [4, 0, 72, 51, 34],
  },
  {
    what: 'B3 a bulk free begins at its end',
    rules: { bulkFreeFrom: 'end' },
    sequence: 0,
    tell: [2, 0, 46, 38, 31],
  },
  {
    what: 'B3 a bulk free makes a sheaf',
    rules: { bulkFreeMakes: true },
    sequence: 0,
    tell: [1, 0, 38, 29, 25],
  },
  {
    what: 'B4 the rest of a bulk free is freed singly',
    rules: { bulkFreeRest: 'singly' },
    sequence: 0,
    tell: [1, 0, 43, 31, 25],
  },
  {
    what: 'K1 kfree_rcu leaves an empty spare alone',
    rules: { rcuTakesSpare: false },
    sequence: 20,
    tell: [0, 0, 15, 15, 18],
  },
  {
    what: 'K2 a barn holds 9 empty sheaves after kfree_rcu',
    rules: { emptyMax: 9 },
    sequence: 25,
    tell: [0, 0, 5, 0, 0],
  },
  {
    what: 'K2 a barn holds 11 empty sheaves after kfree_rcu',
    rules: { emptyMax: 11 },
    sequence: 25,
    tell: [0, 0, 5, 0, 0],
  },
  {
    what: 'K2 a full rcu_free sheaf does not wait',
    rules: { rcuHandedOver: 'at once' },
    sequence: 25,
    tell: [0, 0, 15, 11, 2],
  },
  {
    what: 'K3 a rcu_free sheaf that is waited for goes to the barn',
    rules: { rcuWaitedTo: 'barn' },
    sequence: 20,
    tell: [0, 0, 34, 29, 21],
  },
  {
    what: 'P1 a prefill takes only an empty spare',
    rules: { prefillTakes: 'empty spare' },
    sequence: 30,
    tell: [0, 0, 11, 9, 4],
  },
  {
    what: 'P2 a prefill fills no more than was asked for',
    rules: { prefillTo: 'wanted' },
    sequence: 31,
    tell: [0, 0, 20, 13, 17],
  },
  {
    what: 'P4 a returned sheaf is filled before it becomes the spare',
    rules: { returnedSpare: 'filled' },
    sequence: 31,
    tell: [0, 0, 11, 1, 10],
  },
  {
    what: 'P4 a returned sheaf is flushed instead of put into the barn',
    rules: { returnedToBarn: 'flushed' },
    sequence: 30,
    tell: [0, 0, 18, 14, 14],
  },
  {
    what: 'H1 main is flushed before the spare',
    rules: { flushFirst: 'main' },
    sequence: 22,
    tell: [0, 0, 21, 17, 12],
  },
  {
    what: 'H1 main is flushed in pieces of 31',
    rules: { flushPiece: 31 },
    sequence: 37,
    tell: [0, 0, 2, 1, 0],
  },
  {
    what: 'H1 main is flushed in pieces of 33',
    rules: { flushPiece: 33 },
    sequence: 37,
    tell: [0, 0, 3, 0, 1],
  },
  {
    what: 'H2 shrink flushes the barn from its end',
    rules: { barnFlushedFrom: 'tail' },
    sequence: 52,
    tell: [0, 0, 7, 2, 2],
  },
  {
    what: 'H3 a CPU that goes offline flushes main in pieces',
    rules: { offlineMain: 'pieces' },
    sequence: 40,
    tell: [0, 0, 1, 0, 0],
  },
  {
    what: 'H3 a CPU that goes offline flushes the spare first',
    rules: { offlineFirst: 'spare' },
    sequence: 41,
    tell: [0, 0, 8, 2, 2],
  },
];

/** A changed rule may also drive the model into a state that cannot be. */
function tells(sequence: RecordedSequence, file: SequenceFile, rules: Partial<Rules>): boolean {
  try {
    return replaySequence(sequence, file, rules).differences.length > 0;
  } catch {
    return true;
  }
}

for (const { what, rules, sequence, file: name = SHEAVES, tell } of CHANGED) {
  test(`the recordings notice: ${what}`, () => {
    const file = sequenceFile(name);
    assert.ok(tells(file.sequences[sequence]!, file, rules), `sequence ${sequence} of ${name} does not tell`);
    if (!WIDE) return;
    const counts = SEQUENCES.slice(0, tell.length).map(([each]) => {
      const { sequences, ...head } = sequenceFile(each);
      return sequences.filter((one) => tells(one, { ...head, sequences }, rules)).length;
    });
    assert.deepEqual(counts, tell);
  });
}

test('two rules that no recording can tell: all empty sheaves are alike, and a new slab finds an empty list', () => {
  const file = sequenceFile(SHEAVES);
  for (const rules of [{ filledFirst: 'barn' }, { newSlabTo: 'tail' }] as const) {
    const some = WIDE ? file.sequences : file.sequences.filter((_, i) => i % 10 === 0);
    for (const sequence of some) assert.equal(tells(sequence, file, rules), false);
  }
});

// ---- A changed value is noticed --------------------------------------------------------------------------------------

const reversed: Change = (value) => [...(value as unknown[])].reverse();
const other: Change = (value) => `${String(value)}1`;
const none: Change = () => null;

/** In which file, under `sequences`, and how. */
const PLANTED: readonly (readonly [name: string, path: Path, change: Change])[] = [
  [SHEAVES, [0, 'idx', 17], plusOne],
  [SHEAVES, [0, 'ord', 40], plusOne],
  [SHEAVES, [0, 'slabs', 1, 0], plusOne],
  [SHEAVES, [0, 'slabs', 1, 1], plusOne],
  [SHEAVES, [0, 'slabs', 1, 2], other],
  [SHEAVES, [0, 'slabs', 1, 3], plusOne],
  [SHEAVES, [0, 'cp', 3, 'op'], plusOne],
  [SHEAVES, [0, 'cp', 3, 'live'], plusOne],
  [SHEAVES, [0, 'cp', 0, 'state', 'cpu', 0, 'main'], reversed],
  [SHEAVES, [0, 'cp', 4, 'state', 'cpu', 0, 'spare'], reversed],
  [SHEAVES, [0, 'cp', 6, 'state', 'cpu', 0, 'spare'], none],
  [SHEAVES, [20, 'cp', 4, 'state', 'cpu', 1, 'rcu_free'], reversed],
  [SHEAVES, [0, 'cp', 15, 'state', 'barn', 'full'], reversed],
  [SHEAVES, [0, 'cp', 15, 'state', 'barn', 'full', 1], reversed],
  [SHEAVES, [2, 'cp', 6, 'state', 'barn', 'empty'], (list) => [...(list as number[]), 0]],
  [SHEAVES, [2, 'cp', 6, 'state', 'barn', 'nr_empty'], plusOne],
  [SHEAVES, [2, 'cp', 6, 'state', 'barn', 'nr_full'], plusOne],
  [SHEAVES, [0, 'cp', 7, 'state', 'node_partial'], reversed],
  [SHEAVES, [0, 'cp', 7, 'state', 'node_partial', 0, 1], plusOne],
  [SHEAVES, [0, 'cp', 7, 'state', 'nr_partial'], plusOne],
  [SHEAVES, [0, 'cp', 7, 'state', 'nr_slabs'], plusOne],
  [SHEAVES, [30, 'cp', 10, 'state', 'prefilled', 0, 1], plusOne],
  [SHEAVES, [30, 'cp', 10, 'state', 'prefilled', 0, 2], reversed],
  [SHEAVES, [0, 'cp', 3, 'sysfs', 'objects'], other],
  [SHEAVES, [0, 'cp', 3, 'sysfs', 'objects_partial'], other],
  [SHEAVES, [0, 'cp', 3, 'sysfs', 'cpu_slabs'], other],
  [SHEAVES, [0, 'cp', 14, 'slabinfo', 0], plusOne],
  [SHEAVES, [0, 'cp', 14, 'slabinfo', 10], plusOne],
  [SHEAVES, [0, 'shrink_ret'], plusOne],
  [SHEAVES, [30, 'ret', 1, 1], plusOne],
  [SHEAVES, [0, 'allocs'], plusOne],
  [SHEAVES, [0, 'ops_n'], plusOne],
  [SHEAVES, [0, 'stray'], plusOne],
  [DEBUG, [0, 'cp', 0, 'state', 'node_full'], reversed],
  [DEBUG, [0, 'cp', 1, 'state', 'node_partial'], reversed],
  [STATS, [0, 'cp', 0, 'sysfs', 'alloc_fastpath'], other],
  [STATS, [0, 'cp', 0, 'sysfs', 'alloc_fastpath'], (text) => String(text).replace('C0', 'C1')],
  [STATS, [0, 'cp', 0, 'sysfs', 'sheaf_alloc'], other],
  [STATS, [0, 'cp', 9, 'sysfs', 'barn_put'], other],
  [STATS, [12, 'cp', 9, 'sysfs', 'sheaf_prefill_slow'], other],
  [STATS, [0, 'cp', 16, 'sysfs', 'sheaf_flush'], (text) => String(text).replace(/^/, '1')],
  [RANDOMISED, [0, 'slabs', 3, 3], plusOne],
  [RANDOMISED, [0, 'cache', 'random_seq'], reversed],
  [RANDOMISED, [0, 'cp', 0, 'sysfs', 'slabs'], (text) => String(text).replace(' N0=1', '')],
];

/** A copy of a sequence with the value at the path changed. */
function doctored<T>(tree: T, [key, ...below]: Path, change: Change): T {
  const copy = (Array.isArray(tree) ? [...tree] : { ...tree }) as Record<string | number, unknown>;
  assert.ok(key! in copy, `${key} is in the recording`);
  copy[key!] = below.length === 0 ? change(copy[key!]) : doctored(copy[key!], below, change);
  return copy as T;
}

for (const [name, [index, ...path], change] of PLANTED) {
  test(`a planted difference is found: ${name} ${index}.${path.join('.')}`, () => {
    const file = sequenceFile(name);
    const sequence = file.sequences[index as number]!;
    const { differences } = replaySequence(doctored(sequence, path, change), file);
    assert.notEqual(differences.length, 0);
  });
}

// ---- Random sequences --------------------------------------------------------------------------------------------------

/** How many of each file's caches, and how many with TRUTH_WIDE=1. */
const RANDOM: readonly (readonly [name: string, few: number, many: number])[] = [
  [SHEAVES, 12, 150],
  [DEBUG, 4, 20],
  [RANDOMISED, 4, 30],
];

/** Changed rules that random operations hardly ever meet: the recordings have sequences made for them. */
const RARE: ReadonlySet<string> = new Set([
  'K2 a barn holds 9 empty sheaves after kfree_rcu',
  'K2 a barn holds 11 empty sheaves after kfree_rcu',
  'H3 a CPU that goes offline flushes main in pieces',
]);

test('random sequences: every object stays in one place, and the recording of them says what happened', () => {
  const unnoticed = new Set(WIDE ? CHANGED : []);
  for (const [name, few, many] of RANDOM) {
    const file = sequenceFile(name);
    for (let seed = 1; seed <= (WIDE ? many : few); seed++) {
      const sequence = randomSequence(file, seed, 600);
      assert.ok(sequence.ops_n >= 600);
      assert.deepEqual(replaySequence(sequence, file).differences, [], `${name}, seed ${seed}`);
      for (const changed of unnoticed) if (tells(sequence, file, changed.rules)) unnoticed.delete(changed);
    }
  }
  // They reach whatever the rules tell apart: few changes of a rule make no difference to any of them.
  const rules = [...unnoticed].map(({ what }) => what).filter((what) => !RARE.has(what));
  assert.deepEqual(rules, []);
});
