/**
 * # Replay: a real kernel's allocations, under another configuration
 *
 * A trace holds what a kernel was asked for: this much, by that function, on this CPU, and when it was given back. It does not matter to
 * those who asked where the objects came from. So the same requests can be put to another machine, with another allocator, another order
 * of slabs, a struct that grew by 8 bytes, and what it would have cost can be read off.
 *
 *     trace ─────╮                         ╭─▸ plan        the machine as it was recorded, with its caches      plan.ts
 *     snapshots ─┴─▸ prepareReplay ────────┼─▸ names       which cache each class is                            trace/resolve/classes.ts
 *                                          ╰─▸ estimate    what was there before, what came without an event    population.ts
 *                         │
 *                         ▾
 *     what-if ─────▸ replay ─▸ build a machine ─▸ live through the history ─▸ every row, on its CPU ─▸ result
 *                                 build.ts              history.ts                  run.ts             result.ts
 *
 * The states of an object of the trace, by its slot:
 *  1. not there;
 *  2. live: `addresses` has where it is in this machine;
 *  3. asked for and not given: there was no memory. Its free frees nothing.
 *
 * The order of evidence. Of what is not the same in two sources the first one holds, and nothing later overrules it:
 *
 *  1. the name in an allocation's own event;
 *  2. the name in a later free of the same object;
 *  3. a snapshot: which caches there were, their sizes, orders and limits, the machine, what was there before;
 *  4. `bytes_alloc` and `bytes_req` of the events: the distance of a cache's objects, kmalloc's classes of sizes, whole pages;
 *  5. neighbours in a page, and the pages that were taken for a slab, where pointers are real;
 *  6. what other objects of a function are, and the table of functions (trace/resolve/class-sites.ts);
 *  7. size: the one cache of a snapshot that fits;
 *  8. a preset: what a booted kernel of some configuration has.
 *
 * Names: trace/resolve/classes.ts. Sizes and orders: evidence.ts. The machine: plan.ts. What rests on 6 to 8 is only likely: whoever shows
 * it marks it with `?`, and the reason is among what was assumed. What rests on nothing is called by what is known (`?function/size`), or
 * left out. So the machine as recorded never holds less than was asked for, and no object lies in a slab of a size that no event and no
 * snapshot has. Whether snapshots are of the same recording at all: mismatch.ts.
 *
 * The recorded configuration is the empty what-if. How near that comes to what really happened is measured, not assumed: nearness.ts holds
 * it against the snapshots. On traces recorded from boot every cache has the recorded number of slabs at every marker.
 *
 * What a replay cannot know: when reclaim would have come, had there been less memory; what a task would have done with a NULL; objects
 * that no event names. Two machines with the same requests need not run at the same speed, but here they do.
 *
 *     const recorded = prepareReplay({ trace, snapshots: readSnapshots(text, file) });
 *     const base = replay(recorded, AS_RECORDED);
 *     const grown = replay(recorded, parseWhatIf(['dentry.size=200']));
 *     compareReplays(base, grown);          // sentences: what it costs, and where
 *
 * Sources: truth/traces/README.md; the kernel's tracepoints as recorded there. The idea is that of every trace-driven simulation of
 * allocators since Zorn and Grunwald, "Evaluating models of memory allocation" (1994).
 */

import type { Machine } from '../../slab/index.js';
import { nameClasses, type Trace } from '../../trace/index.js';
import {
  allocatorShown,
  contradictions,
  fitToEvents,
  knownCaches,
  memoryNeeded,
  type PlanOptions,
  planFromProfile,
  planFromSnapshots,
  type Snapshot,
  type Snapshots,
} from '../evidence/index.js';
import type { WhatIf } from '../what-if/index.js';
import { estimateHistory } from './population.js';
import type { Recorded } from './recorded.js';
import type { ReplayResult } from './result.js';
import { startReplay } from './start.js';

export type { Recorded } from './recorded.js';

/** What a trace is prepared with. */
export interface PrepareOptions extends PlanOptions {
  readonly trace: Trace;
  readonly snapshots?: Snapshots | undefined;
  /** A snapshot that the past is not estimated from, so that the replay can be held against it. */
  readonly heldBack?: Snapshot | undefined;
  /** Called with the rows of the trace that were looked at; it is gone through up to four times. */
  readonly onProgress?: (rows: number) => void;
}

/** Finds out what machine a trace was recorded on, which cache each class is, and what was there before. */
export function prepareReplay(options: PrepareOptions): Recorded {
  const { trace, snapshots, onProgress, heldBack } = options;
  const { machine, memory } = options;
  const isAssumed = snapshots === undefined && machine === undefined && memory === undefined;
  const about = {
    ...options,
    pageSize: options.pageSize ?? (trace.report.pageSize || undefined),
    shown: {
      allocator: allocatorShown(trace.classes),
      memory: isAssumed ? memoryNeeded(trace) : undefined,
      orders: trace.report.pageSize > 0,
    },
  };
  const cpus = trace.report.believedCpus?.cpus ?? trace.cpus;
  const first =
    snapshots === undefined ? planFromProfile(cpus, about) : planFromSnapshots(snapshots, cpus, about);
  const names = nameClasses(trace.classes, knownCaches(first));
  const plan = fitToEvents(first, trace.classes, names);
  const estimate = estimateHistory({
    trace,
    plan,
    names,
    snapshots,
    ...(heldBack && { heldBack }),
    ...(onProgress && { onProgress }),
  });
  const mismatch = snapshots === undefined ? [] : contradictions({ trace, snapshots, names });
  return { trace, snapshots, plan, names, estimate, mismatch };
}

/** Who is told of a replay while it runs, and at its end. */
export interface ReplayOptions {
  readonly onProgress?: ((rows: number) => void) | undefined;
  /** Given the machine at the end, before it is let go: to look at, or to validate. */
  readonly onEnd?: (machine: Machine) => void;
}

/** Replays a trace under a what-if. Throws UnknownNameError, ArgumentError for settings that make no machine. */
export function replay(recorded: Recorded, whatIf: WhatIf, options: ReplayOptions = {}): ReplayResult {
  const { built, run, finish } = startReplay(recorded, whatIf, options);
  run.advance(recorded.trace.rows);
  const result = finish();
  options.onEnd?.(built.machine);
  return result;
}
