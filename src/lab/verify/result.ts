/**
 * What comes out when the engine is held against a recording: how many of its cases agree, and the first few
 * that do not.
 *
 *     const tally = new SetTally('genalloc');
 *     for (const pool of pools) tally.case(pool.why, (expect) => expect('size', pool.size, mine.size));
 *     tally.result();                      // { set: 'genalloc', total: 110, agreed: 110, disagreements: [] }
 *
 * A case agrees when every recorded value of it does. An exception is a disagreement, never the end of the
 * verification.
 */
import { ArgumentError } from '../../base/index.js';

/**
 * One thing that differs. `where` names the case and, inside it, the operation; values are printed as JSON.
 */
export interface Disagreement {
  readonly where: string;
  readonly field: string;
  readonly expected: unknown;
  readonly got: unknown;
}

/** One set of one recording. A case agrees when every recorded value of it does. */
export interface SetResult {
  readonly set: string;
  readonly total: number;
  readonly agreed: number;
  readonly disagreements: readonly Disagreement[];
  /** What else is worth knowing, such as how much of the logs was compared. */
  readonly note?: string;
}

export type Expect = (field: string, expected: unknown, got: unknown) => void;

export class SetTally {
  readonly #set: string;
  readonly #keep: number;
  readonly #disagreements: Disagreement[] = [];
  #total = 0;
  #agreed = 0;

  /** `keep`: how many disagreements are told in full. */
  constructor(set: string, keep = 5) {
    this.#set = set;
    this.#keep = keep;
  }

  /**
   * A `where` that is a function is asked at the moment of the difference, so that it can name the operation.
   */
  case(where: string | (() => string), check: (expect: Expect) => void): void {
    let first: Disagreement | undefined;
    const differ = (field: string, expected: unknown, got: unknown) => {
      first ??= { where: typeof where === 'string' ? where : where(), field, expected, got };
    };
    try {
      check((field, expected, got) => {
        if (!deepEqual(expected, got)) differ(field, expected, got);
      });
    } catch (error) {
      differ('exception', 'none', error instanceof Error ? error.message : String(error));
    }
    this.#total++;
    if (first === undefined) this.#agreed++;
    else if (this.#disagreements.length < this.#keep) this.#disagreements.push(first);
  }

  /** Throws ArgumentError if there was no case: that nothing was compared must not look like agreement. */
  result(): SetResult {
    if (this.#total === 0) throw new ArgumentError(`${this.#set}: the recording has no cases`);
    return { set: this.#set, total: this.#total, agreed: this.#agreed, disagreements: this.#disagreements };
  }
}

/** For what a parsed recording lacks; the caller adds the file's name. */
export function malformed(where: string, expected: string, got: unknown): ArgumentError {
  const text = JSON.stringify(got) ?? String(got);
  return new ArgumentError(
    `${where}: expected ${expected}, got ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`,
  );
}

/** Primitives, arrays and plain objects, by value. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) =>
      Object.hasOwn(b, key) &&
      deepEqual((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}
