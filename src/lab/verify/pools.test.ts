import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type GenallocRecording, verifyGenalloc } from './genalloc.js';
import { type PageFragRecording, verifyPageFrag } from './page-frag.js';
import { SetTally } from './result.js';

/** Without its types: what JSON.parse gives, free to be spoilt. */
// biome-ignore lint/suspicious/noExplicitAny: a recording to plant differences in
type Loose = any;

function recording(file: string): string {
  return gunzipSync(readFileSync(new URL(`../../../truth/${file}`, import.meta.url))).toString();
}

const genalloc = recording('genalloc-public.json.gz');
const pageFrag = recording('page_frag-public.json.gz');

test('genalloc agrees with every recorded pool', () => {
  const result = verifyGenalloc(JSON.parse(genalloc) as GenallocRecording, 'genalloc');
  assert.deepEqual(result.disagreements, []);
  assert.ok(result.total > 0);
  assert.equal(result.agreed, result.total);
});

test('page_frag agrees with every recorded sequence', () => {
  const result = verifyPageFrag(JSON.parse(pageFrag) as PageFragRecording, 'page_frag');
  assert.deepEqual(result.disagreements, []);
  assert.ok(result.total > 0);
  assert.equal(result.agreed, result.total);
});

const planted: readonly [what: string, where: RegExp, plant: (pools: Loose) => void][] = [
  [
    'an address',
    /^pool 3 .*, op 7 'f5'$|^pool 3 .*, op 7 /,
    (pools) => {
      pools[3].r[7][0] += 1024;
    },
  ],
  [
    'what is available',
    /^pool 20 .*, op 0 /,
    (pools) => {
      pools[20].r[0][1]--;
    },
  ],
  [
    'a look-up',
    /^pool 106 .*, op 6 'h4294967296@1'$/,
    (pools) => {
      pools[106].r[6][0] = 0;
    },
  ],
  [
    'a physical address',
    /^pool 106 .*, op 9 /,
    (pools) => {
      pools[106].r[9][1]++;
    },
  ],
  [
    'the size',
    /^pool 0 \(4MiB, first_fit\)$/,
    (pools) => {
      pools[0].size++;
    },
  ],
  [
    'the end',
    /^pool 0 \(4MiB, first_fit\)$/,
    (pools) => {
      pools[0].avail++;
    },
  ],
  [
    'the beginning',
    /^pool 5 /,
    (pools) => {
      pools[5].avail0++;
    },
  ],
  [
    'a chunk refused',
    /^pool 80 /,
    (pools) => {
      pools[80].add_returns[1] = -12;
    },
  ],
];

for (const [what, where, plant] of planted) {
  test(`genalloc: a planted difference is found: ${what}`, () => {
    const spoilt: Loose = JSON.parse(genalloc);
    plant(spoilt.pools);
    const result = verifyGenalloc(spoilt, 'genalloc');
    assert.equal(result.agreed, result.total - 1);
    assert.equal(result.disagreements.length, 1);
    assert.match(result.disagreements[0]!.where, where);
  });
}

test('page_frag: a planted difference is found in every field', () => {
  for (let field = 0; field < 6; field++) {
    const spoilt: Loose = JSON.parse(pageFrag);
    spoilt.sequences[80].r[100][field]++;
    const result = verifyPageFrag(spoilt, 'page_frag');
    assert.equal(result.agreed, result.total - 1);
    assert.match(result.disagreements[0]!.where, /^sequence 80 \(random\), op 100 /);
  }
  for (let field = 0; field < 3; field++) {
    const spoilt: Loose = JSON.parse(pageFrag);
    spoilt.sequences[80].pages[2][field]++;
    const result = verifyPageFrag(spoilt, 'page_frag');
    assert.equal(result.agreed, result.total - 1);
    assert.equal(result.disagreements[0]!.field, 'pages');
  }
});

