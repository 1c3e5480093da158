/**
 * # What a file is, under its packing
 *
 *     pieces ─▸ unpacked as often as they are packed (gzip, zstd) ─▸ what is it? ─▸ pieces again, from the first byte on
 *
 * Names say nothing: each step looks at the first bytes. Nothing is held but what a step needs, so a file of any size, or a pipe that never
 * ends, can be read. How gzip and zstd are unpacked is the caller's, who knows what there is: Node's zlib, a browser's streams.
 */
import { InputError } from '../../base/index.js';
import { detectFormat, type TraceFormat } from './detect.js';

/** Enough to tell what a file is. */
const HEAD_BYTES = 1 << 16;
/** A file is packed once, seldom twice; one that is packed more often was made to hurt. */
const LAYERS_MAX = 4;

/** A stream's bytes as they come. Can be gone through once. */
export type Pieces = AsyncIterable<Uint8Array>;

/** What a file is that is not packed any more. */
export type PlainFormat = Exclude<TraceFormat, 'gzip' | 'zstd'>;

/** Each throws InputError, with the file's name, for bytes that are not what they begin as. */
export interface Unpackers {
  gzip(pieces: Pieces, file: string): Pieces;
  zstd(pieces: Pieces, file: string): Pieces;
}

/** A file that was unpacked as far as it can be. */
export interface Unpacked {
  readonly format: PlainFormat;
  /** How it was packed, the outermost first. */
  readonly packed: readonly string[];
  /** All bytes, unpacked. Can be gone through once. Whoever does not must close it. */
  readonly pieces: Pieces;
  close(): Promise<void>;
}

/** Unpacks what is packed. Throws InputError for what is no file that this room knows; `file` is its name in messages. */
export async function unpack(file: string, packedPieces: Pieces, unpackers: Unpackers): Promise<Unpacked> {
  const packed: string[] = [];
  let pieces = packedPieces;
  for (;;) {
    const peeked = await peek(pieces);
    pieces = peeked.pieces;
    const format = detectFormat(file, peeked.head);
    if (format !== 'gzip' && format !== 'zstd') return { format, packed, pieces, close: peeked.close };
    packed.push(format);
    if (packed.length > LAYERS_MAX)
      throw new InputError(file, 0, `is packed more than ${LAYERS_MAX} times, one in another`);
    pieces = unpackers[format](pieces, file);
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
  return { head: joined(first), pieces: whole(), close };
}

/** Pieces as one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** A zstd decoder: pieces in, pieces out through the function that it was made with. Throws Error for what is no zstd. */
export interface ZstdStream {
  push(piece: Uint8Array, isLast?: boolean): void;
}

/** Unpacks zstd with a decoder of the caller's. */
export async function* unzstd(
  pieces: Pieces,
  file: string,
  createStream: (take: (piece: Uint8Array) => void) => ZstdStream,
): Pieces {
  const ready: Uint8Array[] = [];
  let unpacked = 0;
  const stream = createStream((piece) => ready.push(piece));
  const push = (piece: Uint8Array, isLast: boolean) => {
    try {
      stream.push(piece, isLast);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw cutOff('zstd', file, message === 'unexpected EOF', message, unpacked);
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

/** What packed bytes that cannot be unpacked are: cut off, or what the unpacker says. `unpacked` bytes could be read. */
export function cutOff(
  packer: 'gzip' | 'zstd',
  file: string,
  endsTooEarly: boolean,
  message: string,
  unpacked: number,
): InputError {
  const what = endsTooEarly ? 'it ends in the middle' : message;
  return new InputError(
    file,
    0,
    `expected ${packer} data, but ${what}, after ${unpacked} bytes of what was packed`,
  );
}
