/**
 * # A file of columns
 *
 *     "SLABTRC1" | column column … of chunk 0 | column … of chunk 1 | … | directory | tail
 *
 *     directory   JSON: version, what the columns are called and hold, for each chunk its rows and where each column lies
 *                 ([offset, bytes, checksum]), and whatever the writer keeps beside the columns. Columns begin at multiples of
 *                 8, which makes reading them quicker; a reader takes them anywhere
 *     tail        24 bytes: offset of the directory (f64), its length (u32), its checksum (u32), "SLABTRC1"
 *
 * A reader opens it by the tail, at once, and then reads just the columns that it wants of the chunks that it wants: rows of 100 million
 * events lie on disk, not in memory. Numbers are little-endian. A checksum is Adler-32 as zlib has it. A file without its tail was cut off:
 * the writer puts it there last.
 *
 * The version is the directory's `version`: a reader refuses a newer one. Columns that a reader does not know it need not read, so new ones
 * do not make a new version; a column that goes, or means something else, does.
 */
import { InputError, isObject, parseJson } from '../../base/index.js';
import {
  CHUNK_ROWS,
  type Column,
  decodeColumn,
  encodeColumn,
  fromUtf8,
  type RandomBytes,
  utf8,
} from '../batch/index.js';

const COLUMN_FILE_MAGIC = 'SLABTRC1';
const COLUMN_FILE_VERSION = 1;

const MAGIC = utf8(COLUMN_FILE_MAGIC);
const TAIL_BYTES = 24;
/** Where columns begin, so that several of their bytes can be read at once. A reader takes them anywhere. */
const ALIGN = 8;
/** A directory of 100 million events has about 1 MiB. */
const DIRECTORY_BYTES_MAX = 2 ** 28;

/** What a column's numbers are read into. */
export type ColumnType = 'u8' | 'u16' | 'i16' | 'i32' | 'u32' | 'f64';

interface Directory {
  readonly version: number;
  readonly columns: Readonly<Record<string, ColumnType>>;
  /** Rows, and for each column in the order of `columns` its offset, bytes and checksum. */
  readonly chunks: readonly (readonly [rows: number, ...where: (readonly [number, number, number])[]])[];
  readonly extra: unknown;
}

interface ColumnFileWriter {
  /** Adds up to CHUNK_ROWS rows; each column that the file has must be given. */
  chunk(columns: Readonly<Record<string, Column>>, rows: number): void;
  /** Writes directory and tail. `extra` is anything that JSON can hold. */
  finish(extra: unknown): void;
  /** Bytes written so far. */
  readonly bytes: number;
}

/** Hands the file's bytes to `write`, piece by piece. */
export function createColumnFile(
  columns: Readonly<Record<string, ColumnType>>,
  write: (bytes: Uint8Array) => void,
): ColumnFileWriter {
  const chunks: Directory['chunks'][number][] = [];
  let offset = 0;
  const put = (bytes: Uint8Array) => {
    write(bytes);
    offset += bytes.length;
  };
  put(MAGIC);
  return {
    get bytes() {
      return offset;
    },
    chunk(given, rows) {
      const where = Object.keys(columns).map((name): [number, number, number] => {
        const bytes = encodeColumn(given[name]!, rows);
        if (offset % ALIGN !== 0) put(new Uint8Array(ALIGN - (offset % ALIGN)));
        const at = offset;
        put(bytes);
        return [at, bytes.length, adler32(bytes)];
      });
      chunks.push([rows, ...where]);
    },
    finish(extra) {
      const directory: Directory = { version: COLUMN_FILE_VERSION, columns, chunks, extra };
      const text = utf8(JSON.stringify(directory));
      const tail = new Uint8Array(TAIL_BYTES);
      const view = new DataView(tail.buffer);
      view.setFloat64(0, offset, true);
      view.setUint32(8, text.length, true);
      view.setUint32(12, adler32(text), true);
      tail.set(MAGIC, 16);
      put(text);
      put(tail);
    },
  };
}

export interface ColumnFile {
  /** Rows of each chunk. */
  readonly chunkRows: readonly number[];
  /** Whether it has a column. */
  has(column: string): boolean;
  /** Bytes that a column of a chunk takes. */
  bytesOf(chunk: number, column: string): number;
  /** Reads a column of a chunk, and returns what none of its values is above. Throws InputError where it is damaged. */
  read(chunk: number, column: string, into: Column): number;
  readonly extra: unknown;
}

/** Whether these first bytes are such a file's. */
function isColumnFile(first: Uint8Array): boolean {
  return MAGIC.every((byte, i) => first[i] === byte);
}

/** Opens a file of columns. Throws InputError for one that is none, is cut off, damaged, or newer than this. */
export function openColumnFile(source: RandomBytes, file: string): ColumnFile {
  const directory = readDirectory(source, file);
  const places = new Map(Object.keys(directory.columns).map((name, i) => [name, i]));
  // A trace is gone through several times; its checksums hold after the first.
  const sound = new Uint8Array(directory.chunks.length * places.size);
  return {
    chunkRows: directory.chunks.map(([rows]) => rows),
    has: (column) => places.has(column),
    bytesOf(chunk, column) {
      const [, ...where] = directory.chunks[chunk]!;
      return where[places.get(column)!]![1];
    },
    read(chunk, column, into) {
      const [rows, ...where] = directory.chunks[chunk]!;
      const place = places.get(column);
      if (place === undefined) throw new InputError(file, 0, `there is no column '${column}' in it`);
      const [offset, length, checksum] = where[place]!;
      const bytes = source.read(offset, length);
      const isSound = sound[chunk * places.size + place] === 1 || adler32(bytes) === checksum;
      if (bytes.length !== length || !isSound) {
        throw new InputError(
          file,
          0,
          `column '${column}' of chunk ${chunk} is damaged (${length} bytes at offset ${offset})`,
        );
      }
      sound[chunk * places.size + place] = 1;
      try {
        return decodeColumn(bytes, into, rows);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new InputError(file, 0, `column '${column}' of chunk ${chunk}, at offset ${offset}: ${why}`);
      }
    },
    extra: directory.extra,
  };
}

