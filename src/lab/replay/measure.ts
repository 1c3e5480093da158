/**
 * What a replay measures on its way: bytes over time in a bounded number of points, and the most that each cache held.
 *
 * A point stands for a stretch of rows: the least and the most that was held in it and what was held at its end, so that no peak is lost
 * however long the trace. All follow from the zones' own counters: what is handed out, less the pages that are nobody's objects.
 *
 * The peak is an event: of those at which most is held, the one with most asked for, and of those the first. What is held changes only
 * where somebody says so (`look`), what is asked for with each allocation; so while the peak is held PEAK_REQUESTED has the most that was
 * asked for at it, and an allocation that comes to more writes its sum and its row there. While less is held it is infinite, and no
 * allocation does.
 */
import { largestOf } from '../../base/index.js';
import { Z_FREE, Z_MANAGED, ZONE_WORDS } from '../../machine/index.js';
import type { BuiltMachine } from './build.js';
import type { Stock } from './history.js';

/** The most points of a series. */
export const POINTS_MAX = 1000;

/** Columns of equal length: a value a point. */
export interface Series {
  /** The first row of each point's stretch, and its time in nanoseconds of the trace's clock. */
  readonly rows: readonly number[];
  readonly times: readonly number[];
  /** Bytes of pages that hold objects: least, most, at the end of the stretch. */
  readonly least: readonly number[];
  readonly most: readonly number[];
  readonly last: readonly number[];
  /** Bytes that were asked for and are live, and bytes of pages that hold no objects, at the end. */
  readonly requested: readonly number[];
  readonly others: readonly number[];
  /** Bytes of the caches that held most, by name, at the end. */
  readonly caches: readonly { readonly name: string; readonly last: readonly number[] }[];
}

/** Of `sums`: bytes asked for that are live. Of an object of before the trace, whose caller is not known, as many as its cache has. */
export const REQUESTED = 0;
/** Pages taken that hold no objects. */
export const OTHER_PAGES = 1;
/** The least that REQUESTED was since a recorder last looked. */
export const LEAST_REQUESTED = 2;
/** The most that it was since then. */
export const MOST_REQUESTED = 3;

/** The most that was asked for while the peak was held, if it is held now, else infinite; and the row of that. */
export const PEAK_REQUESTED = 4;
export const PEAK_ROW = 5;

/** An observer that draws curves finer than the series (look/levels.ts): it is told when something changes, and looks for itself. */
export interface LevelsRecorder {
  /** The row behind the column that is going on. */
  readonly end: number;
  /** A run begins to tell; `sums` and `slabsOf` are the measure's own. */
  attach(sums: Float64Array, slabsOf: Int32Array): void;
  /** In front of the row `end`, or of the first one. */
  begin(row: number, time: number): void;
  slabsChanged(cache: number, slabs: number): void;
  /** Pages came or went. */
  pagesChanged(): void;
}

/** What a measure must have to go on; what it found is not among that. */
export interface MeasureSave {
  readonly sums: Float64Array;
  readonly slabsOf: Int32Array;
}

/** What a run is measured by, while it goes on. */
export interface Measure {
  /** Slabs of a cache by its id, as they were when they were looked at last, and the most they were. */
  readonly slabsOf: Int32Array;
  readonly peakSlabs: Int32Array;
  /** REQUESTED, OTHER_PAGES and what follows, where adding to them costs least. */
  readonly sums: Float64Array;
  /** The row in front of which `begin` has something to do next. */
  readonly pieceEnd: number;
  /** Its time is to be looked up in the trace. */
  readonly peak: Omit<Peak, 'time'>;
  readonly series: Series;
  begin(row: number, time: number): void;
  slabsChanged(cache: number, slabs: number, row: number): void;
  /** Pages that hold objects may have come or gone, by the event of this row; only where they came must it be the right one. */
  objectPagesChanged(row: number): void;
  /** So many pages of nobody's objects came. */
  otherPagesChanged(pages: number): void;
  /** Closes the series and the peak: they stay as they are, whatever follows. */
  end(): void;
  /** A further observer, told of all this too. */
  record(recorder: LevelsRecorder | undefined): void;
  save(): MeasureSave;
  restore(save: MeasureSave): void;
}

