import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { decompress } from 'fzstd';
import { InputError } from '../../base/index.js';
import { runsOf } from '../../base/runs.case.test.js';
import { memoryBytes } from '../batch/byte-cursor.js';
import { EVENT } from '../batch/events.js';
import { readSpoilt } from '../spoilt.case.test.js';
import { readText, recorded, type Spelt } from '../text/text.case.test.js';
import { createTraceCmdReader } from '../text/trace-cmd.js';
import { buildTraceDat, type DatSpec, type RingEvent } from './build-trace-dat.case.test.js';
import { ByteWriter, PC } from './byte-writer.case.test.js';
import {
  assertSameRows,
  COMMS,
  commsText,
  events,
  expected,
  fleeting,
  formatsOf,
  type Kernel,
  kallsymsOf,
  kernels,
  type ModelEvent,
  NO_EVENT,
  parsedFormats,
  recordOf,
  rowsOf,
  timed,
} from './model.case.test.js';
import { readTraceDat, type TraceDatOptions } from './trace-dat.js';

const OPTIONS: TraceDatOptions = {
  file: 'x.dat',
  zlib: (bytes) => inflateSync(bytes),
  zstd: (bytes, size) => decompress(bytes, new Uint8Array(size)),
};

function readDat(bytes: Uint8Array) {
  return rowsOf((sink) => readTraceDat(memoryBytes(bytes), sink, OPTIONS));
}

/** As `trace-cmd report` prints a time: rounded. */
function inMicroseconds(time: number): number {
  return Math.floor((time + 500) / 1000) * 1000;
}

// ---- Recordings --------------------------------------------------------------------------------------------------------

for (const name of ['tar-public', 'mm-public']) {
  test(`${name}: every column is what trace-cmd report printed of it`, () => {
    const { rows, report } = readDat(recorded(`${name}.dat`));
    const text = readText(createTraceCmdReader, recorded(`${name}.txt`));
    assert.deepEqual(report.byKind, text.report.byKind);
    assert.deepEqual(report.others, text.report.others);
    assert.deepEqual([report.damaged, report.lost, report.notes], [0, 0, []]);
    assert.equal(report.format, 'trace.dat version 7');
    assertSameRows(rows, text.events, inMicroseconds);
  });
}

/** What trace-cmd wrote itself, and what `trace-cmd convert --file-version 6` made of it. */
const SAMPLE = recorded('sample-trace-cmd.dat');
const SAMPLE_6 = recorded('sample-trace-cmd-v6.dat');
let readSample: ReturnType<typeof readDat> | undefined;
/** The sample, read once. */
function sample(): ReturnType<typeof readDat> {
  readSample ??= readDat(SAMPLE);
  return readSample;
}

test('the sample is what trace-cmd printed of it, with nanoseconds too', () => {
  const { rows, report } = sample();
  assert.deepEqual([...report.others], [['rss_stat', 276]]);
  const plain = readText(createTraceCmdReader, recorded('sample-trace-cmd-report.txt')).events;
  assertSameRows(rows.slice(0, plain.length), plain, inMicroseconds);
  const exact = readText(createTraceCmdReader, recorded('sample-trace-cmd-report-t-l.txt')).events;
  // That shape of line has room for eight letters of a task's name.
  const shortened = rows.map((row) => ({ ...row, comm: row.comm.slice(0, 8) }));
  assertSameRows(shortened.slice(0, exact.length), exact, (time) => time);
});

test('version 6 holds the same', () => {
  const seven = sample();
  const six = readDat(SAMPLE_6);
  assert.equal(six.report.format, 'trace.dat version 6');
  assertSameRows(six.rows, seven.rows, (time) => time);
  assert.deepEqual(six.report.byKind, seven.report.byKind);
});

test('reads that do not stay valid, put together from 100 bytes at a time, change nothing', () => {
  for (const bytes of [SAMPLE, SAMPLE_6]) {
    const { rows } = rowsOf((sink) => readTraceDat(fleeting(bytes), sink, OPTIONS));
    assertSameRows(rows, sample().rows, (time) => time);
  }
});

// ---- Made-up files -----------------------------------------------------------------------------------------------------

const CPUS = 4;
const START = 5_000_000_000n;

