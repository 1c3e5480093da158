import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { ArgumentError, InputError } from '../../base/index.js';
import { CHUNK_ROWS, type Column, decodeColumn, encodeColumn } from '../batch/column-codec.js';
import type { RandomBytes } from '../batch/events.js';
import { createColumnFile, openColumnFile } from './column-file.js';

function bytesOf(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/** The same bytes, beginning at any address. */
function shifted(bytes: Uint8Array, by: number): Uint8Array {
  const room = new Uint8Array(bytes.length + by);
  room.set(bytes, by);
  return room.subarray(by);
}

function source(bytes: Uint8Array): RandomBytes {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

function roundTrip(values: Column): Column {
  const bytes = encodeColumn(values, values.length);
  const back = values.slice().fill(0);
  decodeColumn(shifted(bytes, 1), back, values.length);
  assert.deepEqual(back, values);
  const most = decodeColumn(bytes, back.fill(0), values.length);
  assert.ok(back.every((value) => value <= most));
  return back;
}

/** Columns of the shapes that traces have: constants, runs, clocks that step back, few values, wide ones. */
const column: fc.Arbitrary<Column> = fc.oneof(
  fc.array(fc.nat(255)).map((list) => Uint8Array.from(list)),
  fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })).map((list) => Int32Array.from(list)),
  fc.array(fc.nat(2 ** 32 - 1)).map((list) => Uint32Array.from(list)),
  fc
    .array(fc.tuple(fc.nat(400), fc.nat(70_000)), { maxLength: 40 })
    .map((runs) => Uint32Array.from(runs.flatMap(([times, value]) => new Array<number>(times).fill(value)))),
  fc
    .array(fc.oneof(fc.nat(3000), fc.integer({ min: -(2 ** 45), max: 2 ** 45 })), { maxLength: 500 })
    .map((deltas) => {
      let now = 1e12;
      return Float64Array.from(deltas, (delta) => (now += delta));
    }),
  fc.array(fc.maxSafeInteger()).map((list) => Float64Array.from(list)),
);

test('what was encoded is read back, whatever the column looks like', () => {
  fc.assert(fc.property(column, (values) => assert.deepEqual(roundTrip(values), values)));
});

test("checksums are zlib's, and hold wherever in memory the file lies", () => {
  const rows = fc.array(fc.oneof(fc.constant(255), fc.nat(255)), {
    minLength: 1,
    maxLength: 9000,
    size: 'max',
  });
  const check = (list: readonly number[]) => {
    const parts: Uint8Array[] = [];
    const writer = createColumnFile({ a: 'u8', b: 'u32' }, (bytes) => parts.push(bytes));
    writer.chunk({ a: Uint8Array.from(list), b: Uint32Array.from(list, (n) => n * 70_001) }, list.length);
    writer.finish(null);
    const file = bytesOf(parts);
    const end = file.length - 24;
    const tail = Buffer.from(file.subarray(end));
    const directory = JSON.parse(Buffer.from(file.subarray(tail.readDoubleLE(0), end)).toString());
    for (const [offset, length, checksum] of directory.chunks[0].slice(1)) {
      const trailer = deflateSync(file.subarray(offset, offset + length)).subarray(-4);
      assert.equal(trailer.readUInt32BE(0), checksum);
      assert.equal(offset % 8, 0);
    }
    for (let by = 0; by < 4; by++) {
      const opened = openColumnFile(source(shifted(file, by)), 'x');
      const column = new Uint8Array(list.length);
      opened.read(0, 'a', column);
      assert.deepEqual([...column], list);
    }
  };
  check(new Array<number>(20_000).fill(255));
  fc.assert(fc.property(rows, check), { numRuns: 50 });
});

test('a full chunk of each kind of column comes back, and is as small as its kind allows', () => {
  const rows = CHUNK_ROWS;
  const sizes: [string, Column, number][] = [
    ['constant', new Uint8Array(rows).fill(7), 9],
    ['runs', Uint16Array.from({ length: rows }, (_, i) => i >> 12), 200],
    ['few values, far apart', Uint32Array.from({ length: rows }, (_, i) => ((i * 7) % 5) * 1e8), rows + 40],
    ['bytes', Uint8Array.from({ length: rows }, (_, i) => (i * i) % 251), rows + 20],
    ['a clock', Float64Array.from({ length: rows }, (_, i) => 1e15 + i * 900 + (i % 7)), rows + 40],
    [
      'a clock with jumps',
      Float64Array.from({ length: rows }, (_, i) => i * 9 + (i >> 14) * 1e14),
      rows + 80,
    ],
  ];
  for (const [name, values, most] of sizes) {
    const bytes = encodeColumn(values, rows);
    assert.ok(bytes.length <= most, `${name}: ${bytes.length} bytes, expected at most ${most}`);
    assert.deepEqual(roundTrip(values), values, name);
  }
});

