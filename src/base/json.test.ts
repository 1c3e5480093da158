import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputError } from './errors.js';
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
    ['{\n  "a": x\n}', 2, 'not JSON: expected a value, but there stands x'],
    ['{"a": 1\n"b": 2}', 2, 'not JSON: expected , or }, but there stands "b": 2}'],
    ['[1,\n2,\n', 3, 'not JSON: expected a value, but the file ends'],
    ['', 1, 'not JSON: expected a value, but the file ends'],
    ['{"a": "\\x"}', 1, 'not JSON: expected the rest of a text in "", but there stands \\x"}'],
    ['{"a": "b\n"}', 1, 'not JSON: expected the rest of a text in "", but there stands '],
    ['[1] 2', 1, 'not JSON: expected the end, but there stands 2'],
    ['{"a" 1}', 1, 'not JSON: expected :, but there stands 1}'],
    ['{,}', 1, 'not JSON: expected a name in "" or }, but there stands ,}'],
    ['[1,]', 1, 'not JSON: expected a value, but there stands ]'],
    ['{"a": 01}', 1, 'not JSON: expected , or }, but there stands 1}'],
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
        assert.match(
          errorOf(text).message,
          /^x\.json:\d+: not JSON: expected (?!the end, but the file ends)/,
        );
      }
    }),
    { numRuns: 2000 },
  );
});
