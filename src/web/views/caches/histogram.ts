/** Slabs by how many of their objects are live, in as few bars as can be told apart. */

/** A bar: slabs with `from` to `to` live objects, both included. */
interface Bar {
  readonly from: number;
  readonly to: number;
  readonly slabs: number;
}

const BARS_MAX = 20;

/**
 * `counts[live]` is the number of slabs with so many live objects. Empty slabs and full ones have bars of their own, whatever the number of
 * objects; those between share bars of as equal widths as can be.
 */
export function fullnessBars(counts: readonly number[], most = BARS_MAX): Bar[] {
  const full = counts.length - 1;
  const single = (live: number): Bar => ({ from: live, to: live, slabs: counts[live]! });
  if (full < 1) return counts.map((_, live) => single(live));
  const between = full - 1;
  const bars = Math.min(between, Math.max(most - 2, 1));
  const inner = Array.from({ length: bars }, (_, i): Bar => {
    const from = 1 + Math.floor((i * between) / bars);
    const to = Math.floor(((i + 1) * between) / bars);
    return { from, to, slabs: counts.slice(from, to + 1).reduce((sum, count) => sum + count, 0) };
  });
  return [single(0), ...inner, single(full)];
}

/** `5 live`, `3 to 8 live`, `no object live`, `full`. */
export function barWords({ from, to }: Bar, objects: number): string {
  if (to === 0) return 'no object live';
  if (from === objects) return `full: ${objects} live`;
  return from === to ? `${from} live` : `${from} to ${to} live`;
}
