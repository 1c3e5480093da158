import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { parquetReadObjects } from 'hyparquet';
import { openRows, type Row, type RowColumn } from './row-files.js';

const folder = mkdtempSync(join(tmpdir(), 'slablab-rows-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const COLUMNS: readonly RowColumn[] = [
  { name: 'cell', type: 'text' },
  { name: 'bytes', type: 'count' },
  { name: 'ratio', type: 'number' },
];
/** Here every row has a place of its own. */
const PLACE = { placeOf: (row: Row) => JSON.stringify(row) };
const row: fc.Arbitrary<Row> = fc.record(
  {
    cell: fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '=', 'ü', ' ') }),
    bytes: fc.option(fc.nat(2 ** 48)),
    ratio: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0)),
  },
  { noNullPrototype: true },
);

/** A name that no file has yet. */
let files = 0;
const fresh = (suffix: string) => join(folder, `${files++}.${suffix}`);

for (const suffix of ['csv', 'parquet']) {
  test(`${suffix}: rows are found again, wherever the writer stopped`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 6 }), fc.nat(6), async (rows, stop) => {
        const path = fresh(suffix);
        const begun = await openRows(path, COLUMNS, PLACE);
        assert.deepEqual(begun.rows, []);
        for (const each of rows.slice(0, stop)) begun.add(each);
        const again = await openRows(path, COLUMNS, PLACE);
        assert.deepEqual(again.rows, rows.slice(0, stop));
        for (const each of rows.slice(stop)) again.add(each);
        const inOrder = [...rows].reverse();
        await again.finish(inOrder);
        assert.deepEqual((await openRows(path, COLUMNS, PLACE)).rows, inOrder);
        assert.equal(existsSync(`${path}.partial.csv`), false);
      }),
      { seed: 3, numRuns: 40 },
    );
  });
}

test('Parquet has the types that were meant', async () => {
  const path = fresh('parquet');
  const file = await openRows(path, COLUMNS, PLACE);
  await file.finish([
    { cell: 'a', bytes: 2 ** 40, ratio: 0.5 },
    { cell: 'b', bytes: null, ratio: null },
  ]);
  const { buffer } = Uint8Array.from(readFileSync(path));
  assert.deepEqual(await parquetReadObjects({ file: buffer }), [
    { cell: 'a', bytes: 2n ** 40n, ratio: 0.5 },
    { cell: 'b', bytes: null, ratio: null },
  ]);
});

test('a line that was cut off is no row, and the next one begins a line of its own', async () => {
  const path = fresh('csv');
  const file = await openRows(path, COLUMNS, PLACE);
  file.add({ cell: 'one', bytes: 1, ratio: 1 });
  appendFileSync(path, 'two,2');
  const again = await openRows(path, COLUMNS, PLACE);
  assert.deepEqual(again.rows, [{ cell: 'one', bytes: 1, ratio: 1 }]);
  again.add({ cell: 'two', bytes: 2, ratio: null });
  assert.equal(readFileSync(path, 'utf8'), 'cell,bytes,ratio\none,1,1\ntwo,2,\n');
});

test('a file that is empty, or was cut off in its first line, gets its head', async () => {
  for (const begun of ['', 'c', 'cell,bytes,rat', 'cell,bytes,ratio', 'cell,bytes,ratio\n']) {
    const path = fresh('csv');
    writeFileSync(path, begun);
    const file = await openRows(path, COLUMNS, PLACE);
    assert.deepEqual(file.rows, []);
    file.add({ cell: 'one', bytes: 1, ratio: null });
    file.add({ cell: 'two', bytes: 2, ratio: null });
    assert.equal(readFileSync(path, 'utf8'), 'cell,bytes,ratio\none,1,\ntwo,2,\n');
    assert.equal((await openRows(path, COLUMNS, PLACE)).rows.length, 2);
  }
});

test('a text that is no table stays as it is, its last line too', async () => {
  for (const text of ['my notes', 'my notes\nand more', 'x,y\n1,2']) {
    const path = fresh('csv');
    writeFileSync(path, text);
    await assert.rejects(openRows(path, COLUMNS, PLACE), { name: 'ArgumentError' });
    assert.equal(readFileSync(path, 'utf8'), text);
  }
});

test('rows of before they said what they were computed from are told as such', async () => {
  const path = fresh('csv');
  writeFileSync(path, 'cell,bytes,ratio\na,1,1\n');
  await assert.rejects(openRows(path, [...COLUMNS, { name: 'of', type: 'text', isDigest: true }], PLACE), {
    name: 'ArgumentError',
    message: /was written by an older slablab, whose rows do not say what they were computed from/,
  });
});

for (const suffix of ['csv', 'parquet'])
  test(`${suffix}: two writers at once lose no row and write none twice, whatever they do in which order`, async () => {
    const step = fc.record({ who: fc.nat(1), what: fc.constantFrom('add', 'add', 'finish') });
    const placeOf = (row: Row) => String(row.cell);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const path = fresh(suffix);
        const [one, two] = [
          await openRows(path, COLUMNS, { placeOf }),
          await openRows(path, COLUMNS, { placeOf }),
        ];
        const own: Row[][] = [[], []];
        for (const [i, { who, what }] of steps.entries()) {
          const file = who === 0 ? one : two;
          if (what === 'finish') await file.finish(own[who]!);
          else {
            const row = { cell: `${who}-${i}`, bytes: i, ratio: null };
            file.add(row);
            own[who]!.push(row);
          }
        }
        const rows = (await openRows(path, COLUMNS, { placeOf })).rows.map(placeOf).sort();
        assert.deepEqual(rows, own.flat().map(placeOf).sort());
      }),
      { seed: 5, numRuns: 60 },
    );
  });

test('a file of other columns, or of something else, is not written over', async () => {
  const path = fresh('csv');
  writeFileSync(path, 'cell,bytes\na,1\n');
  await assert.rejects(openRows(path, COLUMNS, PLACE), {
    name: 'ArgumentError',
    message: /holds rows of another sweep/,
  });
  writeFileSync(path, 'cell,bytes,ratio\na,1\n');
  await assert.rejects(openRows(path, COLUMNS, PLACE), {
    name: 'InputError',
    message: /:2: expected 3 fields, but there are 2/,
  });
  const parquet = fresh('parquet');
  writeFileSync(parquet, 'no parquet at all');
  await assert.rejects(openRows(parquet, COLUMNS, PLACE), {
    name: 'InputError',
    message: /is no Parquet file/,
  });
});
