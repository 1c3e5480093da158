/** How often the property tests of everything with state repeat: little every day, much when asked (docs/design.md, "Tests"). */
import { ArgumentError } from './index.js';

/** How many times as many; 1 unless the environment says more. */
const TIMES = Number(process.env.TEST_RUNS ?? 1);
if (!Number.isInteger(TIMES) || TIMES < 1)
  throw new ArgumentError(`TEST_RUNS says how many times as many runs, not '${process.env.TEST_RUNS}'`);

/** Runs of a property that takes so many every day. */
export function runsOf(everyDay: number): number {
  return everyDay * TIMES;
}
