import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashOf, type Place, placeOf } from './hash.js';
import { filesOfQuery } from './query.js';
import { VIEWS } from './store.js';

const counts = fc.nat({ max: 2 ** 40 });
const words = fc.string({ unit: 'grapheme', maxLength: 12 });
const some = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });

/** Places as views make them: without what is undefined, with names of their own that are nobody else's. */
const places: fc.Arbitrary<Place> = fc.record(
  {
    view: fc.constantFrom(...VIEWS),
    cursor: some(counts),
    range: some(
      fc.tuple(counts, fc.integer({ min: 1, max: 1e6 })).map(([from, rows]) => ({ from, to: from + rows })),
    ),
    selection: fc.record(
      { cache: words.filter((word) => word !== ''), frame: counts, slab: counts, object: counts },
      { requiredKeys: [], noNullPrototype: true },
    ),
    filter: words,
    whatIfs: fc.array(
      words.filter((word) => word.trim() !== ''),
      { maxLength: 3 },
    ),
    extras: fc
      .array(fc.tuple(fc.constantFrom('zoom', 'stack', 'step', 'script', 'walk'), words), { maxLength: 3 })
      .map((entries) => new Map(entries)),
  },
  { noNullPrototype: true },
);

test('what an address says comes back from it', () => {
  fc.assert(
    fc.property(places, (place) => {
      assert.deepEqual(placeOf(hashOf(place)), place);
    }),
    { seed: 11, numRuns: 500 },
  );
});

test('an address looks as it is documented', () => {
  const place = placeOf('#memory?cursor=1234&range=0-5000&frame=4711&cache=dentry&set=dentry.size%3D200');
  assert.deepEqual(place, {
    view: 'memory',
    cursor: 1234,
    range: { from: 0, to: 5000 },
    selection: { cache: 'dentry', frame: 4711 },
    filter: '',
    whatIfs: ['dentry.size=200'],
    extras: new Map(),
  });
  assert.equal(
    hashOf(place),
    '#memory?cursor=1234&range=0-5000&cache=dentry&frame=4711&set=dentry.size%3D200',
  );
  assert.equal(hashOf(placeOf('')), '#start');
});

test('what makes no sense in an address is left out', () => {
  const place = placeOf(
    '#nowhere?cursor=-3&range=9-2&frame=x&slab=1e9&cache=&set=%20&object=99999999999999999999',
  );
  assert.equal(hashOf(place), '#start');
});

test('a query names files of the page’s own site, and no others', () => {
  const files = (query: string) => filesOfQuery(query, 'http://127.0.0.1:8080/page/?open=x#time');
  assert.deepEqual(files('?open=files%2Fboot%2520a.txt.gz&open=files/b.json'), [
    { name: 'boot a.txt.gz', url: 'http://127.0.0.1:8080/page/files/boot%20a.txt.gz' },
    { name: 'b.json', url: 'http://127.0.0.1:8080/page/files/b.json' },
  ]);
  for (const elsewhere of ['https://example.org/a', '//example.org/a', 'javascript:1', 'data:,a', 'blob:a'])
    assert.deepEqual(files(`?open=${encodeURIComponent(elsewhere)}`), [], elsewhere);
  assert.deepEqual(files(''), []);
});
