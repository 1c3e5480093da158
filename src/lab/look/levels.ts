/**
 * # Curves of a replay, for any zoom
 *
 *     bucket   0         1         2         3                a few ten thousand for the whole trace
 *     rows     |─────────|─────────|─────────|──
 *     bytes      ╱╲__╱     ────      ╲╱╲       ╱              least, most, and last of each: no peak is lost
 *
 *     draw     |───────────────────|─────────────             columns of as many buckets as it takes: nothing is replayed
 *     exact      |─|─|─|─|                                    columns down to a single row: that stretch is replayed
 *
 * A curve is told at each change, not at each row: what is held follows from the zones' counters, a cache's bytes from its slabs. Zones and
 * sums have a value in each bucket; a cache has one in those buckets only in which its slabs changed, so that hundreds of caches cost no
 * more than what happens to them.
 */
/** A curve that levels have. */
export interface LevelSeries {
  readonly kind: 'held' | 'requested' | 'others' | 'zone' | 'cache';
  /** Of a zone or a cache; else ''. */
  readonly name: string;
  /** The most bytes that it ever was. */
  readonly peak: number;
}

/** Least, most, and last of each column, in bytes. */
export interface LevelCurve {
  readonly least: Float64Array;
  readonly most: Float64Array;
  readonly last: Float64Array;
}

/** Some curves over a stretch of rows, in columns of equally many rows. */
export interface LevelColumns {
  /** The row of the first column, and how many rows a column has; the last one may have fewer. */
  readonly from: number;
  readonly step: number;
  readonly columns: number;
  /** Nanoseconds of the trace's clock at the beginning of each column. */
  readonly times: Float64Array;
  /** For each series that was asked for, in that order. */
  readonly series: readonly LevelCurve[];
}

/** Curves of a whole trace, in columns of the least and the most. */
export interface Levels {
  readonly rows: number;
  /** Rows of the finest columns that `draw` has. */
  readonly bucket: number;
  /** Held, requested, others, then zones, then caches, those that held most first. */
  readonly series: readonly LevelSeries[];
  /**
   * The finest columns that are no more than `columns` for the rows from `from` to in front of `to`. They begin at multiples of `step`, so
   * that they may reach a little further, and those of another stretch with the same step fit onto them.
   */
  draw(series: readonly number[], from: number, to: number, columns: number): LevelColumns;
  /**
   * The same by replaying the stretch, with columns as small as a row, which begin at `from`. Moves the machine: the last Moment is no good
   * afterwards.
   */
  exact(series: readonly number[], from: number, to: number, columns: number): LevelColumns;
}

/** A stretch of a run, in buckets. */
export interface LevelRecording {
  /** Rows of a bucket, and how many there are. */
  readonly bucket: number;
  readonly buckets: number;
  readonly series: readonly LevelSeries[];
  /** So many columns of `perColumn` buckets, from a bucket on. What is no series is 0 throughout. */
  columns(series: readonly number[], first: number, perColumn: number, count: number): LevelColumns;
}

/** Buckets of a whole trace, at most. */
export const LEVEL_BUCKETS_MAX = 32768;

interface LevelsOptions {
  readonly rows: number;
  /** Of the whole trace. */
  readonly recording: LevelRecording;
  /** Records a stretch anew, in buckets of so many rows. */
  readonly record: (from: number, to: number, bucket: number) => LevelRecording;
}

/** Rows of a bucket in a trace of so many. */
export function levelBucket(rows: number): number {
  return Math.max(Math.ceil(rows / LEVEL_BUCKETS_MAX), 1);
}

export function createLevels({ rows, recording, record }: LevelsOptions): Levels {
  const { bucket } = recording;
  /** A stretch within the trace, and a number of columns that makes sense. */
  const within = (from: number, to: number, columns: number) => {
    const first = Math.min(Math.max(Math.floor(from), 0), rows);
    const last = Math.min(Math.max(Math.ceil(to), first), rows);
    return { first, last, most: Math.max(Math.floor(columns), 1) };
  };
  return {
    rows,
    bucket,
    series: recording.series,
    draw(series, from, to, columns) {
      const { first, last, most } = within(from, to, columns);
      const buckets = Math.ceil((last - first) / bucket);
      let perColumn = Math.max(Math.ceil(buckets / most), 1);
      const columnsOf = () =>
        Math.ceil(last / (perColumn * bucket)) - Math.floor(first / (perColumn * bucket));
      while (perColumn < recording.buckets && columnsOf() > most) perColumn++;
      const begin = Math.floor(first / (perColumn * bucket));
      return recording.columns(series, begin * perColumn, perColumn, columnsOf());
    },
    exact(series, from, to, columns) {
      const { first, last, most } = within(from, to, columns);
      const step = Math.max(Math.ceil((last - first) / most), 1);
      const stretch = record(first, last, step);
      // Its series are in an order of their own: what held most there.
      const place = (at: number) => {
        const { kind, name } = recording.series[at]!;
        return stretch.series.findIndex((other) => other.kind === kind && other.name === name);
      };
      return stretch.columns(series.map(place), 0, 1, stretch.buckets);
    },
  };
}
