// The reader of ftrace text against what people would write instead, all doing the same: read every line of a trace, take its event, CPU,
// pid, time, call site, pointer, sizes, gfp flags and cache apart, count the events and add up what they say.
//
//     npx tsc -b && node bench/trace-text.mjs [--json] [--rounds 7] [FILE…]     ftrace text, also gzipped
//
//     regex   one regular expression a line and one a field, in this process
//     mawk    scan.awk, a process of its own
//     perl    scan.pl, likewise
//     C       scan.c, built with `cc -O2`: one pass, a pointer that walks; it times itself, without reading the file
//
// Times are CPU seconds of all threads, rounds alternate, and medians are compared, so that other work on the machine hits all alike and
// hardly. Every side's sums must be equal. What is not installed is named and left out. mawk and perl count with their start and with
// reading the file, as they are used.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { __GFP, GFP } from '../dist/machine/index.js';
import { createTextTraceReader, EVENT_NAMES, Strings } from '../dist/trace/index.js';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean' }, rounds: { type: 'string', default: '7' } },
  allowPositionals: true,
});
const rounds = Number(values.rounds);
const traces =
  positionals.length > 0
    ? positionals
    : ['boot-find', 'sock'].map((name) => here(`../truth/traces/${name}-public.txt.gz`));

const KINDS = EVENT_NAMES.slice(1, 7);
const GFP_BITS = new Map([
  ...Object.entries(__GFP).map(([name, bits]) => [`__GFP_${name}`, bits]),
  ...Object.entries(GFP).map(([name, bits]) => [`GFP_${name}`, bits]),
  ['none', 0],
]);
const GFP_NAMES = [...GFP_BITS].flat().join(' ');

/** What every side tells: counts by kind, then these sums, as doubles so that V8 need not change its mind about any. */
const CPU = KINDS.length;
const [PID, MICROS, POINTER, REQ, ALLOC, FLAGS, TEXTS] = [1, 2, 3, 4, 5, 6, 7].map((i) => CPU + i);
const newSums = () => new Float64Array(TEXTS + 1);

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

// ---- The sides ---------------------------------------------------------------------------------------------------------

/** Lengths of the texts, by their number. */
let lengths = new Uint16Array(1 << 12);

function learnLengths(strings, known) {
  if (strings.count > lengths.length) {
    const more = new Uint16Array(strings.count * 2);
    more.set(lengths);
    lengths = more;
  }
  for (let id = known; id < strings.count; id++) lengths[id] = strings.text(id).length;
  return strings.count;
}

function add(batch, sums) {
  const { length, kind, cpu, pid, time, pointerLow, bytesReq, bytesAlloc, gfp, site, comm, name } = batch;
  let [cpus, pids, nanoseconds, pointers, req, alloc, flags, texts] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < length; i++) {
    // Marks and losses are of no kind that is counted here.
    if (kind[i] > KINDS.length) continue;
    sums[kind[i] - 1]++;
    cpus += cpu[i];
    pids += pid[i];
    nanoseconds += time[i];
    pointers += pointerLow[i] & 0xff;
    req += bytesReq[i];
    alloc += bytesAlloc[i];
    flags += gfp[i];
    texts += lengths[site[i]] + lengths[comm[i]] + lengths[name[i]];
  }
  const more = [cpus, pids, nanoseconds / 1000, pointers, req, alloc, flags, texts];
  for (const [i, sum] of more.entries()) sums[CPU + i] += sum;
}

function ours(bytes) {
  const sums = newSums();
  const strings = new Strings();
  let known = 1;
  const reader = createTextTraceReader('ftrace', 'trace', {
    strings,
    take(batch) {
      known = learnLengths(strings, known);
      add(batch, sums);
    },
  });
  reader.write(bytes);
  reader.end();
  return sums.join(' ');
}

const LINE = /^ *(.+?)-(\d+) +\[(\d+)\] \S+ +(\d+)\.(\d+): (\w+): (.*)$/;
const FIELD = /(\w+)=(\S+)/g;
const PIECE = 1 << 16;
const WARM_UP = 5;
const RUNS = 5;

function regex(bytes) {
  const sums = newSums();
  const numbers = new Map(KINDS.map((name, number) => [name, number]));
  const flags = new Map();
  const gfpOf = (text) => {
    const bits = text.split('|').reduce((all, name) => all | (GFP_BITS.get(name) ?? 0), 0);
    flags.set(text, bits);
    return bits;
  };
  const readLine = (line) => {
    const match = LINE.exec(line);
    const number = match ? numbers.get(match[6]) : undefined;
    if (number === undefined) return;
    sums[number]++;
    sums[TEXTS] += match[1].length;
    sums[PID] += Number(match[2]);
    sums[CPU] += Number(match[3]);
    sums[MICROS] += Number(match[4]) * 1_000_000 + Number(match[5]);
    for (const [, key, value] of match[7].matchAll(FIELD)) {
      if (key === 'ptr') sums[POINTER] += Number.parseInt(value.slice(8), 16) & 0xff;
      else if (key === 'pfn') sums[POINTER] += Number(value) & 0xff;
      else if (key === 'bytes_req') sums[REQ] += Number(value);
      else if (key === 'bytes_alloc') sums[ALLOC] += Number(value);
      else if (key === 'name') sums[TEXTS] += value.length;
      else if (key === 'gfp_flags') sums[FLAGS] += flags.get(value) ?? gfpOf(value);
      else if (key === 'call_site') {
        const slash = value.indexOf('/');
        sums[TEXTS] += slash < 0 ? value.length : slash;
      }
    }
  };
  let rest = '';
  for (let at = 0; at < bytes.length; at += PIECE) {
    const lines = (rest + bytes.toString('latin1', at, at + PIECE)).split('\n');
    rest = lines.pop();
    for (const line of lines) readLine(line);
  }
  if (rest !== '') readLine(rest);
  return sums.join(' ');
}

