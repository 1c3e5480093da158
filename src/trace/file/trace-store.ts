/**
 * # Where a trace's rows are kept
 *
 * A trace that is resolved may have more rows than anyone wants in memory. A `TraceStore` keeps the first some millions as they are; from
 * then on all of them are written as a .slt into a *spool*, and the trace that it gives reads them from there. What a spool is, a temporary
 * file or packed bytes in memory, is up to who makes the store.
 */
import type { RandomBytes, TraceChunk } from '../batch/index.js';
import type { TraceHead } from '../resolve/index.js';
import {
  createTraceFile,
  openTraceFile,
  type SavedTrace,
  type TraceFileWriter,
  type TraceSource,
} from './trace-file.js';

/** Takes bytes one after the other, and gives them back anywhere. */
export interface Spool<Bytes extends RandomBytes> {
  write(bytes: Uint8Array): void;
  /** All that was written. */
  bytes(): Bytes;
  close(): void;
}

/** How much of a trace is kept in memory. */
export interface TraceStoreOptions {
  /** Rows that are kept in memory, at most; 31 bytes each. */
  readonly rowsInMemory?: number;
}

/** What a resolver's chunks are given to. */
export interface TraceStore<Bytes extends RandomBytes> {
  chunk(chunk: TraceChunk): void;
  finish(head: TraceHead, source: TraceSource): StoredTrace<Bytes>;
}

/** A trace whose rows lie in memory or in a file. */
export interface StoredTrace<Bytes extends RandomBytes> {
  readonly trace: SavedTrace;
  /** The .slt that holds its rows; undefined where memory does. */
  readonly spool: Bytes | undefined;
  close(): void;
}

/** 8 million, which take 250 MB. */
const ROWS_IN_MEMORY = 8_000_000;

/** `rowsInMemory: 0` puts everything into the spool. */
export function createTraceStore<Bytes extends RandomBytes>(
  createSpool: () => Spool<Bytes>,
  { rowsInMemory = ROWS_IN_MEMORY }: TraceStoreOptions = {},
): TraceStore<Bytes> {
  let kept: TraceChunk[] = [];
  let rows = 0;
  let spool: Spool<Bytes> | undefined;
  let writer: TraceFileWriter | undefined;

  function spill(): TraceFileWriter {
    const made = createSpool();
    spool = made;
    const begun = createTraceFile((bytes) => made.write(bytes));
    for (const chunk of kept) begun.chunk(chunk);
    kept = [];
    return begun;
  }

  return {
    chunk(chunk) {
      rows += chunk.rows;
      if (writer === undefined && rows > rowsInMemory) writer = spill();
      if (writer === undefined) kept.push(chunk);
      else writer.chunk(chunk);
    },
    finish(head, source) {
      if (rowsInMemory === 0) writer ??= spill();
      if (writer === undefined || spool === undefined) {
        const chunks = kept;
        return { trace: { ...head, source, chunks: () => chunks }, spool: undefined, close: () => {} };
      }
      writer.finish(head, source);
      const made = spool;
      const bytes = made.bytes();
      return { trace: openTraceFile(bytes, source.file), spool: bytes, close: () => made.close() };
    },
  };
}
