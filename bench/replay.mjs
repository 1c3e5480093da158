// How fast a trace is replayed: from the text, from the resolved trace in memory, and from a .slt.
//
//     npx tsc -b && node bench/replay.mjs [--json] [--rounds 9] [NAME…]     names of truth/traces, such as tar-public
//
// Every figure is millions of events a second: the median of alternating rounds by the clock, the best of them, and the best by the CPU
// time that the process took with all its threads. The last is what one core by itself needs, also where others keep the machine busy, and
// is held against the target. A trace is read REPEAT
// times in a row, as one trace, so that a round lasts long enough; what was live when it begins again is freed without an event, as real
// traces have it too. A replay is finished when its result is there: peaks, slabs by fullness, pins and all.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import {
  AS_RECORDED,
  knownCaches,
  NO_HISTORY,
  planFromSnapshots,
  readSnapshots,
  replay,
} from '../dist/lab/index.js';
import {
  createResolver,
  createTextTraceReader,
  createTraceFile,
  detectFormat,
  nameClasses,
  openTraceFile,
} from '../dist/trace/index.js';

const REPEAT = 40;
/** Millions of events a second that are to be reached. */
const TARGETS = { text: 2, memory: 10, slt: 10 };

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean' }, rounds: { type: 'string', default: '5' } },
  allowPositionals: true,
});
const rounds = Number(values.rounds);
const names = positionals.length > 0 ? positionals : ['tar-public', 'boot-find-public'];

const unzipped = (name) => gunzipSync(readFileSync(new URL(`../truth/traces/${name}.gz`, import.meta.url)));

/** Reads and resolves a text REPEAT times over, as one trace. */
function resolve(text, name) {
  const chunks = [];
  const resolver = createResolver({ chunk: (chunk) => chunks.push(chunk) });
  const sink = { strings: resolver.strings, take: (batch) => resolver.take(batch) };
  let read;
  for (let i = 0; i < REPEAT; i++) {
    const reader = createTextTraceReader(detectFormat(name, text), name, sink);
    reader.write(text);
    read = reader.end();
  }
  return { trace: { ...resolver.finish(), chunks: () => chunks }, read, chunks };
}

/** What a replay needs beside the trace. What was there before is left out: it is estimated once, however many what-ifs follow. */
function recordedOf(trace, snapshots) {
  const plan = planFromSnapshots(snapshots, trace.cpus);
  const estimate = { history: NO_HISTORY, reference: undefined };
  return {
    trace,
    snapshots,
    plan,
    names: nameClasses(trace.classes, knownCaches(plan)),
    estimate,
    mismatch: [],
  };
}

function saved({ trace, read, chunks }, name) {
  const parts = [];
  const writer = createTraceFile((bytes) => parts.push(bytes.slice()));
  for (const chunk of chunks) writer.chunk(chunk);
  writer.finish(trace, { file: name, read });
  return Buffer.concat(parts);
}

function timed(work) {
  const before = process.cpuUsage();
  const start = process.hrtime.bigint();
  const result = work();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const { user, system } = process.cpuUsage(before);
  return { seconds, cpuSeconds: (user + system) / 1e6, result };
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

const rows = [];
for (const name of names) {
  const text = unzipped(`${name}.txt`);
  const snapshots = readSnapshots(unzipped(`${name}.snapshots.json`).toString(), name);
  const first = resolve(text, name);
  const file = saved(first, name);
  const source = { size: file.length, read: (offset, length) => file.subarray(offset, offset + length) };
  const memory = recordedOf(first.trace, snapshots);
  const ways = {
    text: () => replay(recordedOf(resolve(text, name).trace, snapshots), AS_RECORDED),
    memory: () => replay(memory, AS_RECORDED),
    slt: () => replay(recordedOf(openTraceFile(source, name), snapshots), AS_RECORDED),
  };
  const took = { text: [], memory: [], slt: [] };
  for (let round = 0; round < rounds; round++) {
    let peak;
    for (const [way, work] of Object.entries(ways)) {
      const { seconds, cpuSeconds, result } = timed(work);
      if (peak !== undefined && result.peak.bytes !== peak)
        throw new Error(`${name}: from ${way} the peak is ${result.peak.bytes}, not ${peak}`);
      peak = result.peak.bytes;
      took[way].push({ seconds, cpuSeconds });
    }
  }
  const events = first.trace.rows;
  for (const [way, each] of Object.entries(took)) {
    const rate = (time) => events / time / 1e6;
    const clock = each.map(({ seconds }) => seconds);
    const cpu = Math.min(...each.map(({ cpuSeconds }) => cpuSeconds));
    const rates = { rate: rate(median(clock)), best: rate(Math.min(...clock)), byCpu: rate(cpu) };
    rows.push({ name, way, events, ...rates, target: TARGETS[way] });
  }
  rows.at(-1).bytesPerEvent = file.length / events;
}

const targets = rows.map(({ name, way, byCpu, target }) => ({
  name: `${name}: ${way} to finished replay, million events/s`,
  ratio: byCpu,
  limit: target,
  held: byCpu >= target,
}));
if (values.json) console.log(JSON.stringify({ benchmark: 'replay', rounds, rows, targets }));
else {
  console.log('trace               from        events   by clock       best     by CPU   target');
  for (const { name, way, events, rate, best, byCpu, target } of rows) {
    const cells = [name.padEnd(19), way.padEnd(8), String(events).padStart(9)];
    const rates = [rate, best, byCpu].map((each) => each.toFixed(2).padStart(10));
    console.log(`${cells.join(' ')} ${rates.join(' ')} ${`≥ ${target}`.padStart(8)}`);
  }
  const sizes = rows.filter(({ bytesPerEvent }) => bytesPerEvent !== undefined);
  for (const { name, bytesPerEvent } of sizes)
    console.log(`${name}: ${bytesPerEvent.toFixed(1)} bytes an event in the .slt`);
}
