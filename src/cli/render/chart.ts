/** Series as lines of blocks, all to one scale. */

const BLOCKS = '▁▂▃▄▅▆▇█';

/**
 * As many points as asked for: the largest value within each, or the same value again where there are fewer.
 */
export function resample(values: readonly number[], points: number): number[] {
  return Array.from({ length: points }, (_, i) => {
    const from = Math.floor((i * values.length) / points);
    const to = Math.max(from + 1, Math.floor(((i + 1) * values.length) / points));
    return values.slice(from, to).reduce((most, value) => Math.max(most, value));
  });
}

/** Stands where a value does not fit the scale. */
export const ABOVE = '↑';

/** One block a column; what is above zero is seen. */
export function sparkline(values: readonly number[], width: number, top: number): string {
  return resample(values, width)
    .map((value) => {
      if (value <= 0) return ' ';
      if (value > top) return ABOVE;
      return BLOCKS[Math.ceil((value / top) * BLOCKS.length) - 1];
    })
    .join('');
}
