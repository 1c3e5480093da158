/**
 * The bytes of a trace, from wherever a person has it: a path, or `-`, in pieces that Node's zlib and fzstd unpack
 * (trace/file/unpack.ts).
 */
import { createReadStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { InputError } from '../base/index.js';
import { cutOff, type Pieces, type Unpacked, unpack, unzstd } from '../trace/index.js';
import { inputName, readError } from './files.js';

const PIECE_BYTES = 1 << 20;

/** A file that was opened and unpacked as far as it can be: what reads traces takes it. */
export interface TraceInput extends Unpacked {
  /** What messages call it. */
  readonly file: string;
  /** Whether its bytes are those of a file on disk, which can be read anywhere. */
  readonly isFile: boolean;
  /** Bytes on disk; undefined of a pipe. */
  readonly size: number | undefined;
  /** Bytes that were taken from disk or pipe so far. */
  readonly taken: number;
}

/**
 * Opens a path, or standard input for `-`. Throws InputError for what is no trace, with what stands there, and NoPermissionError where the
 * system refuses. A snapshot is no trace either, but is let through: who asks knows what to say.
 */
export async function openTraceInput(path: string): Promise<TraceInput> {
  const file = inputName(path);
  const size = path === '-' ? undefined : sizeOf(path, file);
  const counted = { taken: 0 };
  const unpacked = await unpack(file, countedPieces(readPieces(path, file), counted), {
    gzip: gunzipped,
    zstd: (pieces) => unzstd(pieces, file, (take) => new Decompress(take)),
  });
  return {
    ...unpacked,
    file,
    isFile: size !== undefined && unpacked.packed.length === 0,
    size,
    get taken() {
      return counted.taken;
    },
  };
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
    throw cutOff('gzip', file, code === 'Z_BUF_ERROR', message, unpacked);
  } finally {
    source.destroy();
  }
}
