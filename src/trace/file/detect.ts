/**
 * # What is this file?
 *
 *     switch (detectFormat(file, firstBytes)) {
 *       case 'gzip':  …unpack, and ask again
 *       case 'ftrace': case 'trace-cmd': case 'perf-script': createTextTraceReader(format, file, sink)
 *       case 'trace.dat': case 'perf.data': …these need their bytes at random
 *     }
 *
 * Binary formats begin with bytes of their own. Texts are told by their lines: a header that only one tool prints decides, else each line
 * that can be taken apart has a vote. The first 64 KiB are more than enough, a few lines will do.
 */
import { InputError, printable } from '../../base/index.js';
import { type EventSink, fromUtf8, type StreamReader } from '../batch/index.js';
import {
  createFtraceReader,
  createPerfScriptReader,
  createTraceCmdReader,
  emptyHead,
  isTraceCmdHeader,
  readPerfHead,
  readTaskHead,
} from '../text/index.js';
import { isForeignJson, isPerfReport, lookAlike } from './look-alikes.js';
import { beginsWith, PACKERS } from './packers.js';
import { isHtml } from './systrace.js';

/** Formats of text, each with its reader. */
export const TEXT_READERS = {
  ftrace: createFtraceReader,
  'trace-cmd': createTraceCmdReader,
  'perf-script': createPerfScriptReader,
} as const;

/** The formats of text that can be read as a stream. */
export type TextFormat = keyof typeof TEXT_READERS;

/** What a file can be, by its first bytes. */
export type TraceFormat =
  | TextFormat
  | 'trace.dat'
  | 'perf.data'
  /** A saved trace of slablab's own. */
  | 'slt'
  | 'gzip'
  | 'zstd'
  /** Ftrace text in a page. */
  | 'systrace'
  /** No traces: a snapshot of caches, and JSON, which may hold several. */
  | 'slabinfo'
  | 'json';

const MAGICS: readonly (readonly [bytes: string, format: TraceFormat])[] = [
  ['\x17\x08Dtracing', 'trace.dat'],
  ['PERFILE2', 'perf.data'],
  // The same, written by a big-endian machine.
  ['2ELIFREP', 'perf.data'],
  ['SLABTRC', 'slt'],
  ['\x1f\x8b', 'gzip'],
  ['\x28\xb5\x2f\xfd', 'zstd'],
];

const LOOKED_FOR =
  'ftrace text, trace-cmd report, perf script, trace.dat, perf.data, systrace HTML, a saved trace (.slt), gzip, zstd';
const LINES_MAX = 200;
const EXCERPT_LENGTH = 40;
const FOREIGN_BYTES = 4096;
const NEWLINE = 10;
const COLON = 58;
const SPACE = 32;

/**
 * The format of what begins with these bytes. Throws InputError, which says what was looked for and what stands there, where it is none
 * that slablab reads. `file` is its name in messages.
 */
export function detectFormat(file: string, bytes: Uint8Array): TraceFormat {
  if (bytes.length === 0) throw new InputError(file, 0, 'is empty');
  for (const [magic, format] of MAGICS) if (beginsWith(bytes, magic)) return format;
  const packer = PACKERS.find(({ magic }) => beginsWith(bytes, magic));
  if (packer !== undefined)
    throw new InputError(
      file,
      0,
      `is compressed with ${packer.name}: unpack it with ${packer.command} first`,
    );
  if (isHtml(fromUtf8(bytes, 0, Math.min(bytes.length, 4 * EXCERPT_LENGTH)))) return 'systrace';
  const text = detectText(bytes);
  if (text !== undefined) return text;
  const other = lookAlike(bytes);
  if (other !== undefined)
    throw new InputError(file, 0, `expected a trace, but it is ${other.what}: ${other.instead}`);
  const [first = ''] = fromUtf8(bytes, 0, Math.min(bytes.length, 4 * EXCERPT_LENGTH))
    .trimStart()
    .split('\n', 1);
  const stands = printable(first, EXCERPT_LENGTH);
  throw new InputError(file, 1, `expected one of ${LOOKED_FOR}; there stands '${stands}'`);
}