function readDirectory(source: RandomBytes, file: string): Directory {
  if (!isColumnFile(source.read(0, MAGIC.length)))
    throw new InputError(file, 0, `expected a file that begins with '${COLUMN_FILE_MAGIC}'`);
  const end = source.size - TAIL_BYTES;
  const tail = Uint8Array.from(end > 0 ? source.read(end, TAIL_BYTES) : []);
  if (!isColumnFile(tail.subarray(16))) {
    throw new InputError(
      file,
      0,
      `the file was cut off: at offset ${Math.max(end, 0)} its last ${TAIL_BYTES} bytes are missing`,
    );
  }
  const view = new DataView(tail.buffer);
  const offset = view.getFloat64(0, true);
  const length = view.getUint32(8, true);
  if (!(offset >= 0 && offset + length === end) || length > DIRECTORY_BYTES_MAX)
    throw new InputError(file, 0, `its tail names a directory at offset ${offset}, where none can be`);
  const bytes = source.read(offset, length);
  if (adler32(bytes) !== view.getUint32(12, true))
    throw new InputError(file, 0, `its directory, at offset ${offset}, is damaged`);
  return checkedDirectory(parseJson(fromUtf8(bytes, 0, bytes.length), file), offset, file);
}

function checkedDirectory(json: unknown, end: number, file: string): Directory {
  const directory = json as Partial<Directory> | null;
  const version = directory?.version;
  if (typeof version === 'number' && version > COLUMN_FILE_VERSION) {
    throw new InputError(
      file,
      0,
      `it is of version ${version}, and this slablab reads up to version ${COLUMN_FILE_VERSION}`,
    );
  }
  const { columns, chunks } = directory ?? {};
  if (version !== COLUMN_FILE_VERSION || !isObject(columns) || !Array.isArray(chunks))
    throw new InputError(file, 0, 'its directory has no version, columns and chunks');
  const count = Object.keys(columns).length;
  const good = (chunk: unknown): boolean =>
    Array.isArray(chunk) &&
    chunk.length === count + 1 &&
    Number.isInteger(chunk[0]) &&
    chunk[0] >= 0 &&
    chunk[0] <= CHUNK_ROWS &&
    chunk.slice(1).every((where) => isPlace(where, end));
  const bad = chunks.findIndex((chunk) => !good(chunk));
  if (bad >= 0) throw new InputError(file, 0, `its directory's entry for chunk ${bad} is damaged`);
  // Who says that columns share their bytes would have a small file stand for any number of rows.
  const bytes = (chunks as Directory['chunks']).reduce(
    (sum, [, ...where]) => where.reduce((each, [, length]) => each + length, sum),
    0,
  );
  if (bytes > end)
    throw new InputError(file, 0, `its directory names columns of ${bytes} bytes, where there are ${end}`);
  return directory as Directory;
}

function isPlace(where: unknown, end: number): boolean {
  if (!Array.isArray(where) || where.length !== 3 || !where.every((n) => Number.isSafeInteger(n) && n >= 0))
    return false;
  return where[0] + where[1] <= end;
}

/** Bytes whose sums 32 bits hold, in whole groups. */
const FOLD_BYTES = 3776;
/** Words of a group: the sum of their sums stays within 16 bits. */
const GROUP_WORDS = 16;
const LANES = 0x00ff00ff;

/**
 * zlib's checksum. Where the bytes are aligned, four of them are added at once: two sums of 16 bits in each of two words.
 */
function adler32(bytes: Uint8Array): number {
  const { length, byteOffset } = bytes;
  const words = byteOffset % 4 === 0 ? new Uint32Array(bytes.buffer, byteOffset, length >>> 2) : NO_WORDS;
  let a = 1;
  let b = 0;
  let at = 0;
  while (at < length) {
    const to = Math.min(at + FOLD_BYTES, length);
    const groups = Math.min(to >>> 2, words.length) - GROUP_WORDS;
    for (let w = at >>> 2; w <= groups; at = w << 2) {
      let even = 0;
      let odd = 0;
      let evens = 0;
      let odds = 0;
      for (const end = w + GROUP_WORDS; w < end; w++) {
        const word = words[w]!;
        even += word & LANES;
        odd += (word >>> 8) & LANES;
        evens = (evens + even) | 0;
        odds = (odds + odd) | 0;
      }
      // The later a byte comes the less often its sum is added: 64 times the first, once the last.
      const sums = (evens & 0xffff) + (evens >>> 16) + (odds & 0xffff) + (odds >>> 16);
      const second = odd & 0xffff;
      const third = even >>> 16;
      const fourth = odd >>> 16;
      b = (b + 64 * a + 4 * sums - second - 2 * third - 3 * fourth) | 0;
      a = (a + (even & 0xffff) + second + third + fourth) | 0;
    }
    for (; at < to; at++) {
      a += bytes[at]!;
      b = (b + a) | 0;
    }
    a %= 65521;
    b = (b >>> 0) % 65521;
  }
  return b * 65536 + a;
}

const NO_WORDS = new Uint32Array(0);
