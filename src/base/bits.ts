/** Position of the highest set bit, counted from 1; 0 for 0. The kernel's `fls`. */
export function fls(x: number): number {
  return 32 - Math.clz32(x);
}

/** Floor of the base-2 logarithm of a positive 32-bit number. */
export function log2Floor(x: number): number {
  return 31 - Math.clz32(x);
}

/** True for 1, 2, 4, 8, … up to 2^52. */
export function isPowerOfTwo(x: number): boolean {
  if (!Number.isSafeInteger(x) || x <= 0) return false;
  while (x > 1 && x % 2 === 0) x /= 2;
  return x === 1;
}

/** `x` rounded up to a multiple of `unit`. Exact below 2^53, for any positive unit. */
export function roundUp(x: number, unit: number): number {
  return Math.ceil(x / unit) * unit;
}

/** `x` rounded down to a multiple of `unit`. Exact below 2^53. */
export function roundDown(x: number, unit: number): number {
  return Math.floor(x / unit) * unit;
}

/**
 * The kernel's `ALIGN` on `unsigned int`: `(x + a - 1) & ~(a - 1)` in 32 bits. For an `a` that is no power of two it gives
 * an odd but deterministic number, which recorded caches show.
 */
export function alignMask32(x: number, a: number): number {
  return ((x + a - 1) & ~(a - 1)) >>> 0;
}

/** The smallest order whose block holds `bytes`. The kernel's `get_order`. */
export function orderOf(bytes: number, pageSize: number): number {
  let order = 0;
  while (pageSize * 2 ** order < bytes) order++;
  return order;
}
