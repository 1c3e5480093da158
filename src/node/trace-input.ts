/**
 * # The bytes of a trace, from wherever a person has it
 *
 *     path or - ─▸ pieces ─▸ unpacked as often as it is packed (gzip, zstd) ─▸ what is it? ─▸ pieces again, from the first byte on
 *
 * Names say nothing: each step looks at the first bytes. Nothing is held but what a step needs, so a file of any size, or a pipe that never
 * ends, can be read.
 */
import { createReadStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { InputError } from '../base/index.js';
import { detectFormat, type TraceFormat } from '../trace/index.js';
import { inputName, readError } from './files.js';

/** Enough to tell what a file is. */
const HEAD_BYTES = 1 << 16;
const PIECE_BYTES = 1 << 20;
/** A file is packed once, seldom twice; one that is packed more often was made to hurt. */
const LAYERS_MAX = 4;

type Pieces = AsyncIterable<Uint8Array>;

export interface TraceInput {
  /** What messages call it. */
  readonly file: string;
  readonly format: Exclude<TraceFormat, 'gzip' | 'zstd'>;
  /** How it is packed, the outermost first. */
  readonly packed: readonly string[];
  /** Whether its bytes are those of a file on disk, which can be read anywhere. */
  readonly isFile: boolean;
  /** Bytes on disk; undefined of a pipe. */
  readonly size: number | undefined;
  /** Bytes that were taken from disk or pipe so far. */
  readonly taken: number;
  /** All bytes, unpacked. Can be gone through once. Whoever does not must close the input. */
  readonly pieces: Pieces;
  close(): Promise<void>;
}

/**
 * Opens a path, or standard input for `-`. Throws InputError for what is no trace, with what stands there, and NoPermissionError where the
 * system refuses. A snapshot is no trace either, but is let through: who asks knows what to say.
 */
export async function openTraceInput(path: string): Promise<TraceInput> {
  const file = inputName(path);
  const size = path === '-' ? undefined : sizeOf(path, file);
  const counted = { taken: 0 };
  const packed: string[] = [];
  let pieces = countedPieces(readPieces(path, file), counted);
  for (;;) {
    const peeked = await peek(pieces);
    pieces = peeked.pieces;
    const format = detectFormat(file, peeked.head);
    if (format !== 'gzip' && format !== 'zstd') {
      return {
        file,
        format,
        packed,
        isFile: size !== undefined && packed.length === 0,
        size,
        get taken() {
          return counted.taken;
        },
        pieces,
        close: peeked.close,
      };
    }
    packed.push(format);
    if (packed.length > LAYERS_MAX)
      throw new InputError(file, 0, `is packed more than ${LAYERS_MAX} times, one in another`);
    pieces = format === 'gzip' ? gunzipped(pieces, file) : unzstd(pieces, file);
  }
}

/** Of a regular file: what is read from a device or a pipe has no size. */
function sizeOf(path: string, file: string): number | undefined {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw new InputError(file, 0, 'expected a file, but it is a directory');
    return stat.isFile() ? stat.size : undefined;
  } catch (error) {
    throw readError(file, error);
  }
}

async function* readPieces(path: string, file: string): Pieces {
  const stream = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: PIECE_BYTES });
  try {
    for await (const piece of stream) yield piece as Uint8Array;
  } catch (error) {
    throw readError(file, error);
  }
}

async function* countedPieces(pieces: Pieces, counted: { taken: number }): Pieces {
  for await (const piece of pieces) {
    counted.taken += piece.length;
    yield piece;
  }
}

/** The first bytes, and all of them. */
async function peek(
  pieces: Pieces,
): Promise<{ head: Uint8Array; pieces: Pieces; close: () => Promise<void> }> {
  const iterator = pieces[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < HEAD_BYTES) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    first.push(value);
    bytes += value.length;
  }
  const close = async () => {
    await iterator.return?.();
  };
  async function* whole(): Pieces {
    try {
      yield* first;
      for (;;) {
        const { done, value } = await iterator.next();
        if (done === true) return;
        yield value;
      }
    } finally {
      await close();
    }
  }
  return { head: Buffer.concat(first), pieces: whole(), close };
}

async function* gunzipped(pieces: Pieces, file: string): Pieces {
  const source = Readable.from(pieces);
  const gunzip = createGunzip({ chunkSize: PIECE_BYTES });
  source.on('error', (error) => gunzip.destroy(error));
  let unpacked = 0;
  try {
    for await (const piece of source.pipe(gunzip)) {
      unpacked += (piece as Uint8Array).length;
      yield piece as Uint8Array;
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined || !code.startsWith('Z_')) throw error;
    // zlib's word for input that stops too early.
    const what = code === 'Z_BUF_ERROR' ? 'it ends in the middle' : message;
    throw new InputError(
      file,
      0,
      `expected gzip data, but ${what}, after ${unpacked} bytes of what was packed`,
    );
  } finally {
    source.destroy();
  }
}

async function* unzstd(pieces: Pieces, file: string): Pieces {
  const ready: Uint8Array[] = [];
  let unpacked = 0;
  const stream = new Decompress((piece) => ready.push(piece));
  const push = (piece: Uint8Array, isLast: boolean) => {
    try {
      stream.push(piece, isLast);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const what = message === 'unexpected EOF' ? 'it ends in the middle' : message;
      throw new InputError(
        file,
        0,
        `expected zstd data, but ${what}, after ${unpacked} bytes of what was packed`,
      );
    }
  };
  for await (const piece of pieces) {
    push(piece, false);
    for (const each of ready.splice(0)) {
      unpacked += each.length;
      yield each;
    }
  }
  push(new Uint8Array(0), true);
  yield* ready;
}
