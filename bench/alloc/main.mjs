// The allocator against named peers, in one run.
//
//     npm run bench                          measures everything: about five minutes on two idle CPUs
//     npm run bench -- --quick               shorter rounds, fewer of them, 128 MiB in place of 1 GiB
//     npm run bench -- --only pair64,random  some workloads
//     npm run bench -- --json FILE           also writes all samples, and {targets: [{name, ratio, limit, held}]}
//     npm run bench -- --write               also writes docs/performance.md
//     npm run bench -- --minima              prints minima in place of medians
//     npm run bench -- --strict              fails if a target is missed or could not be measured
//
// Files: plan (workloads and their random orders), loops (what is timed), peers/ (one file an allocator), roster (the rows of the tables),
// build (what has to be installed and compiled first), copies (why no allocator spoils another's inline caches), cell and native (one
// allocator under one workload, here or in a program of C), inspect (is what it hands out memory?), faults (would inspect notice?),
// measure (rounds), parallel, team, worker and exchange (two at a time), targets, report (the terminal), page (docs/performance.md).
//
// Exit codes: 0 measured; 1 slablab failed its checks, or with --strict a target did not hold; 2 usage.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, freemem, loadavg, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildPeers, installPeers } from './build.mjs';
import { registerCopies } from './copies.mjs';
import { proveChecks } from './faults.mjs';
import { measureWorkload, median, minimum, PACES } from './measure.mjs';
import { performancePage } from './page.mjs';
import { LOCAL, measureExchange, measureLocal, PARALLEL_PACES, parallelRoster } from './parallel.mjs';
import { fillWorkload, WORKLOADS } from './plan.mjs';
import { terminalReport } from './report.mjs';
import { makeRoster } from './roster.mjs';
import { judge } from './targets.mjs';

const DOCUMENT = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const GIB = 2 ** 30;
const QUICK_FILL_BYTES = 2 ** 27;
/** Allocators that hold all of `fill` at the same time: those that are compared in a target, then the others. */
const FILL_SECOND = ['tlsf', 'thing', 'codemix', 'pool', 'buffer', 'uint8array'];
const FILL_AT_ONCE = 8;
const PARALLEL = ['local', 'exchange'];

function readArguments() {
  const usage = (message) => {
    const words = '[--quick] [--only WORKLOAD,…] [--json FILE] [--write] [--minima] [--strict]';
    process.stderr.write(`${message}\nusage: npm run bench -- ${words}\n`);
    process.exit(2);
  };
  try {
    const flag = { type: 'boolean', default: false };
    const { values } = parseArgs({
      options: {
        quick: flag,
        write: flag,
        minima: flag,
        strict: flag,
        json: { type: 'string' },
        only: { type: 'string' },
      },
    });
    const known = [...WORKLOADS.map(({ id }) => id), ...PARALLEL];
    const only = values.only?.split(',') ?? known;
    const unknown = only.find((word) => !known.includes(word));
    if (unknown !== undefined) usage(`'${unknown}' is no workload: there are ${known.join(', ')}`);
    if (values.write && (values.quick || values.only !== undefined))
      usage('--write is for a whole run: leave out --quick and --only');
    return { ...values, only };
  } catch (error) {
    return usage(error.message);
  }
}

/** One line on a terminal that the next one overwrites; nothing elsewhere. */
function createProgress() {
  const live = process.stderr.isTTY === true && process.env.TERM !== 'dumb';
  const write = (text) => live && process.stderr.write(`\r\u001b[K${text.slice(0, 99)}`);
  return { say: write, end: () => write('') };
}

/** Bytes that can be had without swapping. */
function availableBytes() {
  try {
    const found = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    return found === null ? freemem() : Number(found[1]) * 1024;
  } catch {
    return freemem();
  }
}

/** `fill` as large as the machine's memory allows, 1 GiB at most. */
function sizedFill(quick) {
  let bytes = quick ? QUICK_FILL_BYTES : GIB;
  while (bytes > 2 ** 24 && bytes * FILL_AT_ONCE > availableBytes() * 0.7) bytes /= 2;
  return fillWorkload(bytes);
}

