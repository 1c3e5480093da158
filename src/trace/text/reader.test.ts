/** Readers that share engines: at once, one after the other, and after one that was refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../base/index.js';
import type { StreamReader } from '../batch/events.js';
import { Strings } from '../batch/strings.js';
import { createFtraceReader } from './ftrace.js';
import { createPerfScriptReader } from './perf-script.js';
import { type CreateReader, readText, recorded, type Spelt, spelt } from './text.case.test.js';
import { createTraceCmdReader } from './trace-cmd.js';

const TEXTS: readonly (readonly [create: CreateReader, sample: string])[] = [
  [createFtraceReader, 'sample-ftrace-tgid.txt'],
  [createPerfScriptReader, 'sample-perf-script.txt'],
  [createTraceCmdReader, 'sample-trace-cmd-report.txt'],
  [createFtraceReader, 'sample-ftrace-default-hashed.txt'],
];

function collecting(create: CreateReader): { reader: StreamReader; events: Spelt[] } {
  const strings = new Strings();
  const events: Spelt[] = [];
  const reader = create('trace.txt', {
    strings,
    take(batch) {
      for (let i = 0; i < batch.length; i++) events.push(spelt(batch, i, strings));
    },
  });
  return { reader, events };
}

test('texts that are read at once do not mix', () => {
  const all = TEXTS.map(([create, sample]) => ({ ...collecting(create), text: recorded(sample) }));
  for (let at = 0; all.some(({ text }) => at < text.length); at += 1000) {
    for (const { reader, text } of all) reader.write(text.subarray(at, at + 1000));
  }
  for (const [i, { reader, events }] of all.entries()) {
    const [create, sample] = TEXTS[i]!;
    const report = reader.end();
    assert.deepEqual({ events, report }, readText(create, recorded(sample)));
  }
});

test('nothing of a text is left for the next', () => {
  const [create, sample] = TEXTS[0]!;
  const alone = readText(create, recorded(sample));
  for (const [other, text] of TEXTS) {
    readText(other, recorded(text).subarray(0, 100_000));
    assert.throws(() => readText(other, 'x\n'.repeat(3000)), InputError);
    assert.deepEqual(readText(create, recorded(sample)), alone);
  }
});

test('a sink that throws is heard, and the reader has ended', () => {
  const reader = createFtraceReader('trace.txt', {
    strings: new Strings(),
    take() {
      throw new RangeError('full');
    },
  });
  reader.write(recorded('sample-ftrace-tgid.txt'));
  assert.throws(() => reader.end(), RangeError);
  assert.throws(() => reader.end(), /the reader has ended/);
});
