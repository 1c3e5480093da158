import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Chart, lineChart, niceStep } from './html-chart.js';
import { escapeHtml, htmlTable } from './html-page.js';

function chart(lines: Chart['lines'], x: readonly number[], marks: Chart['marks'] = []): string {
  const text = String;
  return lineChart({
    title: 't',
    caption: 'c',
    lines,
    x,
    formatX: text,
    formatY: text,
    isBytes: true,
    marks,
  });
}

/** Numbers of an attribute, as drawn. */
function drawn(svg: string, pattern: RegExp): number[] {
  return [...svg.matchAll(pattern)].map(([, number]) => Number(number));
}

test('steps are numbers that people count in', () => {
  assert.deepEqual(
    [0.3, 1, 3, 7, 12].map((about) => niceStep(about, false)),
    [0.5, 1, 5, 10, 20],
  );
  assert.deepEqual(
    [0.3, 1, 3, 1000].map((about) => niceStep(about, true)),
    [1, 1, 4, 1024],
  );
});

test('whatever is drawn lies within the picture, and names lie apart', () => {
  const series = fc.integer({ min: 1, max: 30 }).chain((n) =>
    fc.record({
      x: fc.array(fc.nat(1000), { minLength: n, maxLength: n }).map((list) => list.sort((a, b) => a - b)),
      lines: fc.array(
        fc.array(fc.nat(2 ** 34), { minLength: n, maxLength: n }).map((values) => ({ name: 'a', values })),
        { minLength: 1, maxLength: 12 },
      ),
    }),
  );
  fc.assert(
    fc.property(series, ({ x, lines }) => {
      const svg = chart(lines, x, [{ x: x[0]!, name: 'm' }]);
      assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
      for (const [, points] of svg.matchAll(/points="([^"]*)"/g)) {
        for (const point of points!.split(' ')) {
          const [left, top] = point.split(',').map(Number);
          assert.ok(left! >= 0 && left! <= 1040 && top! >= 0 && top! <= 320, point);
        }
      }
      const names = drawn(svg, /class="name [^>]* y="([\d.-]+)"/g).sort((a, b) => a - b);
      assert.equal(names.length, lines.length);
      for (let i = 1; i < names.length; i++) assert.ok(names[i]! - names[i - 1]! >= 15.8, names.join(' '));
    }),
    { seed: 8, numRuns: 150 },
  );
});

test('lines of one colour have other dashes', () => {
  const lines = Array.from({ length: 8 }, (_, i) => ({ name: String(i), values: [i] }));
  const svg = chart(lines, [0]);
  const looks = [...svg.matchAll(/<polyline class="line (c\d)"( stroke-dasharray="[^"]*")?/g)].map(
    ([look]) => look,
  );
  assert.equal(new Set(looks).size, 8);
});

test('names of markers that are close are on two levels', () => {
  const svg = chart(
    [{ name: 'a', values: [1, 2] }],
    [0, 100],
    [
      { x: 10, name: 'one' },
      { x: 12, name: 'two' },
      { x: 90, name: 'three' },
    ],
  );
  const levels = [...svg.matchAll(/y="(\d+)" text-anchor="middle">(?:one|two|three)</g)].map(([, y]) => y);
  assert.equal(new Set(levels).size, 2);
  assert.equal(levels[0], levels[2]);
});

test('text stands for itself', () => {
  assert.equal(escapeHtml(`<a href="x">'&'</a>`), '&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;');
  assert.match(htmlTable([{ head: '<h>', cell: (row: string) => row }], ['<b>']), /&lt;h&gt;.*&lt;b&gt;/s);
});
