/**
 * Numbers and texts of a binary file, one behind the other. What lies beyond the end is an InputError that names the byte and what
 * should have stood there, so that a cut-off file says where it was cut.
 */
import { InputError } from '../../base/index.js';
import type { RandomBytes } from './events.js';
import { fromUtf8 } from './strings.js';

/** Texts and tables are read whole: a length beyond this is damage, not a table. */
const PIECE_BYTES_MAX = 1 << 28;
const TEXT_WINDOW = 256;

/** Bytes in memory as a file. */
export function memoryBytes(bytes: Uint8Array): RandomBytes {
  return {
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, Math.min(offset + length, bytes.length)),
  };
}

export class ByteCursor {
  readonly source: RandomBytes;
  /** Which byte comes next. */
  at: number;
  /** The first byte that is not the cursor's any more. */
  readonly end: number;
  little: boolean;
  /** What errors call the data. */
  readonly file: string;

  /** `at` and `end` are offsets in `source`; `file` is what errors call it. */
  constructor(source: RandomBytes, file: string, little: boolean, at = 0, end = source.size) {
    this.source = source;
    this.file = file;
    this.little = little;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** An error that names a byte: the next one, unless told. */
  error(why: string, at = this.at): InputError {
    return new InputError(this.file, 0, `byte ${at}: ${why}`);
  }

  u8(what: string): number {
    return this.#next(1, what)[0]!;
  }

  u16(what: string): number {
    const [a, b] = this.#next(2, what) as unknown as [number, number];
    return this.little ? a | (b << 8) : (a << 8) | b;
  }

  u32(what: string): number {
    return wordAt(this.#next(4, what), 0, this.little);
  }

  /** A 64-bit number that counts or measures. Beyond 2^53 it can be neither, and is refused. */
  u64(what: string): number {
    const { high, low } = this.pair(what);
    const value = high * 2 ** 32 + low;
    if (value > Number.MAX_SAFE_INTEGER) {
      throw this.error(`expected ${what}, found 0x${high.toString(16)}${hex8(low)}`, this.at - 8);
    }
    return value;
  }

  /** A 64-bit number in two halves. */
  pair(what: string): { high: number; low: number } {
    const bytes = this.#next(8, what);
    const first = wordAt(bytes, 0, this.little);
    const second = wordAt(bytes, 4, this.little);
    return this.little ? { high: second, low: first } : { high: first, low: second };
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number, what: string): Uint8Array {
    if (length > PIECE_BYTES_MAX) {
      throw this.error(`${what} cannot have ${length} bytes: at most ${PIECE_BYTES_MAX} are read`);
    }
    return this.#next(length, what).slice();
  }

  /** The next `length` bytes as text, up to the first NUL. */
  text(length: number, what: string): string {
    const bytes = this.bytes(length, what);
    const nul = bytes.indexOf(0);
    return fromUtf8(bytes, 0, nul < 0 ? bytes.length : nul);
  }

  /** A text that ends with a NUL, which is skipped. */
  nulText(what: string, max = 4096): string {
    const start = this.at;
    let text = '';
    while (this.at - start < max && this.left > 0) {
      const window = this.source.read(this.at, Math.min(TEXT_WINDOW, this.left, max));
      if (window.length === 0) break;
      const nul = window.indexOf(0);
      text += fromUtf8(window, 0, nul < 0 ? window.length : nul);
      this.at += nul < 0 ? window.length : nul + 1;
      if (nul >= 0) return text;
    }
    throw this.error(`expected ${what} that ends with a NUL byte; there is none within ${max} bytes`, start);
  }

  skip(length: number, what: string): void {
    this.#need(length, what);
    this.at += length;
  }

  #need(length: number, what: string): void {
    if (length <= this.left) return;
    throw this.error(`expected ${what} (${length} bytes), but the data ends at byte ${this.end}`);
  }

  #next(length: number, what: string): Uint8Array {
    this.#need(length, what);
    const bytes = this.source.read(this.at, length);
    if (bytes.length < length) throw this.error(`expected ${what} (${length} bytes), got ${bytes.length}`);
    this.at += length;
    return bytes;
  }
}

/** Four bytes as an unsigned number. */
function wordAt(bytes: Uint8Array, at: number, little: boolean): number {
  const a = bytes[at]!;
  const b = bytes[at + 1]!;
  const c = bytes[at + 2]!;
  const d = bytes[at + 3]!;
  return (little ? a | (b << 8) | (c << 16) | (d << 24) : (a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

export function hex8(word: number): string {
  return word.toString(16).padStart(8, '0');
}

/** A text of damaged bytes, fit to stand in a message. */
export function printable(text: string, max = 40): string {
  return text.slice(0, max).replace(/[^\x20-\x7e]/g, '?');
}
