/**
 * What a row of a sweep was computed from, as a digest: the trace's events, the snapshots and what was said of the machine, and slablab's
 * version. Names of files are no part of it, nor is a trace's format: a .slt and the text that it was made from are the same trace.
 */
import { createHash } from 'node:crypto';
import type { PlanOptions } from '../lab/index.js';
import { type SavedTrace, TRACE_COLUMNS } from '../trace/index.js';

/** Of all 64: two inputs of the same one do not happen. */
const DIGITS = 32;

/** All that a replay is made from. */
export interface DigestedInput {
  readonly trace: SavedTrace;
  /** Their text. */
  readonly snapshots: string | undefined;
  readonly plan: PlanOptions;
  /** Of slablab. */
  readonly version: string;
}

/** Hexadecimal digits. */
export function sweepDigest({ trace, snapshots, plan, version }: DigestedInput): string {
  const hash = createHash('sha256');
  for (const chunk of trace.chunks())
    for (const name of TRACE_COLUMNS) {
      const { buffer, byteOffset, BYTES_PER_ELEMENT } = chunk[name];
      hash.update(new Uint8Array(buffer, byteOffset, chunk.rows * BYTES_PER_ELEMENT));
    }
  const { rows, slots, cpus, strings, classes, marks, report, source } = trace;
  const { others, ...read } = source.read;
  for (let id = 0; id < strings.count; id++) hash.update(strings.bytes(id)).update('\0');
  hash.update(JSON.stringify({ rows, slots, cpus, classes, marks, report, read, others: [...others] }));
  hash.update(JSON.stringify({ snapshots: snapshots ?? null, plan, version }));
  return hash.digest('hex').slice(0, DIGITS);
}
