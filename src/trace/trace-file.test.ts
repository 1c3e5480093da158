import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { InputError } from '../base/index.js';
import { createColumnFile } from './column-file.js';
import { createTextTraceReader, detectFormat } from './detect.js';
import type { RandomBytes, ReadReport } from './events.js';
import { createResolver, type TraceHead } from './resolve.js';
import { OP, TRACE_COLUMNS, type TraceChunk, type TraceColumn } from './trace.js';
import { createTraceFile, openTraceFile, TRACE_FILE_SCHEMA } from './trace-file.js';

const SAMPLES = new URL('../../truth/traces/', import.meta.url);

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

function sample(name: string): Saved {
  return save(gunzipSync(readFileSync(new URL(`${name}.txt.gz`, SAMPLES))), `${name}.txt`);
}

/** A column of all chunks, one behind the other. */
function columnOf(chunks: Iterable<TraceChunk>, column: TraceColumn): number[] {
  const all: number[] = [];
  for (const chunk of chunks) for (let i = 0; i < chunk.rows; i++) all.push(chunk[column][i]!);
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

test('texts that are no UTF-8 keep their bytes', () => {
  const { chunks, head, bytes } = save(Buffer.from(ODD, 'latin1'), 'odd.txt');
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

/** A file of columns whose checksums are right, with one row and what another writer may have put beside it. */
function written(change: { columns?: Record<string, number>; extra?: Record<string, unknown> }): Uint8Array {
  const { head } = save(Buffer.from(ODD, 'latin1'), 'odd.txt');
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
  file.chunk(Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Int32Array.of(value)])), 1);
  const { strings: _, ...rest } = head;
  const read = { format: 'ftrace text', others: [] };
  const whole = { schema: TRACE_FILE_SCHEMA, ...rest, rows: 1, strings: ['', 'a'], file: 'x', read };
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
    [{ extra: { rows: 2 } }, /says that it has 2 rows, but its chunks have 1/],
    [{ extra: { slots: -1 } }, /'slots' is no count/],
    [{ extra: { strings: ['', 7] } }, /'strings' has an entry 1 that is none/],
    [{ extra: { strings: ['', 'a', 'a'] } }, /its text 2 is one that it had before/],
    [{ extra: { classes: [{ kind: 99 }] } }, /'classes' has an entry 0 that is none/],
    [{ extra: { marks: {} } }, /'marks' is no list/],
    [{ extra: { read: null } }, /'file', 'report' and 'read'/],
  ] as const) {
    assert.throws(() => readAll(written(change)), { name: 'InputError', message });
  }
  // A count of lost events stands where others have a slot.
  readAll(written({ columns: { op: OP.LOST, slot: 1_000_000 } }));
});
