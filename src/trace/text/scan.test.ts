/** Lines are the same whatever pieces a text arrives in; digits in pairs are what they look like. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  createLineWindow,
  DECIMAL_PAIR,
  endOfDigits,
  HEX_PAIR,
  hexDigit,
  LINE_BYTES_MAX,
  numberOf,
  word,
} from './scan.js';

/** The lines of a text, and the offsets of those that are too long for the window. */
function linesOf(
  text: Buffer,
  pieces: readonly number[],
): { lines: string[]; dropped: number[]; size: number } {
  const window = createLineWindow();
  const lines: string[] = [];
  const dropped: number[] = [];
  const sink = {
    lines(from: number, to: number): void {
      assert.equal(window.bytes[to - 1], 10);
      const parts = Buffer.from(window.bytes.slice(from, to - 1))
        .toString('latin1')
        .split('\n');
      for (const line of parts) if (line.length <= LINE_BYTES_MAX) lines.push(line);
    },
    tooLong: (from: number) => dropped.push(window.offset() + from),
  };
  let at = 0;
  for (let i = 0; at < text.length; i++) {
    const count = Math.max(1, pieces[i % pieces.length]!);
    window.write(text.subarray(at, at + count), sink);
    at += count;
  }
  const size = window.size();
  window.end(sink);
  return { lines, dropped, size };
}

test('whole lines come out, whatever the pieces', () => {
  const line = fc.oneof(
    { weight: 20, arbitrary: fc.string({ maxLength: 60 }).map((text) => text.replaceAll('\n', '')) },
    fc.integer({ min: LINE_BYTES_MAX - 1, max: LINE_BYTES_MAX * 5 }).map((length) => 'x'.repeat(length)),
  );
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 30 }),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1 }),
      (all, closed, pieces) => {
        const text = Buffer.from(all.join('\n') + (closed ? '\n' : ''));
        const expected = text.toString('latin1').split('\n');
        if (expected.at(-1) === '') expected.pop();
        const { lines, size } = linesOf(text, pieces);
        assert.deepEqual(
          lines,
          expected.filter(({ length }) => length <= LINE_BYTES_MAX),
        );
        assert.equal(size, text.length);
      },
    ),
    { numRuns: 60 },
  );
});

test('a line that does not fit is told once, with where it begins', () => {
  const text = Buffer.from(`a\n${'b'.repeat(10 * LINE_BYTES_MAX)}\nc\n`);
  for (const piece of [1000, LINE_BYTES_MAX, 300_000]) {
    const { lines, dropped } = linesOf(text, [piece]);
    assert.deepEqual([lines, dropped], [['a', 'c'], [2]]);
  }
});

test('digits, one and two at a time', () => {
  for (let byte = 0; byte < 256; byte++) {
    const value = Number.parseInt(String.fromCharCode(byte), 16);
    assert.equal(hexDigit(byte), Number.isNaN(value) ? -1 : value);
  }
  for (let pair = 0; pair < 0x10000; pair++) {
    const text = String.fromCharCode(pair & 0xff, pair >> 8);
    assert.equal(HEX_PAIR[pair], /^[0-9a-f]{2}$/i.test(text) ? Number.parseInt(text, 16) : -1);
    assert.equal(DECIMAL_PAIR[pair], /^[0-9]{2}$/.test(text) ? Number(text) : -1);
  }
  const digits = Buffer.from('x12345 ');
  assert.equal(endOfDigits(digits, 1, digits.length), 6);
  assert.equal(endOfDigits(digits, 1, 3), 3);
  assert.equal(numberOf(digits, 1, 6), 12345);
  assert.equal(
    new DataView(Uint8Array.from(Buffer.from('kfré')).buffer).getInt32(0, true),
    word('kfr\u00c3'),
  );
});
