/**
 * # Who is CPU n
 *
 * A CPU's number is used again by whoever comes next, so a number alone never says which thread is meant. An *attachment* does: a
 * number and a generation, `{ cpu, generation }`, which is what this file calls a token. Each time that a CPU is taken its generation is
 * one more than before, and a token of an earlier one is *stale*: it reaches nobody.
 *
 *                reserve                     attach with the token
 *     absent ──────────────▸ reserved ────────────────────────────▸ attached ──▸ left ──▸ absent
 *        │    ◂────────────        given back                        ▴
 *        └───────────────────────────────────────────────────────────┘ attach
 *
 *  1. absent: the CPU's lines hold nothing, its journal says nothing;
 *  2. reserved: for the thread that is given this token, which has not come yet. There is nothing to put in order;
 *  3. attached: a thread is this CPU, and nobody else writes what is its;
 *  4. left: its thread has ended, and an heir puts in order what it left (slab/workers/attach.ts).
 *
 * State, heir and generation are one word of 64 bits, and each arrow is one compare-exchange of it. So of two heirs one has the CPU and the
 * other learns who; and an heir that has lost its own CPU meanwhile can take nothing back.
 *
 * ## The wrap
 * A generation is 32 bits and begins again at 0 after 2^32 attachments *of one CPU*. A token that was kept so long would reach the living
 * again. With a thread that comes and goes each millisecond on the same CPU that is after 49 days.
 */
import { ArgumentError, NoCpuError, ReservationError } from '../base/index.js';
import { CPU_ABSENT, CPU_ATTACHED, CPU_LEFT, CPU_RESERVED, CPU_WORD_STRIDE, type Ledger } from './ledger.js';

/** One attachment: a CPU's number, and how often it had been taken. Plain data, which can be posted to another thread. */
export interface CpuToken {
  readonly cpu: number;
  /** 0 to 2^32 - 1. */
  readonly generation: number;
}

/** A CPU that is not absent. */
export interface CpuStatus extends CpuToken {
  /** `left`: its thread has ended, and what it left is not in order yet. */
  readonly state: 'reserved' | 'attached' | 'left';
  /** The CPU that puts in order what this one left. */
  readonly heir: number | undefined;
}

/**
 * What became of a token that was to be detached: its CPU was put in order and is absent now; it was reserved and was given back; it is
 * `stale`, for the CPU was detached before or is another thread's now; or another living thread is at it.
 */
export type DetachOutcome = 'detached' | 'unreserved' | 'stale' | 'busy';

interface CpuWord extends CpuToken {
  readonly state: number;
  /** -1 for none. */
  readonly heir: number;
}

const NOBODY = -1;

// The lower half is J_STATE, the upper one J_GENERATION: typed arrays are little-endian wherever JavaScript runs.
const HEIR_SHIFT = 8;
const STATE_MASK = (1 << HEIR_SHIFT) - 1;
const GENERATIONS = 2 ** 32;

function pack({ state, heir, generation }: Omit<CpuWord, 'cpu'>): bigint {
  return (BigInt(generation) << 32n) | BigInt(state | ((heir + 1) << HEIR_SHIFT));
}

function readWord({ cpuWord }: Ledger, cpu: number): CpuWord {
  const word = Atomics.load(cpuWord, cpu * CPU_WORD_STRIDE);
  const low = Number(word & 0xffff_ffffn);
  return {
    cpu,
    state: low & STATE_MASK,
    heir: (low >> HEIR_SHIFT) - 1,
    generation: Number(word >> 32n),
  };
}

/** One arrow of the picture. Returns false if the CPU is not as it was seen any more. */
function go({ cpuWord }: Ledger, seen: CpuWord, state: number, more: Partial<CpuWord> = {}): boolean {
  const before = pack(seen);
  const after = pack({ heir: NOBODY, generation: seen.generation, ...more, state });
  return Atomics.compareExchange(cpuWord, seen.cpu * CPU_WORD_STRIDE, before, after) === before;
}

// ---- to come -----------------------------------------------------------------------------------------------------------

/** Takes the first absent CPU, for this thread or for one to come. Throws NoCpuError when there is none. */
export function takeCpu(ledger: Ledger, state: typeof CPU_ATTACHED | typeof CPU_RESERVED): CpuToken {
  const { cpus } = ledger.shape;
  for (let cpu = 0; cpu < cpus; cpu++) {
    const seen = readWord(ledger, cpu);
    if (seen.state !== CPU_ABSENT) continue;
    const generation = (seen.generation + 1) % GENERATIONS;
    if (go(ledger, seen, state, { generation })) return { cpu, generation };
  }
  throw new NoCpuError(cpus);
}

/** The thread for which a CPU was reserved is here. Throws ReservationError. */
export function takeReserved(ledger: Ledger, token: CpuToken): CpuToken {
  checkToken(ledger, token);
  const seen = readWord(ledger, token.cpu);
  const { cpu, generation } = token;
  if (!isReserved(token, seen) || !go(ledger, seen, CPU_ATTACHED)) throw noReservation(ledger, token);
  return { cpu, generation };
}

