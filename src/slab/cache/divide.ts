/**
 * Dividing by an object's size without dividing.
 *
 * A size is odd × 2^shift. An odd number has an inverse modulo 2^32, so multiplying by it undoes the odd part; what the product has in its
 * lowest `shift` bits is rotated to the top. Both steps are one to one, so only multiples of the size come out as small numbers: a
 * single comparison with the number of objects refuses every offset that is not the start of one.
 */

/** The inverse of an odd number modulo 2^32, by Newton's method: each step doubles the bits that are right. */
export function oddInverse(odd: number): number {
  let inverse = odd;
  for (let bits = 3; bits < 32; bits *= 2) inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse));
  return inverse;
}

/** `offset / size` if that is a whole number, else some number of at least 2^32 / size. Unsigned. */
export function divide(offset: number, inverse: number, shift: number): number {
  const product = Math.imul(offset, inverse);
  return ((product >>> shift) | (product << (32 - shift))) >>> 0;
}