/** The median of a few runs in a row, as the C program tells it: what another side left in caches and heap is out of the way then. */
function inProcess(side, bytes) {
  const seconds = [];
  let sums = '';
  for (let i = 0; i < RUNS; i++) {
    const start = process.cpuUsage();
    sums = side(bytes);
    const { user, system } = process.cpuUsage(start);
    seconds.push((user + system) / 1e6);
  }
  return { seconds: median(seconds), sums };
}

/** A program prints 0 or its own CPU seconds, and its sums; then the shell prints the times of what it ran. */
function run(command, args) {
  const out = execFileSync('sh', ['-c', '"$@" && times', 'sh', command, ...args], { encoding: 'utf8' });
  const [line, , children] = out.trim().split('\n');
  const [own, ...sums] = line.trim().split(' ');
  return { seconds: Number(own) || cpuSeconds(children), sums: sums.join(' ') };
}

/** User and system time as `times` prints them: `0m1.230s 0m0.040s`. */
function cpuSeconds(text) {
  return [...text.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + m * 60 + Number(s), 0);
}

function has(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

// ---- Rounds ------------------------------------------------------------------------------------------------------------

const folder = mkdtempSync(join(tmpdir(), 'slablab-bench-'));
const scanner = join(folder, 'scan');
const missing = [];
const sides = new Map([
  ['slablab', (bytes) => inProcess(ours, bytes)],
  ['regex', (bytes) => inProcess(regex, bytes)],
]);
if (has('mawk', ['BEGIN { exit 0 }'])) {
  sides.set('mawk', (_, file) => run('mawk', ['-v', `GFP_NAMES=${GFP_NAMES}`, '-f', here('scan.awk'), file]));
} else missing.push('mawk');
if (has('perl', ['-e', 'exit 0']))
  sides.set('perl', (_, file) => run('perl', [here('scan.pl'), file, GFP_NAMES]));
else missing.push('perl');
if (has('cc', ['-O2', '-o', scanner, here('scan.c')]))
  sides.set('C', (_, file) => run(scanner, [file, String(RUNS)]));
else missing.push('cc');

/** How many times as fast as each other side this reader should be. */
const TARGETS = new Map([
  ['regex', 5],
  ['mawk', 10],
  ['perl', 10],
  ['C', 0.8],
]);

function measure(path) {
  const packed = readFileSync(path);
  const bytes = packed[0] === 0x1f && packed[1] === 0x8b ? gunzipSync(packed) : packed;
  const file = join(folder, 'trace.txt');
  writeFileSync(file, bytes);
  const seconds = new Map([...sides.keys()].map((name) => [name, []]));
  const expected = ours(bytes);
  // A warm engine on all sides: both of this process are compiled by then.
  for (let i = 0; i < WARM_UP; i++) for (const side of [ours, regex]) side(bytes);
  for (let round = 0; round < rounds; round++) {
    for (const [name, side] of sides) {
      const result = side(bytes, file);
      if (result.sums !== expected) throw new Error(`${name}: ${result.sums}\nis not ${expected}`);
      seconds.get(name).push(result.seconds);
    }
  }
  const events = expected
    .split(' ')
    .slice(0, KINDS.length)
    .reduce((sum, count) => sum + Number(count), 0);
  const own = median(seconds.get('slablab'));
  const rows = [...seconds].map(([name, list]) => ({
    name,
    eventsPerSecond: events / median(list),
    times: median(list) / own,
    target: TARGETS.get(name),
  }));
  return { trace: basename(path), bytes: bytes.length, events, rows };
}

try {
  const results = traces.map(measure);
  if (values.json) console.log(JSON.stringify({ benchmark: 'trace-text', rounds, missing, results }));
  else {
    for (const { trace, bytes, events, rows } of results) {
      console.log(
        `${trace}: ${events} events, ${(bytes / 2 ** 20).toFixed(1)} MiB, medians of ${rounds} rounds`,
      );
      for (const { name, eventsPerSecond, times, target } of rows) {
        const speed = `${(eventsPerSecond / 1e6).toFixed(2).padStart(8)} M events/CPU s`;
        const ratio = target === undefined ? '' : `   slablab is ${times.toFixed(2)} × (target ${target})`;
        console.log(`  ${name.padEnd(8)}${speed}${ratio}`);
      }
    }
    for (const name of missing) console.log(`missing: ${name}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
