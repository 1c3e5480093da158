/** Listens to a run and keeps what its curves were in each bucket (levels.ts). */
import { Z_FREE, Z_MANAGED, ZONE_WORDS } from '../../machine/index.js';
import {
  type BuiltMachine,
  LEAST_REQUESTED,
  type LevelsRecorder,
  MOST_REQUESTED,
  OTHER_PAGES,
  REQUESTED,
} from '../replay/index.js';
import type { LevelCurve, LevelRecording, LevelSeries } from './levels.js';

interface LevelRecorder extends LevelsRecorder {
  /** What it heard so far; it hears no more. */
  finish(): LevelRecording;
}

/** The sums that have a value in each bucket; zones come behind them. */
const HELD = 0;
const ASKED = 1;
const OTHERS = 2;
const SUMS: readonly LevelSeries['kind'][] = ['held', 'requested', 'others'];

/** Slabs of a cache, in those buckets in which they changed. */
interface Track {
  readonly buckets: number[];
  readonly least: number[];
  readonly most: number[];
  readonly last: number[];
}

/** Listens from the row `from` on, for `rows` of them. */
export function recordLevels(
  { machine, caches }: BuiltMachine,
  from: number,
  rows: number,
  bucket: number,
): LevelRecorder {
  const { pageSize } = machine.kernel;
  const { zone } = machine.ledger;
  const zoneNames = machine.memory.zoneNames;
  const dense = SUMS.length + zoneNames.length;
  const count = Math.ceil(rows / bucket);
  const times = new Float64Array(count);
  const curves = Array.from({ length: dense }, () => curveOf(count));
  /** Of the bucket that is going on: each sum and zone, in bytes of requests and else in pages. */
  const least = new Float64Array(dense);
  const most = new Float64Array(dense);
  const now = new Float64Array(dense);
  const tracks = new Map<number, Track>();
  let sums = new Float64Array(4);
  let slabsOf = new Int32Array(0);
  let slabsAtFirst = slabsOf;
  let at = -1;

  function pagesChanged(): void {
    let taken = 0;
    for (let z = 0, series = SUMS.length; series < dense; z += ZONE_WORDS, series++) {
      const pages = zone[z + Z_MANAGED]! - zone[z + Z_FREE]!;
      taken += pages;
      note(series, pages);
    }
    note(OTHERS, sums[OTHER_PAGES]!);
    note(HELD, taken - sums[OTHER_PAGES]!);
  }

  function note(series: number, value: number): void {
    now[series] = value;
    if (value < least[series]!) least[series] = value;
    if (value > most[series]!) most[series] = value;
  }

  function close(): void {
    if (at < 0) return;
    pagesChanged();
    note(ASKED, sums[LEAST_REQUESTED]!);
    note(ASKED, sums[MOST_REQUESTED]!);
    note(ASKED, sums[REQUESTED]!);
    for (let series = 0; series < dense; series++) {
      const unit = series === ASKED ? 1 : pageSize;
      curves[series]!.least[at] = least[series]! * unit;
      curves[series]!.most[at] = most[series]! * unit;
      curves[series]!.last[at] = now[series]! * unit;
    }
  }

  const recorder = {
    end: from,
    attach(measured: Float64Array<ArrayBuffer>, slabs: Int32Array<ArrayBuffer>) {
      sums = measured;
      slabsOf = slabs;
    },
    begin(row: number, time: number) {
      close();
      if (at < 0) slabsAtFirst = slabsOf.slice();
      at = Math.floor((row - from) / bucket);
      recorder.end = from + (at + 1) * bucket;
      times[at] = time;
      least.fill(Number.POSITIVE_INFINITY);
      most.fill(0);
      sums[LEAST_REQUESTED] = sums[REQUESTED]!;
      sums[MOST_REQUESTED] = sums[REQUESTED]!;
      pagesChanged();
    },
    slabsChanged(cache: number, slabs: number) {
      if (at < 0) return;
      let track = tracks.get(cache);
      if (track === undefined) {
        track = { buckets: [], least: [], most: [], last: [] };
        tracks.set(cache, track);
      }
      noteSlabs(track, at, track.last.at(-1) ?? slabsAtFirst[cache]!, slabs);
    },
    pagesChanged() {
      if (at >= 0) pagesChanged();
    },
    finish() {
      close();
      const sumSeries = curves.map((curve, series): LevelSource => {
        const kind = SUMS[series] ?? 'zone';
        const name = kind === 'zone' ? zoneNames[series - SUMS.length]! : '';
        return { kind, name, peak: mostOf(curve.most), curve };
      });
      const cacheSeries = caches.map(({ cache, spec }): LevelSource => {
        const unit = pageSize * 2 ** cache.info.oo.order;
        const begin = slabsAtFirst[cache.id] ?? 0;
        const track = tracks.get(cache.id) ?? { buckets: [], least: [], most: [], last: [] };
        const peak = unit * Math.max(begin, mostOf(track.most));
        return { kind: 'cache', name: spec.names[0]!, peak, track, begin, unit };
      });
      const largest = cacheSeries.filter(({ peak }) => peak > 0).sort((a, b) => b.peak - a.peak);
      return recordingOf([...sumSeries, ...largest], { from, bucket, times });
    },
  };
  return recorder;
}

