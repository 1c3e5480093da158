/** Which reader a file is for. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputError } from '../base/index.js';
import { createTextTraceReader, detectFormat, TEXT_READERS, type TextFormat } from './detect.js';
import { Strings } from './strings.js';
import { recorded } from './text.case.test.js';

const FORMATS: readonly (readonly [name: RegExp, format: string])[] = [
  [/\.dat$/, 'trace.dat'],
  [/perf\.data$/, 'perf.data'],
  [/snapshots\.json$/, 'json'],
  [/^sample-trace-cmd-report|^(?:mm|tar)-.*txt$/, 'trace-cmd'],
  [/^sample-perf-script|^gcc-.*txt$/, 'perf-script'],
  [/^sample-(?:ftrace|trace_pipe).*(?<!stats)\.txt$|^(?:boot|sock)-.*txt$/, 'ftrace'],
];

test('each recorded file is what it is, from its first 64 KiB and from a few lines in its middle', () => {
  const seen = new Set<string>();
  for (const name of readdirSync(new URL('../../truth/traces/', import.meta.url))) {
    if (!name.endsWith('.gz')) continue;
    const plain = name.slice(0, -3);
    const format = FORMATS.find(([pattern]) => pattern.test(plain))?.[1];
    if (format === undefined) continue;
    const bytes = recorded(plain).subarray(0, 1 << 16);
    assert.equal(detectFormat(plain, bytes), format, plain);
    seen.add(format);
    if (!(format in TEXT_READERS)) continue;
    // Without the header, begun and ended within a line.
    assert.equal(detectFormat(plain, bytes.subarray(4000, 6000)), format, plain);
  }
  assert.equal(seen.size, FORMATS.length);
});

test('what begins with bytes of its own', () => {
  const of = (text: string) => detectFormat('x', Buffer.from(text, 'latin1'));
  assert.equal(of('\x1f\x8b\x08'), 'gzip');
  assert.equal(of('\x28\xb5\x2f\xfd'), 'zstd');
  assert.equal(of('SLABTRC1'), 'slt');
  assert.equal(of('2ELIFREP'), 'perf.data');
  assert.equal(of('slabinfo - version: 2.1\n# name'), 'slabinfo');
  assert.equal(of(' {\n'), 'json');
  assert.equal(of('[{"a": 1}]'), 'json');
  assert.equal(of('\xef\xbb\xbfcpus=2\n'), 'trace-cmd');
  assert.equal(of('# tracer: nop\n'), 'ftrace');
  assert.equal(of('CPU:1 [LOST 5 EVENTS]\n'), 'ftrace');
  assert.equal(of('CPU:1 [5 EVENTS DROPPED]\n'), 'trace-cmd');
});

test('anything else is refused, with what was looked for and what stands there', () => {
  const refusal = (text: string): string => {
    try {
      detectFormat('some.bin', Buffer.from(text, 'latin1'));
    } catch (error) {
      assert.ok(error instanceof InputError);
      return error.message;
    }
    return assert.fail('it was taken for something');
  };
  assert.equal(refusal(''), 'some.bin: is empty');
  assert.match(refusal('\xfd7zXZ\0'), /is compressed with xz: unpack it with xz -dc first/);
  assert.match(
    refusal('\x7fELF\x02\x01'),
    /^some.bin:1: expected one of ftrace text, trace-cmd report, .*; there stands '·ELF··'$/,
  );
  assert.match(refusal('Dear kernel developers,\nplease see\n'), /there stands 'Dear kernel developers,'$/);
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      try {
        detectFormat('x', bytes);
      } catch (error) {
        assert.ok(error instanceof InputError);
      }
    }),
  );
});

test('a text that was told is read by its reader', () => {
  for (const name of ['sample-ftrace-tgid.txt', 'sample-perf-script.txt', 'sample-trace-cmd-report.txt']) {
    const bytes = recorded(name);
    const format = detectFormat(name, bytes) as TextFormat;
    const reader = createTextTraceReader(format, name, { strings: new Strings(), take() {} });
    reader.write(bytes);
    const report = reader.end();
    assert.ok(report.format.startsWith(format.slice(0, 4)));
    assert.equal(report.damaged, 0);
  }
});