function fileOf(
  list: readonly ModelEvent[],
  kernel: Kernel,
  how: Pick<DatSpec, 'version' | 'compression'>,
): Uint8Array {
  const formats = formatsOf(kernel);
  const parsed = parsedFormats(formats);
  const cpus: RingEvent[][] = Array.from({ length: CPUS }, () => []);
  for (const { event, time } of timed(list, START))
    cpus[event.cpu]!.push({ time, record: recordOf(event, kernel, parsed) });
  return buildTraceDat({
    ...how,
    target: kernel.target,
    formats,
    kallsyms: kallsymsOf(kernel.target),
    comms: commsText,
    cpus,
  });
}

function rowsExpected(list: readonly ModelEvent[], kernel: Kernel): Spelt[] {
  return timed(list, START)
    .sort((a, b) => Number(a.time - b.time) || a.event.cpu - b.event.cpu)
    .flatMap(({ event, time }) => {
      const row = expected(event, Number(time), kernel, true);
      const comm = event.pid === 0 ? '<idle>' : (COMMS.get(event.pid) ?? '<...>');
      return row === undefined ? [] : [{ ...row, comm }];
    });
}

const how = fc.constantFrom<Pick<DatSpec, 'version' | 'compression'>>(
  { version: 6, compression: 'none' },
  { version: 7, compression: 'none' },
  { version: 7, compression: 'zlib' },
);

test('whatever a kernel records is read again, of all versions and machines', () => {
  fc.assert(
    fc.property(kernels, how, events, (kernel, version, list) => {
      const { rows, report } = readDat(fileOf(list, kernel, version));
      assert.deepEqual(rows, rowsExpected(list, kernel));
      assert.deepEqual([report.damaged, report.damage, report.notes], [0, [], []]);
      const others = list.filter(({ kind }) => kind === 'rss_stat').length;
      assert.equal(report.others.get('rss_stat') ?? 0, others);
    }),
    { seed: 7341, numRuns: runsOf(40) },
  );
});

const PC_KERNEL: Kernel = { target: PC, rotated: 0, gfpShift: 0, relative: false };
const FREES = formatsOf(PC_KERNEL);
const PARSED = parsedFormats(FREES);

function kfree(pointer: number): Uint8Array {
  return recordOf({ ...NO_EVENT, kind: 'kfree', pointer: BigInt(pointer) }, PC_KERNEL, PARSED);
}

function small(more: Partial<DatSpec> = {}): Uint8Array {
  return buildTraceDat({
    target: PC,
    version: 6,
    compression: 'none',
    formats: FREES,
    kallsyms: kallsymsOf(PC),
    comms: commsText,
    cpus: [
      [
        { time: 1000n, record: kfree(1) },
        { time: 3000n, record: kfree(2), lost: 12 },
        { time: 5000n, record: kfree(3), lost: -1 },
      ],
      [{ time: 2000n, record: kfree(4) }],
    ],
    ...more,
  });
}

test('lost events stand where they are missing', () => {
  const { rows, report } = readDat(small());
  assert.deepEqual(
    rows.map(({ kind, cpu, time, bytesReq, pointer }) => [
      kind,
      cpu,
      time,
      kind === 'lost' ? bytesReq : Number(`0x${pointer}`),
    ]),
    [
      ['kfree', 0, 1000, 1],
      ['kfree', 1, 2000, 4],
      ['lost', 0, 3000, 12],
      ['kfree', 0, 3000, 2],
      ['lost', 0, 5000, 0],
      ['kfree', 0, 5000, 3],
    ],
  );
  assert.equal(report.lost, 12);
  assert.equal(report.byKind[EVENT.LOST], 2);
});