function noteSlabs(
  { buckets, least, most, last }: Track,
  bucket: number,
  before: number,
  slabs: number,
): void {
  const end = buckets.length - 1;
  if (buckets[end] === bucket) {
    if (slabs < least[end]!) least[end] = slabs;
    if (slabs > most[end]!) most[end] = slabs;
    last[end] = slabs;
    return;
  }
  buckets.push(bucket);
  least.push(Math.min(before, slabs));
  most.push(Math.max(before, slabs));
  last.push(slabs);
}

function mostOf(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) if (values[i]! > most) most = values[i]!;
  return most;
}

function curveOf(columns: number): LevelCurve {
  return {
    least: new Float64Array(columns),
    most: new Float64Array(columns),
    last: new Float64Array(columns),
  };
}

// ---- what was heard ------------------------------------------------------------------------------------------------------

/** A series with a value in each bucket, or with a track. */
interface LevelSource extends LevelSeries {
  readonly curve?: LevelCurve;
  readonly track?: Track;
  /** Of a track: slabs in front of the first bucket, and bytes of one. */
  readonly begin?: number;
  readonly unit?: number;
}

interface Stretch {
  readonly from: number;
  readonly bucket: number;
  readonly times: Float64Array;
}

function recordingOf(sources: readonly LevelSource[], { from, bucket, times }: Stretch): LevelRecording {
  return {
    bucket,
    buckets: times.length,
    series: sources.map(({ kind, name, peak }) => ({ kind, name, peak })),
    columns(series, first, perColumn, count) {
      return {
        from: from + first * bucket,
        step: perColumn * bucket,
        columns: count,
        times: Float64Array.from({ length: count }, (_, column) => times[first + column * perColumn]!),
        series: series.map((at) => {
          const { curve, track, begin = 0, unit = 0 } = sources[at] ?? {};
          const into = curveOf(count);
          if (curve !== undefined) joinBuckets(curve, into, first, perColumn);
          else if (track !== undefined) joinTrack(track, into, first, perColumn, begin, unit);
          return into;
        }),
      };
    },
  };
}

function joinBuckets(curve: LevelCurve, into: LevelCurve, first: number, perColumn: number): void {
  const buckets = curve.last.length;
  for (let column = 0, at = first; column < into.last.length; column++) {
    const end = Math.min(at + perColumn, buckets);
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (; at < end; at++) {
      if (curve.least[at]! < least) least = curve.least[at]!;
      if (curve.most[at]! > most) most = curve.most[at]!;
    }
    into.least[column] = least;
    into.most[column] = most;
    into.last[column] = curve.last[end - 1]!;
  }
}

/** Where a track says nothing it stays as it was. */
function joinTrack(
  { buckets, least, most, last }: Track,
  into: LevelCurve,
  first: number,
  perColumn: number,
  begin: number,
  unit: number,
): void {
  let at = firstFrom(buckets, first);
  let slabs = at === 0 ? begin : last[at - 1]!;
  for (let column = 0; column < into.last.length; column++) {
    const end = first + (column + 1) * perColumn;
    let low = slabs;
    let high = slabs;
    for (; at < buckets.length && buckets[at]! < end; at++) {
      if (least[at]! < low) low = least[at]!;
      if (most[at]! > high) high = most[at]!;
      slabs = last[at]!;
    }
    into.least[column] = low * unit;
    into.most[column] = high * unit;
    into.last[column] = slabs * unit;
  }
}

/** The place of the first number that is this one or more. */
function firstFrom(sorted: readonly number[], value: number): number {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (sorted[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return from;
}