test('a damaged column is refused or read as other numbers, and nothing else happens', () => {
  fc.assert(
    fc.property(column, fc.nat(), fc.nat(255), fc.nat(), (values, at, byte, cut) => {
      const bytes = encodeColumn(values, values.length);
      const damaged = bytes.slice(0, cut % 3 === 0 ? cut % (bytes.length + 1) : bytes.length);
      if (damaged.length > 0) damaged[at % damaged.length] = byte;
      try {
        decodeColumn(damaged, values.slice(), values.length);
      } catch (error) {
        assert.ok(error instanceof ArgumentError, String(error));
      }
    }),
  );
});

function sample(): Uint8Array {
  const parts: Uint8Array[] = [];
  const file = createColumnFile({ kind: 'u8', time: 'f64' }, (bytes) => parts.push(bytes.slice()));
  file.chunk({ kind: Uint8Array.of(1, 2, 3), time: Float64Array.of(10, 20, 25) }, 3);
  file.chunk({ kind: Uint8Array.of(4), time: Float64Array.of(99) }, 1);
  file.finish({ texts: ['größer', '😀'] });
  assert.equal(file.bytes, bytesOf(parts).length);
  return bytesOf(parts);
}

test('a file gives back its chunks, column by column, and what was kept beside them', () => {
  const file = openColumnFile(source(sample()), 'x.slt');
  assert.deepEqual(file.chunkRows, [3, 1]);
  assert.deepEqual(file.extra, { texts: ['größer', '😀'] });
  const time = new Float64Array(3);
  file.read(0, 'time', time);
  assert.deepEqual([...time], [10, 20, 25]);
  const kind = new Uint8Array(3);
  file.read(1, 'kind', kind);
  assert.deepEqual([...kind], [4, 0, 0]);
  assert.equal(file.has('cpu'), false);
  assert.throws(() => file.read(0, 'cpu', kind), /no column 'cpu'/);
});

test('a file without a row can be read', () => {
  const parts: Uint8Array[] = [];
  createColumnFile({ kind: 'u8' }, (bytes) => parts.push(bytes.slice())).finish(null);
  assert.deepEqual(openColumnFile(source(bytesOf(parts)), 'x.slt').chunkRows, []);
});

test('whatever is cut off or flipped is an error that names the place', () => {
  const good = sample();
  const readAll = (bytes: Uint8Array) => {
    const file = openColumnFile(source(bytes), 'x.slt');
    for (let chunk = 0; chunk < file.chunkRows.length; chunk++) {
      file.read(chunk, 'kind', new Uint8Array(3));
      file.read(chunk, 'time', new Float64Array(3));
    }
  };
  readAll(good);
  for (let length = 0; length < good.length; length++)
    assert.throws(() => readAll(good.slice(0, length)), InputError, `cut to ${length} bytes`);
  for (let at = 0; at < good.length; at++) {
    const flipped = good.slice();
    flipped[at]! ^= 0x20;
    assert.throws(() => readAll(flipped), InputError, `byte ${at} flipped`);
  }
});

test('a newer version is refused by its number', () => {
  const text = Buffer.from(sample()).toString();
  assert.match(text, /"version":1/);
  const parts: Uint8Array[] = [];
  const file = createColumnFile({}, (bytes) => parts.push(bytes.slice()));
  file.finish(null);
  const bytes = Buffer.from(
    Buffer.from(bytesOf(parts)).toString('latin1').replace('"version":1', '"version":9'),
    'latin1',
  );
  // The checksum of the directory is right again.
  const length = bytes.readUInt32LE(bytes.length - 16);
  const start = bytes.readDoubleLE(bytes.length - 24);
  let a = 1;
  let b = 0;
  for (const byte of bytes.subarray(start, start + length)) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  bytes.writeUInt32LE(b * 65536 + a, bytes.length - 12);
  assert.throws(
    () => openColumnFile(source(bytes), 'x.slt'),
    /version 9, and this slablab reads up to version 1/,
  );
});
