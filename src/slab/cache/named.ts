/**
 * Arguments by position that cannot change places.
 *
 * The hottest functions are closures over plain parameters of the function around them, and many of those: destructured from an object each
 * would be looked at before each use, whether it has been declared, which is a fifth of a pair where several caches are in use. Numbers in
 * a row look alike to the compiler, though. So each parameter takes the value of its own name alone:
 *
 *     interface Line { readonly limit: number; readonly entries: number }
 *     type Own = Named<Line>;
 *     const hot = (limit: Own['limit'], entries: Own['entries']) => …
 *     const line = named<Line>({ limit: 8, entries: 0 });
 *     hot(line.limit, line.entries);        // and hot(line.entries, line.limit) does not compile
 */
declare const NAME: unique symbol;

/** The values of a record, each with its name in its type. */
export type Named<R> = { readonly [K in keyof R]: R[K] & { readonly [NAME]: K } };

export function named<R>(values: R): Named<R> {
  return values as Named<R>;
}
