import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { InputError } from '../../base/index.js';
import type { RandomBytes, ReadReport } from '../batch/events.js';
import { OP, TRACE_COLUMNS, type TraceChunk, type TraceColumn } from '../batch/trace.js';
import { createResolver, type TraceHead } from '../resolve/resolve.js';
import { createColumnFile } from './column-file.js';
import { createTextTraceReader, detectFormat } from './detect.js';
import { createTraceFile, openTraceFile, TRACE_FILE_SCHEMA } from './trace-file.js';

const SAMPLES = new URL('../../../truth/traces/', import.meta.url);

interface Saved {
  readonly chunks: readonly TraceChunk[];
  readonly head: TraceHead;
  readonly read: ReadReport;
  readonly bytes: Uint8Array;
}

/** Resolves a text, and saves it meanwhile. */
function save(text: Uint8Array, file: string): Saved {
  const parts: Uint8Array[] = [];
  const writer = createTraceFile((bytes) => parts.push(bytes.slice()));
  const chunks: TraceChunk[] = [];
  const resolver = createResolver({
    chunk(chunk) {
      chunks.push(chunk);
      writer.chunk(chunk);
    },
  });
  const reader = createTextTraceReader(detectFormat(file, text) as 'ftrace', file, resolver);
  reader.write(text);
  const read = reader.end();
  const head = resolver.finish();
  writer.finish(head, { file, read });
  const bytes = Buffer.concat(parts);
  assert.equal(writer.bytes, bytes.length);
  return { chunks, head, read, bytes };
}

function source(bytes: Uint8Array): RandomBytes {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

const samples = new Map<string, Saved>();
/** A recording, read and saved once. */
function sample(name: string): Saved {
  const known = samples.get(name);
  if (known !== undefined) return known;
  const saved = save(gunzipSync(readFileSync(new URL(`${name}.txt.gz`, SAMPLES))), `${name}.txt`);
  samples.set(name, saved);
  return saved;
}

/** A column of all chunks, one behind the other. Each of its values is a number that a double holds. */
function columnOf(chunks: Iterable<TraceChunk>, column: TraceColumn): Float64Array {
  const parts: Float64Array[] = [];
  for (const chunk of chunks) parts.push(Float64Array.from(chunk[column].subarray(0, chunk.rows)));
  const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

for (const name of ['boot-find-public', 'sample-ftrace-default-hashed', 'sample-perf-script-callchain']) {
  test(`${name}: what was saved is what was resolved`, () => {
    const { chunks, head, read, bytes } = sample(name);
    const trace = openTraceFile(source(bytes), 'a.slt');
    for (const column of TRACE_COLUMNS)
      assert.deepEqual(columnOf(trace.chunks([column]), column), columnOf(chunks, column), column);
    assert.deepEqual(columnOf(trace.chunks(), 'slot'), columnOf(chunks, 'slot'), 'all columns at once');
    assert.deepEqual(columnOf(trace.chunks(['op', 'slot']), 'slot'), columnOf(chunks, 'slot'), 'again');
    const { rows, slots, cpus, classes, marks, report } = trace;
    const { strings, ...rest } = head;
    assert.deepEqual({ rows, slots, cpus, classes, marks, report }, rest);
    assert.equal(trace.strings.count, strings.count);
    for (let id = 0; id < strings.count; id++) assert.equal(trace.strings.text(id), strings.text(id));
    assert.deepEqual(trace.source, { file: `${name}.txt`, read });
  });
}

test('an event takes less than ten bytes', () => {
  const { head, bytes } = sample('boot-find-public');
  assert.ok(bytes.length / head.rows < 8, `${bytes.length / head.rows} bytes an event`);
});

/** Two tasks whose names are no UTF-8 and print alike, and one that holds the replacement character itself. */
const ODD = ['\xfe\x41', '\xff\x41', '\xef\xbf\xbd\x41']
  .map((comm, i) => {
    const event = `kmalloc: call_site=f+0x1/0x2 ptr=ffff88800000${i}000 bytes_req=8 bytes_alloc=8 gfp_flags=GFP_KERNEL`;
    return `${comm}-${i + 1} [000] ..... ${i}.000000: ${event}\n`;
  })
  .join('');

let savedOdd: Saved | undefined;
function odd(): Saved {
  savedOdd ??= save(Buffer.from(ODD, 'latin1'), 'odd.txt');
  return savedOdd;
}

test('texts that are no UTF-8 keep their bytes', () => {
  const { chunks, head, bytes } = odd();
  const trace = openTraceFile(source(bytes), 'odd.slt');
  const comms = columnOf(trace.chunks(['comm']), 'comm');
  assert.deepEqual(comms, columnOf(chunks, 'comm'));
  assert.equal(new Set(comms).size, 3);
  assert.equal(trace.strings.text(comms[0]!), trace.strings.text(comms[1]!));
  for (const id of comms) assert.deepEqual(trace.strings.bytes(id), head.strings.bytes(id));
});

test('a trace without an event is one too', () => {
  const { bytes } = save(Buffer.from('# tracer: nop\n#\n'), 'empty.txt');
  const trace = openTraceFile(source(bytes), 'empty.slt');
  assert.equal(trace.rows, 0);
  assert.deepEqual([...trace.chunks()], []);
});

function readAll(bytes: Uint8Array): void {
  for (const _ of openTraceFile(source(bytes), 'damaged.slt').chunks());
}

test('a file that was cut off, or of which a byte changed, is refused wherever that is', () => {
  const { bytes } = sample('sample-ftrace-overrun');
  readAll(bytes);
  const tail = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 24);
  const directory = bytes.subarray(tail.getFloat64(0, true), bytes.length - 24);
  const { chunks } = JSON.parse(Buffer.from(directory).toString()) as { chunks: [number, ...number[][]][] };
  const places = chunks.flatMap(([, ...where]) => where as [number, number][]);
  /** Columns begin at multiples of 8; the bytes between them say nothing. */
  const isFill = (at: number) =>
    at >= 8 &&
    at < tail.getFloat64(0, true) &&
    !places.some(([from, length]) => at >= from && at < from + length);
  const refused = (damaged: Uint8Array, what: string) => {
    assert.throws(
      () => readAll(damaged),
      (error) => error instanceof InputError && error.file === 'damaged.slt',
      what,
    );
  };
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      refused(bytes.subarray(0, at), `cut at ${at}`);
      const damaged = Uint8Array.from(bytes);
      damaged[at]! ^= change;
      if (isFill(at)) readAll(damaged);
      else refused(damaged, `byte ${at} changed`);
    }),
    { seed: 6, numRuns: 120 },
  );
});

