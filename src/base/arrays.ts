/** Typed arrays that grow. */

/** An array of numbers that can be copied into. */
export interface Numbers extends ArrayLike<number> {
  set(from: ArrayLike<number>): void;
}

/** A longer copy of a typed array: `length` elements, of which the new ones are 0. */
export function grown<T extends Numbers>(array: T, length: number): T {
  const more = new (array.constructor as new (length: number) => T)(length);
  more.set(array);
  return more;
}
