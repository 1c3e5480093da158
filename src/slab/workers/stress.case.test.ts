/**
 * # Threads that share twenty caches, and are killed
 *
 * Some threads allocate and free, each what the others allocated (stress-worker.case.test.ts); every now and then one of them is killed in
 * the middle of whatever it does, which may be that it only begins; its CPU is detached by the token that was reserved for it, and a new
 * thread takes its place. In the end nothing is lost: what the ledger calls
 * live is what lies in the table, and what killed threads had on their way, which is at most a few objects for each of them. And nothing is
 * there twice: each object says who has it, and everybody looks.
 */
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import type { PhysAddr } from '../../base/index.js';
import type { CpuToken, DetachOutcome } from '../../machine/index.js';
import { Machine } from '../machine.js';
import { type Duty, STRESS_CACHES, WORD } from './stress-duty.case.test.js';

/** At one turn in so many a thread is killed even if it has not attached. */
const EARLY_TURNS = 7;

export interface StressOptions {
  readonly threads: number;
  /** Of each thread. */
  readonly operations: number;
  readonly killEveryMs: number;
  readonly slots?: number;
  /** Called at each kill. */
  say?(line: string): void;
}

export interface StressResult {
  readonly operations: number;
  /** Threads that were killed as CPUs, and those that had not attached yet. */
  readonly kills: number;
  readonly killedEarly: number;
  /** Objects that killed threads had on their way. */
  readonly adrift: number;
  readonly seconds: number;
}

/** Most objects that one killed thread can have on its way: out of a slot or into one, and two into its sheaf. */
const ADRIFT_MAX = 4;

function sharedWords(length: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(length * WORD));
}

/** Throws AssertionError for what is lost or there twice, and whatever a thread threw. */
export async function runStress(options: StressOptions): Promise<StressResult> {
  const { threads, operations, killEveryMs, say } = options;
  const bytes = new SharedArrayBuffer(64 * 2 ** 20);
  const machine = Machine.create({ memory: bytes.byteLength, workers: threads + 1, shared: true, bytes });
  for (const [name, size, of] of STRESS_CACHES) machine.kmemCacheCreate(name, size, of);
  const slots = sharedWords(options.slots ?? 20_000);
  const progress = sharedWords(threads);
  const began = Date.now();
  let kills = 0;
  let killedEarly = 0;
  let failure: unknown;

  function start(member: number, life: number): Member {
    const token = machine.reserveCpu();
    const handle = machine.handleFor(token);
    const duty: Duty = { handle, slots, progress, member, life, operations };
    const worker = new Worker(new URL('./stress-worker.case.test.js', import.meta.url), { workerData: duty });
    worker.on('error', (error) => {
      failure ??= error;
    });
    const ended = new Promise<DetachOutcome>((resolve) =>
      worker.on('exit', () => resolve(machine.detachCpu(token)[0]!)),
    );
    return { worker, ended, life, token };
  }

  const members = Array.from({ length: threads }, (_, member) => start(member, 0));
  const isOver = (member: number) => Atomics.load(progress, member) >= operations;
  for (let turn = 0; failure === undefined; turn++) {
    const allOver = Promise.all(members.map(({ ended }) => ended)).then(() => true);
    const over = await Promise.race([allOver, pause(killEveryMs).then(() => false)]);
    if (over) break;
    const member = turn % threads;
    if (isOver(member)) continue;
    const { worker, ended, life, token } = members[member]!;
    // On a busy machine a thread takes longer to begin than it is given to live: most are let begin, or nothing would be done.
    if (turn % EARLY_TURNS !== 0 && isReserved(machine, token)) continue;
    await worker.terminate();
    const outcome = await ended;
    // `stale`: it had ended by itself in the meantime.
    if (outcome === 'detached') kills++;
    else if (outcome === 'unreserved') killedEarly++;
    say?.(`${kills} kills, ${killedEarly} more before they had attached; ${total(progress)} operations`);
    if (outcome !== 'stale') members[member] = start(member, life + 1);
  }
  if (failure !== undefined) {
    await Promise.all(members.map(({ worker }) => worker.terminate()));
    throw failure;
  }
  const adrift = checkEnd(machine, slots, kills);
  return { operations: total(progress), kills, killedEarly, adrift, seconds: (Date.now() - began) / 1000 };
}

interface Member {
  readonly worker: Worker;
  /** What its token was good for when it had ended. */
  readonly ended: Promise<DetachOutcome>;
  readonly life: number;
  readonly token: CpuToken;
}

/** Whether the thread that a CPU is kept for has not attached yet. */
function isReserved(machine: Machine, { cpu }: CpuToken): boolean {
  return machine.attachedCpus().some((status) => status.cpu === cpu && status.state === 'reserved');
}

function total(progress: Int32Array): number {
  return progress.reduce((sum, word) => sum + word, 0);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Nobody is at work any more. Returns how many objects nobody knows of. */
function checkEnd(machine: Machine, slots: Int32Array, kills: number): number {
  machine.validate('full');
  const known = STRESS_CACHES.map(() => new Set<number>());
  slots.forEach((at, slot) => {
    if (at === 0) return;
    const objects = known[slot % STRESS_CACHES.length]!;
    assert.ok(!objects.has(at * WORD), `${at * WORD} lies in two slots`);
    objects.add(at * WORD);
  });
  let adrift = 0;
  STRESS_CACHES.forEach(([name], i) => {
    const cache = machine.findCache(name)!;
    const live = new Set<number>(machine.liveObjects(cache));
    for (const address of known[i]!)
      assert.ok(live.has(address), `${name}: ${address} lies in a slot and is not live`);
    adrift += live.size - known[i]!.size;
    for (const address of live) cache.free(address as PhysAddr);
    assert.equal(cache.live, 0);
    cache.flush();
    cache.shrink();
    assert.equal(cache.info.nrSlabs, 0, `${name} keeps slabs`);
  });
  assert.ok(adrift <= kills * ADRIFT_MAX, `${adrift} objects adrift after ${kills} kills`);
  assert.equal(machine.memory.takenPages(), 0);
  machine.validate('full');
  return adrift;
}
