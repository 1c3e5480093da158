/** How the page writes times. */

/** `1.234567 s`, `12.3 ms`: nanoseconds as a person reads them, with `digits` for a scale that needs more. */
export function formatSeconds(ns: number, digits = 6): string {
  return `${(ns / 1e9).toFixed(digits)} s`;
}

/** A span: in the unit in which it has one to three digits before the point. */
export function formatSpan(ns: number): string {
  const units: readonly (readonly [size: number, name: string])[] = [
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, 'µs'],
  ];
  for (const [size, name] of units)
    if (Math.abs(ns) >= size) return `${Number((ns / size).toPrecision(4))} ${name}`;
  return `${Math.round(ns)} ns`;
}
