/**
 * What of the time view can be reckoned without drawing: the stretch of rows that is shown, how it is zoomed and moved, and where a row
 * lies, by its number or by the clock.
 */
import type { RowRange } from '../../state/store.js';

/** A stretch of rows; not whole numbers while it is zoomed. */
export type Stretch = RowRange;

/** The fewest rows that fill a screen. */
export const LEAST_ROWS = 8;

/** Zooms about a row, by a factor below 1 nearer. Stays within the trace. */
export function zoomed({ from, to }: Stretch, rows: number, about: number, factor: number): Stretch {
  const span = Math.min(Math.max((to - from) * factor, Math.min(LEAST_ROWS, rows)), Math.max(rows, 1));
  const share = to > from ? (about - from) / (to - from) : 0.5;
  return within(about - share * span, span, rows);
}

/** Moves by a share of what is shown. */
export function moved({ from, to }: Stretch, rows: number, share: number): Stretch {
  const span = to - from;
  return within(from + share * span, span, rows);
}

/** Moves just as far as it takes to show a row. */
export function showing(stretch: Stretch, rows: number, row: number): Stretch {
  const { from, to } = stretch;
  if (row >= from && row <= to) return stretch;
  return within(row - (to - from) / 2, to - from, rows);
}

function within(from: number, span: number, rows: number): Stretch {
  const begin = Math.max(0, Math.min(from, rows - span));
  return { from: begin, to: Math.min(begin + span, Math.max(rows, span)) };
}

/** `12.5-900`; undefined for what is none. */
export function stretchOf(text: string | undefined): Stretch | undefined {
  const [, from, to] = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(text ?? '') ?? [];
  return Number(to) > Number(from) ? { from: Number(from), to: Number(to) } : undefined;
}

export function stretchText({ from, to }: Stretch): string {
  return `${Number(from.toFixed(2))}-${Number(to.toFixed(2))}`;
}

/** Rows and when they happened, both ascending: between two of them time passes evenly. */
export interface Clock {
  readonly rows: ArrayLike<number>;
  readonly times: ArrayLike<number>;
}

/** The last place whose value is no more than this; -1 if all are more. */
export function placeOf(values: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function between(from: ArrayLike<number>, to: ArrayLike<number>, value: number): number {
  if (from.length === 0) return value;
  const at = Math.min(Math.max(placeOf(from, value), 0), from.length - 1);
  const next = Math.min(at + 1, from.length - 1);
  const span = from[next]! - from[at]!;
  const share = span > 0 ? Math.min(Math.max((value - from[at]!) / span, 0), 1) : 0;
  return to[at]! + share * (to[next]! - to[at]!);
}

export function timeOfRow({ rows, times }: Clock, row: number): number {
  return between(rows, times, row);
}

export function rowOfTime({ rows, times }: Clock, time: number): number {
  return between(times, rows, time);
}

/** Where a row lies, in CSS pixels, and which one lies somewhere. */
export interface Scale {
  x(row: number): number;
  row(x: number): number;
}

export function rowScale({ from, to }: Stretch, width: number): Scale {
  const perRow = width / Math.max(to - from, 1e-9);
  return { x: (row) => (row - from) * perRow, row: (x) => from + x / perRow };
}

/** By the clock: events that come all at once lie close together. */
export function clockScale({ from, to }: Stretch, width: number, clock: Clock): Scale {
  const begin = timeOfRow(clock, from);
  const perNs = width / Math.max(timeOfRow(clock, to) - begin, 1);
  return {
    x: (row) => (timeOfRow(clock, row) - begin) * perNs,
    row: (x) => Math.min(Math.max(rowOfTime(clock, begin + x / perNs), from), to),
  };
}

/** Values for a scale from `from` to `to`, about `count` of them: 1, 2 or 5 times a power of ten apart. */
export function ticks(from: number, to: number, count: number): number[] {
  const rough = Math.max(to - from, Number.MIN_VALUE) / Math.max(count, 1);
  return multiples(from, to, niceStep(rough, 10));
}

/** The same for bytes: powers of two apart. */
export function byteTicks(to: number, count: number): number[] {
  return multiples(0, to, 2 ** Math.round(Math.log2(Math.max(to / Math.max(count, 1), 1))));
}

function niceStep(rough: number, base: number): number {
  const power = base ** Math.floor(Math.log(rough) / Math.log(base));
  const digit = rough / power;
  return (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10) * power;
}

function multiples(from: number, to: number, step: number): number[] {
  const found: number[] = [];
  for (let n = Math.ceil(from / step); n * step <= to && found.length < 100; n++) found.push(n * step);
  return found;
}
