// One cell of the tables: an allocator of JavaScript or WebAssembly under one workload, in this process.
//
// A cell of C (native.mjs) has the same four calls:
//
//     open(limitMs)      fills the live set, checks every object; throws TooSlow where that would take longer
//     round(count)       allocates and frees `count` objects; returns { ns, cpuNs }: how long, and how long of it the CPU was ours
//     held()             bytes that the allocator holds for each byte that is live; undefined where that cannot be known
//     close()            checks again and lets everything go
import { importCopy } from './copies.mjs';
import { checkPlaces, checkSample, stamp } from './inspect.mjs';
import { memoryBytes } from './plan.mjs';

/** Objects that are allocated or freed between two looks at the clock, while a cell is set up. */
const SLICE = 512;
/** A set-up is not given up before it has run so long. */
const PATIENCE_MS = 1000;

/** An allocator that would need hours. Its cell says so. */
export class TooSlow extends Error {}

/** @param row an allocator of roster.mjs; `order` what makeOrder gave for the workload */
export async function createCell(row, workload, touched, order) {
  const [peer, loops] = await Promise.all([
    importCopy(`./peers/${row.peer}.mjs`),
    importCopy('./loops.mjs', touched ? { touched: 1 } : {}),
  ]);
  const { size, loop: kind } = workload;
  const allocator = peer.open({ size, bytes: memoryBytes(workload), touched }, row.variant);
  const loop = loops[kind](allocator, workload, order);
  const checked = !allocator.isNothing;
  const holdsLive = loop.slots.length > 0 && kind !== 'fill';

  /** Calls a step for all slots, a slice at a time. */
  function inSlices(what, step, limitMs) {
    const began = performance.now();
    const count = loop.slots.length;
    for (let from = 0; from < count; from += SLICE) {
      const spent = performance.now() - began;
      if (spent > PATIENCE_MS && (spent / from) * count > limitMs) {
        const ns = Math.round((spent * 1e6) / from);
        throw new TooSlow(`${what} ${from} of ${count} took ${ns} ns each`);
      }
      step(from, Math.min(from + SLICE, count));
    }
  }

  function check() {
    checkPlaces(allocator, loop.slots, loop.size);
    if (touched) stamp(allocator, loop.slots, loop.size);
  }

  return {
    row,
    makesGarbage: allocator.makesGarbage === true,
    open(limitMs) {
      inSlices('allocating', loop.fill, limitMs);
      if (checked && loop.slots.length > 0) check();
      if (checked && loop.slots.length === 0) checkSample(allocator, size, touched);
      if (holdsLive || loop.slots.length === 0) return;
      inSlices('freeing', loop.drain, limitMs);
    },
    round(count) {
      const cpu = process.cpuUsage();
      const start = process.hrtime.bigint();
      const wrong = loop.run(count);
      const ns = Number(process.hrtime.bigint() - start);
      const { user, system } = process.cpuUsage(cpu);
      if (wrong !== 0 && checked)
        throw new Error(`${row.title}: ${wrong} of ${count} objects were read back other than written`);
      return { ns, cpuNs: (user + system) * 1000 };
    },
    held() {
      if (!holdsLive || !(loop.slots instanceof Int32Array)) return undefined;
      const { span, asked } = extentOf(loop);
      return (allocator.held?.() ?? span) / asked;
    },
    close() {
      if (checked && holdsLive) check();
      if (allocator.validate === undefined) return;
      if (holdsLive) loop.drain(0, loop.slots.length);
      allocator.validate();
    },
  };
}

/** Bytes from the first that was handed out to the last, and how many of them were asked for. */
function extentOf({ slots, size }) {
  let first = Number.POSITIVE_INFINITY;
  let end = 0;
  let asked = 0;
  for (let slot = 0; slot < slots.length; slot++) {
    first = Math.min(first, slots[slot]);
    end = Math.max(end, slots[slot] + size(slot));
    asked += size(slot);
  }
  return { span: end - first, asked };
}