test('options change times and are told of', () => {
  const option = (id: number, data: Uint8Array | string) =>
    [id, typeof data === 'string' ? Buffer.from(`${data}\0`) : data] as const;
  const times = (...options: (readonly [number, Uint8Array])[]) => {
    for (const version of [6, 7] as const) {
      const { rows } = readDat(small({ version, options }));
      if (version === 7) return rows.map(({ time }) => time).filter((time, i, all) => time !== all[i - 1]);
    }
    return [];
  };
  // trace-cmd report 3.1.6 says the same of these files.
  assert.deepEqual(times(), [1000, 2000, 3000, 5000]);
  assert.deepEqual(times(option(7, '123456789')), [123457789, 123458789, 123459789, 123461789]);
  assert.deepEqual(times(option(7, '-10'), option(1, '0x2')), [2990, 3990, 4990, 6990]);
  assert.deepEqual(
    times(option(14, new ByteWriter(true).u32(3_000_000).u32(22).u64(0).done())),
    [715, 1430, 2145, 3576],
  );
  const notes = (...options: (readonly [number, Uint8Array])[]) => readDat(small({ options })).report;
  assert.match(
    notes(option(4, 'local [x86-tsc] mono\n')).notes[0]!,
    /clock is 'x86-tsc', which does not count nanoseconds/,
  );
  assert.deepEqual(notes(option(4, 'local [boot]\n')).notes, []);
  const behind = small({ options: [option(4, '')], clockBehind: 'local [counter]' });
  assert.match(readDat(behind).report.notes[0]!, /clock is 'counter'/);
  assert.match(notes(option(12, new Uint8Array(16))).notes[0]!, /^It is of a guest/);
  const stats = notes(option(2, 'CPU: 0\nentries: 3\noverrun: 40\ncommit overrun: 2\ndropped events: 1\n'));
  assert.equal(stats.lost, 43);
  assert.match(stats.notes[0]!, /43 lost events/);
});

test('an instance is read with the main buffer', () => {
  for (const version of [6, 7] as const) {
    const instance = { name: 'extra', cpus: [[], [{ time: 2500n, record: kfree(9) }]] };
    const { rows, report } = readDat(small({ version, instance }));
    assert.deepEqual(
      rows.filter(({ kind }) => kind === 'kfree').map(({ time }) => time),
      [1000, 2000, 2500, 3000, 5000],
    );
    assert.match(report.notes[0]!, /^2 buffers are read together \(the main one, extra\)/);
  }
});

test('a recording of text is read by the reader of text', () => {
  const line = (n: number) =>
    `            bash-7     [000] .....     1.00000${n}: kfree: call_site=f+0x1/0x2 ptr=00000000d1f8f95${n}\n`;
  const text = `# tracer: nop\n${line(1)}${line(2)}`;
  for (const [version, compression] of [
    [6, 'none'],
    [7, 'none'],
    [7, 'zlib'],
  ] as const) {
    const bytes = small({ version, compression, text });
    const { rows, report } = readDat(bytes);
    assert.deepEqual(
      rows.map(({ time }) => time),
      [1000001000, 1000002000],
    );
    assert.equal(report.format, `trace.dat version ${version}, as text`);
  }
  assert.throws(() => readDat(small({ text: 'a foreign text\n' })), InputError);
});

test('without kallsyms call sites are addresses, and what was printed is a mark', () => {
  const { rows, report } = readDat(small({ kallsyms: '0000000000000000 T hidden\n' }));
  assert.equal(rows[0]!.site, '0xffffffff81000022');
  assert.deepEqual(report.notes, ['It has no kallsyms: call sites are addresses.']);
});

test('what trace_printk prints is another event', () => {
  const marked = { ...NO_EVENT, kind: 'print', text: 'hello' };
  const bytes = small({ cpus: [[{ time: 1n, record: recordOf(marked, PC_KERNEL, PARSED) }]] });
  assert.deepEqual(
    readDat(bytes).rows.map(({ kind, name }) => [kind, name]),
    [['mark', 'hello']],
  );
  const kallsyms = kallsymsOf(PC).replace('tracing_mark_write', 'some_driver_probe');
  const printk = small({ kallsyms, cpus: [[{ time: 1n, record: recordOf(marked, PC_KERNEL, PARSED) }]] });
  assert.deepEqual([...readDat(printk).report.others], [['print', 1]]);
});

test('records that their format does not fit are counted with their place', () => {
  const unknown = kfree(1);
  unknown[0] = 99;
  const { rows, report } = readDat(
    small({
      cpus: [
        [
          { time: 1n, record: kfree(1).subarray(0, 12) },
          { time: 2n, record: unknown },
          { time: 3n, record: kfree(5) },
        ],
      ],
    }),
  );
  assert.equal(rows.length, 1);
  assert.deepEqual(
    report.damage.map(({ why }) => why),
    ['CPU 0: a record of kfree has 12 bytes, its format says at least 24', 'CPU 0: no format has ID 99'],
  );
  const [first] = report.damage;
  const bytes = small({ cpus: [[{ time: 1n, record: kfree(1).subarray(0, 12) }]] });
  assert.deepEqual(bytes.slice(first!.offset, first!.offset + 2), kfree(1).slice(0, 2));
});

