/**
 * What a replay measures on its way: bytes over time in a bounded number of points, and the most that each cache held.
 *
 * A point stands for a stretch of rows: the least and the most that was held in it and what was held at its end, so that no peak is lost
 * however long the trace. All follow from the zones' own counters: what is handed out, less the pages that are nobody's objects.
 */
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

export interface Measure {
  /** Slabs of a cache by its id, as they were when they were looked at last, and the most they were. */
  readonly slabsOf: Int32Array;
  readonly peakSlabs: Int32Array;
  /** REQUESTED and OTHER_PAGES, where adding to them costs least. */
  readonly sums: Float64Array;
  /** The row behind the stretch that is going on. */
  readonly pointEnd: number;
  readonly peak: Peak;
  readonly series: Series;
  begin(row: number, time: number): void;
  slabsChanged(cache: number, slabs: number): void;
  /** Pages that hold objects may have come or gone. */
  objectPagesChanged(): void;
  end(): void;
}

export interface Peak {
  /** Bytes of pages that held objects, and when. */
  readonly bytes: number;
  readonly row: number;
  readonly time: number;
  /** Bytes asked for at that point's end. */
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
  const sums = new Float64Array([0, otherPages]);
  const highest = Math.max(0, ...caches.map(({ cache }) => cache.id));
  const slabsOf = new Int32Array(highest + 1);
  const peakSlabs = new Int32Array(highest + 1);
  const slabSeries = caches.map(() => [] as number[]);
  let least = 0;
  let most = 0;
  let now = 0;
  let open = false;
  let peak: Peak = { bytes: 0, row: 0, time: 0, requested: 0 };

  function takenPages(): number {
    let taken = 0;
    for (let row = 0; row < zones; row += ZONE_WORDS) taken += zone[row + Z_MANAGED]! - zone[row + Z_FREE]!;
    return taken;
  }

  function look(): void {
    now = (takenPages() - sums[OTHER_PAGES]!) * pageSize;
    if (now < least) least = now;
    if (now > most) most = now;
  }

  function close(): void {
    if (!open) return;
    look();
    columns.least.push(least);
    columns.most.push(most);
    columns.last.push(now);
    columns.requested.push(sums[REQUESTED]!);
    columns.others.push(sums[OTHER_PAGES]! * pageSize);
    for (const [i, { cache }] of caches.entries()) slabSeries[i]!.push(slabsOf[cache.id]!);
    if (most > peak.bytes) {
      const row = columns.rows.at(-1)!;
      peak = { bytes: most, row, time: columns.times.at(-1)!, requested: sums[REQUESTED]! };
    }
    open = false;
  }

  const measure: Measure & { pointEnd: number } = {
    slabsOf,
    peakSlabs,
    sums,
    pointEnd: 0,
    get peak() {
      return peak;
    },
    get series() {
      const bytesOf = caches.map(({ cache }) => pageSize * 2 ** cache.info.oo.order);
      const largest = caches
        .map(({ cache }, i) => ({ i, bytes: peakSlabs[cache.id]! * bytesOf[i]! }))
        .filter(({ bytes }) => bytes > 0)
        .sort((a, b) => b.bytes - a.bytes)
        .slice(0, SERIES_CACHES);
      const each = largest.map(({ i }) => ({
        name: caches[i]!.spec.names[0]!,
        last: slabSeries[i]!.map((slabs) => slabs * bytesOf[i]!),
      }));
      return { ...columns, caches: each };
    },
    begin(row, time) {
      if (row < measure.pointEnd) return;
      close();
      measure.pointEnd = (Math.floor(row / stretch) + 1) * stretch;
      open = true;
      columns.rows.push(row);
      columns.times.push(time);
      least = Number.POSITIVE_INFINITY;
      most = 0;
      look();
    },
    slabsChanged(cache, slabs) {
      slabsOf[cache] = slabs;
      if (slabs > peakSlabs[cache]!) peakSlabs[cache] = slabs;
      look();
    },
    objectPagesChanged: look,
    end: close,
  };
  // What was there before the trace.
  for (const { cache } of caches) {
    measure.slabsChanged(cache.id, cache.info.nrSlabs);
    sums[REQUESTED]! += (objects.get(cache.id)?.length ?? 0) * cache.info.objectSize;
  }
  return measure;
}