/** A file of columns whose checksums are right, with three rows, of which the first is given, and what may stand beside them. */
function written(change: { columns?: Record<string, number>; extra?: Record<string, unknown> }): Uint8Array {
  const { head } = odd();
  const parts: Uint8Array[] = [];
  const names = Object.fromEntries(TRACE_COLUMNS.map((name) => [name, 'i32' as const]));
  const file = createColumnFile(names, (bytes) => parts.push(bytes.slice()));
  const row = {
    op: OP.ALLOC,
    cpu: 0,
    class: 0,
    slot: 0,
    time: 0,
    pid: 0,
    comm: 0,
    site: 0,
    ...change.columns,
  };
  file.chunk(
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Int32Array.of(value, 0, 0)])),
    3,
  );
  const { strings: _, ...rest } = head;
  const counts = { bytes: 3, lines: 3, byKind: [0, 3], comments: 0, lost: 0, damaged: 1 };
  const damage = [{ line: 1, offset: 2, why: 'x' }];
  const read = { format: 'ftrace text', others: [['a', 1]], ...counts, damage, notes: ['n'] };
  const whole = { schema: TRACE_FILE_SCHEMA, ...rest, strings: ['', 'a'], file: 'x', read };
  file.finish({ ...whole, ...change.extra });
  return Buffer.concat(parts);
}

test('a file that another writer made is taken at its word only as far as its numbers lead somewhere', () => {
  readAll(written({}));
  for (const [change, message] of [
    [{ columns: { class: 9 } }, /column 'class' of row 0 holds 9, and there are 1$/],
    [{ columns: { cpu: 4 } }, /column 'cpu' of row 0 holds 4/],
    [{ columns: { comm: 2 } }, /column 'comm' of row 0 holds 2, and there are 2/],
    [{ columns: { slot: 3 } }, /row 0 holds slot 3, and there are 3/],
    [{ columns: { slot: -2 } }, /row 0 holds slot -2/],
    [{ extra: { schema: 'other-1' } }, /expected the schema 'slablab-trace-1', and there stands "other-1"/],
    [{ extra: { rows: 2 } }, /'rows' is not the 3 rows that its chunks have, there stands 2$/],
    [{ extra: { slots: -1 } }, /'slots' is no count up to 3, there stands -1$/],
    [{ extra: { strings: ['', 7] } }, /'strings\[1\]' is no list, there stands 7$/],
    [{ extra: { strings: ['', 'a', 'a'] } }, /its text 2 is one that it had before/],
    [{ extra: { classes: [{ kind: 99 }] } }, /'classes\[0\]\.kind' is none of 1, 2/],
    [{ extra: { marks: {} } }, /'marks' is no list/],
    [{ extra: { slots: 2 ** 40 } }, /'slots' is no count up to 3, there stands 1099511627776$/],
    [{ extra: { slots: 4 } }, /'slots' is no count up to 3/],
    [
      { extra: { report: {} } },
      /'report\.rows' is not the 3 rows that its chunks have, there stands nothing$/,
    ],
    [{ extra: { read: { others: [] } } }, /'read\.format' is no text, there stands nothing$/],
    [
      { extra: { marks: [{ row: 3, time: 0, text: '', live: 0, livePages: 0 }] } },
      /'marks\[0\]\.row' is none of the 3 rows, there stands 3$/,
    ],
    [{ columns: { class: -1 } }, /column 'class' of row 0 holds 4294967295/],
    [{ columns: { op: 9 } }, /row 0 holds the op 9, which is none/],
    [{ extra: { read: null } }, /'read' is no object, there stands null$/],
  ] as const) {
    assert.throws(() => readAll(written(change)), { name: 'InputError', message });
  }
  // A count of lost events stands where others have a slot.
  readAll(written({ columns: { op: OP.LOST, slot: 1_000_000 } }));
});