/** Throws ReservationError unless a CPU is reserved by this token. */
export function checkReserved(ledger: Ledger, token: CpuToken): void {
  checkToken(ledger, token);
  if (!isReserved(token, readWord(ledger, token.cpu))) throw noReservation(ledger, token);
}

const isReserved = (token: CpuToken, seen: CpuWord) =>
  seen.state === CPU_RESERVED && seen.generation === token.generation;

function noReservation(ledger: Ledger, { cpu, generation }: CpuToken): ReservationError {
  const seen = readWord(ledger, cpu);
  const used = seen.generation === generation && seen.state !== CPU_ABSENT;
  return new ReservationError(cpu, generation, used ? 'used' : 'over');
}

/** Throws ArgumentError for what is no token of this machine, such as a bare number. */
export function checkToken({ shape }: Ledger, token: CpuToken): void {
  const { cpu, generation } = Object(token) as Partial<CpuToken>;
  if (!Number.isInteger(cpu) || !Number.isInteger(generation)) {
    const what = typeof token === 'object' ? JSON.stringify(token) : String(token);
    throw new ArgumentError(
      `a CPU is named by its token { cpu, generation }, which reserveCpu() and \`attachment\` give, not by ${what}: ` +
        'its number alone may be another thread by now',
    );
  }
  if (cpu! < 0 || cpu! >= shape.cpus) throw noSuchCpu(shape.cpus, cpu!);
}

/** The error of a CPU that a machine of so many CPUs lacks. */
export function noSuchCpu(cpus: number, cpu: number): ArgumentError {
  return new ArgumentError(`this machine has CPUs 0 to ${cpus - 1}, not ${cpu}`);
}

/** Throws ArgumentError for a CPU that a machine lacks, and for what is no whole number. */
export function checkCpu({ shape }: Ledger, cpu: number): void {
  if (cpu >>> 0 !== cpu || cpu >= shape.cpus) throw noSuchCpu(shape.cpus, cpu);
}

// ---- to go -------------------------------------------------------------------------------------------------------------

/**
 * A token's thread has ended: marks its CPU as left, with `heir` as the CPU that puts it in order; a reserved one is absent at once.
 * `detached` here means that it is the heir's now, and that `endBurial` is still to come.
 */
export function bury(ledger: Ledger, token: CpuToken, heir: number): DetachOutcome {
  // Each round that begins again saw another thread's step succeed.
  while (true) {
    const seen = readWord(ledger, token.cpu);
    if (seen.generation !== token.generation || seen.state === CPU_ABSENT) return 'stale';
    if (seen.state === CPU_RESERVED) {
      if (go(ledger, seen, CPU_ABSENT)) return 'unreserved';
    } else if (seen.heir === heir) return 'detached';
    else if (isAttached(ledger, seen.heir)) return 'busy';
    else if (go(ledger, seen, CPU_LEFT, { heir })) return 'detached';
  }
}

/**
 * All that was left and has no living heir is this heir's too: what a dead one had taken over, and what another gave up. So nobody
 * becomes a CPU again that is still named as an heir.
 */
export function adoptOrphans(ledger: Ledger, heir: number): CpuToken[] {
  const found: CpuToken[] = [];
  for (let cpu = 0; cpu < ledger.shape.cpus; cpu++) {
    const seen = readWord(ledger, cpu);
    if (seen.state !== CPU_LEFT || seen.heir === heir || isAttached(ledger, seen.heir)) continue;
    if (go(ledger, seen, CPU_LEFT, { heir })) found.push({ cpu, generation: seen.generation });
  }
  return found;
}

function isAttached(ledger: Ledger, cpu: number): boolean {
  return cpu !== NOBODY && readWord(ledger, cpu).state === CPU_ATTACHED;
}

/** What a CPU left is in order: it is absent. If its heir is another one by now, this changes nothing. */
export function endBurial(ledger: Ledger, token: CpuToken, heir: number): void {
  go(ledger, { ...token, state: CPU_LEFT, heir }, CPU_ABSENT);
}

/** The heir cannot finish: another may. */
export function giveUpBurial(ledger: Ledger, token: CpuToken, heir: number): void {
  go(ledger, { ...token, state: CPU_LEFT, heir }, CPU_LEFT);
}

/** A thread that has put its own CPU in order is none any more. */
export function leaveCpu(ledger: Ledger, token: CpuToken): void {
  go(ledger, { ...token, state: CPU_ATTACHED, heir: NOBODY }, CPU_ABSENT);
}

// ---- to look -----------------------------------------------------------------------------------------------------------

const STATES = { [CPU_RESERVED]: 'reserved', [CPU_ATTACHED]: 'attached', [CPU_LEFT]: 'left' } as const;

/** All CPUs that are not absent, in the order of their numbers. */
export function cpusTaken(ledger: Ledger): CpuStatus[] {
  return Array.from({ length: ledger.shape.cpus }, (_, cpu) => readWord(ledger, cpu))
    .filter(({ state }) => state !== CPU_ABSENT)
    .map(({ cpu, generation, state, heir }) => ({
      cpu,
      generation,
      state: STATES[state as keyof typeof STATES],
      heir: heir === NOBODY ? undefined : heir,
    }));
}
