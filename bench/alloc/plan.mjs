// What is measured: the workloads, and the random orders that every allocator gets alike.
//
// native.c makes the same orders from the same seed: change both.

/** Objects freed, then allocated, at a time by `churn`; allocated, then freed, by `batch`. */
export const CHURN = 128;
export const BATCH = 32;
/** Sizes of `mixed`, bytes, each as likely as any other. */
export const SMALLEST = 8;
export const LARGEST = 4096;

const LIVE = 100_000;
const FILL_BYTES = 2 ** 30;
const KIB = 1024;
const MIB = 2 ** 20;
/** `random`, `churn` and `mixed` go through this many permutations of their slots. */
const PERMUTATIONS = 10;
const SEED = 0x2545f491;

/**
 * One column of the tables. `loop` is a function of loops.mjs and of native.c; `size` in bytes, 0 for mixed sizes; `live` objects at
 * most; a round is a multiple of `unit` objects, each allocated once and freed once.
 */
export const WORKLOADS = [
  { id: 'pair64', loop: 'pair', size: 64, live: 1, unit: 1, head: ['pair', '64 B'] },
  { id: 'pair1k', loop: 'pair', size: KIB, live: 1, unit: 1, head: ['pair', '1 KiB'] },
  { id: 'batch', loop: 'batch', size: 64, live: BATCH, unit: BATCH, head: ['batch 32', '64 B'] },
  { id: 'random', loop: 'random', size: KIB, live: LIVE, unit: 1, head: ['random', '100k live'] },
  { id: 'churn', loop: 'churn', size: KIB, live: LIVE, unit: CHURN, head: ['churn 128', '100k live'] },
  { id: 'mixed', loop: 'mixed', size: 0, live: LIVE, unit: 1, head: ['mixed', '100k live'] },
  fillWorkload(FILL_BYTES),
];

/** `fill` with so many bytes of 1 KiB objects: a machine with little memory, or a quick run, gets fewer. */
export function fillWorkload(bytes) {
  const live = bytes / KIB;
  const title = bytes >= 2 ** 30 ? `${bytes / 2 ** 30} GiB` : `${bytes / MIB} MiB`;
  return { id: 'fill', loop: 'fill', size: KIB, live, unit: live, head: ['fill', title] };
}

/** Bytes that the caller asks for when all objects of a workload are live. */
export function askedBytes(workload) {
  return workload.live * (workload.size === 0 ? (SMALLEST + LARGEST) / 2 : workload.size);
}

/** Bytes of memory to give an allocator that manages a fixed one. Below 2 GiB, so that addresses are small integers. */
export function memoryBytes(workload) {
  const room = workload.id === 'fill' ? 1.25 : 2;
  return Math.ceil((askedBytes(workload) * room + 32 * MIB) / MIB) * MIB;
}

/** Xorshift with 32 bits: the next number below a bound. */
function generator(seed) {
  let state = seed;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

function permute(order, from, count, below) {
  for (let i = 0; i < count; i++) order[from + i] = i;
  for (let i = count - 1; i > 0; i--) {
    const other = below(i + 1);
    const slot = order[from + i];
    order[from + i] = order[from + other];
    order[from + other] = slot;
  }
}

/**
 * The slots that a loop goes through: for `fill` one permutation of all, for live sets ten, each cut to whole churns, so that 128
 * neighbours never name a slot twice. `sizes` are the sizes of the objects allocated at each place of the order.
 */
export function makeOrder(workload) {
  const { loop, live } = workload;
  const below = generator(SEED);
  if (loop === 'pair' || loop === 'batch') return { order: new Int32Array(0), sizes: new Int32Array(0) };
  if (loop === 'fill') {
    const order = new Int32Array(live);
    permute(order, 0, live, below);
    return { order, sizes: new Int32Array(0) };
  }
  const whole = live - (live % CHURN);
  const order = new Int32Array(PERMUTATIONS * whole);
  const one = new Int32Array(live);
  for (let p = 0; p < PERMUTATIONS; p++) {
    permute(one, 0, live, below);
    order.set(one.subarray(0, whole), p * whole);
  }
  const sizes = new Int32Array(order.length);
  for (let i = 0; i < sizes.length; i++) sizes[i] = SMALLEST + below(LARGEST - SMALLEST + 1);
  return { order, sizes };
}
