/**
 * One thread of the stress test (stress.case.test.ts), which may be killed at any moment.
 *
 * It goes from slot to slot of a table that all threads share. From a slot with an object it takes the object and frees it, whoever
 * allocated it; to an empty one it brings a new object. An object's first words say who allocated it, and are 0 while it is free.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { NULL, type PhysAddr, Random } from '../../base/index.js';
import { Machine } from '../machine.js';
import { type Duty, STRESS_CACHES, WORD } from './stress-duty.case.test.js';

const OPERATIONS_PER_REPORT = 1024;

export function work({ handle, slots, progress, member, life, operations }: Duty): void {
  const machine = Machine.attach(handle);
  const memory = new Int32Array(handle.bytes as SharedArrayBuffer);
  const caches = STRESS_CACHES.map(([name]) => machine.findCache(name)!);
  const random = new Random(1 + member + 1000 * life);
  let serial = member << 24;

  function bring(slot: number): void {
    const address = caches[slot % caches.length]!.alloc();
    if (address === NULL) return;
    const at = address / WORD;
    serial++;
    const before = Atomics.exchange(memory, at, machine.cpu + 1);
    if (before !== 0)
      throw new Error(`${address} is handed out to CPU ${machine.cpu}, and CPU ${before - 1} has it`);
    memory[at + 1] = serial;
    memory[at + 2] = serial ^ at;
    const other = Atomics.exchange(slots, slot, at);
    if (other !== 0) take(slot, other);
  }

  function take(slot: number, at: number): void {
    const [serialThere, check] = [memory[at + 1]!, memory[at + 2]!];
    memory[at + 1] = 0;
    memory[at + 2] = 0;
    const owner = Atomics.exchange(memory, at, 0);
    if (owner === 0 || (serialThere ^ at) !== check)
      throw new Error(
        `${at * WORD} was freed, or written by somebody else: owner ${owner}, ${serialThere}, ${check}`,
      );
    caches[slot % caches.length]!.free((at * WORD) as PhysAddr);
  }

  while (Atomics.load(progress, member) < operations) {
    for (let i = 0; i < OPERATIONS_PER_REPORT; i++) {
      const slot = random.below(slots.length);
      const at = Atomics.exchange(slots, slot, 0);
      if (at === 0) bring(slot);
      else take(slot, at);
    }
    Atomics.add(progress, member, OPERATIONS_PER_REPORT);
  }
  machine.detach();
}

if (parentPort !== null && workerData !== null) work(workerData as Duty);