// ---- Damage ------------------------------------------------------------------------------------------------------------

test('what is no trace.dat is refused with the byte and the reason', () => {
  const refuses = (bytes: Uint8Array, message: RegExp) =>
    assert.throws(
      () => readDat(bytes),
      (error) => error instanceof InputError && error.file.startsWith('x.dat') && message.test(error.message),
    );
  refuses(
    new Uint8Array(0),
    /^x\.dat: byte 0: expected a trace\.dat, which begins with 17 08 44 'tracing'; found nothing$/,
  );
  refuses(Buffer.from('# tracer: nop\n'), /found 23 20 74/);
  const head = Buffer.from('\x17\x08\x44tracing', 'latin1');
  refuses(
    Buffer.concat([head, Buffer.from('9\0')]),
    /^x\.dat: byte 10: expected a trace\.dat of version 6 or 7, found version '9'$/,
  );
  refuses(
    Buffer.concat([head, Buffer.from('6\0\x02')]),
    /byte 12: expected 0 \(little-endian\) or 1 \(big-endian\), found 2$/,
  );
  refuses(
    Buffer.concat([head, Buffer.from('7\0\0\x08\0\x10\0\0lzma\x001\0')]),
    /expected sections compressed with zstd, zlib or none, found lzma$/,
  );
  const noOptions = small({ version: 7 }).slice(0, 5000);
  refuses(noOptions, /expected a section at byte \d+, but the file ends before it: it was cut off$/);
  assert.throws(
    () => rowsOf((sink) => readTraceDat(memoryBytes(small({ version: 7, compression: 'zlib' })), sink)),
    /found zlib$/,
  );
});

test('a file that is cut off anywhere is refused with the place, or gives what is left and says so', () => {
  const whole = readDat(small()).rows.length;
  for (const bytes of [small(), small({ version: 7 }), small({ version: 7, compression: 'zlib' })]) {
    let least = 0;
    for (let length = 0; length < bytes.length; length += 227) {
      try {
        const { rows, report } = readDat(bytes.slice(0, length));
        assert.ok(
          rows.length === whole || report.damaged > 0,
          `${length}: ${rows.length} rows, and no damage`,
        );
        assert.ok(rows.length >= least);
        least = rows.length;
      } catch (error) {
        assert.ok(error instanceof InputError && /byte \d+/.test(error.message), `${length}: ${error}`);
        assert.equal(least, 0, 'what could be read of less can be read of more');
      }
    }
  }
});

test('spoilt files never throw anything else, and end', () => {
  const versions = [{}, { version: 7 as const }, { version: 7 as const, compression: 'zlib' as const }];
  const files = versions.map((version) => small(version));
  readSpoilt({ files, read: readDat, seed: 7342, rounds: 150, hit: (_, random) => random.below(300) });
});

test('spoilt names cost only the names', () => {
  const bytes = small({ version: 7, compression: 'zlib' });
  const at = Buffer.from(bytes).indexOf(Buffer.from([19, 0, 1, 0]));
  const spoilt = bytes.slice();
  spoilt.fill(0xff, at + 24, at + 40);
  const { rows, report } = readDat(spoilt);
  assert.deepEqual(
    rows.map(({ site }) => site),
    readDat(bytes).rows.map(({ site }) => (site === '' ? '' : '0xffffffff81000022')),
  );
  assert.equal(report.damaged, 1);
  assert.match(report.damage[0]!.why, /section 19 cannot be decompressed/);
});

test('a spoilt chunk costs its own events', () => {
  const bytes = Buffer.from(SAMPLE);
  // The second chunk of the first CPU.
  const first = 499712 + 4;
  const second = first + 8 + bytes.readUInt32LE(first);
  bytes.fill(0xff, second + 20, second + 40);
  const { rows, report } = readDat(bytes);
  assert.equal(report.damaged, 1);
  assert.equal(report.damage[0]!.offset, second);
  assert.match(report.damage[0]!.why, /^CPU 0: a chunk cannot be decompressed: /);
  const whole = sample().rows;
  assert.ok(
    rows.length > whole.length / 2 && rows.length < whole.length,
    `${rows.length} of ${whole.length}`,
  );
  const times = new Set(whole.map(({ time }) => time));
  for (const { time } of rows) assert.ok(times.has(time));
});