/** When the machine held most: behind the event at which, of all those, most was asked for. */
export interface Peak {
  /** Bytes of pages that held objects. */
  readonly bytes: number;
  /** The event's row and its own time in nanoseconds of the trace's clock. */
  readonly row: number;
  readonly time: number;
  /** Bytes asked for behind it. */
  readonly requested: number;
}

/** Caches in the series: those that held most at the end or ever. */
const SERIES_CACHES = 12;

/** `stock` is what was there before: objects, and pages of nobody's objects. */
export function createMeasure(built: BuiltMachine, rows: number, { objects, otherPages }: Stock): Measure {
  const { machine, caches } = built;
  const { pageSize } = machine.kernel;
  const { zone } = machine.ledger;
  const zones = machine.memory.zoneNames.length * ZONE_WORDS;
  const stretch = Math.max(Math.ceil(rows / POINTS_MAX), 1);
  const columns = {
    rows: [] as number[],
    times: [] as number[],
    least: [] as number[],
    most: [] as number[],
    last: [] as number[],
    requested: [] as number[],
    others: [] as number[],
  };
  const sums = new Float64Array([0, otherPages, 0, 0, Number.POSITIVE_INFINITY, 0]);
  const highest = Math.max(0, largestOf(caches.map(({ cache }) => cache.id)));
  const slabsOf = new Int32Array(highest + 1);
  const peakSlabs = new Int32Array(highest + 1);
  const slabSeries = caches.map(() => new Int32Array(POINTS_MAX + 1));
  let least = 0;
  let most = 0;
  let now = 0;
  let open = false;
  const peak = createPeak(sums);

  function takenPages(): number {
    let taken = 0;
    for (let row = 0; row < zones; row += ZONE_WORDS) taken += zone[row + Z_MANAGED]! - zone[row + Z_FREE]!;
    return taken;
  }

  function look(row: number): void {
    now = (takenPages() - sums[OTHER_PAGES]!) * pageSize;
    if (now < least) least = now;
    if (now > most) most = now;
    if (peak.isHeld ? now !== peak.bytes : now >= peak.bytes) peak.turn(now, row);
    recorder?.pagesChanged();
  }

  function close(): void {
    if (!open) return;
    look(lastRow);
    columns.least.push(least);
    columns.most.push(most);
    columns.last.push(now);
    columns.requested.push(sums[REQUESTED]!);
    columns.others.push(sums[OTHER_PAGES]! * pageSize);
    for (const [i, { cache }] of caches.entries())
      slabSeries[i]![columns.last.length - 1] = slabsOf[cache.id]!;
    open = false;
  }

  /** The row behind the stretch that is going on. */
  let pointEnd = 0;
  let recorder: LevelsRecorder | undefined;
  let lastRow = 0;
  function beginPoint(row: number, time: number): void {
    close();
    pointEnd = (Math.floor(row / stretch) + 1) * stretch;
    open = true;
    columns.rows.push(row);
    columns.times.push(time);
    least = Number.POSITIVE_INFINITY;
    most = 0;
    lastRow = row;
    look(row);
  }

  const measure: Measure & { pieceEnd: number } = {
    slabsOf,
    peakSlabs,
    sums,
    pieceEnd: 0,
    get peak() {
      return peak.found();
    },
    get series() {
      return { ...columns, caches: largestSeries(built, peakSlabs, slabSeries, columns.last.length) };
    },
    begin(row, time) {
      if (row < measure.pieceEnd) return;
      if (row >= pointEnd) beginPoint(row, time);
      if (recorder !== undefined && row >= recorder.end) recorder.begin(row, time);
      measure.pieceEnd = Math.min(pointEnd, recorder?.end ?? pointEnd);
    },
    slabsChanged(cache, slabs, row) {
      slabsOf[cache] = slabs;
      if (slabs > peakSlabs[cache]!) peakSlabs[cache] = slabs;
      recorder?.slabsChanged(cache, slabs);
      look(row);
    },
    objectPagesChanged: look,
    otherPagesChanged(pages) {
      sums[OTHER_PAGES]! += pages;
      recorder?.pagesChanged();
    },
    end() {
      close();
      peak.end();
      pointEnd = Number.POSITIVE_INFINITY;
    },
    record(next) {
      recorder = next;
      recorder?.attach(sums, slabsOf);
      measure.pieceEnd = 0;
    },
    save: () => ({ sums: sums.slice(), slabsOf: slabsOf.slice() }),
    restore(save) {
      sums.set(save.sums);
      slabsOf.set(save.slabsOf);
      measure.pieceEnd = 0;
    },
  };
  // What was there before the trace.
  for (const { cache } of caches) {
    measure.slabsChanged(cache.id, cache.info.nrSlabs, 0);
    sums[REQUESTED]! += (objects.get(cache.id)?.length ?? 0) * cache.info.objectSize;
  }
  peak.begin(now);
  return measure;
}

