/** Two results, cache by cache. */
import type { CacheResult, ReplayResult } from '../../../lab/index.js';

/** What a table tells of a cache in one of the results; caches of one name count together. */
interface CacheFigures {
  /** Bytes at the peak and at the end. */
  readonly peak: number;
  readonly end: number;
  readonly live: number;
  readonly recoverable: number;
  /** Bytes from one object to the next, objects and order of a slab; undefined where there is no such cache. */
  readonly shape: { readonly size: number; readonly objects: number; readonly order: number } | undefined;
}

export interface CacheRow {
  readonly name: string;
  readonly a: CacheFigures;
  readonly b: CacheFigures;
  readonly byPeak: number;
  readonly byEnd: number;
  /** Whether any figure is another. */
  readonly differs: boolean;
}

/** A row for each cache that one of the results has, those whose peaks differ most first. */
export function cacheRows(a: Pick<ReplayResult, 'caches'>, b: Pick<ReplayResult, 'caches'>): CacheRow[] {
  const [ofA, ofB] = [figuresByName(a.caches), figuresByName(b.caches)];
  return [...new Set([...ofA.keys(), ...ofB.keys()])]
    .map((name) => rowOf(name, ofA.get(name) ?? NOTHING, ofB.get(name) ?? NOTHING))
    .sort(
      (one, other) =>
        Math.abs(other.byPeak) - Math.abs(one.byPeak) ||
        Math.abs(other.byEnd) - Math.abs(one.byEnd) ||
        Math.max(other.a.peak, other.b.peak) - Math.max(one.a.peak, one.b.peak),
    );
}

const NOTHING: CacheFigures = { peak: 0, end: 0, live: 0, recoverable: 0, shape: undefined };

function figuresByName(caches: readonly CacheResult[]): Map<string, CacheFigures> {
  const figures = new Map<string, CacheFigures>();
  for (const { name, peakBytes, bytes, live, recoverable, size, objectsPerSlab, order } of caches) {
    const before = figures.get(name) ?? NOTHING;
    figures.set(name, {
      peak: before.peak + peakBytes,
      end: before.end + bytes,
      live: before.live + live,
      recoverable: before.recoverable + recoverable,
      shape: { size, objects: objectsPerSlab, order },
    });
  }
  return figures;
}

function rowOf(name: string, a: CacheFigures, b: CacheFigures): CacheRow {
  const byPeak = b.peak - a.peak;
  const byEnd = b.end - a.end;
  const differs =
    byPeak !== 0 ||
    byEnd !== 0 ||
    a.live !== b.live ||
    a.recoverable !== b.recoverable ||
    shapeText(a) !== shapeText(b);
  return { name, a, b, byPeak, byEnd, differs };
}

/** `192 × 21/2^0`: bytes, objects of a slab, its order; `–` where there is no such cache. */
export function shapeText({ shape }: CacheFigures): string {
  return shape === undefined ? '–' : `${shape.size} × ${shape.objects}/2^${shape.order}`;
}

/** Of A, and of B where it is another: `712 × 23/2^2 → 5/2^0`. */
export function shapesText(a: CacheFigures, b: CacheFigures): string {
  const [before, after] = [shapeText(a), shapeText(b)];
  if (before === after) return before;
  const isSize = a.shape !== undefined && a.shape.size === b.shape?.size;
  return `${before} → ${isSize ? after.replace(/^.* × /, '') : after}`;
}
