import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellsOf, parseAxes } from './sweep-axes.js';

test('axes are settings with several values', () => {
  assert.deepEqual(
    parseAxes([
      'slub_max_order=0..3',
      'cpus=1, 2,4,2',
      'dentry.size=192..250..24',
      'dentry.flags+=-,ACCOUNT',
    ]),
    [
      { name: 'slub_max_order', values: ['0', '1', '2', '3'] },
      { name: 'cpus', values: ['1', '2', '4'] },
      { name: 'dentry.size', values: ['192', '216', '240'] },
      { name: 'dentry.flags+', values: ['', 'ACCOUNT'] },
    ],
  );
});

test('what is no axis is refused with what was expected', () => {
  for (const [sets, message] of [
    [['cpus'], /'cpus' is no axis: expected NAME=VALUES/],
    [['=1'], /is no axis/],
    [['cpus='], /is no axis/],
    [['cpus=1,,2'], /expected a value or a range such as 0\.\.3, but there stands ''/],
    [['cpus=1..'], /there stands '1\.\.'/],
    [['cpus=4..1'], /the range 4\.\.1 goes nowhere/],
    [['cpus=1..4..0'], /goes nowhere/],
    [['cpus=1', 'cpus=2'], /the axis cpus is given twice/],
    [['a=0..999', 'b=0..999'], /make 1000000 cells/],
    [['a=0..9999999'], /has 10000000 values/],
  ] as const) {
    assert.throws(() => parseAxes(sets), { name: 'ArgumentError', message });
  }
});

test('cells are all combinations, the last axis fastest, and what was recorded is left out', () => {
  const cells = cellsOf(parseAxes(['a=-,1', 'b=x,y']));
  assert.deepEqual(
    cells.map(({ index, settings }) => [index, ...settings]),
    [
      [0, 'b=x'],
      [1, 'b=y'],
      [2, 'a=1', 'b=x'],
      [3, 'a=1', 'b=y'],
    ],
  );
  assert.deepEqual(cells[0]!.values, ['', 'x']);
  assert.deepEqual(cellsOf([]), [{ index: 0, values: [], settings: [] }]);
});
