/**
 * What people have beside a trace that slablab reads: each is told by what it begins with, and refused by its right name, with what to do
 * instead. Looked at only when a file is none of the formats that are read, but for the JSON of other tools.
 */

import { fromUtf8 } from '../batch/index.js';
import { beginsWith } from './packers.js';

const RECORD =
  "record kmem events with trace-cmd record -e kmem COMMAND, or perf record -a -e 'kmem:*' COMMAND";

/** Bytes that only one kind of file begins with. */
const MAGICS: readonly (readonly [bytes: string, what: string, instead: string])[] = [
  ['\xc1\x1f\xfc\xc1', 'a stream of LTTng (CTF)', RECORD],
  ['\xc1\xfc\x1f\xc1', 'a stream of LTTng (CTF)', RECORD],
  ['\x57\x1d\xd1\x75', 'the metadata of an LTTng trace (CTF)', RECORD],
  ['\x75\xd1\x1d\x57', 'the metadata of an LTTng trace (CTF)', RECORD],
  ['\x1e{', 'the metadata of an LTTng trace (CTF 2)', RECORD],
  ['PERFFILE', 'a perf.data of a perf before Linux 2.6.37', 'print it with the perf script of that version'],
  ['Ftrace!\0', 'a trace of uftrace', RECORD],
  ['\x7fELF', 'a program or a core dump (ELF)', RECORD],
  ['KDUMP   ', 'a dump of a crashed kernel', 'print its buffer with crash: trace show'],
  ['PK\x03\x04', 'a zip archive', 'unpack it first'],
  ['SQLite format 3\0', 'a database (SQLite)', RECORD],
];

/** What the first lines look like. Every expression is held against so many signs and no more. */
const TEXT_LENGTH = 4096;
const TEXTS: readonly (readonly [shape: RegExp, what: string, instead: string])[] = [
  [/^\s*\/\* CTF /, 'the metadata of an LTTng trace (CTF)', RECORD],
  [
    /^\s*(?:\{\s*"(?:traceEvents|displayTimeUnit|systemTraceEvents)"|\[\s*\{[^{}]{0,400}"ph"\s*:)/,
    'a Chrome trace (JSON), which holds no kmem events',
    RECORD,
  ],
  [
    /^# Overhead|^# Samples: |^#\s+Overhead\s/m,
    'what perf report prints: sums, without the events',
    'print the events of the same perf.data with perf script',
  ],
  [
    /^SUMMARY \((?:SLAB allocator|page allocator)\)|^ ?Callsite\s+\|\s*Total_alloc/m,
    'what perf kmem stat prints: sums, without the events',
    'print the events of the same perf.data with perf script',
  ],
  [
    /^Attaching \d+ probes?\.\.\.|^@\w{0,40}(?:\[[^\]]{0,200}\])?: /m,
    'what bpftrace prints: sums or lines of its own',
    RECORD,
  ],
  [
    /^ *Active \/ Total Objects \(% used\)/m,
    'what slabtop prints, which no command takes',
    'the text of /proc/slabinfo says the same and more, and slablab open shows that',
  ],
  [/^MemTotal:\s+\d+ kB/, 'the text of /proc/meminfo', RECORD],
  [/^Node \d+, zone\s/, 'the text of /proc/buddyinfo or /proc/zoneinfo', RECORD],
  [/^allocinfo - version/, 'the text of /proc/allocinfo: sums, without the events', RECORD],
  [/^unreferenced object 0x/m, 'what kmemleak prints', RECORD],
  [/^Page allocated via order \d/m, 'the text of page_owner', RECORD],
  [
    /^[0-9a-f]{8,16} [a-zA-Z?] \S+\s*$/m,
    'a table of symbols',
    'a trace is expected here, and the table behind --kallsyms',
  ],
];

/** Of a file that another tool wrote: what it is, and what to do. undefined for what is nothing that is known. */
export function lookAlike(
  bytes: Uint8Array,
): { readonly what: string; readonly instead: string } | undefined {
  const magic = MAGICS.find(([begin]) => beginsWith(bytes, begin));
  if (magic !== undefined) return { what: magic[1], instead: magic[2] };
  const text = fromUtf8(bytes, 0, Math.min(bytes.length, TEXT_LENGTH)).replace(/^\ufeff/, '');
  const found = TEXTS.find(([shape]) => shape.test(text));
  if (found !== undefined) return { what: found[1], instead: found[2] };
  if (isPerfetto(bytes)) return { what: 'a Perfetto trace (protobuf)', instead: PERFETTO };
  return undefined;
}

const PERFETTO =
  'print its ftrace events as text with traceconv systrace FILE OUT, if kmem events were recorded in it';

/** JSON of another tool than slablab. */
export function isForeignJson(text: string): boolean {
  return TEXTS[1]![0].test(text);
}

/** What perf report prints. */
export function isPerfReport(text: string): boolean {
  return TEXTS[2]![0].test(text);
}

const PACKETS = 3;

/** A message of packets: each is field 1, with its length, and begins with the tag of a field. */
function isPerfetto(bytes: Uint8Array): boolean {
  let at = 0;
  let packets = 0;
  for (; packets < PACKETS && at < bytes.length; packets++) {
    if (bytes[at++] !== 0x0a) return false;
    let length = 0;
    let shift = 0;
    while (at < bytes.length && bytes[at]! >= 0x80 && shift < 28) {
      length += (bytes[at++]! & 0x7f) << shift;
      shift += 7;
    }
    length += (bytes[at++]! & 0x7f) << shift;
    const wire = bytes[at]! & 7;
    if (length < 2 || bytes[at]! < 8 || wire === 3 || wire === 4 || wire > 5) return false;
    at += length;
  }
  return (
    packets > 0 &&
    (packets === PACKETS || at >= bytes.length) &&
    bytes.subarray(0, 64).some((byte) => byte < 9)
  );
}