/** Every place in a value, as the keys that lead there. */
function placesIn(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, each]) => placesIn(each, [...path, key]))];
}

/** A copy with another value at a place; without it for undefined. */
function changedAt(value: unknown, [key, ...rest]: readonly string[], to: unknown): unknown {
  if (key === undefined) return to;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[key] = changedAt(copy[key], rest, to);
  return copy;
}

/** The file with another directory, its checksum right. */
function withDirectory(bytes: Uint8Array, change: (directory: unknown) => unknown): Uint8Array {
  const end = bytes.length - 24;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const from = view.getFloat64(end, true);
  const directory: unknown = JSON.parse(Buffer.from(bytes.subarray(from, end)).toString());
  const text = Buffer.from(JSON.stringify(change(directory)) ?? '');
  const tail = Buffer.from(bytes.subarray(end));
  tail.writeUInt32LE(text.length, 8);
  let a = 1;
  let b = 0;
  for (const byte of text) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  tail.writeUInt32LE(b * 65536 + a, 12);
  return Buffer.concat([bytes.subarray(0, from), text, tail]);
}

const ODD_VALUES: readonly unknown[] = [
  undefined,
  null,
  true,
  -1,
  0,
  0.5,
  7,
  65536,
  2 ** 31,
  2 ** 32,
  2 ** 40,
  2 ** 53,
  1e300,
  '',
  'x',
  '__proto__',
  [],
  [[]],
  [1, 2, 3],
  {},
  { length: 2 ** 32 },
];

test('every value of a directory may be any other: it is refused by its place, or all of it can be read', () => {
  const marks = { row: 1, time: 5, text: 'm', live: 1, livePages: 0 };
  const whole = written({ extra: { marks: [marks] } });
  const full = JSON.parse(
    Buffer.from(
      whole.subarray(new DataView(whole.buffer, whole.byteOffset).getFloat64(whole.length - 24, true), -24),
    ).toString(),
  ) as { extra: { classes: object[] } };
  // One class with everything that a class can have.
  const rich = { grew: [[1, 2]], names: [['n', 1]], neighbours: [[0, 1]] };
  const bytes = withDirectory(whole, (directory) =>
    changedAt(directory, ['extra', 'classes', '0'], { ...full.extra.classes[0], ...rich }),
  );
  let places: (readonly string[])[] = [];
  withDirectory(bytes, (directory) => {
    places = placesIn(directory);
    return directory;
  });
  assert.ok(places.length > 140, `${places.length}`);
  let refused = 0;
  for (const place of places) {
    for (const value of ODD_VALUES) {
      const odd = withDirectory(bytes, (directory) => changedAt(directory, place, value));
      try {
        const trace = openTraceFile(source(odd), 'odd.slt');
        assert.ok(trace.slots <= trace.rows && trace.rows <= 3, place.join('.'));
        readAll(odd);
        // Whoever uses it may go wherever it leads.
        for (const { neighbours, names, grew } of trace.classes) {
          for (const [id] of neighbours) assert.ok(trace.classes[id] !== undefined);
          for (const [name, count] of names) assert.ok(name.length * count >= 0);
          for (const [order, count] of grew) assert.ok(order * count >= 0);
        }
        for (const { row } of trace.marks) assert.ok(row < trace.rows);
        assert.ok(JSON.stringify({ ...trace.report, read: trace.source.read }).length > 0);
      } catch (error) {
        assert.ok(error instanceof InputError, `${place.join('.')} = ${JSON.stringify(value)}: ${error}`);
        assert.match(error.message, /^(?:odd|damaged)\.slt:/);
        refused++;
      }
    }
  }
  assert.ok(refused > places.length * 10, `${refused} of ${places.length * ODD_VALUES.length}`);
});

test('a small file cannot stand for many rows by saying that columns share their bytes', () => {
  const bytes = withDirectory(written({}), (directory) => {
    const { chunks } = directory as { chunks: unknown[][] };
    const [first] = chunks;
    return {
      ...(directory as object),
      chunks: Array.from({ length: 100 }, () => [65536, ...first!.slice(1)]),
    };
  });
  assert.throws(() => readAll(bytes), /its directory names columns of \d+ bytes, where there are \d+$/);
});
