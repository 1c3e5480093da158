/** Binary traces with a few wrong bytes: whatever they hold, a reader gives what it can or refuses them, and ends. */
import assert from 'node:assert/strict';
import { InputError, Random } from '../base/index.js';
import { runsOf } from '../base/runs.case.test.js';

/** What a reader made of a file, as far as it is looked at here. */
interface Read {
  readonly rows: readonly unknown[];
  readonly report: { readonly byKind: readonly number[] };
}

export interface Spoiling {
  readonly files: readonly Uint8Array[];
  readonly read: (bytes: Uint8Array) => Read;
  readonly seed: number;
  readonly rounds: number;
  /** A place near what is worth hitting; every other byte lies anywhere. */
  readonly hit: (bytes: Uint8Array, random: Random, which: number) => number;
}

/** Spoils the files in turn. Anything but a reading or an InputError is a failure. */
export function readSpoilt({ files, read, seed, rounds, hit }: Spoiling): void {
  const random = new Random(seed);
  for (let round = 0; round < runsOf(rounds); round++) {
    const which = round % files.length;
    const bytes = files[which]!.slice();
    for (let flips = 1 + random.below(6); flips > 0; flips--) {
      const at = random.below(2) === 0 ? hit(bytes, random, which) : random.below(bytes.length);
      bytes[at] = random.below(3) === 0 ? random.below(256) : bytes[at]! ^ (1 << random.below(8));
    }
    try {
      const { rows, report } = read(bytes);
      assert.equal(
        rows.length,
        report.byKind.reduce((sum, count) => sum + count, 0),
      );
      // No more than the bytes can hold.
      assert.ok(rows.length <= bytes.length / 8);
    } catch (error) {
      assert.ok(
        error instanceof InputError,
        `round ${round}: ${error instanceof Error ? error.stack : error}`,
      );
    }
  }
}
