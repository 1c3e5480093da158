import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseIommuScript, runIommu } from '../../../lab/index.js';
import {
  cellWords,
  countKinds,
  firstCells,
  moved,
  ramSpan,
  rangeWords,
  tableMarks,
  tablePages,
} from './levels.js';

const result = runIommu(
  parseIommuScript(
    'map 0x0 0x40000000 4K\nmap 0x100000 0x40000000 64K\nmap 0x200000 0x40000000 1M\n' +
      'map 0x1000000 0x40000000 16M\nmap 0x5000000 0x40000000 4K\nunmap 0x5000000 4K',
    'test',
  ),
);

test('each entry of the first level is a cell with its kind and how full its table is', () => {
  const cells = firstCells(result);
  assert.equal(cells.length, 4096);
  assert.deepEqual(cells[0], { kind: 'table', share: 1 / 256 });
  assert.deepEqual(cells[1], { kind: 'table', share: 16 / 256 });
  assert.deepEqual(
    [2, 3, 16, 31, 32, 0x50].map((i) => cells[i]!.kind),
    ['section', 'fault', 'supersection', 'supersection', 'fault', 'empty'],
  );
  assert.deepEqual(countKinds(cells), [
    ['fault', 4096 - 20],
    ['empty', 1],
    ['table', 2],
    ['section', 1],
    ['supersection', 16],
  ]);
  assert.equal(cellWords(cells[1]!), 'a table, 16 of 256 entries in use');
  assert.equal(rangeWords(0x10_0000, 2 ** 20), '0x100000–0x1fffff');
});

test('keys move the cursor and never out of the grid', () => {
  assert.equal(moved('ArrowRight', 63, 4096, 64), 64);
  assert.equal(moved('ArrowUp', 5, 4096, 64), 5);
  assert.equal(moved('End', 70, 4096, 64), 127);
  assert.equal(moved('PageDown', 4095, 4096, 64), 4095);
  assert.equal(moved('PageUp', 70, 4096, 64), 6);
  assert.equal(moved('x', 70, 4096, 64), undefined);
  const keys = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown'];
  const property = fc.property(fc.array(fc.constantFrom(...keys)), fc.nat(255), (pressed, start) => {
    let at = start;
    for (const key of pressed) {
      at = moved(key, at, 256, 16)!;
      assert.ok(at >= 0 && at < 256);
    }
  });
  fc.assert(property, { seed: 4 });
});

test('tables are marked where they lie, and 4 GiB where it is', () => {
  const { machine, tables } = result;
  assert.deepEqual(ramSpan(machine.ram), { begin: 2 ** 30, end: 5 * 2 ** 30, limit: 0.75 });
  assert.equal(ramSpan([{ start: 2 ** 30, end: 2 ** 31 }]).limit, undefined);
  const marks = tableMarks(result, 1000);
  assert.equal(
    marks.reduce((sum, mark) => sum + mark.tables.length, 0),
    tables.length,
  );
  assert.ok(marks.every(({ at }) => at >= 0 && at < 750));
  const pages = tablePages(tables);
  assert.deepEqual(
    pages
      .flatMap(({ slots }) => slots.filter((slot) => slot !== undefined))
      .map(({ id }) => id)
      .sort(),
    tables.map(({ id }) => id).sort(),
  );
  for (const { address, slots } of pages)
    slots.forEach((table, i) => {
      if (table !== undefined) assert.equal(table.address, address + 1024 * i);
    });
});