function detectText(bytes: Uint8Array): TraceFormat | undefined {
  const votes = new Map<TextFormat, number>();
  let from = beginsWith(bytes, '\xef\xbb\xbf') ? 3 : 0;
  if (isForeign(bytes)) return undefined;
  for (let line = 0; line < LINES_MAX && from < bytes.length; line++) {
    const newline = bytes.indexOf(NEWLINE, from);
    const to = newline < 0 ? bytes.length : newline;
    const certain = headerOf(bytes, from, to);
    if (certain !== undefined) return certain;
    const vote = voteOf(bytes, from, to);
    if (vote !== undefined) votes.set(vote, (votes.get(vote) ?? 0) + 1);
    from = to + 1;
  }
  const [first] = [...votes].sort(([, a], [, b]) => b - a);
  return first?.[0];
}

/** JSON of another tool, or what perf prints of a perf.data with the header that perf script prints as well. */
function isForeign(bytes: Uint8Array): boolean {
  const text = fromUtf8(bytes, 0, Math.min(bytes.length, FOREIGN_BYTES));
  return isForeignJson(text) || isPerfReport(text);
}

/** What only one format begins with. */
function headerOf(bytes: Uint8Array, from: number, to: number): TraceFormat | undefined {
  if (isTraceCmdHeader(bytes, from, to)) return 'trace-cmd';
  const text = fromUtf8(bytes, from, Math.min(to, from + EXCERPT_LENGTH));
  if (text.startsWith('# tracer:') || text.startsWith('# entries-in-buffer')) return 'ftrace';
  if (text.startsWith('# captured on') || text.startsWith('# perf version')) return 'perf-script';
  if (text.startsWith('slabinfo - version')) return 'slabinfo';
  return from <= 3 && /^\s*[{[]\s*(?:["{[\]}]|$)/.test(text) ? 'json' : undefined;
}

function voteOf(bytes: Uint8Array, from: number, to: number): TextFormat | undefined {
  const head = emptyHead();
  if (readPerfHead(bytes, from, to, head) && isSystemEvent(bytes, head.nameFrom, to)) return 'perf-script';
  const text = fromUtf8(bytes, from, Math.min(to, from + 1000));
  if (/PERF_RECORD_LOST/.test(text)) return 'perf-script';
  if (/^CPU:\d+ \[(?:\d+ )?EVENTS DROPPED\]/.test(text)) return 'trace-cmd';
  // Lines of the option raw are ftrace's as well: its reader says what is wrong with them.
  if (/^CPU:\d+ \[LOST |^[\da-f]+ [\da-f]+ [\da-f]+ (?:type: |# )|^[\s\S]{4,16}type: \d+$/.test(text))
    return 'ftrace';
  // Lines that a trace option, or perf script's -F, printed without their head.
  if (/^(?:kmalloc|kfree|kmem_cache_\w+|mm_page_\w+): \w+=/.test(text)) return 'ftrace';
  if (/^\s*(?:\S+\s+){0,6}kmem:\w+: /.test(text)) return 'perf-script';
  if (!readTaskHead(bytes, from, to, head)) return undefined;
  return isTraceCmdEvent(text.slice(text.indexOf(':') + 1)) ? 'trace-cmd' : 'ftrace';
}

/** `kmem:kfree:`, and no blank before the second colon. */
function isSystemEvent(bytes: Uint8Array, from: number, to: number): boolean {
  let colons = 0;
  for (let at = from; at < to && bytes[at]! > SPACE; at++) if (bytes[at] === COLON) colons++;
  return colons >= 2;
}

/** trace-cmd pads names and prints pointers with 0x. */
function isTraceCmdEvent(text: string): boolean {
  return /^\s*[\w.]+: {2,}\S|[ (]ptr=(?:0x|\(nil\))/.test(text);
}

/** A reader of what `detectFormat` found to be a text. */
export function createTextTraceReader(format: TextFormat, file: string, sink: EventSink): StreamReader {
  return TEXT_READERS[format](file, sink);
}
