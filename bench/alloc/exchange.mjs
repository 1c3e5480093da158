// A producer and a consumer: one Worker allocates, another frees, and the objects' addresses go through a ring between them.
//
// The ring is handed over 32 objects at a time, so that what is measured is the allocator rather than the ring; what the ring costs by
// itself is a row of the table. native.c has the same one.

const RING = 4096;
const STEP = 32;
const MARK = 127;
/** How far each came, in 32-bit words of cache lines of their own; then the ring. */
const HEAD = 0;
const TAIL = 16;
const FIRST = 32;
/** A word that never changes, to wait at; looks at the other's word before that, and milliseconds until the next look. */
const NEVER = 8;
const LOOKS = 4096;
const NAP_MS = 0.02;

export function createRing() {
  return new SharedArrayBuffer(4 * (FIRST + RING));
}

/** Before each run: both Workers are at rest. */
export function resetRing(ring) {
  new Int32Array(ring).fill(0, HEAD, FIRST);
}

/** Until the other has come so far. Where it has no CPU to come on, it gets ours. */
function waitFor(words, index, far) {
  for (let looks = 1; Atomics.load(words, index) < far; looks++)
    if (looks % LOOKS === 0) Atomics.wait(words, NEVER, 0, NAP_MS);
}

/** Allocates `count` objects, a multiple of 32. Returns the sum of their addresses. */
export function produce({ alloc, write }, ring, { size, touched }, count) {
  const words = new Int32Array(ring);
  let sum = 0;
  for (let at = 0; at < count; at += STEP) {
    waitFor(words, TAIL, at + STEP - RING);
    for (let i = at; i < at + STEP; i++) {
      const object = alloc(size);
      if (touched) write(object, i & MARK);
      sum = (sum + object) | 0;
      words[FIRST + (i % RING)] = object;
    }
    Atomics.store(words, HEAD, at + STEP);
  }
  return sum;
}

/** Frees what comes. Returns the sum of the addresses, and how many objects were read other than they were written. */
export function consume({ free, read }, ring, { touched }, count) {
  const words = new Int32Array(ring);
  let sum = 0;
  let wrong = 0;
  for (let at = 0; at < count; at += STEP) {
    waitFor(words, HEAD, at + STEP);
    for (let i = at; i < at + STEP; i++) {
      const object = words[FIRST + (i % RING)];
      if (touched && read(object) !== (i & MARK)) wrong++;
      sum = (sum + object) | 0;
      free(object);
    }
    Atomics.store(words, TAIL, at + STEP);
  }
  return { sum, wrong };
}
