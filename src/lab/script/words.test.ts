/** Lines of any kind of script: words in order, options in any, and what stands wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError, EngineError, InputError } from '../../base/index.js';
import { atLine, parseLines, readCount, type Verb } from './words.js';

interface Said {
  readonly what: string;
  readonly loud: boolean;
  readonly times: number;
}

const VERBS: ReadonlyMap<string, Verb<Said>> = new Map([
  [
    'say',
    {
      usage: 'say WHAT [loud] [times=N]',
      read: (words) => {
        const loud = words.has('loud');
        return { what: words.next('a word'), loud, times: words.option('times', readCount, 1) };
      },
    },
  ],
]);

test('lines are read with their numbers; comments and empty lines are none', () => {
  assert.deepEqual(parseLines('# nothing\r\n\r\n  say a # b\nsay times=3 c loud', 'x', VERBS), [
    { what: 'a', loud: false, times: 1, line: 3 },
    { what: 'c', loud: true, times: 3, line: 4 },
  ]);
  assert.deepEqual(parseLines('', 'x', VERBS), []);
});

test('a wrong line says where, what was expected and what stands there', () => {
  for (const [text, line, message] of [
    ['\nsya a', 2, "no operation is called 'sya'; did you mean 'say'?"],
    ['say', 1, 'expected a word, but the line ends: say WHAT'],
    ['say a b', 1, "'b' does not belong here: say WHAT"],
    ['say a size=1', 1, "'size=' does not belong here"],
    ['say a times=1 times=2', 1, 'times= is given twice'],
    ['say a times=0', 1, "expected a count from 1 on, but there stands '0'"],
  ] as const) {
    assert.throws(
      () => parseLines(text, 'my.script', VERBS),
      (error) =>
        error instanceof InputError &&
        error.line === line &&
        error.message.startsWith(`my.script:${line}: ${message}`),
      text,
    );
  }
});

test('what is the line’s fault names it; a fault of the engine stays one', () => {
  const failing = (error: Error) => () =>
    atLine('x', 7, () => {
      throw error;
    });
  assert.throws(failing(new ArgumentError('no')), /^InputError: x:7: no$/);
  assert.throws(failing(new EngineError('broken')), EngineError);
  assert.throws(failing(new TypeError('broken')), TypeError);
  assert.equal(
    atLine('x', 7, () => 3),
    3,
  );
});
