/**
 * # Replays side by side
 *
 *     page's worker ── saves a .slt ──┬─▸ worker A ─▸ result
 *                                     ╰─▸ worker B ─▸ result
 *
 * Each side has a worker of its own, so both run at once, and to cancel one loses nothing that is open. What was recorded needs neither:
 * it was replayed when the trace was opened. Results are kept as long as the trace is open, so that going back to
 * settings that were tried costs nothing.
 */
import { signal } from '@preact/signals';
import type { ReplayResult } from '../../../lab/index.js';
import { opened } from '../../state/store.js';
import type { Progress } from '../../worker/call.js';
import { CancelledError, createEngine, type Engine, engine } from '../../worker/client.js';
import type { LentTrace } from '../../worker/whatif-calls.js';

export const SIDES = ['a', 'b'] as const;
export type SideName = (typeof SIDES)[number];

/** What has become of one side. */
export type Run =
  | { readonly state: 'running'; readonly set: string; readonly progress: Progress | undefined }
  | { readonly state: 'done'; readonly set: string; readonly result: ReplayResult }
  | { readonly state: 'failed'; readonly set: string; readonly why: string }
  | { readonly state: 'cancelled'; readonly set: string };

/** Undefined: not asked for yet. */
export const runs = {
  a: signal<Run | undefined>(undefined),
  b: signal<Run | undefined>(undefined),
} as const;

/** Results that are kept, those asked for last. */
const KEPT_MAX = 12;

interface Runner {
  readonly engine: Engine;
  /** The trace that it has. */
  borrowed: unknown;
}

const runners: Readonly<Record<SideName, Runner>> = {
  a: { engine: createEngine(), borrowed: undefined },
  b: { engine: createEngine(), borrowed: undefined },
};
const kept = new Map<string, ReplayResult>();
let keptOf: unknown;
let lent: Promise<LentTrace> | undefined;

/** Replays what is open under the settings of each side, where they are others than before. */
export async function compare(sets: Readonly<Record<SideName, string>>): Promise<void> {
  forgetOthers();
  await Promise.all(SIDES.map((side) => run(side, sets[side])));
}

/** Ends what is running. */
export function cancel(): void {
  for (const side of SIDES) {
    const { value } = runs[side];
    if (value?.state !== 'running') continue;
    end(side);
    runs[side].value = { state: 'cancelled', set: value.set };
  }
}

/** Forgets what belongs to another trace than the open one. */
export function forgetOthers(): void {
  if (keptOf === opened.value) return;
  keptOf = opened.value;
  kept.clear();
  lent = undefined;
  for (const side of SIDES) {
    end(side);
    runs[side].value = undefined;
  }
}

function end(side: SideName): void {
  runners[side].engine.cancel();
  runners[side].borrowed = undefined;
}

async function run(side: SideName, set: string): Promise<void> {
  const shown = runs[side];
  const before = shown.value;
  if (before?.set === set && (before.state === 'running' || before.state === 'done')) return;
  if (before?.state === 'running') end(side);
  const running: Run = { state: 'running', set, progress: undefined };
  shown.value = running;
  const isCurrent = () => shown.value?.state === 'running' && shown.value.set === set;
  try {
    const result =
      kept.get(set) ??
      (await replayed(side, set, (progress) => {
        if (isCurrent()) shown.value = { ...running, progress };
      }));
    if (!isCurrent()) return;
    keep(set, result);
    shown.value = { state: 'done', set, result };
  } catch (error) {
    if (!isCurrent()) return;
    shown.value =
      error instanceof CancelledError
        ? { state: 'cancelled', set }
        : { state: 'failed', set, why: error instanceof Error ? error.message : String(error) };
  }
}

async function replayed(
  side: SideName,
  set: string,
  onProgress: (progress: Progress) => void,
): Promise<ReplayResult> {
  const of = opened.value;
  if (of?.kind === 'trace' && set === '') return of.result;
  const own = await engineOf(side, set, onProgress);
  return own.call('whatIf', { set }, onProgress);
}

/** The worker in which a side's machine can be looked at: its own, with the open trace in it, or the page's for what was recorded. */
export async function engineOf(
  side: SideName,
  set: string,
  onProgress?: (progress: Progress) => void,
): Promise<Engine> {
  if (set === '') return engine;
  const runner = runners[side];
  const of = opened.value;
  if (runner.borrowed !== of) {
    // What could not be lent may be asked for again.
    lent ??= lend().catch((error: unknown) => {
      lent = undefined;
      throw error;
    });
    await runner.engine.call('borrow', await lent, onProgress);
    runner.borrowed = of;
  }
  return runner.engine;
}

async function lend(): Promise<LentTrace> {
  const [slt, snapshots] = await Promise.all([engine.call('save', null), engine.call('snapshots', null)]);
  return { slt, file: opened.value?.file ?? '', snapshots };
}

function keep(set: string, result: ReplayResult): void {
  kept.delete(set);
  kept.set(set, result);
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT_MAX) break;
    kept.delete(oldest);
  }
}
