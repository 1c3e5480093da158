/**
 * Curves of replays over each other, as shapes in a box of CHART × CHART units: the page stretches it to whatever room there is.
 *
 * A point of a series stands for a stretch of rows (lab/replay/measure.ts), so a curve has a step a point, at the most that was held
 * there: no peak is lost. Zoomed in so far that a result's series is too coarse, workers give finer columns of the same shape.
 */
import type { LevelSeries, ReplayResult, Series } from '../../../lab/index.js';
import { placeOf, type Stretch } from '../time/scale.js';

/** Units across, and from bottom to top. */
export const CHART = 1000;

/** What is drawn: bytes that objects hold, pages of others, or one cache. */
export type Subject = 'all' | 'others' | { readonly cache: string };

export interface Curve {
  /** The first row of each point's stretch, ascending, and the bytes that it is drawn at. */
  readonly rows: ArrayLike<number>;
  readonly values: ArrayLike<number>;
}

/** The curve of a subject; undefined where the series has no such cache, for it keeps the largest only. */
export function curveOf(series: Series, subject: Subject): Curve | undefined {
  const { rows } = series;
  if (subject === 'all') return { rows, values: series.most };
  if (subject === 'others') return { rows, values: series.others };
  const cache = series.caches.find(({ name }) => name === subject.cache);
  return cache && { rows, values: cache.last };
}

/** What was asked for: the same in every replay that found memory. */
export function requestedOf({ series }: Pick<ReplayResult, 'series'>): Curve {
  return { rows: series.rows, values: series.requested };
}

/** The place of a subject among the series of finer levels; -1 where there is none. */
export function levelOf(series: readonly LevelSeries[], subject: Subject): number {
  if (subject === 'all') return series.findIndex(({ kind }) => kind === 'held');
  if (subject === 'others') return series.findIndex(({ kind }) => kind === 'others');
  return series.findIndex(({ kind, name }) => kind === 'cache' && name === subject.cache);
}

/** Caches of which one of some series has a curve, each once, in the order of the first that has it. */
export function cachesOf(all: readonly Series[]): string[] {
  return [...new Set(all.flatMap(({ caches }) => caches.map(({ name }) => name)))];
}

/** Points of a curve that lie within a stretch. */
export function pointsIn({ rows }: Curve, { from, to }: Stretch): number {
  return placeOf(rows, to) - placeOf(rows, from);
}

/** The value at a row, which of a point's stretch is the most; undefined without points. */
export function valueAt({ rows, values }: Curve, row: number): number | undefined {
  return values[Math.max(placeOf(rows, row), 0)];
}

/** The most that curves reach within a stretch. */
export function mostOf(curves: readonly Curve[], { from, to }: Stretch): number {
  let most = 0;
  for (const { rows, values } of curves) {
    const first = Math.max(placeOf(rows, from), 0);
    for (let i = first; i < rows.length && (i === first || rows[i]! < to); i++)
      most = Math.max(most, values[i]!);
  }
  return most;
}

/** Bytes at the lower and at the upper edge of a drawing. */
interface Edges {
  readonly bottom: number;
  readonly top: number;
}

/** The path of a curve within a stretch, from the left edge to the right. */
export function stepPath({ rows, values }: Curve, { from, to }: Stretch, { bottom, top }: Edges): string {
  if (rows.length === 0 || to <= from) return '';
  const x = (row: number) => rounded(((row - from) / (to - from)) * CHART);
  const y = (value: number) => rounded(CHART - ((value - bottom) / Math.max(top - bottom, 1)) * CHART);
  const first = Math.max(placeOf(rows, from), 0);
  let path = `M${Math.max(x(rows[first]!), 0)} ${y(values[first]!)}`;
  for (let i = first + 1; i < rows.length && rows[i]! < to; i++) path += `H${x(rows[i]!)}V${y(values[i]!)}`;
  return `${path}H${CHART}`;
}

const rounded = (n: number) => Math.round(n * 10) / 10;

/** What B holds more than A (less: negative), point by point of A. */
export function differenceOf(a: Curve, b: Curve): Curve {
  const { rows } = a;
  const values = Float64Array.from(
    { length: rows.length },
    (_, i) => (valueAt(b, rows[i]!) ?? 0) - a.values[i]!,
  );
  return { rows, values };
}

/** The least and the most of a curve within a stretch, with 0 between them. */
export function edgesOf({ rows, values }: Curve, { from, to }: Stretch): Edges {
  const first = Math.max(placeOf(rows, from), 0);
  let [bottom, top] = [0, 0];
  for (let i = first; i < rows.length && (i === first || rows[i]! < to); i++) {
    bottom = Math.min(bottom, values[i]!);
    top = Math.max(top, values[i]!);
  }
  return { bottom, top };
}
