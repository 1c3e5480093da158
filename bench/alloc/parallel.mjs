// Two at a time: two Workers, or two threads of C, with the same allocator.
//
//     local       each allocates and frees its own objects; beside it the same with one Worker alone
//     exchange    one allocates, the other frees
import { importCopy } from './copies.mjs';
import { roundOf, warmUp } from './measure.mjs';
import { createNativeCell, startNative } from './native.mjs';
import { createTeam } from './team.mjs';

/** Live objects of each Worker in `random`. */
const LIVE = 20_000;
export const LOCAL = [
  { id: 'batch', loop: 'batch', size: 64, live: 32, unit: 32, head: ['batch 32', '64 B'] },
  { id: 'random', loop: 'random', size: 1024, live: LIVE, unit: 1, head: ['random', '20k live'] },
];
const EXCHANGE = { id: 'exchange', loop: 'batch', size: 64, live: 4096, unit: 32 };
const EXCHANGE_RUNS = 10;
const WARM_RUNS_MAX = 20;
const ROWS = ['slablab', 'dlmalloc', 'glibc', 'mimalloc', 'loop', 'nothing'];
/** What two busy CPUs take from each other without sharing an allocator (peers/stack.mjs): a target is held against that. */
export const CONTROL = { id: 'stack', title: 'JS: a bare stack each', peer: 'stack' };
export const PARALLEL_PACES = {
  full: { rounds: 15, roundMs: 10, warmMs: 250, objects: 2 ** 20 },
  quick: { rounds: 5, roundMs: 5, warmMs: 60, objects: 2 ** 17 },
};

/** Why an allocator is not among them. */
const ALONE = {
  tlsf: 'cannot be shared: its root lies in a global of the module, of which each Worker has its own',
  thing: 'cannot be shared: it has no atomics',
  codemix: 'cannot be shared: it refuses a SharedArrayBuffer',
  pool: 'cannot be shared: its objects belong to one Worker',
  buffer: 'cannot be shared: its objects belong to one Worker',
  uint8array: 'cannot be shared: its objects belong to one Worker',
};

const CANNOT_EXCHANGE = {
  dlmalloc: 'Workers cannot share its heap: wasi-libc has no atomics',
  stack: 'each Worker has a memory of its own',
};

/** The rows that take part, with the reason where they cannot; and who does not, and why. */
export async function parallelRoster(roster) {
  const { sharedMissing } = await importCopy('./peers/slablab.mjs');
  const rows = roster
    .filter(({ id }) => ROWS.includes(id))
    .map((row) => (row.id === 'slablab' ? { ...row, missing: row.missing ?? sharedMissing() } : row))
    .concat(CONTROL);
  const alone = roster
    .filter(({ id }) => ALONE[id] !== undefined)
    .map(({ id, title }) => ({ title, why: ALONE[id] }));
  return { rows, alone };
}

/**
 * Local work: returns { workload, touched, results }, a result having `one` and `two` as samples in nanoseconds for an object in each Worker, or
 * a `note`.
 */
export async function measureLocal({ rows, workload, touched, pace, say }) {
  const results = rows.map(({ id, title, missing }) => ({ id, title, one: [], two: [], note: missing }));
  const teams = [];
  for (const [at, row] of rows.entries()) {
    if (row.missing !== undefined) continue;
    for (const members of [1, 2]) {
      say(`${members} × ${workload.head.join(' ')}: setting up ${row.title}`);
      const team =
        row.native === undefined
          ? await createTeam(row, workload, touched, members)
          : createNativeCell(row, workload, touched, members);
      await team.open();
      const samples = members === 1 ? results[at].one : results[at].two;
      teams.push({ team, samples, count: await warmUp(team, workload, pace) });
    }
  }
  for (let round = 0; round < pace.rounds; round++) {
    say(`two at a time, ${workload.head.join(' ')}: round ${round + 1} of ${pace.rounds}`);
    for (let turn = 0; turn < teams.length; turn++) {
      const { team, samples, count } = teams[(turn + round) % teams.length];
      samples.push((await roundOf(team, count)) / count);
    }
  }
  for (const { team } of teams) await team.close(true);
  return { workload, touched, results };
}

/** Producer and consumer: { touched, results }, samples in nanoseconds for an object. */
export async function measureExchange({ rows, touched, pace, say }) {
  const cannot = (row) => row.missing ?? CANNOT_EXCHANGE[row.id];
  const results = rows.map((row) => ({ id: row.id, title: row.title, samples: [], note: cannot(row) }));
  const pairs = [];
  for (const [at, row] of rows.entries()) {
    if (cannot(row) !== undefined) continue;
    const pair = row.native === undefined ? await workerPair(row, touched) : nativePair(row, touched);
    let spentMs = 0;
    for (let i = 0; i < WARM_RUNS_MAX && spentMs < pace.warmMs; i++)
      spentMs += (await pair.round(pace.objects)).cpuNs / 1e6;
    pairs.push({ pair, samples: results[at].samples });
  }
  for (let run = 0; run < EXCHANGE_RUNS; run++) {
    say(`producer and consumer: run ${run + 1} of ${EXCHANGE_RUNS}`);
    for (const { pair, samples } of pairs) samples.push((await roundOf(pair, pace.objects)) / pace.objects);
  }
  for (const { pair } of pairs) await pair.close();
  return { touched, objects: pace.objects, results };
}

/** A pair's round is one exchange of so many objects. */
async function workerPair(row, touched) {
  const team = await createTeam(row, EXCHANGE, touched, 2);
  return { round: (count) => team.exchange(count), close: () => team.close(false) };
}

function nativePair(row, touched) {
  const program = startNative(row);
  return {
    async round(count) {
      const [ns, lost, cpuNs] = await program.ask(`exchange ${count} ${touched ? 1 : 0}`);
      if (lost !== '0' && !row.isLoop) throw new Error(`${row.title}: ${lost} objects were lost or changed`);
      return { ns: Number(ns), cpuNs: Number(cpuNs) };
    },
    close: () => program.end(),
  };
}
