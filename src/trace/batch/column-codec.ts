/**
 * # Columns of numbers, small
 *
 * A column of a chunk is whole numbers of one field. Each is written by whichever of these is smallest, and read back into a typed array:
 *
 *     CONSTANT   base                                            every row has the same value
 *     RUNS       base, n, n × (rows - 1: u16, offset: u32)       long runs: a CPU, a task
 *     OFFSETS    base, width, rows × offset                      offset = value - base, in 1 to 4 bytes
 *     DICTIONARY base, n, n × offset u32, rows × index           few different values, index in 1 or 2 bytes
 *     DELTAS     first, least, width, n, n × (row u32, delta f64), rows × (delta - least)
 *                                                                clocks; deltas that do not fit stand apart
 *     RAW        rows × f64                                      anything else
 *
 * All is little-endian. Nothing is read that was not checked to be there: a damaged column is an ArgumentError, whose words the file's
 * reader completes with the place.
 */
import { ArgumentError } from '../../base/index.js';

/** Rows of a chunk, at most. */
export const CHUNK_ROWS = 65536;

/** A column in memory. */
export type Column = Uint8Array | Uint16Array | Int16Array | Int32Array | Uint32Array | Float64Array;

const CONSTANT = 0;
const RUNS = 1;
const OFFSETS = 2;
const DICTIONARY = 3;
const DELTAS = 4;
const RAW = 5;

/** Files are; a machine that is not reads numbers of two bytes one by one. */
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Codec and base. */
const HEAD = 9;
const RUN_BYTES = 6;
const EXCEPTION_BYTES = 12;
const DICTIONARY_MAX = 4096;

// Columns are of six types of arrays, and a loop that meets them all is compiled for none. So values are copied into one of these first, or
// out of it at the end, which the platform does at once, and every loop sees one type. Arithmetic modulo 2^32 is what the integer types do.
const floats = new Float64Array(CHUNK_ROWS);
const words = new Uint32Array(CHUNK_ROWS);

/** The bytes of the first `rows` values: whole numbers, at most CHUNK_ROWS of them. */
export function encodeColumn(values: Column, rows: number): Uint8Array {
  floats.set(values.subarray(0, rows));
  const { min, range, runs } = survey(rows);
  if (rows === 0 || range === 0) return head(HEAD, CONSTANT, rows === 0 ? 0 : min).bytes;
  let size = HEAD + rows * 8;
  let write = () => encodeRaw(rows);
  const offer = (itsSize: number, itsWrite: () => Uint8Array) => {
    if (itsSize >= size) return;
    size = itsSize;
    write = itsWrite;
  };
  if (range < 2 ** 32) {
    for (let i = 0; i < rows; i++) words[i] = floats[i]! - min;
    const width = widthOf(range);
    offer(HEAD + 1 + rows * width, () => encodeOffsets(rows, min, width));
    offer(HEAD + 4 + runs * RUN_BYTES, () => encodeRuns(rows, min, runs));
    const different = size > HEAD + 5 + rows ? distinct(rows) : 0;
    if (different > 0) {
      const each = different <= 256 ? 1 : 2;
      const dictionary = dictionaryValues.slice(0, different);
      offer(HEAD + 5 + different * 4 + rows * each, () => encodeDictionary(rows, min, dictionary, each));
    }
  }
  // Deltas are worth looking at where they could win at all.
  if (size > HEAD + 13 + rows && range < 2 ** 53) {
    const plan = deltaPlan(rows);
    offer(plan.size, () => encodeDeltas(rows, plan));
  }
  return write();
}

/**
 * Reads `rows` values into a column. Returns a number that none of them is above: the largest itself where that costs nothing, else
 * what there is room for; Infinity where its type may have wrapped them. Throws ArgumentError for bytes that are no column of so many rows.
 */
