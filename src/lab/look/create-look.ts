/** Opens a replay to be looked at (look.ts). */
import { ArgumentError, assert } from '../../base/index.js';
import { OP, OP_MASK } from '../../trace/index.js';
import { type Recorded, type ReplayOptions, type StartedReplay, startReplay } from '../replay/index.js';
import type { WhatIf } from '../what-if/index.js';
import { type Checkpoints, createCheckpoints } from './checkpoints.js';
import { recordLevels } from './level-recorder.js';
import { createLevels, levelBucket } from './levels.js';
import type { Look, Wanted } from './look.js';
import { momentOf } from './moment.js';

/** How a look may be made. */
export interface LookOptions extends Pick<ReplayOptions, 'onProgress'> {
  /** Bytes of copies of the machine, at most: the fewer, the longer it takes to get to another row. */
  readonly copyBytes?: number;
}

/** Rows between two copies of the first run, at least; more where a copy is dear. */
const COPY_ROWS_MIN = 65536;
/** A copy waits for a row for each so many bytes that it goes through: then copies and curves are a fifth to a third of the time. */
const COPY_BYTES_PER_ROW = 50;
/** Rows in front of one that was asked for from afar, where a copy makes the steps around it quick. */
const NEAR_ROWS = 1024;

/** Replays a trace under a what-if, to be looked at at any row. Throws what `replay` throws. */
export function createLook(recorded: Recorded, whatIf: WhatIf, options: LookOptions = {}): Look {
  const { trace } = recorded;
  const { rows } = trace;
  const start = () => startReplay(recorded, whatIf);
  let started = startReplay(recorded, whatIf, options);
  const recorder = recordLevels(started.built, 0, rows, levelBucket(rows));
  started.run.record(recorder);
  const copies = runOnce(started, rows, options.copyBytes);
  started.run.record(undefined);
  const result = started.finish();
  /** Counts the moves of the machine: a moment is of one of them. */
  let moves = 0;

  /** Gets the machine in front of a row. */
  function move(row: number): void {
    moves++;
    const { run } = started;
    if (copies === undefined) {
      if (row < run.row) started = start();
      started.run.advance(row);
      return;
    }
    const copy = copies.before(row);
    assert(copy !== undefined, 'there is a copy of the beginning');
    if (row < run.row || copy > run.row) copies.back(copy);
    if (row - run.row > 2 * NEAR_ROWS) {
      run.advance(row - NEAR_ROWS);
      copies.take();
    }
    run.advance(row);
  }

  function record(from: number, to: number, bucket: number) {
    move(from);
    const listening = recordLevels(started.built, from, to - from, bucket);
    started.run.record(listening);
    started.run.advance(to);
    started.run.record(undefined);
    return listening.finish();
  }

  return {
    recorded,
    whatIf,
    result,
    rows,
    levels: createLevels({ rows, recording: recorder.finish(), record }),
    at(row) {
      if (!Number.isInteger(row) || row < 0 || row > rows)
        throw new ArgumentError(`a row of this trace is a whole number from 0 to ${rows}, not ${row}`);
      move(row);
      const mine = moves;
      return momentOf({
        recorded,
        started,
        row,
        isNow: () => moves === mine,
        /** The next row happens, is looked at, and is taken back. */
        beyond(look) {
          if (copies === undefined) {
            const other = start();
            other.run.advance(row + 1);
            return look({ built: other.built, state: other.run.state });
          }
          const { built, run } = started;
          run.advance(row + 1);
          const seen = look({ built, state: run.state });
          move(row);
          moves = mine;
          return seen;
        },
      });
    },
    seek: (row, step, wanted) => seek(started, recorded, row, step, wanted),
  };
}

/**
 * Runs to the end, with copies on the way as far as they cost little. With a strategy there are none: its books are its own, and who goes
 * back begins anew.
 */
function runOnce({ built, run }: StartedReplay, rows: number, copyBytes?: number): Checkpoints | undefined {
  if (built.strategies.length > 0) {
    run.advance(rows);
    return undefined;
  }
  const copies = createCheckpoints(built.machine.ledger, run, copyBytes);
  while (run.row < rows) {
    run.advance(run.row + Math.max(COPY_ROWS_MIN, Math.ceil(copies.usedBytes / COPY_BYTES_PER_ROW)));
    copies.take();
  }
  return copies;
}

/** Rows that are gone through for a step back, at first; then twice as many each time. */
const SEEK_ROWS = 65536;

function seek(
  { built }: StartedReplay,
  { trace }: Recorded,
  row: number,
  step: -1 | 1,
  { cache }: Wanted = {},
): number | undefined {
  const isWanted = built.routes.map(
    (route) =>
      cache === undefined ||
      (route.to === 'cache' && (route.cache.spec.name === cache || route.cache.spec.names.includes(cache))),
  );
  /** The first or the last such row of a stretch. */
  const within = (from: number, to: number): number | undefined => {
    let found: number | undefined;
    for (const { first, rows, op, class: classes } of trace.chunks(
      ['op', 'class'],
      (start, count) => start < to && start + count > from,
    )) {
      const end = Math.min(to - first, rows);
      for (let at = Math.max(from - first, 0); at < end; at++) {
        const kind = op[at]! & OP_MASK;
        if (kind === OP.NONE || (cache !== undefined && kind !== OP.ALLOC && kind !== OP.FREE)) continue;
        if (!isWanted[classes[at]!]) continue;
        if (step === 1) return first + at;
        found = first + at;
      }
    }
    return found;
  };
  if (step === 1) return within(row + 1, trace.rows);
  for (let to = row, rows = SEEK_ROWS; to > 0; rows *= 2) {
    const from = Math.max(to - rows, 0);
    const found = within(from, to);
    if (found !== undefined) return found;
    to = from;
  }
  return undefined;
}
