/** Bytes that can be read anywhere, in a browser: those of a dropped file, where they lie, and packed rows in memory. */
import type { RandomBytes, Spool } from '../../trace/index.js';

/** A file up to this size is read at once. */
const AT_ONCE_BYTES = 2 ** 26;
/** Of a larger one so much is read ahead. */
const WINDOW_BYTES = 2 ** 22;

/** Only workers have it. */
declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

/** The bytes of a file, without waiting: for a worker. */
export function blobBytes(blob: Blob): RandomBytes {
  const reader = new FileReaderSync();
  const window = blob.size <= AT_ONCE_BYTES ? blob.size : WINDOW_BYTES;
  let held = new Uint8Array(0);
  let heldAt = 0;
  return {
    size: blob.size,
    read(offset, length) {
      const end = Math.min(offset + length, blob.size);
      if (offset < heldAt || end > heldAt + held.length) {
        heldAt = window === blob.size ? 0 : offset;
        const to = Math.max(end, Math.min(heldAt + window, blob.size));
        held = new Uint8Array(reader.readAsArrayBuffer(blob.slice(heldAt, to)));
      }
      return held.subarray(offset - heldAt, Math.max(end, offset) - heldAt);
    },
  };
}

/** What is written into memory lies in pieces of this size. */
const PIECE_BYTES = 2 ** 22;

/** Takes bytes at its end and gives them back anywhere: a temporary file, where there are none. */
export class MemorySpool implements Spool<RandomBytes> {
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;

  write(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      const at = this.#size % PIECE_BYTES;
      if (at === 0) this.#pieces.push(new Uint8Array(PIECE_BYTES));
      const fits = Math.min(PIECE_BYTES - at, bytes.length - from);
      this.#pieces.at(-1)!.set(bytes.subarray(from, from + fits), at);
      this.#size += fits;
      from += fits;
    }
  }

  bytes(): RandomBytes {
    return { size: this.#size, read: (offset, length) => this.#read(offset, length) };
  }

  close(): void {
    this.#pieces = [];
    this.#size = 0;
  }

  #read(offset: number, length: number): Uint8Array {
    const end = Math.min(offset + length, this.#size);
    const first = Math.floor(offset / PIECE_BYTES);
    const at = offset - first * PIECE_BYTES;
    if (end <= offset) return new Uint8Array(0);
    if (end <= (first + 1) * PIECE_BYTES) return this.#pieces[first]!.subarray(at, at + end - offset);
    const all = new Uint8Array(end - offset);
    for (let piece = first; piece * PIECE_BYTES < end; piece++) {
      const from = Math.max(offset, piece * PIECE_BYTES);
      const to = Math.min(end, (piece + 1) * PIECE_BYTES);
      all.set(
        this.#pieces[piece]!.subarray(from - piece * PIECE_BYTES, to - piece * PIECE_BYTES),
        from - offset,
      );
    }
    return all;
  }
}