export function decodeColumn(bytes: Uint8Array, into: Column, rows: number): number {
  if (bytes.length < HEAD)
    throw new ArgumentError(`a column has at least ${HEAD} bytes, not ${bytes.length}`);
  if (rows > into.length || rows > CHUNK_ROWS)
    throw new ArgumentError(`${rows} rows do not fit into ${Math.min(into.length, CHUNK_ROWS)}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const base = view.getFloat64(1, true);
  const most = decodeBy(view, bytes, into, rows, base);
  return Number.isInteger(base) && base >= 0 ? most : Number.POSITIVE_INFINITY;
}

function decodeBy(view: DataView, bytes: Uint8Array, into: Column, rows: number, base: number): number {
  switch (bytes[0]) {
    case CONSTANT:
      into.fill(base, 0, rows);
      return base;
    case RUNS:
      return decodeRuns(view, into, rows, base);
    case OFFSETS: {
      const width = bytes.length > HEAD ? bytes[HEAD]! : 0;
      return decodeOffsets(bytes, HEAD + 1, into, rows, base, width);
    }
    case DICTIONARY:
      return decodeDictionary(view, bytes, into, rows, base);
    case DELTAS:
      if (into instanceof Float64Array) decodeDeltas(view, bytes, into, rows, base);
      else {
        decodeDeltas(view, bytes, floats, rows, base);
        into.set(floats.subarray(0, rows));
      }
      return Number.POSITIVE_INFINITY;
    case RAW:
      need(bytes, HEAD + rows * 8);
      for (let i = 0; i < rows; i++) floats[i] = view.getFloat64(HEAD + i * 8, true);
      into.set(floats.subarray(0, rows));
      return Number.POSITIVE_INFINITY;
    default:
      throw new ArgumentError(`a column begins with its codec, 0 to 5, not with ${bytes[0]}`);
  }
}

// ---- What a column is like -----------------------------------------------------------------------------------------------

/** Of `floats`. */
function survey(rows: number): { min: number; range: number; runs: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let runs = 0;
  let before = Number.NaN;
  for (let i = 0; i < rows; i++) {
    const value = floats[i]!;
    if (value < min) min = value;
    if (value > max) max = value;
    if (value !== before) runs++;
    before = value;
  }
  return { min, range: max - min, runs };
}

function widthOf(range: number): number {
  return range < 2 ** 8 ? 1 : range < 2 ** 16 ? 2 : range < 2 ** 24 ? 3 : 4;
}

/** Open addressing: the place + 1 of a different value, 0 for a free slot. At most half full. */
const DICTIONARY_BITS = 13;
const dictionarySlots = new Int32Array(2 ** DICTIONARY_BITS);
const dictionaryValues = new Uint32Array(DICTIONARY_MAX);
/** Each row's place among the different values. */
const places = new Uint16Array(CHUNK_ROWS);

/** Fills `dictionaryValues` and `places` from `words`, and returns how many differ; 0 if those are too many. */
function distinct(rows: number): number {
  const mask = dictionarySlots.length - 1;
  dictionarySlots.fill(0);
  let count = 0;
  for (let i = 0; i < rows; i++) {
    const word = words[i]!;
    let at = Math.imul(word, 0x9e3779b1) >>> (32 - DICTIONARY_BITS);
    let place = dictionarySlots[at]!;
    while (place !== 0 && dictionaryValues[place - 1] !== word) {
      at = (at + 1) & mask;
      place = dictionarySlots[at]!;
    }
    if (place === 0) {
      if (count === DICTIONARY_MAX) return 0;
      dictionaryValues[count++] = word;
      place = count;
      dictionarySlots[at] = place;
    }
    places[i] = place - 1;
  }
  return count;
}

interface DeltaPlan {
  readonly size: number;
  readonly least: number;
  readonly width: number;
  readonly exceptions: number;
}

/** The width that makes the deltas of `floats` smallest: a wide one for all, or a narrow one with exceptions. */
function deltaPlan(rows: number): DeltaPlan {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 1; i < rows; i++) {
    const delta = floats[i]! - floats[i - 1]!;
    if (delta < least) least = delta;
  }
  // A clock that steps back a little is common, one that jumps back is rare: then the jump stands apart.
  if (least < -(2 ** 20) || rows < 2) least = 0;
  const over = [0, 0, 0, 0];
  for (let i = 1; i < rows; i++) {
    const delta = floats[i]! - floats[i - 1]! - least;
    if (delta >= 0 && delta < 2 ** 8) continue;
    const width = delta < 0 || delta >= 2 ** 32 ? 5 : widthOf(delta);
    for (let w = 1; w < width; w++) over[w - 1]!++;
  }
  const plans = over.map((exceptions, i) => ({
    size: HEAD + 13 + exceptions * EXCEPTION_BYTES + rows * (i + 1),
    least,
    width: i + 1,
    exceptions,
  }));
  return plans.reduce((best, each) => (each.size < best.size ? each : best));
}

// ---- Writing -------------------------------------------------------------------------------------------------------------

function head(size: number, codec: number, base: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes[0] = codec;
  view.setFloat64(1, base, true);
  return { bytes, view };
}

function put(bytes: Uint8Array, at: number, value: number, width: number): void {
  for (let k = 0; k < width; k++) bytes[at + k] = value >>> (8 * k);
}

function encodeRaw(rows: number): Uint8Array {
  const { bytes, view } = head(HEAD + rows * 8, RAW, 0);
  for (let i = 0; i < rows; i++) view.setFloat64(HEAD + i * 8, floats[i]!, true);
  return bytes;
}

function encodeOffsets(rows: number, min: number, width: number): Uint8Array {
  const { bytes } = head(HEAD + 1 + rows * width, OFFSETS, min);
  bytes[HEAD] = width;
  for (let i = 0; i < rows; i++) put(bytes, HEAD + 1 + i * width, words[i]!, width);
  return bytes;
}

function encodeRuns(rows: number, min: number, runs: number): Uint8Array {
  const { bytes, view } = head(HEAD + 4 + runs * RUN_BYTES, RUNS, min);
  view.setUint32(HEAD, runs, true);
  let at = HEAD + 4;
  for (let from = 0; from < rows; ) {
    let to = from + 1;
    while (to < rows && words[to] === words[from]) to++;
    view.setUint16(at, to - from - 1, true);
    view.setUint32(at + 2, words[from]!, true);
    at += RUN_BYTES;
    from = to;
  }
  return bytes;
}

function encodeDictionary(rows: number, min: number, values: Uint32Array, each: number): Uint8Array {
  const indices = HEAD + 5 + values.length * 4;
  const { bytes, view } = head(indices + rows * each, DICTIONARY, min);
  bytes[HEAD] = each;
  view.setUint32(HEAD + 1, values.length, true);
  for (let i = 0; i < values.length; i++) view.setUint32(HEAD + 5 + i * 4, values[i]!, true);
  for (let i = 0; i < rows; i++) put(bytes, indices + i * each, places[i]!, each);
  return bytes;
}

function encodeDeltas(rows: number, plan: DeltaPlan): Uint8Array {
  const { bytes, view } = head(plan.size, DELTAS, floats[0]!);
  view.setFloat64(HEAD, plan.least, true);
  bytes[HEAD + 8] = plan.width;
  view.setUint32(HEAD + 9, plan.exceptions, true);
  const limit = 2 ** (8 * plan.width);
  let exception = HEAD + 13;
  const small = exception + plan.exceptions * EXCEPTION_BYTES;
  for (let i = 1; i < rows; i++) {
    const delta = floats[i]! - floats[i - 1]!;
    const over = delta - plan.least;
    if (over >= 0 && over < limit) {
      put(bytes, small + i * plan.width, over, plan.width);
      continue;
    }
    view.setUint32(exception, i, true);
    view.setFloat64(exception + 4, delta, true);
    exception += EXCEPTION_BYTES;
  }
  return bytes;
}

// ---- Reading -------------------------------------------------------------------------------------------------------------

function need(bytes: Uint8Array | DataView, size: number): void {
  if (bytes.byteLength !== size)
    throw new ArgumentError(`expected a column of ${size} bytes, but it has ${bytes.byteLength}`);
}

function decodeRuns(view: DataView, into: Column, rows: number, base: number): number {
  const runs = view.byteLength >= HEAD + 4 ? view.getUint32(HEAD, true) : 0;
  need(view, HEAD + 4 + runs * RUN_BYTES);
  let row = 0;
  let most = 0;
  for (let run = 0; run < runs; run++) {
    const at = HEAD + 4 + run * RUN_BYTES;
    const end = row + view.getUint16(at, true) + 1;
    if (end > rows) throw new ArgumentError(`the runs of a column go beyond its ${rows} rows`);
    const offset = view.getUint32(at + 2, true);
    if (offset > most) most = offset;
    into.fill(base + offset, row, end);
    row = end;
  }
  if (row !== rows) throw new ArgumentError(`the runs of a column end at row ${row} of ${rows}`);
  return base + most;
}

/** Where 32-bit words of a column are written: into the column itself if it has such, else into `words`, to be copied. */
function wordsOf(into: Column): Uint32Array {
  if (into instanceof Uint32Array) return into;
  return into instanceof Int32Array ? new Uint32Array(into.buffer, into.byteOffset, into.length) : words;
}

function decodeOffsets(
  bytes: Uint8Array,
  from: number,
  into: Column,
  rows: number,
  base: number,
  width: number,
): number {
  if (width < 1 || width > 4) throw new ArgumentError(`offsets are 1 to 4 bytes wide, not ${width}`);
  need(bytes, from + rows * width);
  const most = base + 2 ** (8 * width) - 1;
  if (width === 1 && base === 0) {
    into.set(bytes.subarray(from, from + rows));
    return most;
  }
  const target = wordsOf(into);
  readWords(bytes, from, target, rows, width);
  if (into instanceof Float64Array) {
    for (let i = 0; i < rows; i++) into[i] = base + target[i]!;
    return most;
  }
  if (base !== 0) for (let i = 0; i < rows; i++) target[i] = target[i]! + base;
  if (target === words) into.set(words.subarray(0, rows));
  return most;
}

/** Reads numbers of so many bytes, which are there. */
function readWords(bytes: Uint8Array, from: number, target: Uint32Array, rows: number, width: number): void {
  let at = from;
  if (width === 1) target.set(bytes.subarray(from, from + rows));
  else if (width === 2 && LITTLE_ENDIAN && (bytes.byteOffset + from) % 2 === 0)
    target.set(new Uint16Array(bytes.buffer, bytes.byteOffset + from, rows));
  else if (width === 2)
    for (let i = 0; i < rows; i++, at += 2) target[i] = bytes[at]! | (bytes[at + 1]! << 8);
  else if (width === 3)
    for (let i = 0; i < rows; i++, at += 3)
      target[i] = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
  else
    for (let i = 0; i < rows; i++, at += 4)
      target[i] = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function decodeDictionary(
  view: DataView,
  bytes: Uint8Array,
  into: Column,
  rows: number,
  base: number,
): number {
  const each = bytes.length >= HEAD + 5 ? bytes[HEAD]! : 0;
  if (each !== 1 && each !== 2) throw new ArgumentError(`indices are 1 or 2 bytes wide, not ${each}`);
  const count = view.getUint32(HEAD + 1, true);
  const indices = HEAD + 5 + count * 4;
  need(bytes, indices + rows * each);
  const target = wordsOf(into);
  const entries = new Uint32Array(count);
  const shift = into instanceof Float64Array ? 0 : base;
  let most = 0;
  for (let i = 0; i < count; i++) {
    const offset = view.getUint32(HEAD + 5 + i * 4, true);
    if (offset > most) most = offset;
    entries[i] = shift + offset;
  }
  for (let i = 0, at = indices; i < rows; i++, at += each) {
    const index = each === 1 ? bytes[at]! : bytes[at]! | (bytes[at + 1]! << 8);
    if (index >= count) throw new ArgumentError(`a dictionary of ${count} has no entry ${index}`);
    target[i] = entries[index]!;
  }
  if (into instanceof Float64Array) for (let i = 0; i < rows; i++) into[i] = base + target[i]!;
  else if (target === words) into.set(words.subarray(0, rows));
  return base + most;
}

function decodeDeltas(
  view: DataView,
  bytes: Uint8Array,
  into: Float64Array,
  rows: number,
  first: number,
): void {
  if (bytes.length < HEAD + 13) throw new ArgumentError('a column of deltas ends in its head');
  const least = view.getFloat64(HEAD, true);
  const width = bytes[HEAD + 8]!;
  if (width < 1 || width > 4) throw new ArgumentError(`deltas are 1 to 4 bytes wide, not ${width}`);
  const exceptions = view.getUint32(HEAD + 9, true);
  const small = HEAD + 13 + exceptions * EXCEPTION_BYTES;
  need(bytes, small + rows * width);
  let value = first;
  if (rows > 0) into[0] = value;
  let from = 1;
  for (let exception = HEAD + 13; exception < small; exception += EXCEPTION_BYTES) {
    const row = view.getUint32(exception, true);
    if (row < from || row >= rows) throw new ArgumentError(`row ${row} of ${rows} has no delta of its own`);
    value = addDeltas(bytes, small, width, least, into, value, from, row);
    value += view.getFloat64(exception + 4, true);
    into[row] = value;
    from = row + 1;
  }
  addDeltas(bytes, small, width, least, into, value, from, rows);
}

/** Adds up the deltas of some rows, and returns the last row's value. */
function addDeltas(
  bytes: Uint8Array,
  small: number,
  width: number,
  least: number,
  into: Float64Array,
  before: number,
  from: number,
  to: number,
): number {
  let value = before;
  let at = small + from * width;
  if (width === 1)
    for (let i = from; i < to; i++) {
      value += least + bytes[at++]!;
      into[i] = value;
    }
  else if (width === 2)
    for (let i = from; i < to; i++, at += 2) {
      value += least + (bytes[at]! | (bytes[at + 1]! << 8));
      into[i] = value;
    }
  else if (width === 3)
    for (let i = from; i < to; i++, at += 3) {
      value += least + (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16));
      into[i] = value;
    }
  else
    for (let i = from; i < to; i++, at += 4) {
      const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
      value += least + (low + bytes[at + 3]! * 2 ** 24);
      into[i] = value;
    }
  return value;
}
