/** What the time view and the strip below all views ask the worker. */
import { largestOf, smallestOf } from '../../base/index.js';
import type { EventAt, LevelColumns, LevelSeries, Levels } from '../../lab/index.js';
import type { Call, Handlers } from './call.js';
import type { Session } from './session.js';

export interface TimeCalls {
  /** The curves that there are. */
  levels: Call<
    { readonly set: string },
    { readonly series: readonly LevelSeries[]; readonly bucket: number }
  >;
  /** Curves for some rows, in at most so many columns; with `exact` down to single rows. */
  columns: Call<
    {
      readonly set: string;
      readonly series: readonly number[];
      readonly from: number;
      readonly to: number;
      readonly columns: number;
      readonly exact: boolean;
    },
    LevelColumns
  >;
  /** Bytes of some series in front of a row, exactly. */
  levelsAt: Call<{ readonly series: readonly number[]; readonly row: number }, readonly number[]>;
  /** Bytes of pages that hold objects in front of a row, exactly. */
  heldAt: Call<{ readonly row: number }, number>;
  /** What pages with objects held over some rows, to the byte. */
  span: Call<{ readonly from: number; readonly to: number }, SpanFacts>;
  /** The event of a row, or null at the end. */
  event: Call<{ readonly row: number }, EventAt | null>;
  /** The nearest event of a cache behind or in front of a row; null where there is none. */
  seek: Call<{ readonly row: number; readonly step: -1 | 1; readonly cache: string }, number | null>;
}

/** Bytes of pages that hold objects. */
interface SpanFacts {
  /** In front of the first row and behind the last one. */
  readonly begin: number;
  readonly end: number;
  /** Behind any row of them. */
  readonly least: number;
  readonly most: number;
}

export function timeHandlers(session: Session): Handlers<TimeCalls> {
  return {
    levels({ set }, context) {
      const { series, bucket } = session.look(set, context).levels;
      return { series, bucket };
    },
    columns({ set, series, from, to, columns, exact }, context) {
      const { levels } = session.look(set, context);
      return exact ? levels.exact(series, from, to, columns) : levels.draw(series, from, to, columns);
    },
    levelsAt({ series, row }, context) {
      const { levels } = session.look('', context);
      return levelsAt(levels, series, row);
    },
    heldAt({ row }, context) {
      const { levels } = session.look('', context);
      return levelsAt(levels, heldOf(levels), row)[0] ?? 0;
    },
    span({ from, to }, context) {
      return spanOf(session.look('', context).levels, from, to);
    },
    event({ row }, context) {
      return session.look('', context).at(row).event() ?? null;
    },
    seek({ row, step, cache }, context) {
      // In front of the cursor lies the event before it, behind it the cursor's own.
      const from = step === 1 ? row + 1 : row;
      return session.look('', context).seek(from, step, { cache }) ?? null;
    },
  };
}

/** In front of a row is behind the one before; in front of the first is what its one change came from. */
function levelsAt(levels: Levels, series: readonly number[], row: number): number[] {
  const { series: curves } = levels.exact(series, Math.max(row - 1, 0), Math.max(row, 1), 1);
  return curves.map((curve) => {
    const [least = 0, most = 0, last = 0] = [curve.least[0], curve.most[0], curve.last[0]];
    return row > 0 ? last : last === most ? least : most;
  });
}

function heldOf({ series }: Levels): number[] {
  return [series.findIndex(({ kind }) => kind === 'held')];
}

/** Whole buckets as they were noted, the rest by replaying it. */
function spanOf(levels: Levels, from: number, to: number): SpanFacts {
  const { bucket } = levels;
  const held = heldOf(levels);
  const first = Math.min(Math.ceil(from / bucket) * bucket, to);
  const last = Math.max(Math.floor(to / bucket) * bucket, first);
  const before = from === 0 ? undefined : levels.exact(held, from - 1, from, 1).series[0];
  const parts = [
    first > from ? levels.exact(held, from, first, 1) : undefined,
    last > first ? levels.draw(held, first, last, (last - first) / bucket) : undefined,
    to > last ? levels.exact(held, last, to, 1) : undefined,
  ].flatMap((part) => part?.series ?? []);
  const all = (of: 'least' | 'most' | 'last') => parts.flatMap((part) => [...part[of]]);
  return {
    begin: before?.last.at(-1) ?? parts[0]?.least[0] ?? 0,
    end: all('last').at(-1) ?? 0,
    least: smallestOf(all('least')),
    most: largestOf(all('most')),
  };
}
