/**
 * # A sweep: one trace under a matrix of what-ifs, on all cores
 *
 *     trace ─▸ .slt on disk ─┬─▸ Worker: opens it, prepares, replays cell 0, 3, 7, … ─╮
 *                            ├─▸ Worker: …                                            ├─▸ a row a cell ─▸ CSV or Parquet
 *                            ╰─▸ Worker: …                                           ─╯
 *
 * Rows of a trace do not travel between threads: each Worker reads the columns that it needs from the same open file. A cell whose settings
 * make no machine (slabs that cannot hold the objects, say) is a row with the reason in `error`. A name that nothing is called is a
 * mistake in all cells alike, and ends the sweep.
 *
 * A cell is found again by its settings and by a digest of all that it is computed from (sweep-digest.ts), so a sweep that was stopped
 * goes on where it was, and never takes the row of another recording that happens to lie under the same name.
 */
import { availableParallelism } from 'node:os';
import { ArgumentError, EngineError, InputError, largestOf } from '../base/index.js';
import { type PlanOptions, readSnapshots } from '../lab/index.js';
import type { Row, RowFile } from './row-files.js';
import type { FileBytes } from './spool.js';
import type { SweepAxis, SweepCell } from './sweep-axes.js';
import {
  placeOfRow,
  type SweepAnswer,
  type SweepSubject,
  type SweepWorkerData,
  sweepRow,
} from './sweep-cell.js';
import { runPool } from './worker-pool.js';

/** What is swept over what, on how many cores, and where the rows go. */
export interface SweepOptions {
  readonly axes: readonly SweepAxis[];
  readonly cells: readonly SweepCell[];
  readonly subject: SweepSubject;
  /** The .slt that all read. */
  readonly spool: FileBytes;
  readonly snapshots?: SweepWorkerData['snapshots'];
  readonly plan?: PlanOptions;
  /** Workers at a time: as many as there are cores unless told, or as fit into memory. */
  readonly jobs?: number;
  /** Where rows are kept; those that are there are not computed again. */
  readonly rows?: RowFile;
  /** Called for each cell that was computed. */
  readonly onRow?: (row: Row, done: number, of: number) => void;
}

/** Computes the cells that are missing, and returns the rows of all in their order. */
export async function runSweep(options: SweepOptions): Promise<Row[]> {
  const { axes, cells, subject, spool, snapshots, plan = {}, rows, onRow } = options;
  const found = new Map((rows?.rows ?? []).map((row) => [keyOf(axes, row), row]));
  const keys = cells.map((cell) => keyOf(axes, sweepRow(axes, cell, subject, { refused: '' })));
  const missing = cells.filter((_, i) => !found.has(keys[i]!));
  const data: SweepWorkerData = { fd: spool.fd, size: spool.size, file: subject.trace, snapshots, plan };
  let done = 0;
  await runPool<SweepCell, SweepAnswer>({
    worker: new URL('./sweep-worker.js', import.meta.url),
    workerData: data,
    workers: options.jobs ?? usualJobs(snapshots),
    jobs: missing,
    onResult(cell, answer) {
      if ('code' in answer) throw errorOf(subject.trace, answer);
      const row = sweepRow(axes, cell, subject, answer);
      found.set(keyOf(axes, row), row);
      rows?.add(row);
      done++;
      onRow?.(row, done, missing.length);
    },
  });
  const inOrder = keys.map((key) => found.get(key)!);
  // Rows of a larger matrix stay.
  await rows?.finish(inOrder);
  return inOrder;
}

/** Bytes that all machines of a sweep together may have for objects of before the trace, and what an object takes of them. */
const MACHINES_BYTES = 3 * 2 ** 30;
const OBJECT_BYTES = 32;

/** A cell a core, unless the machines are so large that fewer of them fit into memory side by side. */
export function usualJobs(
  snapshots: SweepWorkerData['snapshots'],
  cores: number = availableParallelism(),
): number {
  if (snapshots === undefined) return cores;
  const { all } = readSnapshots(snapshots.text, snapshots.file);
  const objects = largestOf(
    all.map(({ slabinfo }) => slabinfo.reduce((sum, { numObjs }) => sum + numObjs, 0)),
  );
  return Math.max(1, Math.min(cores, Math.floor(MACHINES_BYTES / (objects * OBJECT_BYTES))));
}

function keyOf(axes: readonly SweepAxis[], row: Row): string {
  return JSON.stringify([placeOfRow(axes, row), row.inputDigest]);
}

function errorOf(file: string, { code, message, stack }: Extract<SweepAnswer, { code: string }>): Error {
  switch (code) {
    case 'unknown-name':
      return new ArgumentError(message);
    case 'input':
      return new InputError(file, 0, message.replace(`${file}: `, ''));
    default:
      return new EngineError(`a cell could not be replayed: ${stack ?? message}`);
  }
}
