/**
 * # Opening what people have
 *
 *     const { trace, close } = await openTrace('trace.dat.gz');
 *
 *     text of ftrace, trace-cmd report, perf script ─▸ reader, as it comes ─────────────╮
 *     trace.dat, perf.data ─▸ (packed or through a pipe: to a file first) ─▸ reader ────┼─▸ resolver ─▸ rows in memory, or in a file
 *     .slt ─▸ (packed or through a pipe: to a file first) ─▸ opened at once, its rows stay where they are
 *
 * What becomes of the memory is said in spool.ts.
 */
import { closeSync, openSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { Decompress, decompress } from 'fzstd';
import { ArgumentError, InputError } from '../base/index.js';
import {
  createResolver,
  createTextTraceReader,
  createTraceFile,
  type EventBatch,
  type EventSink,
  openTraceFile,
  type RandomBytes,
  type ReadReport,
  readPerfData,
  readTraceDat,
  TEXT_READERS,
  type TextFormat,
  type TraceHead,
} from '../trace/index.js';
import { inputName, readError, readInput } from './files.js';
import { createTraceStore, FileBytes, type StoredTrace, TempFile, type TraceStoreOptions } from './spool.js';
import { openTraceInput, type TraceInput } from './trace-input.js';

/** How far reading has come. */
export interface TraceProgress {
  readonly events: number;
  /** Bytes taken of the file, packed as it is, and how many it has; undefined of a pipe. */
  readonly bytes: number;
  readonly size: number | undefined;
}

export interface TraceReadOptions {
  /** A file with the text of /proc/kallsyms of the recorded kernel: names for the addresses in a perf.data. */
  readonly kallsyms?: string;
  /** Called now and then while a trace is read. */
  readonly onProgress?: (progress: TraceProgress) => void;
}

export interface OpenTraceOptions extends TraceReadOptions, TraceStoreOptions {}

export interface OpenedTrace extends StoredTrace {
  /** What messages call it. */
  readonly file: string;
  /** How it was packed, the outermost first. */
  readonly packed: readonly string[];
}

/**
 * Opens a trace of any format, by its path or `-` for standard input. Throws InputError, with the place and what was expected, for what
 * cannot be read as one; what is damaged here and there is counted in `trace.source.read`.
 */
export async function openTrace(path: string, options: OpenTraceOptions = {}): Promise<OpenedTrace> {
  const input = await openTraceInput(path);
  const { file, packed } = input;
  if (input.format === 'slt') return { ...(await openSaved(path, input, options)), file, packed };
  const store = createTraceStore(options);
  const resolver = createResolver({ chunk: (chunk) => store.chunk(chunk) });
  const read = await readEvents(path, input, resolver, options);
  return { ...store.finish(resolver.finish(), { file, read }), file, packed };
}

export interface Conversion {
  readonly file: string;
  readonly packed: readonly string[];
  readonly head: TraceHead;
  readonly read: ReadReport;
  /** Written. */
  readonly bytes: number;
}

/** Reads a trace and hands the bytes of its .slt to `write`. Throws as openTrace does. */
export async function convertTrace(
  path: string,
  write: (bytes: Uint8Array) => void,
  options: TraceReadOptions = {},
): Promise<Conversion> {
  const input = await openTraceInput(path);
  const { file, packed } = input;
  const writer = createTraceFile(write);
  if (input.format === 'slt') {
    const saved = await openSaved(path, input, options);
    for (const chunk of saved.trace.chunks()) writer.chunk(chunk);
    const { chunks: _, source, ...head } = saved.trace;
    writer.finish(head, source);
    saved.close();
    return { file, packed, head, read: source.read, bytes: writer.bytes };
  }
  const resolver = createResolver({ chunk: (chunk) => writer.chunk(chunk) });
  const read = await readEvents(path, input, resolver, options);
  const head = resolver.finish();
  writer.finish(head, { file, read });
  return { file, packed, head, read, bytes: writer.bytes };
}

// ---- From bytes to events ------------------------------------------------------------------------------------------------

async function readEvents(
  path: string,
  input: TraceInput,
  sink: EventSink,
  options: TraceReadOptions,
): Promise<ReadReport> {
  const { file, format, size } = input;
  const { kallsyms, onProgress = () => {} } = options;
  if (kallsyms !== undefined && format !== 'perf.data')
    throw new ArgumentError(`--kallsyms names the addresses of a perf.data, and ${file} is none`);
  let events = 0;
  const counting: EventSink = {
    strings: sink.strings,
    take(batch: EventBatch) {
      events += batch.length;
      sink.take(batch);
    },
  };
  if (isText(format)) {
    const reader = createTextTraceReader(format, file, counting);
    for await (const piece of input.pieces) {
      reader.write(piece);
      onProgress({ events, bytes: input.taken, size });
    }
    return reader.end();
  }
  if (format === 'json' || format === 'slabinfo') {
    await input.close();
    const what = format === 'json' ? 'JSON' : 'the text of /proc/slabinfo';
    throw new InputError(
      file,
      1,
      `expected a trace, but it is ${what}: snapshots are given with --snapshots`,
    );
  }
  const symbols = kallsyms === undefined ? undefined : Buffer.from(await readInput(kallsyms));
  const { bytes, close } = await randomBytes(path, input);
  const watched: RandomBytes = {
    size: bytes.size,
    read(offset, length) {
      const got = bytes.read(offset, length);
      onProgress({ events, bytes: Math.min(offset + length, bytes.size), size: bytes.size });
      return got;
    },
  };
  try {
    if (format === 'perf.data')
      return readPerfData(watched, counting, {
        file,
        zstd: zstdDecoder,
        ...(symbols && { kallsyms: symbols }),
      });
    return readTraceDat(watched, counting, {
      file,
      zlib: (packed, length) => inflateSync(packed, { maxOutputLength: Math.max(length, 1) }),
      zstd: (packed, length) => decompress(packed, new Uint8Array(length)),
    });
  } finally {
    close();
  }
}

/** perf never ends its stream: what is decoded so far is all there is. */
function zstdDecoder(take: (bytes: Uint8Array) => void): (piece: Uint8Array) => void {
  const stream = new Decompress(take);
  return (piece) => stream.push(piece);
}

function isText(format: string): format is TextFormat {
  return format in TEXT_READERS;
}

/** The input's bytes where they can be read anywhere: on disk already, or put there. */
async function randomBytes(
  path: string,
  input: TraceInput,
): Promise<{ bytes: FileBytes; close: () => void }> {
  if (input.isFile) {
    await input.close();
    const fd = opened(path);
    return { bytes: new FileBytes(fd), close: () => closeSync(fd) };
  }
  const temp = new TempFile();
  for await (const piece of input.pieces) temp.write(piece);
  return { bytes: new FileBytes(temp.fd, temp.bytes), close: () => temp.close() };
}

function opened(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw readError(inputName(path), error);
  }
}

async function openSaved(path: string, input: TraceInput, options: TraceReadOptions): Promise<StoredTrace> {
  if (options.kallsyms !== undefined)
    throw new ArgumentError(`--kallsyms names the addresses of a perf.data, and ${input.file} is none`);
  const { bytes, close } = await randomBytes(path, input);
  return { trace: openTraceFile(bytes, input.file), spool: bytes, close };
}