/** Machine and versions, without a date. */
function describeMachine(roster, built, load) {
  const [cpu] = cpus();
  const memory = `${(totalmem() / GIB).toFixed(0)} GiB`;
  let pages = '';
  try {
    const text = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8');
    pages = `, transparent huge pages: ${/\[(\w+)\]/.exec(text)?.[1] ?? 'unknown'}`;
  } catch {
    // Not every system has them.
  }
  const versions = roster
    .filter(({ version }) => version)
    .map(({ title, version }) => `${title} (${version})`);
  const compilers = new Set(Object.values(built).flatMap(({ compiler }) => compiler ?? []));
  return [
    `${cpu?.model.trim() ?? 'unknown CPU'}, ${availableParallelism()} CPUs, ${memory}, ${type()} ${release()}${pages}`,
    `Node ${process.versions.node}, V8 ${process.versions.v8}`,
    versions.join(', '),
    ...(load > availableParallelism() / 2
      ? [`other programs were running: a load of ${load.toFixed(1)} at the start`]
      : []),
    ...(compilers.size > 0 ? [`compiled with ${[...compilers].join(', ')}`] : []),
  ];
}

function addFigures(result, keys = [['samples', 'median', 'minimum']]) {
  for (const [samples, middle, least] of keys) {
    if ((result[samples]?.length ?? 0) === 0) continue;
    result[middle] = median(result[samples]);
    result[least] = minimum(result[samples]);
  }
  return result;
}

async function measureTimes({ roster, only, quick, say }) {
  const pace = quick ? PACES.quick : PACES.full;
  const workloads = WORKLOADS.filter(({ id }) => only.includes(id)).map((workload) =>
    workload.id === 'fill' ? sizedFill(quick) : workload,
  );
  const rows = [];
  for (const touched of [false, true]) {
    for (const workload of workloads) {
      const later = workload.id === 'fill' ? FILL_SECOND : [];
      const results = new Map();
      for (const party of [
        roster.filter(({ id }) => !later.includes(id)),
        roster.filter(({ id }) => later.includes(id)),
      ]) {
        if (party.length === 0) continue;
        const measured = await measureWorkload({ roster: party, workload, touched, pace, say });
        for (const result of measured.results) results.set(result.id, addFigures(result));
      }
      rows.push({ workload, touched, results: roster.map(({ id }) => results.get(id)) });
    }
  }
  return rows;
}

async function measureParallel({ roster, only, quick, say }) {
  const pace = quick ? PARALLEL_PACES.quick : PARALLEL_PACES.full;
  const { rows, alone } = await parallelRoster(roster);
  const able = availableParallelism() < 2 ? rows.map((row) => ({ ...row, missing: 'needs two CPUs' })) : rows;
  const local = [];
  const exchange = [];
  for (const touched of [false, true]) {
    for (const workload of only.includes('local') ? LOCAL : []) {
      const row = await measureLocal({ rows: able, workload, touched, pace, say });
      for (const result of row.results) {
        addFigures(result, [
          ['one', 'oneMedian', 'oneMinimum'],
          ['two', 'twoMedian', 'twoMinimum'],
        ]);
        if (result.twoMedian !== undefined) result.factor = result.twoMedian / result.oneMedian;
      }
      local.push(row);
    }
    if (!only.includes('exchange')) continue;
    const row = await measureExchange({ rows: able, touched, pace, say });
    for (const result of row.results) addFigures(result);
    exchange.push(row);
  }
  return { local, exchange, alone };
}

async function main() {
  const options = readArguments();
  const { say, end } = createProgress();
  registerCopies();
  await proveChecks();
  const npm = installPeers(say);
  say('compiling');
  const built = buildPeers(npm);
  const roster = await makeRoster(npm, built);
  const load = loadavg()[0];
  const rows = await measureTimes({ roster, say, ...options });
  const parallel = await measureParallel({ roster, say, ...options });
  end();
  const machine = describeMachine(roster, built, load);
  const targets = judge({ rows, ...parallel });
  const pace = options.quick ? PACES.quick : PACES.full;
  const report = { rows, ...parallel, targets, machine, pace };

  if (options.json !== undefined) {
    const missing = roster
      .filter((row) => row.missing !== undefined)
      .map(({ title, missing: why }) => ({ title, why }));
    const text = JSON.stringify({
      benchmark: 'alloc',
      version: 1,
      quick: options.quick,
      load,
      missing,
      ...report,
    });
    if (options.json === '-') process.stdout.write(`${text}\n`);
    else writeFileSync(options.json, `${text}\n`);
  }
  if (options.json !== '-') {
    const lines = terminalReport(report, options.minima ? 'minimum' : 'median');
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  if (options.write) {
    writeFileSync(DOCUMENT, performancePage(report));
    process.stderr.write('docs/performance.md is written\n');
  }
  const wrong = rows.some(({ results }) => results.some((one) => one.wrong && isOurs(one.id)));
  if (wrong || (options.strict && targets.some(({ held }) => !held))) process.exitCode = 1;
}

function isOurs(id) {
  return ['slablab', 'live-check', 'classic'].includes(id);
}

await main();
