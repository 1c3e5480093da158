import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Decompress } from 'fzstd';
import { InputError } from '../../base/index.js';
import { runsOf } from '../../base/runs.case.test.js';
import { ByteCursor, memoryBytes } from '../batch/byte-cursor.js';
import { EVENT, type RandomBytes } from '../batch/events.js';
import { utf8 } from '../batch/strings.js';
import { readSpoilt } from '../spoilt.case.test.js';
import { createPerfScriptReader } from '../text/perf-script.js';
import { readText, recorded, type Spelt } from '../text/text.case.test.js';
import { buildPerfData, type PerfRecordSpec, type PerfSpec, SAMPLE } from './build-perf-data.case.test.js';
import { buildTraceDat } from './build-trace-dat.case.test.js';
import { ByteWriter, PC } from './byte-writer.case.test.js';
import {
  assertSameRows,
  COMMS,
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
import { type PerfDataOptions, readPerfData } from './perf-data.js';
import type { ZstdDecoder } from './perf-data-session.js';
import { readTraceDat } from './trace-dat.js';

const zstd: ZstdDecoder = (take) => {
  const stream = new Decompress(take);
  return (piece) => stream.push(piece);
};

function readPerf(bytes: Uint8Array | RandomBytes, options: PerfDataOptions = {}) {
  const source = bytes instanceof Uint8Array ? memoryBytes(bytes) : bytes;
  return rowsOf((sink) => readPerfData(source, sink, { file: 'x.data', zstd, ...options }));
}

/** As `perf script` prints a time: cut off. */
function inMicroseconds(time: number): number {
  return Math.floor(time / 1000) * 1000;
}

// ---- Recordings --------------------------------------------------------------------------------------------------------

/** /proc/kallsyms of the kernel that made all recordings. perf.data does not hold it; a trace.dat does. */
const KALLSYMS = (() => {
  const bytes = recorded('sample-trace-cmd-v6.dat');
  const start = bytes.indexOf('0000000000000000 A fixed_percpu_data');
  return bytes.subarray(start, start + bytes.readUInt32LE(start - 4));
})();
const SAMPLE_FILE = recorded('sample-perf.data');

test('gcc-public: every column is what perf script printed of it', () => {
  const { rows, report } = readPerf(recorded('gcc-public.perf.data'), { kallsyms: KALLSYMS });
  const text = readText(createPerfScriptReader, recorded('gcc-public.txt'));
  assert.deepEqual(report.byKind, text.report.byKind);
  assert.deepEqual([report.format, report.damaged, report.lost, report.notes], ['perf.data', 0, 0, []]);
  assertSameRows(rows, text.events, inMicroseconds);
});

test('the sample is what perf script printed of it', () => {
  const { rows, report } = readPerf(SAMPLE_FILE, { kallsyms: KALLSYMS });
  const { events: printed } = readText(createPerfScriptReader, recorded('sample-perf-script.txt'));
  assertSameRows(rows.slice(0, printed.length), printed, inMicroseconds);
  assert.deepEqual([...report.others], [['rss_stat', 334]]);
});

test('reads that do not stay valid, put together from 100 bytes at a time, change nothing', () => {
  assertSameRows(readPerf(fleeting(SAMPLE_FILE)).rows, readPerf(SAMPLE_FILE).rows, (time) => time);
});

test('however few rows are held at once, all go on', () => {
  const all = readPerf(SAMPLE_FILE).rows;
  for (const heldMost of [1, 10, 1000]) {
    const { rows, report } = readPerf(SAMPLE_FILE, { heldMost });
    assert.equal(rows.length, all.length);
    assert.deepEqual(
      rows.map(({ time }) => time).sort((a, b) => a - b),
      all.map(({ time }) => time),
    );
    assert.equal(
      /came later than/.test(report.notes.join()),
      heldMost < 1000 || rows.some((row, i) => row.time !== all[i]!.time),
    );
  }
});

// ---- Made-up files -----------------------------------------------------------------------------------------------------

const START = 5_000_000_000n;
const KINDS = [
  'kmalloc',
  'kfree',
  'kmem_cache_alloc',
  'kmem_cache_free',
  'mm_page_alloc',
  'rss_stat',
  'print',
];
const ROUND_EVENTS = 17;

function commRecord(pid: number, comm: string, little: boolean, time = 0n): PerfRecordSpec {
  return { type: 3, body: new ByteWriter(little).u32(pid).u32(pid).nulText(comm).align(8).done(), time };
}

const finishedRound: PerfRecordSpec = { type: 68, body: new Uint8Array(0) };

/** Samples as perf writes them: in rounds, each CPU's in a row. */
function inRounds(samples: readonly (PerfRecordSpec & { cpu: number })[]): PerfRecordSpec[] {
  const records: PerfRecordSpec[] = [];
  for (let at = 0; at < samples.length; at += ROUND_EVENTS) {
    const round = samples.slice(at, at + ROUND_EVENTS);
    records.push(...round.toSorted((a, b) => a.cpu - b.cpu), finishedRound);
  }
  return records;
}

function specOf(
  list: readonly ModelEvent[],
  kernel: Kernel,
  how: Pick<PerfSpec, 'pipe' | 'sampleType' | 'readFormat'>,
): PerfSpec {
  const formats = formatsOf(kernel);
  const parsed = parsedFormats(formats);
  const { little } = kernel.target;
  const samples = timed(list, START).map(({ event, time }) => ({
    cpu: event.cpu,
    time,
    pid: event.pid,
    event: Math.max(0, KINDS.indexOf(event.kind)),
    raw: recordOf(event, kernel, parsed),
  }));
  return {
    ...how,
    target: kernel.target,
    formats,
    events: KINDS.map((kind) => parsed.get(kind)!.id),
    records: [...[...COMMS].map(([pid, comm]) => commRecord(pid, comm, little)), ...inRounds(samples)],
  };
}

const how = fc.record({
  pipe: fc.boolean(),
  sampleType: fc
    .record({
      id: fc.constantFrom(SAMPLE.IDENTIFIER, SAMPLE.ID, SAMPLE.IDENTIFIER | SAMPLE.ID),
      rest: fc.subarray([
        SAMPLE.IP,
        SAMPLE.ADDR,
        SAMPLE.STREAM_ID,
        SAMPLE.PERIOD,
        SAMPLE.READ,
        SAMPLE.CALLCHAIN,
      ]),
    })
    .map(({ id, rest }) => rest.reduce((bits, bit) => bits | bit, id)),
  readFormat: fc.nat(31),
});

test('whatever a kernel records is read again, with samples of all contents', () => {
  fc.assert(
    fc.property(kernels, how, events, fc.boolean(), (kernel, spec, list, hasSymbols) => {
      const kallsyms = hasSymbols ? { kallsyms: utf8(kallsymsOf(kernel.target)) } : {};
      const { rows, report } = readPerf(buildPerfData(specOf(list, kernel, spec)), kallsyms);
      const wanted = timed(list, START)
        .map((each, i) => ({ ...each, round: Math.floor(i / ROUND_EVENTS) }))
        .sort((a, b) => a.round - b.round || a.event.cpu - b.event.cpu)
        .sort((a, b) => Number(a.time - b.time))
        .flatMap(({ event, time }): Spelt[] => {
          const row = expected(event, Number(time), kernel, hasSymbols);
          const comm = event.pid === 0 ? 'swapper' : (COMMS.get(event.pid) ?? `:${event.pid}`);
          return row === undefined ? [] : [{ ...row, comm }];
        });
      assert.deepEqual(rows, wanted);
      assert.deepEqual([report.damaged, report.damage], [0, []]);
      assert.deepEqual(report.format, spec.pipe ? 'perf.data of a pipe' : 'perf.data');
    }),
    { seed: 7351, numRuns: runsOf(30) },
  );
});

const PC_KERNEL: Kernel = { target: PC, rotated: 0, gfpShift: 0, relative: false };
const FORMATS = formatsOf(PC_KERNEL);
const PARSED = parsedFormats(FORMATS);
const PLAIN = {
  target: PC,
  pipe: false,
  sampleType: SAMPLE.IDENTIFIER,
  readFormat: 4,
  formats: FORMATS,
  events: [PARSED.get('kfree')!.id],
};

function kfree(pointer: number, cpu: number, time: number, pid: number) {
  const raw = recordOf({ ...NO_EVENT, kind: 'kfree', pointer: BigInt(pointer) }, PC_KERNEL, PARSED);
  return { cpu, time: BigInt(time), pid, event: 0, raw };
}

function fork(pid: number, parent: number, time: number): PerfRecordSpec {
  const body = new ByteWriter(true).u32(pid).u32(parent).u32(pid).u32(parent).u64(time).done();
  return { type: 7, body, time: BigInt(time) };
}

function lost(type: 2 | 13, count: number, time: number, misc = 0): PerfRecordSpec {
  const body =
    type === 2 ? new ByteWriter(true).u64(100).u64(count).done() : new ByteWriter(true).u64(count).done();
  return { type, body, misc, time: BigInt(time), cpu: 1 };
}

/** perf script 6.1 printed the names, the order and the loss of this file as they are expected below. */
const TASKS: readonly PerfRecordSpec[] = [
  commRecord(7, 'seven', true),
  commRecord(9, 'nine', true),
  kfree(1, 0, 1000, 7),
  kfree(2, 0, 5000, 7),
  commRecord(7, 'exec', true, 4000n),
  kfree(3, 1, 2000, 8),
  fork(8, 9, 3000),
  kfree(4, 1, 4500, 8),
  finishedRound,
  kfree(5, 0, 4800, 0),
  lost(2, 12, 6000),
  kfree(6, 1, 7000, 8),
  finishedRound,
  kfree(7, 1, 6500, 77),
];

function summary(rows: readonly Spelt[]) {
  return rows.map((row) => [
    row.kind,
    row.time,
    row.comm,
    row.kind === 'lost' ? row.bytesReq : Number(`0x${row.pointer}`),
  ]);
}

const TASKS_EXPECTED = [
  ['kfree', 1000, 'seven', 1],
  ['kfree', 2000, ':8', 3],
  ['kfree', 4500, 'nine', 4],
  ['kfree', 4800, 'swapper', 5],
  ['kfree', 5000, 'exec', 2],
  ['lost', 6000, '', 12],
  ['kfree', 6500, ':77', 7],
  ['kfree', 7000, 'nine', 6],
];

test('tasks are called what they were called at the time', () => {
  for (const pipe of [false, true]) {
    const { rows, report } = readPerf(buildPerfData({ ...PLAIN, pipe, records: TASKS }));
    assert.deepEqual(summary(rows), TASKS_EXPECTED);
    assert.equal(report.lost, 12);
  }
  const reused = [commRecord(9, 'nine', true), fork(9, 1, 10), kfree(1, 0, 20, 9)];
  assert.deepEqual(summary(readPerf(buildPerfData({ ...PLAIN, records: reused })).rows), [
    ['kfree', 20, ':9', 1],
  ]);
});

test('losses are counted once, whichever way perf counts them', () => {
  const lossesOf = (...records: PerfRecordSpec[]) => {
    const { rows, report } = readPerf(buildPerfData({ ...PLAIN, records: [kfree(1, 0, 10, 7), ...records] }));
    assert.equal(report.byKind[EVENT.LOST], rows.length - 1);
    return [
      report.lost,
      ...rows.filter(({ kind }) => kind === 'lost').map(({ bytesReq, cpu }) => `${bytesReq} on ${cpu}`),
    ];
  };
  assert.deepEqual(lossesOf(lost(2, 5, 20)), [5, '5 on 1']);
  assert.deepEqual(lossesOf(lost(2, 5, 20), lost(13, 4, 30)), [5, '5 on 1']);
  assert.deepEqual(lossesOf(lost(2, 5, 20), lost(13, 4, 30), lost(13, 6, 31)), [10, '5 on 1', '5 on 1']);
  assert.deepEqual(lossesOf(lost(13, 6, 31)), [6, '6 on 1']);
  // A filter's own doing.
  assert.deepEqual(lossesOf(lost(13, 6, 31, 1 << 15)), [0]);
});

/** A zstd stream that only stores, which perf never ends. */
function stored(bytes: Uint8Array): Uint8Array {
  const to = new ByteWriter(true).u32(0xfd2fb528).u8(0).u8(0x40);
  for (let at = 0; at < bytes.length; at += 50) {
    const piece = bytes.subarray(at, at + 50);
    const head = piece.length << 3;
    to.u8(head & 0xff)
      .u8((head >> 8) & 0xff)
      .u8(head >> 16)
      .bytes(piece);
  }
  return to.done();
}

/** In records that begin and end anywhere. */
function compress(bytes: Uint8Array): Uint8Array[] {
  const all = stored(bytes);
  return Array.from({ length: Math.ceil(all.length / 77) }, (_, i) => all.subarray(i * 77, i * 77 + 77));
}

test('compressed records are one stream', () => {
  for (const pipe of [false, true]) {
    const { rows, report } = readPerf(buildPerfData({ ...PLAIN, pipe, records: TASKS, compress }));
    assert.deepEqual(summary(rows), TASKS_EXPECTED);
    assert.equal(report.damaged, 0);
  }
  const broken = (bytes: Uint8Array) =>
    compress(bytes).map((each, i) => (i === 2 ? each.map((byte) => byte ^ 0xff) : each));
  const { rows, report } = readPerf(buildPerfData({ ...PLAIN, records: TASKS, compress: broken }));
  assert.ok(rows.length < TASKS_EXPECTED.length);
  assert.match(report.damage[0]!.why, /^compressed records (?:cannot be read: |end within a record$)/);
});

test('what lies behind a record and is none is passed over', () => {
  const auxtrace = {
    type: 71,
    body: new ByteWriter(true).u64(1000).u64(0).done(),
    payload: new Uint8Array(1000).fill(9),
  };
  const { rows, report } = readPerf(
    buildPerfData({ ...PLAIN, records: [kfree(1, 0, 10, 7), auxtrace, kfree(2, 0, 20, 7)] }),
  );
  assert.deepEqual([rows.length, report.damaged], [2, 0]);
});

test('samples of other events are counted by their name', () => {
  const spec = { ...PLAIN, events: [PARSED.get('kfree')!.id, PARSED.get('rss_stat')!.id] };
  const raw = recordOf({ ...NO_EVENT, kind: 'rss_stat' }, PC_KERNEL, PARSED);
  const { report } = readPerf(
    buildPerfData({ ...spec, records: [{ ...kfree(1, 0, 10, 7), event: 1, raw }] }),
  );
  assert.deepEqual([...report.others], [['rss_stat', 1]]);
});

test('a trace.dat and a perf.data of the same events give the same', () => {
  const list = fc.sample(events, { seed: 7352, numRuns: 20 }).flat();
  const formats = formatsOf(PC_KERNEL);
  const cpus = [0, 1, 2, 3].map((cpu) =>
    timed(list, START)
      .filter(({ event }) => event.cpu === cpu)
      .map(({ event, time }) => ({ time, record: recordOf(event, PC_KERNEL, PARSED) })),
  );
  const kallsyms = kallsymsOf(PC);
  const dat = buildTraceDat({
    target: PC,
    version: 7,
    compression: 'none',
    formats,
    kallsyms,
    comms: '',
    cpus,
  });
  const perf = buildPerfData(
    specOf(list, PC_KERNEL, { pipe: false, sampleType: SAMPLE.IDENTIFIER, readFormat: 4 }),
  );
  const comparable = (rows: readonly Spelt[]) =>
    rows.map((row) => ({ ...row, comm: '' })).sort((a, b) => a.time - b.time || a.cpu - b.cpu);
  assert.deepEqual(
    comparable(readPerf(perf, { kallsyms: utf8(kallsyms) }).rows),
    comparable(rowsOf((sink) => readTraceDat(memoryBytes(dat), sink)).rows),
  );
});

// ---- Damage ------------------------------------------------------------------------------------------------------------

test('what is no perf.data is refused with the byte and the reason', () => {
  const refuses = (bytes: Uint8Array, message: RegExp) =>
    assert.throws(
      () => readPerf(bytes),
      (error) =>
        error instanceof InputError && error.file.startsWith('x.data') && message.test(error.message),
    );
  refuses(new Uint8Array(0), /^x\.data: byte 0: expected a perf\.data, which begins with PERFILE2$/);
  refuses(Buffer.from('PERFFILE and more'), /^x\.data: byte 0: expected a perf\.data/);
  refuses(
    Buffer.from('PERFILE2'),
    /^x\.data: byte 8: expected the head's size \(8 bytes\), but the data ends at byte 8$/,
  );
  refuses(
    Buffer.from('PERFILE2\x20\0\0\0\0\0\0\0'),
    /byte 8: expected a head of 104 bytes, or of 16 from a pipe; found 32$/,
  );
  refuses(
    Buffer.from('PERFILE2\x10\0\0\0\0\0\0\0'),
    /it holds no tracing data: no tracepoint was recorded, or the recording was cut off$/,
  );
  const bytes = buildPerfData({ ...PLAIN, records: TASKS });
  refuses(
    bytes.slice(0, bytes.length - 100),
    /feature 1 has \d+ bytes from byte \d+ on, but the file ends: it was cut off$/,
  );
  const pipe = buildPerfData({ ...PLAIN, pipe: true, records: TASKS });
  const attr = pipe.slice();
  attr[16 + 6] = 4;
  refuses(
    attr,
    /it holds no tracing data.*\(byte 16: expected a record of at least 8 bytes, found 4: nothing behind it is read\)$/,
  );
});

test('a pipe that is cut off anywhere gives what is left and says so', () => {
  const bytes = buildPerfData({ ...PLAIN, pipe: true, records: TASKS });
  const whole = readPerf(bytes).rows.length;
  let least = 0;
  for (let length = 0; length <= bytes.length; length += length < bytes.length - 1200 ? 211 : 7) {
    try {
      const { rows, report } = readPerf(bytes.slice(0, length));
      assert.ok(rows.length >= least);
      least = rows.length;
      assert.ok(rows.length <= whole && report.damaged <= 1);
    } catch (error) {
      assert.ok(error instanceof InputError && /byte \d+/.test(error.message), `${error}`);
      assert.equal(least, 0);
    }
  }
  assert.ok(least >= whole - 1, `${least} of ${whole}`);
});

test('spoilt files never throw anything else, and end', () => {
  const specs: PerfSpec[] = [
    { ...PLAIN, records: TASKS },
    { ...PLAIN, pipe: true, records: TASKS },
    { ...PLAIN, records: TASKS, compress },
    { ...PLAIN, records: TASKS, sampleType: SAMPLE.ID | SAMPLE.READ | SAMPLE.CALLCHAIN, readFormat: 15 },
  ];
  const files = specs.map(buildPerfData);
  readSpoilt({
    files,
    read: readPerf,
    seed: 7353,
    rounds: 160,
    // The data of a pipe lie at its end.
    hit: (bytes, random, which) => (which === 1 ? bytes.length - 1200 : 0) + random.below(1200),
  });
});

test('a cursor says where bytes end too early', () => {
  const cursor = new ByteCursor(memoryBytes(Uint8Array.from([1, 2, 3])), 'x', true);
  assert.equal(cursor.u16('a'), 0x201);
  assert.throws(
    () => cursor.u32('a count'),
    /^InputError: x: byte 2: expected a count \(4 bytes\), but the data ends at byte 3$/,
  );
  assert.throws(() => cursor.nulText('a name'), /byte 2: expected a name that ends with a NUL byte/);
  const wide = new ByteCursor(memoryBytes(new Uint8Array(8).fill(0xff)), 'x', true);
  assert.throws(() => wide.u64('an offset'), /byte 0: expected an offset, found 0xffffffffffffffff$/);
});
