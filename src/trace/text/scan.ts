/**
 * # Lines of a text that arrives in pieces
 *
 *     chunk, chunk, … ─▸ a window of 256 KiB ─▸ lines(from, to): whole lines of the window, the last byte a newline
 *
 * A piece is copied into the window, and what stands there up to its last newline is handed over at once: readers look at bytes and
 * make no string of a line. What is left behind that newline moves to the window's front and waits for more. So a reader sees the same
 * lines whatever the pieces' size, and memory does not grow with the text.
 *
 * A line of more than 64 KiB is no line of any tool: it is dropped up to its newline, wherever that is, and told once.
 */

/** Bytes of a line, its newline not counted. */
export const LINE_BYTES_MAX = 64 * 1024;

/** Bytes of the window: the longest line, and room for a good many more behind it. */
const WINDOW_BYTES = 4 * LINE_BYTES_MAX;

/** Readers take four bytes at a time and may look this far past a line's end. */
const SLACK_BYTES = 128;

const NEWLINE = 10;

export interface LineSink {
  /** `bytes[from]` begins a line, `bytes[to - 1]` is a newline; lines of more than LINE_BYTES_MAX may be among them. */
  lines(from: number, to: number): void;
  /** A line that does not fit the window; what came of it so far begins at `from` and ends at `to`. */
  tooLong(from: number, to: number): void;
}

interface LineWindow {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  /** Bytes of the input before `bytes[0]`. */
  offset(): number;
  /** Bytes of the input so far. */
  size(): number;
  write(chunk: Uint8Array, sink: LineSink): void;
  /** The last line needs no newline. */
  end(sink: LineSink): void;
  /** Forgets the input: a new one begins. */
  clear(): void;
}

export function createLineWindow(): LineWindow {
  const bytes = new Uint8Array(WINDOW_BYTES + SLACK_BYTES);
  const view = new DataView(bytes.buffer);
  let fill = 0;
  let offset = 0;
  /** Within a line that is too long: bytes are thrown away up to its newline. */
  let dropping = false;

  /** Behind the last newline of what was just added; `from` if there is none. */
  function behindLastNewline(from: number, to: number): number {
    for (let at = to; at > from; at--) if (bytes[at - 1] === NEWLINE) return at;
    return from;
  }

  function hand(sink: LineSink, to: number): void {
    sink.lines(0, to);
    bytes.copyWithin(0, to, fill);
    fill -= to;
    offset += to;
  }

  /** Returns how many bytes of the chunk belong to the line that is being dropped. */
  function drop(chunk: Uint8Array, from: number): number {
    const newline = chunk.indexOf(NEWLINE, from);
    const dropped = (newline < 0 ? chunk.length : newline + 1) - from;
    dropping = newline < 0;
    offset += dropped;
    return dropped;
  }

  function write(chunk: Uint8Array, sink: LineSink): void {
    for (let at = 0; at < chunk.length; ) {
      if (dropping) {
        at += drop(chunk, at);
        continue;
      }
      const count = Math.min(chunk.length - at, WINDOW_BYTES - fill);
      bytes.set(count === chunk.length ? chunk : chunk.subarray(at, at + count), fill);
      at += count;
      const from = fill;
      fill += count;
      const to = behindLastNewline(from, fill);
      if (to > from) hand(sink, to);
      if (fill > LINE_BYTES_MAX) {
        sink.tooLong(0, fill);
        offset += fill;
        fill = 0;
        dropping = true;
      }
    }
  }

  function end(sink: LineSink): void {
    if (fill === 0) return;
    const last = fill;
    bytes[last] = NEWLINE;
    fill = 0;
    sink.lines(0, last + 1);
    offset += last;
  }

  function clear(): void {
    fill = 0;
    offset = 0;
    dropping = false;
  }

  return { bytes, view, clear, offset: () => offset, size: () => offset + fill, write, end };
}

/** Four bytes of ASCII as `DataView.getInt32(at, true)` reads them. */
export function word(text: string): number {
  return (
    text.charCodeAt(0) | (text.charCodeAt(1) << 8) | (text.charCodeAt(2) << 16) | (text.charCodeAt(3) << 24)
  );
}

/** The value of a hexadecimal digit; -1 for any other byte. */
export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Two hexadecimal digits by what `DataView.getUint16(at, true)` reads: their value, or -1. */
export const HEX_PAIR: Int16Array = pairs(16);

/** Two decimal digits likewise. */
export const DECIMAL_PAIR: Int16Array = pairs(10);

function pairs(base: number): Int16Array {
  const table = new Int16Array(0x10000).fill(-1);
  for (let first = 0; first < 0x100; first++) {
    const high = hexDigit(first);
    for (let second = 0; high >= 0 && high < base && second < 0x100; second++) {
      const low = hexDigit(second);
      if (low >= 0 && low < base) table[first | (second << 8)] = high * base + low;
    }
  }
  return table;
}

/** Where a number of decimal digits ends; `from` if none stands there. */
export function endOfDigits(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++;
  return at;
}

/** Of blanks and tabs: who copies a text may have made these of those. */
export function endOfSpaces(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && (bytes[at] === 0x20 || bytes[at] === 9)) at++;
  return at;
}

/** The number that these digits are. */
export function numberOf(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) value = value * 10 + bytes[at]! - 0x30;
  return value;
}
