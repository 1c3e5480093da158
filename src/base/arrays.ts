/** Arrays that grow, and long lists. */

/** An array of numbers that can be copied into. */
interface Numbers extends ArrayLike<number> {
  set(from: ArrayLike<number>): void;
}

/** A longer copy of a typed array: `length` elements, of which the new ones are 0. */
export function grown<T extends Numbers>(array: T, length: number): T {
  const more = new (array.constructor as new (length: number) => T)(length);
  more.set(array);
  return more;
}

/** Adds all values of a list to another, however many: `push(...from)` would put each on the stack. */
export function pushAll<T>(into: T[], from: Iterable<T>): void {
  for (const value of from) into.push(value);
}

/** The largest of numbers, however many; -Infinity where there is none. */
export function largestOf(values: Iterable<number>): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const value of values) if (value > most) most = value;
  return most;
}

/** The smallest of numbers, however many; Infinity where there is none. */
export function smallestOf(values: Iterable<number>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const value of values) if (value < least) least = value;
  return least;
}
