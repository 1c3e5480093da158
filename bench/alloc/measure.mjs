// Rounds: short, in turn, until there are enough of them for a median and a minimum.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createCell, TooSlow } from './cell.mjs';
import { createNativeCell } from './native.mjs';
import { makeOrder } from './plan.mjs';

/**
 * How often and how long. A set-up that would take longer than `setUpMs` is too slow to be measured; who has run for `slowMs` in its
 * rounds needs no more of them.
 */
export const PACES = {
  full: { rounds: 21, roundMs: 5, fillRounds: 7, setUpMs: 15_000, warmMs: 150, slowMs: 5000 },
  quick: { rounds: 7, roundMs: 3, fillRounds: 3, setUpMs: 5_000, warmMs: 60, slowMs: 1000 },
};
/** Doublings until a round is long enough: from nanoseconds to seconds. */
const CALIBRATIONS_MAX = 400;
/** Before anything is timed, each live object was replaced so often, unless that takes longer than some times `warmMs`. */
const WARM_PASSES = 4;
const WARM_MS_FACTOR = 4;
/** A round that had the CPU for less of its time than this is run again, so often at most, and not if rounds are long. */
const CPU_SHARE_MIN = 0.97;
const ATTEMPTS_MAX = 6;
const ATTEMPTS_MS_MAX = 100;

setFlagsFromString('--expose-gc');
// Compiled for good before it is timed, whoever else wants a CPU: a thread beside ours that compiles may not come to it until all rounds
// are over, and what was measured then is the interpreter.
for (const flag of ['--no-concurrent-recompilation', '--no-concurrent-osr', '--no-liftoff'])
  setFlagsFromString(flag);
const collectGarbage = runInNewContext('gc');

/**
 * Measures one workload with all allocators of the roster that are there. Returns one result a row: { id, title, samples } in nanoseconds for
 * an object, `held` where a live set can be measured, or `note` in place of samples.
 */
export async function measureWorkload({ roster, workload, touched, pace, say }) {
  const order = makeOrder(workload);
  const results = roster.map((row) => ({
    id: row.id,
    title: row.title,
    samples: [],
    note: noteOf(row, workload),
  }));
  const open = [];
  for (const [at, row] of roster.entries()) {
    const result = results[at];
    if (result.note !== undefined) continue;
    say(`${workload.head.join(' ')}${touched ? ', touched' : ''}: setting up ${row.title}`);
    const cell = await prepare(row, workload, touched, order, pace, result);
    if (cell !== undefined) open.push({ cell, result });
    else collectGarbage();
  }
  const rounds = workload.id === 'fill' ? pace.fillRounds : pace.rounds;
  for (let round = 0; round < rounds; round++) {
    say(`${workload.head.join(' ')}${touched ? ', touched' : ''}: round ${round + 1} of ${rounds}`);
    // Each round begins with another one: no allocator always runs behind the same neighbour's cold caches.
    for (let turn = 0; turn < open.length; turn++) {
      const { cell, result } = open[(turn + round) % open.length];
      if (result.note !== undefined || roundsMs(result) > pace.slowMs) continue;
      await orNote(result, async () => {
        result.samples.push((await roundOf(cell, result.count)) / result.count);
      });
      // Whoever leaves garbage pays for it in its own rounds; what is left after them would fall on its neighbours.
      if (cell.makesGarbage) collectGarbage();
    }
  }
  for (const { cell, result } of open) {
    await orNote(result, async () => {
      if (result.held !== undefined) result.held.end = await cell.held();
      await cell.close();
    });
  }
  open.length = 0;
  collectGarbage();
  return { workload, touched, results };
}

function roundsMs({ samples, count }) {
  return (samples.reduce((sum, ns) => sum + ns, 0) * count) / 1e6;
}

function noteOf(row, workload) {
  if (row.missing !== undefined) return row.missing;
  return row.oneSize && workload.size === 0 ? 'has one size only' : undefined;
}

/** An allocator that is too slow or wrong is no reason to measure none: its result says so, and has no samples. */
async function orNote(result, work) {
  try {
    return await work();
  } catch (error) {
    result.samples.length = 0;
    result.wrong = !(error instanceof TooSlow);
    result.note = `${result.wrong ? 'wrong' : 'too slow'}: ${error.message}`;
    return undefined;
  }
}

/** Opens a cell and finds out how many objects make a round. Returns undefined where it does not come to that. */
function prepare(row, workload, touched, order, pace, result) {
  return orNote(result, async () => {
    const cell =
      row.native === undefined
        ? await createCell(row, workload, touched, order)
        : createNativeCell(row, workload, touched);
    await cell.open(pace.setUpMs);
    const held = row.isLoop ? undefined : await cell.held();
    if (held !== undefined) result.held = { filled: held };
    result.count = await (workload.loop === 'fill' ? warmFill(cell, workload) : warmUp(cell, workload, pace));
    return cell;
  });
}

/**
 * Nanoseconds of a round. One in which the system gave the CPU to somebody else says nothing of the allocator: it is run again, and the
 * one that lost the least is taken.
 */
export async function roundOf(cell, count) {
  let best;
  let spentMs = 0;
  for (let attempt = 0; attempt < ATTEMPTS_MAX && spentMs < ATTEMPTS_MS_MAX; attempt++) {
    const { ns, cpuNs } = await cell.round(count);
    const share = cpuNs / ns;
    spentMs += ns / 1e6;
    if (best === undefined || share > best.share) best = { ns, share };
    if (share >= CPU_SHARE_MIN) break;
  }
  return best.ns;
}

/**
 * Runs a cell until V8 has compiled its loop for good and its heap looks as it will from then on. Returns how many objects make a
 * round: about its time, a multiple of the workload's unit.
 */
export async function warmUp(cell, { unit, live }, { roundMs, warmMs }) {
  let count = unit;
  let spentMs = 0;
  let done = 0;
  for (let i = 0; i < CALIBRATIONS_MAX; i++) {
    // Time that the system gave to others has warmed nothing.
    const { ns, cpuNs } = await cell.round(count);
    const spentNs = Math.min(ns, cpuNs);
    spentMs += spentNs / 1e6;
    done += count;
    const factor = Math.min(2, (roundMs * 1e6) / Math.max(1, spentNs));
    count = Math.max(unit, Math.round((count * factor) / unit) * unit);
    const warm = spentMs >= warmMs && done >= WARM_PASSES * live;
    if (warm || spentMs >= WARM_MS_FACTOR * warmMs) break;
  }
  return count;
}

/** One fill, which may take seconds. Returns how many objects make a round: those of a fill. */
async function warmFill(cell, { unit }) {
  await cell.round(unit);
  return unit;
}

export function median(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function minimum(samples) {
  return Math.min(...samples);
}
