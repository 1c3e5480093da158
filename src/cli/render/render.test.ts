import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { layoutReport, type Segment } from '../../lab/index.js';
import { SLAB } from '../../slab/index.js';
import { setName, shortenPair } from '../commands/verify.js';
import { terminalWidth } from '../terminal.js';
import { resample, sparkline } from './chart.js';
import { drawObject, drawSlab } from './slab-picture.js';
import { COLOURED, painted, wantsColour } from './style.js';
import { type Column, renderCsv, renderMarkdown, renderTable } from './table.js';
import { centre, displayWidth, padLeft, padRight, wrap, wrapCommand, wrapParts } from './text.js';

test('widths count code points, not colours', () => {
  assert.equal(displayWidth('▁▂█'), 3);
  assert.equal(displayWidth(COLOURED.bold('bold')), 4);
  assert.equal(displayWidth('🂡'), 1);
  assert.equal(padLeft('×', 3), '  ×');
  assert.equal(padRight(COLOURED.dim('x'), 3), `${COLOURED.dim('x')}  `);
  assert.equal(centre('ab', 5), ' ab  ');
});

test('wrapped text keeps its words and its width', () => {
  assert.deepEqual(wrap('a long line of words', 10, '  '), ['a long', '  line of', '  words']);
  assert.deepEqual(wrap('first', 10, '    ', '  '), ['  first']);
  assert.deepEqual(wrap('abcdefghij', 4, ' '), ['abcd', ' efg', ' hij']);
  assert.deepEqual(wrap('', 10), []);
  const words = fc.array(
    fc.string({ minLength: 1, maxLength: 12 }).map((text) => text.replace(/[^!-~]/g, 'x')),
  );
  fc.assert(
    fc.property(words, fc.integer({ min: 14, max: 40 }), (list, width) => {
      const lines = wrap(list.join(' '), width, '  ');
      for (const line of lines) assert.ok(displayWidth(line) <= width);
      assert.equal(lines.map((line) => line.trim()).join(' '), list.join(' '));
    }),
  );
});

test('a command is broken so that a shell takes it', () => {
  assert.deepEqual(wrapCommand('slablab layout --size 8', 22), ['  slablab layout \\', '    --size 8']);
  assert.deepEqual(wrapCommand("slablab compare 'a b'", 12), ["  slablab compare 'a b'"]);
});

test('parts stay whole where they fit', () => {
  assert.deepEqual(wrapParts(['one', 'two', 'three'], 12), ['one · two', 'three']);
  assert.deepEqual(wrapParts(['a part that is long', 'b'], 10), ['a part', 'that is', 'long · b']);
});

test('a series becomes blocks of one scale', () => {
  assert.deepEqual(resample([1, 5, 2, 2], 2), [5, 2]);
  assert.deepEqual(resample([1, 2], 4), [1, 1, 2, 2]);
  assert.equal(sparkline([0, 1, 4, 8, 9], 5, 8), ' ▁▄█↑');
  assert.equal(sparkline([1], 3, 1000), '▁▁▁', 'what is above zero is seen');
});

interface Row {
  readonly name: string;
  readonly bytes: number;
}

const COLUMNS: Column<Row>[] = [
  { name: 'name', head: [''], left: true, cell: (r) => r.name, raw: (r) => r.name },
  { name: 'bytes', head: ['bytes', 'held'], cell: (r) => `${r.bytes} B`, raw: (r) => r.bytes },
];
const ROWS: Row[] = [
  { name: 'short', bytes: 5 },
  { name: '✗ a name, that "is" longer|', bytes: 1000 },
];

test('a table has numbers on the right, and its first column gives way', () => {
  assert.deepEqual(renderTable(COLUMNS, ROWS, { width: 80 }), [
    '                              bytes',
    '                               held',
    'short                           5 B',
    '✗ a name, that "is" longer|  1000 B',
  ]);
  const narrow = renderTable(COLUMNS, ROWS, {
    width: 26,
    beneath: (r) => (r.bytes > 5 ? 'why it fails' : ''),
  });
  assert.deepEqual(narrow.slice(2), [
    'short                  5 B',
    '✗ a name, that      1000 B',
    '    "is" longer|',
    '    why it fails',
  ]);
});

test('CSV quotes what needs it and keeps raw numbers; Markdown escapes its bars', () => {
  assert.deepEqual(renderCsv(COLUMNS, ROWS), [
    'name,bytes',
    'short,5',
    '"✗ a name, that ""is"" longer|",1000',
  ]);
  assert.deepEqual(renderMarkdown(COLUMNS, ROWS), [
    '|                              | bytes held |',
    '| ---------------------------- | ---------: |',
    '| short                        |        5 B |',
    '| ✗ a name, that "is" longer\\| |     1000 B |',
  ]);
});

