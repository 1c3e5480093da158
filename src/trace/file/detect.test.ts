/** Which reader a file is for. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputError } from '../../base/index.js';
import { Strings } from '../batch/strings.js';
import { recorded } from '../text/text.case.test.js';
import { createTextTraceReader, detectFormat, TEXT_READERS, type TextFormat } from './detect.js';

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
  for (const name of readdirSync(new URL('../../../truth/traces/', import.meta.url))) {
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

function refusal(text: string): string {
  try {
    detectFormat('some.bin', Buffer.from(text, 'latin1'));
  } catch (error) {
    assert.ok(error instanceof InputError);
    return error.message;
  }
  return assert.fail('it was taken for something');
}

test('anything else is refused, with what was looked for and what stands there', () => {
  assert.equal(refusal(''), 'some.bin: is empty');
  assert.match(refusal('\xfd7zXZ\0'), /is compressed with xz: unpack it with xz -dc first/);
  assert.match(
    refusal('\x7fElf\x02\x01'),
    /^some.bin:1: expected one of ftrace text, trace-cmd report, .*; there stands '·Elf··'$/,
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

test('what other tools write is refused by its name, with what to do', () => {
  const header = '# ========\n# captured on    : Mon Jun  2 10:00:00 2025\n# ========\n#\n';
  const files: [text: string, what: RegExp][] = [
    [
      '\x0a\x06\x08\x01\x12\x02\x00\x01\x0a\x02\x08\x05\x0a\x02\x08\x05',
      /Perfetto trace \(protobuf\).*traceconv/,
    ],
    [`\x0a\x80\x01\x08\x01${'\x00'.repeat(126)}`, /Perfetto/],
    ['\xc1\x1f\xfc\xc1\x00\x00', /LTTng \(CTF\)/],
    ['/* CTF 1.8 */\n\ntypealias integer {', /metadata of an LTTng/],
    ['\x57\x1d\xd1\x75\x00', /metadata of an LTTng/],
    ['Attaching 2 probes...\n', /bpftrace.*trace-cmd record -e kmem/],
    ['@bytes[kmalloc]: 123\n@count: 5\n', /bpftrace/],
    [
      '\nSUMMARY (SLAB allocator)\n========================\nTotal bytes requested: 1,234\n',
      /perf kmem stat.*perf script/,
    ],
    [
      `---------\n Callsite                           | Total_alloc/Per | Total_req/Per   | Hit      | Ping-pong | Frag\n`,
      /perf kmem stat/,
    ],
    [
      `${header}# Samples: 12K of event 'kmem:kmalloc'\n# Event count\n#\n# Overhead  Command\n`,
      /perf report.*perf script/,
    ],
    ['# To display the perf.data header info, please use --header\n#\n# Overhead  Command\n', /perf report/],
    ['{"traceEvents":[{"name":"a","ph":"X"}]}', /Chrome trace/],
    ['[{"name":"a","ph":"X","ts":1}]', /Chrome trace/],
    ['{"displayTimeUnit":"ns","traceEvents":[]}', /Chrome trace/],
    [' Active / Total Objects (% used)    : 1234 / 2345 (52.6%)\n Active / Total Slabs', /slabtop.*slabinfo/],
    ['MemTotal:       16384 kB\n', /meminfo/],
    ['Node 0, zone      DMA      1      1\n', /buddyinfo/],
    ['unreferenced object 0xffff888100fcaf10 (size 64):\n', /kmemleak/],
    ['ffffffff81000000 T _text\nffffffff81000000 t startup_64\n', /table of symbols.*--kallsyms/],
    ['\x7fELF\x02\x01\x01\x00', /ELF/],
    ['PK\x03\x04', /zip/],
    ['PERFFILE\x00', /perf\.data of a perf before/],
  ];
  for (const [text, what] of files) assert.match(refusal(text), what, text);
  // The header alone is perf script's.
  assert.equal(detectFormat('x', Buffer.from(header)), 'perf-script');
  assert.equal(detectFormat('x', Buffer.from('<!DOCTYPE HTML>\n<html>')), 'systrace');
  assert.equal(detectFormat('x', Buffer.from('\n  <HTML>')), 'systrace');
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
