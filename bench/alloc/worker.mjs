// One Worker of a team (team.mjs): it joins its allocator, and runs what it is told.
//
// Workers that run at the same time wait for each other at a gate first: a word that counts arrivals.
import { parentPort, workerData } from 'node:worker_threads';
import { consume, produce } from './exchange.mjs';
import { makeOrder, memoryBytes } from './plan.mjs';

const { peer, variant, ticket, workload, touched, gate, members } = workerData;
const { join } = await import(`./peers/${peer}.mjs`);
const loops = await import(touched ? './loops.mjs?touched=1' : './loops.mjs');
const allocator = join(ticket, variant, { bytes: memoryBytes(workload) });
const arrivals = new Int32Array(gate);
let meetings = 0;
let loop;

function meet() {
  meetings++;
  Atomics.add(arrivals, 0, 1);
  while (Atomics.load(arrivals, 0) < meetings * members);
}

/** Calls `work` when all are there. Returns its result, with nanoseconds. */
function timed(work) {
  meet();
  const start = process.hrtime.bigint();
  const result = work();
  return { ns: Number(process.hrtime.bigint() - start), ...result };
}

const commands = {
  /** Fills a live set of its own. Returns where the objects lie. */
  fill() {
    loop = loops[workload.loop](allocator, workload, makeOrder(workload));
    loop.fill(0, loop.slots.length);
    return { places: Array.from(loop.slots) };
  },
  places: () => ({ places: Array.from(loop.slots) }),
  run: ({ count }) => timed(() => ({ wrong: loop.run(count) })),
  produce: ({ ring, count }) =>
    timed(() => ({ sum: produce(allocator, ring, { size: workload.size, touched }, count) })),
  consume: ({ ring, count }) => timed(() => consume(allocator, ring, { touched }, count)),
  leave() {
    loop?.drain(0, loop.slots.length);
    allocator.leave?.();
    parentPort.unref();
    return {};
  },
};

parentPort.on('message', ({ command, ...rest }) => {
  parentPort.postMessage(commands[command](rest));
});
parentPort.postMessage('ready');