test('colours are for a terminal that can, unless somebody says no', () => {
  const terminal = { isTTY: true };
  assert.equal(wantsColour(terminal, {}, 'auto'), true);
  assert.equal(wantsColour(terminal, { NO_COLOR: '' }, 'auto'), true, 'an empty NO_COLOR says nothing');
  assert.equal(wantsColour(terminal, { NO_COLOR: '1' }, 'auto'), false);
  assert.equal(wantsColour(terminal, { TERM: 'dumb' }, 'auto'), false);
  assert.equal(wantsColour(terminal, {}, 'never'), false);
  assert.equal(wantsColour({}, {}, 'auto'), false);
  assert.equal(wantsColour({}, { FORCE_COLOR: '1', NO_COLOR: '1', TERM: 'dumb' }, 'auto'), true);
  assert.equal(wantsColour(terminal, { FORCE_COLOR: '0' }, 'auto'), false);
  assert.equal(wantsColour(terminal, { FORCE_COLOR: '' }, 'auto'), true);
  assert.equal(wantsColour({}, { NO_COLOR: '1' }, 'always'), true, 'the option is nearer');
  assert.equal(painted(COLOURED.bad('no')), '\u001b[31mno\u001b[39m');
  assert.equal(displayWidth(COLOURED.bad('✗ no')), 4);
});

test('the width is that of the terminal, or COLUMNS, or 80', () => {
  const stream = { write: () => true };
  const widthOf = (columns: number | undefined, env: Record<string, string>) =>
    terminalWidth({ stdout: columns === undefined ? stream : { ...stream, columns }, stderr: stream, env });
  assert.equal(widthOf(132, { COLUMNS: '70' }), 132);
  assert.equal(widthOf(undefined, { COLUMNS: '70' }), 70);
  assert.equal(widthOf(undefined, { COLUMNS: 'x' }), 80);
  assert.equal(widthOf(undefined, {}), 80);
  assert.equal(widthOf(0, {}), 80);
  assert.equal(widthOf(5, {}), 40);
});

test('a slab is drawn to scale, with its waste hatched', () => {
  const { alone } = layoutReport({ size: 1024, align: 1024, machine: { slubDebug: 'FZPU' } });
  assert.deepEqual(drawSlab(alone!, 46), [
    '┌───┬───┬───┬───┬───┬───┬───┬───┬───┬───┬──┐',
    '│ 0 │ 1 │ 2 │ 3 │ 4 │ 5 │ 6 │ 7 │ 8 │ 9 │░░│',
    '└───┴───┴───┴───┴───┴───┴───┴───┴───┴───┴──┘',
    '0   3072    9216    15360   21504      32768',
  ]);
});

test('every picture has its width, whatever the sizes', () => {
  const request = fc.record({
    size: fc.integer({ min: 1, max: 100_000 }),
    align: fc.constantFrom(0, 8, 64, 512),
  });
  fc.assert(
    fc.property(
      request,
      fc.constantFrom({}, { slubDebug: 'FZPU' }, { allocator: 'slab' as const }),
      fc.integer({ min: 38, max: 118 }),
      (asked, boot, width) => {
        const { alone } = layoutReport({
          ...asked,
          machine: { ...boot, machine: 'mt8173', memory: 4 << 20 },
        });
        for (const lines of [drawSlab(alone!, width), drawObject(alone!.segments, width)]) {
          const [top, middle, bottom, ruler] = lines.map(displayWidth);
          assert.ok(top! <= width, `${top} columns of ${width}`);
          assert.deepEqual([middle, bottom, ruler], [top, top, top]);
        }
      },
    ),
    { numRuns: 90 },
  );
});

test('a slab of SLAB begins at a colour; its list is in the last free object, or at its end', () => {
  const draw = (size: number, flags: number) =>
    drawSlab(layoutReport({ size, flags, machine: { allocator: 'slab', slubNomerge: true } }).alone!, 78);
  assert.deepEqual(draw(600, 0), [
    '┌─┬──────────┬──────────┬──────────┬──────────┬──────────┬──────────┬───────┐',
    '│░│    0     │    1     │    2     │    3     │    4     │ 5: list  │░░░░░░░│',
    '└─┴──────────┴──────────┴──────────┴──────────┴──────────┴──────────┴───────┘',
    '0            664        1264       1864       2464       3064            4096',
  ]);
  const [, inSlab] = draw(328, SLAB.TYPESAFE_BY_RCU | SLAB.NOLEAKTRACE);
  assert.match(inSlab!, /^│░│ *0 *│.*│ *11 *│░+│l│$/);
  const [, outside] = draw(256, SLAB.TYPESAFE_BY_RCU);
  assert.match(outside!, /│15│$|│ *15 *│$/);
});

test('small parts of an object have a letter where their name does not fit', () => {
  const segments: Segment[] = [
    { what: 'object', from: 0, to: 1000, freePointer: false },
    { what: 'free pointer', from: 1000, to: 1008, freePointer: true },
    { what: 'padding', from: 1008, to: 2000, freePointer: false },
  ];
  assert.deepEqual(drawObject(segments, 40), [
    '┌──────────────────┬─┬─────────────────┐',
    '│      object      │b│░░░░ padding ░░░░│',
    '└──────────────────┴─┴─────────────────┘',
    '0                  1000             2000',
  ]);
});

test('sets are named by their files, long values by their first difference', () => {
  assert.equal(setName('truth/create-slub-default-public.json.gz'), 'create-slub-default');
  assert.equal(setName('mine.json'), 'mine');
  assert.equal(setName('-'), 'stdin');
  assert.deepEqual(shortenPair('12', '13'), ['12', '13']);
  const [a, b] = shortenPair(`${'x'.repeat(100)}1${'y'.repeat(100)}`, `${'x'.repeat(100)}2`);
  assert.equal(a, `…${'x'.repeat(16)}1${'y'.repeat(31)}…`);
  assert.equal(b, `…${'x'.repeat(16)}2`);
});
