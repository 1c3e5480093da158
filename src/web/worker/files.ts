/**
 * # Files as a browser has them
 *
 *     dropped File, or an address on this site ─▸ pieces ─▸ unpacked (DecompressionStream, fzstd) ─▸ what is it?     trace/file/unpack.ts
 *
 * Reading is what the command line does, with a browser's means: gzip by the browser's own stream, zstd by fzstd, bytes at random from
 * where the file lies. A packed text that stops in the middle is read up to there, and the end is told as a problem: who has half of a
 * trace would rather see that half.
 */
import { Decompress, decompress } from 'fzstd';
import { InputError } from '../../base/index.js';
import {
  cutOff,
  type EventSource,
  joined,
  memoryBytes,
  type PartUnpackers,
  type Pieces,
  type Unpacked,
  unpack,
  unzstd,
} from '../../trace/index.js';
import { blobBytes } from './bytes.js';
import { gunzipMembers, InflateError, inflateZlib } from './inflate.js';

/** What the page gives to be opened: a file that was dropped, or one of this site. */
export interface FileGiven {
  readonly name: string;
  readonly blob?: Blob;
  /** Of this site. */
  readonly url?: string;
}

export interface OpenFile extends Unpacked {
  readonly file: string;
  /** Bytes as they are stored; undefined where a server does not say. */
  readonly size: number | undefined;
  readonly taken: number;
  readonly blob: Blob | undefined;
}

/** What a browser says of gzip that goes on behind its end: another member. */
const MORE_BEHIND = /junk|trailing|additional|after end/i;

/** Opens a file. Throws InputError for what slablab does not read. */
export async function openFile({ name, blob, url }: FileGiven): Promise<OpenFile> {
  const counted = { taken: 0 };
  const { pieces, size } =
    blob === undefined ? await fetched(name, url) : { pieces: streamPieces(blob.stream()), size: blob.size };
  const unpacked = await unpack(name, countedPieces(pieces, counted), {
    gzip: gunzipped,
    zstd: (pieces) => unzstd(pieces, name, (take) => new Decompress(take)),
  });
  return {
    ...unpacked,
    file: name,
    size,
    blob,
    get taken() {
      return counted.taken;
    },
  };
}

/** Where the server of `slablab open` says why bytes broke off (node/page-server.ts). */
const WHY_HEADER = 'Slablab-Why';

async function fetched(name: string, url = ''): Promise<{ pieces: Pieces; size: number | undefined }> {
  const response = await fetch(url).catch((error: unknown) => {
    throw new InputError(name, 0, `could not be fetched: ${error instanceof Error ? error.message : error}`);
  });
  if (!response.ok || response.body === null)
    throw new InputError(name, 0, `could not be fetched: the server answers ${response.status}`);
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  const isPlain = response.headers.get('content-encoding') === null;
  const whyPath = response.headers.get(WHY_HEADER);
  const why = whyPath === null ? undefined : new URL(whyPath, response.url).href;
  return {
    pieces: fetchedPieces(response.body, name, why),
    size: isPlain && length > 0 ? length : undefined,
  };
}

/** The bytes of an answer. Throws InputError where they break off, with the server's reason if it has one. */
async function* fetchedPieces(body: ReadableStream<Uint8Array>, name: string, why?: string): Pieces {
  let taken = 0;
  try {
    for await (const piece of streamPieces(body)) {
      taken += piece.length;
      yield piece;
    }
  } catch (error) {
    const reason = (await reasonAt(why)) || (error instanceof Error ? error.message : String(error));
    throw new InputError(name, 0, `breaks off after ${taken} bytes: ${reason}`);
  }
}

/** What a server says of bytes that broke off; '' where it says nothing, or is not there any more. */
async function reasonAt(url: string | undefined): Promise<string> {
  if (url === undefined) return '';
  try {
    const response = await fetch(url);
    return response.ok ? (await response.text()).trim() : '';
  } catch {
    return '';
  }
}

async function* streamPieces(stream: ReadableStream<Uint8Array>): Pieces {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Whoever stops in the middle wants no more of it.
    reader.cancel().catch(() => {
      // What broke the stream was thrown by read() already.
    });
  }
}

async function* countedPieces(pieces: Pieces, counted: { taken: number }): Pieces {
  for await (const piece of pieces) {
    counted.taken += piece.length;
    yield piece;
  }
}

async function* gunzipped(pieces: Pieces, file: string): Pieces {
  const seen: Uint8Array[] = [];
  const iterator = pieces[Symbol.asyncIterator]();
  // Taken as it is wanted: so what was taken says how far it is.
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done === true) return controller.close();
      seen.push(value);
      controller.enqueue(value as Uint8Array<ArrayBuffer>);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
  let unpacked = 0;
  try {
    for await (const piece of streamPieces(source.pipeThrough(new DecompressionStream('gzip')))) {
      unpacked += piece.length;
      yield piece;
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    if (!MORE_BEHIND.test(message)) throw cutOff('gzip', file, /truncated/i.test(message), message, unpacked);
    yield* membersBehind(joined(seen), unpacked, file);
  }
}

/** The browser has given so much of a file of several members: the rest of them. */
function* membersBehind(packed: Uint8Array, given: number, file: string): Iterable<Uint8Array> {
  let skip = given;
  let unpacked = 0;
  try {
    for (const member of gunzipMembers(packed)) {
      unpacked += member.length;
      if (skip < member.length) yield member.subarray(skip);
      skip = Math.max(0, skip - member.length);
    }
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
    throw cutOff('gzip', file, error.endsTooEarly, error.message, unpacked);
  }
}

/** A file's bytes all at once. */
async function wholeFile({ pieces }: OpenFile): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return joined(all);
}

export async function wholeText(file: OpenFile): Promise<string> {
  return new TextDecoder().decode(await wholeFile(file));
}

/** For readEvents. `onCut` is told where a packed text stopped in the middle. */
export function eventSource(input: OpenFile, onCut: (error: InputError) => void): EventSource {
  const { file, format, size, packed, blob, close } = input;
  async function* untilCut(): Pieces {
    let any = false;
    try {
      for await (const piece of input.pieces) {
        any = true;
        yield piece;
      }
    } catch (error) {
      if (!any || !(error instanceof InputError)) throw error;
      onCut(error);
    }
  }
  return {
    file,
    format,
    size,
    get taken() {
      return input.taken;
    },
    pieces: untilCut(),
    close,
    async random() {
      if (blob !== undefined && packed.length === 0) {
        await close();
        return { bytes: blobBytes(blob), close: () => {} };
      }
      return { bytes: memoryBytes(await wholeFile(input)), close: () => {} };
    },
  };
}

export const PART_UNPACKERS: PartUnpackers = {
  inflate: (packed, length) => inflateZlib(packed, length),
  zstd: (packed, length) => decompress(packed, new Uint8Array(length)),
  createZstd: (take) => new Decompress(take),
};
