import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputError } from '../base/index.js';
import { parseJson } from './json.js';

function errorOf(text: string): InputError {
  try {
    parseJson(text, 'x.json');
  } catch (error) {
    assert.ok(error instanceof InputError);
    return error;
  }
  assert.fail(`${text} was taken for JSON`);
}

test('a mistake is named with its line and what should stand there', () => {
  for (const [text, line, message] of [
    ['{\n  "a": x\n}', 2, 'expected a value of JSON, but there stands x'],
    ['{"a": 1\n"b": 2}', 2, 'expected , or } of JSON, but there stands "b": 2}'],
    ['[1,\n2,\n', 3, 'expected a value of JSON, but the file ends'],
    ['', 1, 'expected a value of JSON, but the file ends'],
    ['{"a": "\\x"}', 1, 'expected the rest of a text in "" of JSON, but there stands \\x"}'],
    ['{"a": "b\n"}', 1, 'expected the rest of a text in "" of JSON, but there stands '],
    ['[1] 2', 1, 'expected the end of JSON, but there stands 2'],
    ['{"a" 1}', 1, 'expected : of JSON, but there stands 1}'],
    ['{,}', 1, 'expected a name in "" or } of JSON, but there stands ,}'],
    ['[1,]', 1, 'expected a value of JSON, but there stands ]'],
    ['{"a": 01}', 1, 'expected , or } of JSON, but there stands 1}'],
  ] as const) {
    const error = errorOf(text);
    assert.equal(error.line, line, text);
    assert.equal(error.message, `x.json:${line}: ${message}`);
  }
});

test('the mistake is found in any text that is not JSON', () => {
  const damaged = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '}', ']', '"', 'x', '\\', '\n', '1'))
    .map(([json, at, sign]) => {
      const place = at % (json.length + 1);
      return json.slice(0, place) + sign + json.slice(place + 1);
    });
  fc.assert(
    fc.property(damaged, (text) => {
      try {
        JSON.parse(text);
      } catch {
        assert.match(errorOf(text).message, /^x\.json:\d+: expected /);
      }
    }),
    { numRuns: 2000 },
  );
});

test('nothing before the mistake is blamed: what stands before it can be completed to JSON', () => {
  const error = errorOf('{"a": [1, {"b": null}, tru]}');
  assert.match(error.message, /there stands tru\]\}/);
});
