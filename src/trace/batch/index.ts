/** What readers give and resolvers take: batches of events in columns, strings, findings. */
export { ByteCursor, memoryBytes, printable } from './byte-cursor.js';
export { CHUNK_ROWS, type Column, decodeColumn, encodeColumn } from './column-codec.js';
export {
  ACCOUNTED,
  BATCH_EVENTS,
  createBatch,
  DAMAGE_TOLD,
  type Damage,
  EVENT,
  EVENT_NAMES,
  type EventBatch,
  type EventSink,
  lostWords,
  NODE_NONE,
  PFN_NONE,
  type RandomBytes,
  type ReadReport,
  type StreamReader,
} from './events.js';
export { addressText, parseKallsyms, type Symbols } from './kallsyms.js';
export { PlaceQueue } from './place-queue.js';
export { judgePointers, type PointerBits } from './pointer-evidence.js';
export { fromUtf8, Strings, utf8 } from './strings.js';
export { Tally } from './tally.js';
export {
  AGAIN,
  CLASS_KIND,
  createChunk,
  GREW,
  LARGE_PAGES,
  NO_SLOT,
  OP,
  OP_MASK,
  OVER,
  type ResolveReport,
  SLAB_PAGES,
  TRACE_COLUMNS,
  type Trace,
  type TraceChunk,
  type TraceClass,
  type TraceColumn,
  type TraceMark,
  UNSEEN,
  type WantsRows,
} from './trace.js';