/** The peak while it is looked for. */
interface PeakSoFar {
  readonly bytes: number;
  readonly isHeld: boolean;
  /** What is held before the first event is no event's: the first at which it is still held takes its place, whatever was asked for. */
  begin(bytes: number): void;
  /** So much is held from this row on: the peak begins, or ends, or there is a higher one. */
  turn(bytes: number, row: number): void;
  found(): Omit<Peak, 'time'>;
  /** From now on it stays. */
  end(): void;
}

function createPeak(sums: Float64Array): PeakSoFar {
  let last: Omit<Peak, 'time'> = { bytes: 0, row: 0, requested: Number.NEGATIVE_INFINITY };
  let isOver = false;
  let requestedBefore = 0;
  const peak = {
    bytes: 0,
    isHeld: false,
    begin(bytes: number) {
      requestedBefore = sums[REQUESTED]!;
      last = { bytes, row: 0, requested: Number.NEGATIVE_INFINITY };
      peak.bytes = bytes;
      peak.isHeld = true;
      sums[PEAK_REQUESTED] = Number.NEGATIVE_INFINITY;
    },
    turn(bytes: number, row: number) {
      if (isOver) return;
      if (peak.isHeld && bytes < peak.bytes) {
        last = { bytes: peak.bytes, row: sums[PEAK_ROW]!, requested: sums[PEAK_REQUESTED]! };
        sums[PEAK_REQUESTED] = Number.POSITIVE_INFINITY;
        peak.isHeld = false;
        return;
      }
      if (bytes > peak.bytes || sums[REQUESTED]! > last.requested)
        last = { bytes, row, requested: sums[REQUESTED]! };
      peak.bytes = bytes;
      peak.isHeld = true;
      sums[PEAK_REQUESTED] = last.requested;
      sums[PEAK_ROW] = last.row;
    },
    found() {
      const isOpen = peak.isHeld && !isOver;
      const requested = isOpen ? sums[PEAK_REQUESTED]! : last.requested;
      if (requested === Number.NEGATIVE_INFINITY) return { ...last, requested: requestedBefore };
      return isOpen ? { bytes: peak.bytes, row: sums[PEAK_ROW]!, requested } : last;
    },
    end() {
      last = peak.found();
      isOver = true;
    },
  };
  return peak;
}

/** Those of the caches that held most, in bytes. `slabSeries` has slabs of each cache at so many points. */
function largestSeries(
  { machine, caches }: BuiltMachine,
  peakSlabs: Int32Array,
  slabSeries: readonly Int32Array[],
  points: number,
): Series['caches'] {
  const bytesOf = caches.map(({ cache }) => machine.kernel.pageSize * 2 ** cache.info.oo.order);
  const largest = caches
    .map(({ cache }, i) => ({ i, bytes: peakSlabs[cache.id]! * bytesOf[i]! }))
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, SERIES_CACHES);
  return largest.map(({ i }) => ({
    name: caches[i]!.spec.names[0]!,
    last: Array.from(slabSeries[i]!.subarray(0, points), (slabs) => slabs * bytesOf[i]!),
  }));
}
