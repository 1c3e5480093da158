// The pointer table against a Map of numbers doing the same job: which live object is this pointer?
//
//     npx tsc -b && node bench/pointer-table.mjs [--json] [--rounds 5]
//
// Both get the same pointers in the same order: those of recorded traces, in as many copies side by side as make up the number of live
// objects, each copy at addresses of its own; and, as the worst case, objects that are allocated and freed at random, which no kernel
// does. A Map can hold a pointer's lower 48 bits only, for a number has no more room; the table holds all 64. Rounds alternate within one
// process, and medians are compared, so that a noisy machine hits both.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { Random } from '../dist/base/index.js';
import {
  createPointerTable,
  createTextTraceReader,
  detectFormat,
  EVENT,
  Strings,
} from '../dist/trace/index.js';

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, rounds: { type: 'string', default: '5' } },
});
const rounds = Number(values.rounds);

/** Of what a Map of numbers takes, at most. */
const LIMIT = 0.2;
const HALF = 2 ** 32;
const HIGH_BITS = 0xffff;
/** Events of one copy before the next copy's turn. */
const TURN = 64;
const COPIES = [1, 8, 64];
const EVENTS_LEAST = 1_000_000;

/** A list of pointers in the order of events: op (1 allocates, 0 frees), lower half, upper half. */
function recordedPointers(name) {
  const text = gunzipSync(readFileSync(new URL(`../truth/traces/${name}.txt.gz`, import.meta.url)));
  const list = [];
  const take = (batch) => {
    for (let i = 0; i < batch.length; i++) {
      const kind = batch.kind[i];
      const allocates = kind === EVENT.KMALLOC || kind === EVENT.CACHE_ALLOC;
      if (!allocates && kind !== EVENT.KFREE && kind !== EVENT.CACHE_FREE) continue;
      if (batch.pointerLow[i] !== 0)
        list.push(allocates ? 1 : 0, batch.pointerLow[i] | 0, batch.pointerHigh[i] | 0);
    }
  };
  const reader = createTextTraceReader(detectFormat(name, text), name, { strings: new Strings(), take });
  reader.write(text);
  reader.end();
  return { name, list: Int32Array.from(list) };
}

/** Copies of a list, turn by turn; again and again until a round lasts long enough. */
function copied({ name, list }, copies) {
  const times = Math.max(Math.ceil((3 * EVENTS_LEAST) / (list.length * copies)), 1);
  const all = new Int32Array(list.length * copies * times);
  let at = 0;
  for (let from = 0; from < list.length * times; from += 3 * TURN) {
    const to = Math.min(from + 3 * TURN, list.length * times);
    for (let copy = 0; copy < copies; copy++) {
      for (let i = from; i < to; i += 3) {
        const event = i % list.length;
        all[at++] = list[event];
        all[at++] = (list[event + 1] + Math.imul(copy, 0x1357_9000)) | 0;
        all[at++] = (list[event + 2] + (copy >> 3)) | 0;
      }
    }
  }
  return { name: copies === 1 ? name : `${name} × ${copies}`, list: all };
}

/** Half of the events allocate a new object, half free a random live one. */
function randomPointers(live) {
  const random = new Random(live);
  const list = [];
  const alive = [];
  const dead = Array.from({ length: 2 * live }, (_, i) => i);
  const event = (op, object) => list.push(op, Math.imul(object, 192), 0xffff8881 | 0);
  const swapOut = (from) => {
    const at = random.below(from.length);
    const object = from[at];
    from[at] = from.at(-1);
    from.pop();
    return object;
  };
  for (let i = 0; i < live + 500_000; i++) {
    const allocates = i < live || i % 2 === 0;
    const object = swapOut(allocates ? dead : alive);
    (allocates ? alive : dead).push(object);
    event(allocates ? 1 : 0, object);
  }
  return { name: 'any order', list: Int32Array.from(list) };
}

/** Both return a sum of what was found, so that they can be seen to have done the same. */
function runTable(list) {
  const table = createPointerTable();
  let sum = 0;
  for (let i = 0; i < list.length; i += 3) {
    if (list[i] === 1) sum += table.put(list[i + 1], list[i + 2], (i & 0xffff) + 1) + 1;
    else sum += table.take(list[i + 1], list[i + 2]) + 1;
  }
  return sum + table.size;
}

function runMap(list) {
  const map = new Map();
  let sum = 0;
  for (let i = 0; i < list.length; i += 3) {
    const key = (list[i + 2] & HIGH_BITS) * HALF + (list[i + 1] >>> 0);
    const had = map.get(key);
    if (had !== undefined) sum += had + 1;
    if (list[i] === 1) map.set(key, (i & 0xffff) + 1);
    else if (had !== undefined) map.delete(key);
  }
  return sum + map.size;
}

function mostLive(list) {
  const live = new Set();
  let most = 0;
  for (let i = 0; i < list.length; i += 3) {
    const key = (list[i + 2] & HIGH_BITS) * HALF + (list[i + 1] >>> 0);
    if (list[i] === 1) live.add(key);
    else live.delete(key);
    most = Math.max(most, live.size);
  }
  return most;
}

function time(run, list) {
  const start = process.hrtime.bigint();
  const sum = run(list);
  return { ns: (Number(process.hrtime.bigint() - start) * 3) / list.length, sum };
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

const recorded = ['gcc-public', 'tar-public', 'sock-public'].map(recordedPointers);
const cases = [
  ...recorded.flatMap((each) => COPIES.map((copies) => copied(each, copies))),
  ...[1000, 30_000, 1_000_000].map(randomPointers),
];
const rows = [];
for (const { name, list } of cases) {
  const table = [];
  const map = [];
  // Each is run once before, until its code is what it will be.
  runTable(list);
  runMap(list);
  for (let round = 0; round < rounds; round++) {
    const ours = time(runTable, list);
    const theirs = time(runMap, list);
    if (ours.sum !== theirs.sum) throw new Error(`${name}: ${ours.sum} is not ${theirs.sum}`);
    table.push(ours.ns);
    map.push(theirs.ns);
  }
  const ratio = median(table) / median(map);
  rows.push({ name, live: mostLive(list), tableNs: median(table), mapNs: median(map), ratio });
}

// One list or another is at the mercy of the processor's branches; what a trace's reader pays is all of them.
const ratios = rows.filter(({ name }) => name !== 'any order').map(({ ratio }) => ratio);
const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
const targets = [
  {
    name: `pointer table to Map of numbers, geometric mean of ${ratios.length} lists of recorded pointers`,
    ratio: mean,
    limit: LIMIT,
    held: mean <= LIMIT,
  },
];
if (values.json) console.log(JSON.stringify({ benchmark: 'pointer-table', rounds, rows, targets }));
else {
  console.log('pointers of           live   table ns/event   Map ns/event   ratio');
  for (const { name, live, tableNs, mapNs, ratio } of rows) {
    const cells = [name.padEnd(17), String(live).padStart(8), tableNs.toFixed(1).padStart(16)];
    console.log(`${cells.join(' ')} ${mapNs.toFixed(1).padStart(14)}   ${ratio.toFixed(3)}`);
  }
  console.log(`geometric mean of recorded pointers: ${mean.toFixed(3)} (limit ${LIMIT})`);
}
