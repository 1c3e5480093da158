/**
 * # Files that a command works with, and memory that stays bounded
 *
 * A temporary file loses its name as soon as it is open: whatever ends the program, a signal as well, takes it away. Worker threads share
 * the program's descriptors and read it all the same.
 *
 * A trace with more rows than anyone wants in memory spills into one (trace/file/trace-store.ts).
 */
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArgumentError } from '../base/index.js';
import type { RandomBytes, Spool } from '../trace/index.js';

/** Read ahead of what is asked for in small pieces. */
const WINDOW_BYTES = 1 << 16;

/** The bytes of an open file, by descriptor. */
export class FileBytes implements RandomBytes {
  readonly fd: number;
  readonly size: number;
  #window = new Uint8Array(WINDOW_BYTES);
  #windowAt = 0;
  #windowLength = 0;

  constructor(fd: number, size = fstatSync(fd).size) {
    this.fd = fd;
    this.size = size;
  }

  read(offset: number, length: number): Uint8Array {
    const wanted = Math.max(0, Math.min(length, this.size - offset));
    const from = offset - this.#windowAt;
    if (from >= 0 && from + wanted <= this.#windowLength) return this.#window.subarray(from, from + wanted);
    // A large piece is not read ahead of, but it needs its place.
    if (wanted > this.#window.length) this.#window = new Uint8Array(2 ** Math.ceil(Math.log2(wanted)));
    const most = wanted > WINDOW_BYTES ? wanted : Math.min(WINDOW_BYTES, this.size - offset);
    this.#windowAt = offset;
    this.#windowLength = 0;
    while (this.#windowLength < most) {
      const at = this.#windowLength;
      const got = readSync(this.fd, this.#window, at, most - at, offset + at);
      if (got === 0) break;
      this.#windowLength += got;
    }
    return this.#window.subarray(0, Math.min(wanted, this.#windowLength));
  }
}

/** A file that nobody else sees, and that is gone when the program is. */
export class TempFile implements Spool<FileBytes> {
  readonly fd: number;
  #size = 0;
  /** Where the system keeps a file's name as long as it is open. */
  readonly #folder: string | undefined;
  /** Whether somebody chose the folder: then the system's errors are theirs to explain. */
  readonly #isChosen: boolean;

  /** In the folder for temporary files unless told. */
  constructor(within?: string) {
    this.#isChosen = within !== undefined;
    const folder = mkdtempSync(join(within ?? tmpdir(), '.slablab-'));
    const path = join(folder, 'spool');
    this.fd = openSync(path, 'wx+', 0o600);
    this.#folder = withoutName(path, folder) ? undefined : folder;
    if (this.#folder !== undefined) process.once('exit', () => this.#remove());
  }

  bytes(): FileBytes {
    return new FileBytes(this.fd, this.#size);
  }

  /** Adds bytes at the end. Throws ArgumentError where the folder for temporary files is full. */
  write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; )
        at += writeSync(this.fd, bytes, at, bytes.length - at, this.#size + at);
    } catch (error) {
      if (this.#isChosen || (error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      throw new ArgumentError(
        `${tmpdir()} has no room for a temporary file of more than ${this.#size} bytes: name another folder in TMPDIR`,
      );
    }
    this.#size += bytes.length;
  }

  close(): void {
    closeSync(this.fd);
    this.#remove();
  }

  #remove(): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Takes an open file's name away, and its folder. Returns whether the system lets one do so. */
function withoutName(path: string, folder: string): boolean {
  try {
    unlinkSync(path);
    rmSync(folder, { recursive: true });
    return true;
  } catch {
    return false;
  }
}
