/** Replays held against each other: which caches differ, and by how much. */
import { largestOf } from '../../base/index.js';
import type { ReplayResult } from './result.js';

/** A cache whose peak is not the same in every result. */
export interface CacheDifference {
  readonly name: string;
  /** Bytes at the peak, one a result; 0 where there is no such cache. */
  readonly peaks: readonly number[];
  /** The largest distance from the first. */
  readonly by: number;
}

/** Caches whose peaks are not the same in all results, by name, those that differ most from the first result first. */
export function cacheDifferences(results: readonly Pick<ReplayResult, 'caches'>[]): CacheDifference[] {
  const names = new Set(results.flatMap(({ caches }) => caches.map(({ name }) => name)));
  const peakOf = results.map((result) => {
    const peaks = new Map<string, number>();
    // Caches of one name count together.
    for (const { name, peakBytes } of result.caches) peaks.set(name, (peaks.get(name) ?? 0) + peakBytes);
    return peaks;
  });
  return [...names]
    .map((name) => {
      const peaks = peakOf.map((of) => of.get(name) ?? 0);
      return { name, peaks, by: largestOf(peaks.map((peak) => Math.abs(peak - peaks[0]!))) };
    })
    .filter(({ by }) => by > 0)
    .sort((a, b) => b.by - a.by);
}

/** `+0.7 %`, `-12.5 %`, `=`: against what it is compared with. */
export function formatChange(before: number, after: number): string {
  if (before === after) return '=';
  if (before === 0) return 'new';
  const share = Math.abs(after - before) / before;
  // Little is never rounded to nothing.
  const digits = share < 0.001 ? Math.max(share * 100, 0.01).toFixed(2) : (share * 100).toFixed(1);
  return `${after > before ? '+' : '-'}${digits} %`;
}
