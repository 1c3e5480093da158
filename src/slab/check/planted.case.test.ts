/**
 * `validate()` can fail: one word of a healthy and busy machine is spoilt for every term that a check names, and the term must come back;
 * and whatever word is spoilt, it ends and says so or finds nothing.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LedgerCorruptError } from '../../base/index.js';
import { runsOf } from '../../base/runs.case.test.js';
import type { Ledger } from '../../machine/index.js';
import type { Machine } from '../machine.js';

/** A fault in a machine with things to point at. */
export interface Plant<Busy> {
  readonly term: string;
  readonly what: string;
  /** Found by `validate('cheap')` too. */
  readonly cheap: boolean;
  spoil(busy: Busy): void;
}

type Planter<Busy> = (term: string, what: string, spoil: (busy: Busy) => void) => Plant<Busy>;

/** What writes a list of faults: those that both levels find, and those that only `full` does. */
export function planters<Busy>(): { readonly both: Planter<Busy>; readonly fullOnly: Planter<Busy> } {
  const planter =
    (cheap: boolean): Planter<Busy> =>
    (term, what, spoil) => ({ term, what, cheap, spoil });
  return { both: planter(true), fullOnly: planter(false) };
}

/** The term that validate names, or undefined if it finds nothing. */
export function termOf(machine: Machine, level: 'cheap' | 'full'): string | undefined {
  try {
    machine.validate(level);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof LedgerCorruptError, String(error));
    assert.ok(error.message.startsWith(`${error.term}: `));
    return error.term;
  }
}

/** Declares a test: each fault, in a machine of its own, is found, and called what it is. */
export function testPlanted<Busy extends { readonly machine: Machine }>(
  busyMachine: () => Busy,
  plants: readonly Plant<Busy>[],
): void {
  test('every planted fault is found, and called what it is', () => {
    for (const { term, what, cheap, spoil } of plants) {
      const busy = busyMachine();
      spoil(busy);
      assert.equal(termOf(busy.machine, 'full'), term, `full: ${what}`);
      assert.equal(termOf(busy.machine, 'cheap'), cheap ? term : undefined, `cheap: ${what}`);
    }
  });
}

/** Arrays of numbers in a ledger. */
export type TableName = {
  [K in keyof Ledger]: Ledger[K] extends ArrayLike<number> ? K : never;
}[keyof Ledger];

export interface Spoiling<Busy> {
  readonly busyMachine: () => Busy;
  readonly tables: readonly TableName[];
  /** The word of a table that a random number means; undefined for one that is left alone. */
  readonly place: (busy: Busy, table: TableName, random: number) => number | undefined;
  readonly seed: number;
  readonly runs: number;
}

/** Declares a test: whatever word is spoilt, validate ends. */
export function testSpoilt<Busy extends { readonly machine: Machine; readonly ledger: Ledger }>({
  busyMachine,
  tables,
  place,
  seed,
  runs,
}: Spoiling<Busy>): void {
  test('whatever word is spoilt, validate says so or finds nothing: it never stumbles', () => {
    const busy = busyMachine();
    const { machine, ledger } = busy;
    const bytes = new Uint8Array(ledger.buffer);
    const healthy = bytes.slice();
    const value = fc.oneof(
      fc.constantFrom(0, 1, -1, 0x7fffffff, -0x80000000),
      fc.integer({ min: 0, max: 300 }),
      fc.integer(),
    );
    let found = 0;
    fc.assert(
      fc.property(fc.constantFrom(...tables), fc.nat(), value, (table, random, spoilt) => {
        const at = place(busy, table, random);
        if (at === undefined) return;
        ledger[table][at] = spoilt;
        for (const level of ['cheap', 'full'] as const) if (termOf(machine, level) !== undefined) found++;
        bytes.set(healthy);
      }),
      { seed, numRuns: runsOf(runs) },
    );
    assert.ok(found > 0);
    machine.validate();
  });
}