test('a recording that is none is refused with what was expected', () => {
  const refused = (run: () => unknown, message: RegExp) =>
    assert.throws(run, { name: 'ArgumentError', message });
  const spoilGenalloc = (plant: (pool: Loose) => void) => {
    const spoilt: Loose = JSON.parse(genalloc);
    plant(spoilt.pools[0]);
    return () => verifyGenalloc(spoilt, 'genalloc');
  };
  const spoilPageFrag = (plant: (sequence: Loose, all: Loose) => void) => {
    const spoilt: Loose = JSON.parse(pageFrag);
    plant(spoilt.sequences[0], spoilt);
    return () => verifyPageFrag(spoilt, 'page_frag');
  };
  refused(() => verifyGenalloc({} as Loose, 'genalloc'), /genalloc: expected a list `pools`, got undefined/);
  refused(() => verifyGenalloc(null as Loose, 'genalloc'), /pools/);
  refused(() => verifyGenalloc({ pools: [] }, 'genalloc'), /no cases/);
  refused(() => verifyGenalloc({ pools: [null] } as Loose, 'genalloc'), /pool 0: expected .*`ops`/);
  refused(
    spoilGenalloc((pool) => {
      pool.ops += ' q3';
    }),
    /an operation such as .*"q3"/,
  );
  refused(
    spoilGenalloc((pool) => {
      pool.r.pop();
    }),
    /`r` with a pair for each of 1200/,
  );
  refused(
    spoilGenalloc((pool) => {
      pool.algo = 'worst_fit';
    }),
    /`algo` to be one of .*worst_fit/,
  );
  refused(
    spoilGenalloc((pool) => {
      pool.chunks = [[1]];
    }),
    /`chunks`/,
  );
  refused(
    spoilGenalloc((pool) => {
      pool.avail = undefined;
    }),
    /a number `avail`/,
  );
  refused(
    spoilGenalloc((pool) => {
      pool.add_returns = 0;
    }),
    /`add_returns`/,
  );
  refused(() => verifyPageFrag({} as Loose, 'page_frag'), /`sequences`/);
  refused(
    spoilPageFrag((_, all) => {
      all.sequences = [];
    }),
    /no cases/,
  );
  refused(
    spoilPageFrag((_, all) => {
      all.constants = undefined;
    }),
    /`constants` with page_size/,
  );
  refused(
    spoilPageFrag((sequence) => {
      sequence.ops += ' a1/x';
    }),
    /an operation such as/,
  );
  refused(
    spoilPageFrag((sequence) => {
      sequence.r[5].pop();
    }),
    /`r` with 6 values/,
  );
  refused(
    spoilPageFrag((sequence) => {
      sequence.gfp = 3;
    }),
    /`gfp`/,
  );
  refused(
    spoilPageFrag((sequence) => {
      sequence.ops = 3;
    }),
    /`ops`/,
  );
  refused(
    spoilPageFrag((sequence) => {
      sequence.pages = {};
    }),
    /`pages`/,
  );
});

test('SetTally: counts cases, keeps the first disagreement of the first few', () => {
  const tally = new SetTally('demo', 2);
  tally.case('equal', (expect) => {
    expect('n', 1, 1);
    expect('list', [1, { a: [2] }], [1, { a: [2] }]);
    expect('nothing', null, null);
  });
  let op = 0;
  tally.case(
    () => `late, op ${op}`,
    (expect) => {
      op = 1;
      expect('same', 5, 5);
      expect('first', [1, 2], [1, 3]);
      op = 2;
      expect('second', 1, 2);
    },
  );
  tally.case('thrown', () => {
    throw new Error('lost');
  });
  for (const [expected, got] of [
    [{ a: 1 }, { b: 1 }],
    [[1], { 0: 1 }],
    [null, {}],
    ['1', 1],
    [[1], [1, 2]],
  ]) {
    tally.case('further', (expect) => expect('value', expected, got));
  }
  assert.deepEqual(tally.result(), {
    set: 'demo',
    total: 8,
    agreed: 1,
    disagreements: [
      { where: 'late, op 1', field: 'first', expected: [1, 2], got: [1, 3] },
      { where: 'thrown', field: 'exception', expected: 'none', got: 'lost' },
    ],
  });
  assert.throws(() => new SetTally('empty').result(), { name: 'ArgumentError', message: /no cases/ });
});
