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
import {
  createResolver,
  createTraceFile,
  createTraceStore,
  type EventSink,
  type EventSource,
  type GivenSymbols,
  openTraceFile,
  type ReadReport,
  readEvents,
  readSymbols,
  type StoredTrace,
  type TraceHead,
  type TraceProgress,
  type TraceStoreOptions,
  withKmem,
  withNames,
} from '../trace/index.js';
import { inputName, readError, readInput } from './files.js';
import { FileBytes, TempFile } from './spool.js';
import { openTraceInput, type TraceInput } from './trace-input.js';

/** What reading a trace needs to know. */
export interface TraceReadOptions {
  /** A file with the recorded kernel's /proc/kallsyms or System.map: names for call sites that are addresses, in any format. */
  readonly kallsyms?: string;
  /** Called now and then while a trace is read. */
  readonly onProgress?: (progress: TraceProgress) => void;
}

/** How a trace is read, and how much of it is kept in memory. */
export interface OpenTraceOptions extends TraceReadOptions, TraceStoreOptions {}

/** A trace that was read from a file. */
export interface OpenedTrace extends StoredTrace<FileBytes> {
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
  const store = createTraceStore(() => new TempFile(), options);
  const resolver = createResolver({ chunk: (chunk) => store.chunk(chunk) });
  const read = await readFileEvents(path, input, resolver, options);
  return { ...store.finish(resolver.finish(), { file, read }), file, packed };
}

/** What became of a trace that was converted. */
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
  const read = await readFileEvents(path, input, resolver, options);
  const head = resolver.finish();
  writer.finish(head, { file, read });
  return { file, packed, head, read, bytes: writer.bytes };
}

// ---- From bytes to events ------------------------------------------------------------------------------------------------

async function readFileEvents(
  path: string,
  input: TraceInput,
  sink: EventSink,
  { kallsyms, onProgress }: TraceReadOptions,
): Promise<ReadReport> {
  const source: EventSource = {
    file: input.file,
    format: input.format,
    size: input.size,
    get taken() {
      return input.taken;
    },
    pieces: input.pieces,
    random: () => randomBytes(path, input),
    close: input.close,
  };
  return readEvents(source, sink, {
    unpackers: {
      inflate: (packed, length) => inflateSync(packed, { maxOutputLength: Math.max(length, 1) }),
      zstd: (packed, length) => decompress(packed, new Uint8Array(length)),
      createZstd: (take) => new Decompress(take),
    },
    symbols: await symbolsOf(kallsyms),
    onProgress,
  });
}

async function symbolsOf(path: string | undefined): Promise<GivenSymbols | undefined> {
  return path === undefined ? undefined : readSymbols(Buffer.from(await readInput(path)), inputName(path));
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
  return { bytes: temp.bytes(), close: () => temp.close() };
}

function opened(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw readError(inputName(path), error);
  }
}

async function openSaved(
  path: string,
  input: TraceInput,
  options: TraceReadOptions,
): Promise<StoredTrace<FileBytes>> {
  const symbols = await symbolsOf(options.kallsyms);
  const { bytes, close } = await randomBytes(path, input);
  try {
    const trace = openTraceFile(bytes, input.file);
    withKmem(input.file, trace.source.read);
    return { trace: symbols === undefined ? trace : withNames(trace, symbols), spool: bytes, close };
  } catch (error) {
    close();
    throw error;
  }
}
