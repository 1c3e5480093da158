// The speed that slablab is to show, as ratios of medians of one run.
import { CONTROL, LOCAL } from './parallel.mjs';
import { WORKLOADS } from './plan.mjs';

/** Workload, allocator (slablab unless told), peer, and how many times the peer's time it may take: objects left alone, and touched. */
const TIMES = [
  { workloads: ['pair64', 'pair1k'], peer: 'dlmalloc', limits: [0.5, 0.5] },
  { workloads: ['pair64', 'pair1k'], peer: 'glibc', limits: [0.6, 0.6] },
  { workloads: ['pair64', 'pair1k'], peer: 'freelist', limits: [4, 4] },
  { workloads: ['pair64', 'pair1k'], id: 'live-check', peer: 'dlmalloc', limits: [0.9, 0.9] },
  { workloads: ['batch'], peer: 'dlmalloc', limits: [0.6, 0.6] },
  { workloads: ['random'], peer: 'dlmalloc', limits: [0.4, 0.8] },
  { workloads: ['churn'], peer: 'dlmalloc', limits: [1, 1.1] },
  { workloads: ['mixed'], peer: 'dlmalloc', limits: [0.45, 0.9] },
  { workloads: ['mixed'], peer: 'mimalloc', limits: [1] },
  { workloads: ['fill'], peer: 'glibc', limits: [1, 1] },
];
/** Two Workers against one; nanoseconds an object that passes from one to the other. */
const LOCAL_LIMIT = 1.2;
const EXCHANGE_LIMIT_NS = 60;
/** Bytes held for each byte that is live, to two decimals. */
const MEMORY = [
  { workload: 'random', title: '1 KiB', limit: 1 },
  { workload: 'mixed', title: 'mixed sizes', limit: 1.1 },
];

/** Why a target has no ratio in a run of other workloads. */
export const NOT_ASKED = 'not part of this run';

const HOW = ['untouched', 'touched'];

function target(name, ratio, limit, more = {}) {
  const known = Number.isFinite(ratio);
  return { name, ratio: known ? ratio : null, limit, held: known && ratio <= limit, ...more };
}

/**
 * One entry a target: { name, ratio, limit, held }, `minima` with the ratio of the minima where there is one. What was not measured has
 * no ratio, is not held, and says why in `reason`. Two Workers' ratio is divided by that of Workers that share nothing (`control`);
 * `undivided` is what it was.
 */
export function judge({ rows, local, exchange }) {
  return [
    ...TIMES.flatMap((rule) => rule.workloads.flatMap((id) => judgeTimes(rows, rule, id))),
    ...LOCAL.flatMap(({ id }) => HOW.map((how) => judgeLocal(local, id, how))),
    ...HOW.map((how) => judgeExchange(exchange, how)),
    ...MEMORY.map((rule) => judgeMemory(rows, rule)),
  ];
}

function find(rows, workload, how, id) {
  const row = rows.find((one) => one.workload.id === workload && HOW[Number(one.touched)] === how);
  return row?.results.find((result) => result.id === id);
}

/** As it was run: `fill` is as large as memory allowed. */
function titleOf(rows, id) {
  const { workload } = rows.find((row) => row.workload.id === id) ?? {
    workload: WORKLOADS.find((one) => one.id === id),
  };
  return workload.head.join(' ');
}

function reasonOf(result) {
  return result === undefined ? NOT_ASKED : (result.note ?? 'no samples');
}

function judgeTimes(rows, { id = 'slablab', peer, limits }, workload) {
  return limits.map((limit, touched) => {
    const how = HOW[touched];
    const [ours, theirs] = [find(rows, workload, how, id), find(rows, workload, how, peer)];
    const check = id === 'live-check' ? ' with the live-link check' : '';
    const name = `${titleOf(rows, workload)}${check}, ${how}: × ${theirs?.title ?? peer}`;
    const [missing] = [ours, theirs].filter((result) => result?.median === undefined);
    if (ours?.median === undefined || theirs?.median === undefined)
      return target(name, undefined, limit, { reason: reasonOf(missing) });
    return target(name, ours.median / theirs.median, limit, { minima: ours.minimum / theirs.minimum });
  });
}

function judgeLocal(local, workload, how) {
  const result = find(local, workload, how, 'slablab');
  const { head } = LOCAL.find(({ id }) => id === workload);
  const name = `two Workers, ${head.join(' ')}, ${how}: × one Worker, ÷ the control`;
  const control = find(local, workload, how, CONTROL.id);
  if (result?.factor === undefined || control?.factor === undefined)
    return target(name, undefined, LOCAL_LIMIT, { reason: reasonOf(result) });
  // Two CPUs may be slower than one by themselves, never faster.
  const own = Math.max(1, control.factor);
  const least = Math.max(1, control.twoMinimum / control.oneMinimum);
  return target(name, result.factor / own, LOCAL_LIMIT, {
    minima: result.twoMinimum / result.oneMinimum / least,
    undivided: result.factor,
    control: control.factor,
  });
}

function judgeExchange(exchange, how) {
  const row = exchange.find((one) => HOW[Number(one.touched)] === how);
  const result = row?.results.find(({ id }) => id === 'slablab');
  const name = `producer/consumer, ${how}: ns an object`;
  if (result?.median === undefined)
    return target(name, undefined, EXCHANGE_LIMIT_NS, { reason: reasonOf(result) });
  return target(name, result.median, EXCHANGE_LIMIT_NS, { minima: result.minimum });
}

/** The worse of: when the set was first filled, and after all rounds. */
function judgeMemory(rows, { workload, title, limit }) {
  const result = find(rows, workload, 'untouched', 'slablab');
  const name = `memory held ÷ asked, ${title}`;
  if (result?.held?.end === undefined) return target(name, undefined, limit, { reason: reasonOf(result) });
  const worst = Math.max(result.held.filled, result.held.end);
  return target(name, Math.round(worst * 100) / 100, limit);
}
