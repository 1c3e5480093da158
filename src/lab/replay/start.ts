/** A replay in front of its first row: a machine that lived through what was there before, and a run over it. */

import type { WhatIf } from '../what-if/index.js';
import { type BuiltMachine, buildMachine } from './build.js';
import { liveThrough, type Stock } from './history.js';
import type { Recorded } from './recorded.js';
import { type ReplayResult, resultOf } from './result.js';
import { createRun, type Run } from './run.js';

export interface StartedReplay {
  readonly built: BuiltMachine;
  readonly stock: Stock;
  readonly run: Run;
  /** What the run found, once all of its rows are done. */
  finish(): ReplayResult;
}

/** Throws UnknownNameError, ArgumentError for settings that make no machine. */
export function startReplay(
  { trace, plan, names, estimate, mismatch }: Recorded,
  whatIf: WhatIf,
  { onProgress }: { readonly onProgress?: ((rows: number) => void) | undefined } = {},
): StartedReplay {
  const built = buildMachine({ plan, whatIf, classes: trace.classes, names });
  const stock = liveThrough(estimate.history, built);
  const run = createRun({ trace, built, stock, onProgress });
  return {
    built,
    stock,
    run,
    finish() {
      const { settings } = whatIf;
      return resultOf({ trace, plan, names, estimate, mismatch, built, stock, state: run.end(), settings });
    },
  };
}
