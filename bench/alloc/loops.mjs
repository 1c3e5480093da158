// The workloads' inner loops.
//
// This module is imported anew for every cell of the tables (copies.mjs), so that the inline caches of each copy know one allocator
// and one workload. `?touched=1` in its address makes the caller write an object's first byte after alloc and read it before free.
//
// An allocator is { alloc(size), free(object), write(object, byte), read(object), slots(count) }. A loop is
//
//     fill(from, to)       allocates the objects of these slots, untimed
//     drain(from, to)      frees them
//     run(count)           allocates and frees `count` objects; returns how many were read back other than written
//     size(slot)           bytes of the object that lies in a slot now
//     slots                the live objects
import { BATCH, CHURN } from './plan.mjs';

const TOUCHED = new URL(import.meta.url).searchParams.get('touched') === '1';
/** What an object's first byte says of its slot: a small integer, which a Buffer holds as well. */
const MARK = 127;

/** Alloc, free, alloc, free: the same object each time. */
export function pair({ alloc, free, write, read, slots }, { size }) {
  const run = (count) => {
    let wrong = 0;
    for (let i = 0; i < count; i++) {
      const object = alloc(size);
      if (TOUCHED) {
        write(object, i & MARK);
        if (read(object) !== (i & MARK)) wrong++;
      }
      free(object);
    }
    return wrong;
  };
  return { fill() {}, drain() {}, run, size: () => size, slots: slots(0) };
}

/** Allocates 32, frees them in the same order. */
export function batch({ alloc, free, write, read, slots: makeSlots }, { size }) {
  const slots = makeSlots(BATCH);
  const run = (count) => {
    let wrong = 0;
    for (let done = 0; done < count; done += BATCH) {
      for (let i = 0; i < BATCH; i++) {
        const object = alloc(size);
        if (TOUCHED) write(object, i);
        slots[i] = object;
      }
      for (let i = 0; i < BATCH; i++) {
        const object = slots[i];
        if (TOUCHED && read(object) !== i) wrong++;
        free(object);
      }
    }
    return wrong;
  };
  return { fill() {}, drain() {}, run, size: () => size, slots: makeSlots(0) };
}

/** Frees the object of a random slot and allocates one in its place. */
export function random(allocator, { size, live }, { order }) {
  const { alloc, free, write, read } = allocator;
  const slots = allocator.slots(live);
  let at = 0;
  const run = (count) => {
    let wrong = 0;
    for (let i = 0; i < count; i++) {
      const slot = order[at];
      at = at + 1 === order.length ? 0 : at + 1;
      const old = slots[slot];
      if (TOUCHED && read(old) !== (slot & MARK)) wrong++;
      free(old);
      const object = alloc(size);
      if (TOUCHED) write(object, slot & MARK);
      slots[slot] = object;
    }
    return wrong;
  };
  return { ...liveSet(allocator, slots, () => size), run };
}

/** Frees the objects of 128 random slots, then allocates 128 in their places. */
export function churn(allocator, { size, live }, { order }) {
  const { alloc, free, write, read } = allocator;
  const slots = allocator.slots(live);
  let at = 0;
  const run = (count) => {
    let wrong = 0;
    for (let done = 0; done < count; done += CHURN) {
      const end = at + CHURN;
      for (let i = at; i < end; i++) {
        const slot = order[i];
        const object = slots[slot];
        if (TOUCHED && read(object) !== (slot & MARK)) wrong++;
        free(object);
      }
      for (let i = at; i < end; i++) {
        const slot = order[i];
        const object = alloc(size);
        if (TOUCHED) write(object, slot & MARK);
        slots[slot] = object;
      }
      at = end === order.length ? 0 : end;
    }
    return wrong;
  };
  return { ...liveSet(allocator, slots, () => size), run };
}

/** As `random`, each object of a size of its own. */
export function mixed(allocator, { live }, { order, sizes }) {
  const { alloc, free, write, read } = allocator;
  const slots = allocator.slots(live);
  let at = 0;
  let done = 0;
  const run = (count) => {
    let wrong = 0;
    for (let i = 0; i < count; i++) {
      const slot = order[at];
      const size = sizes[at];
      at = at + 1 === order.length ? 0 : at + 1;
      const old = slots[slot];
      if (TOUCHED && read(old) !== (slot & MARK)) wrong++;
      free(old);
      const object = alloc(size);
      if (TOUCHED) write(object, slot & MARK);
      slots[slot] = object;
    }
    done += count;
    return wrong;
  };
  // Sizes are not noted in the timed loop; they follow from how far it went through the order.
  const current = new Int32Array(live);
  let seen = -1;
  const size = (slot) => {
    if (seen !== done) {
      for (let s = 0; s < live; s++) current[s] = sizes[s % sizes.length];
      for (let i = Math.max(0, done - order.length); i < done; i++)
        current[order[i % order.length]] = sizes[i % order.length];
      seen = done;
    }
    return current[slot];
  };
  return { ...liveSet(allocator, slots, size), run };
}

/** Allocates all, then frees all at random. */
export function fill(allocator, { size, live }, { order }) {
  const { alloc, free, write, read } = allocator;
  const slots = allocator.slots(live);
  const run = (count) => {
    let wrong = 0;
    for (let done = 0; done < count; done += live) {
      for (let slot = 0; slot < live; slot++) {
        const object = alloc(size);
        if (TOUCHED) write(object, slot & MARK);
        slots[slot] = object;
      }
      for (let i = 0; i < live; i++) {
        const slot = order[i];
        const object = slots[slot];
        if (TOUCHED && read(object) !== (slot & MARK)) wrong++;
        free(object);
      }
    }
    return wrong;
  };
  return { ...liveSet(allocator, slots, () => size, order), run };
}

/** Filling and draining a set of live objects, a part at a time. */
function liveSet({ alloc, free, write }, slots, size, order) {
  return {
    slots,
    size,
    fill(from, to) {
      for (let slot = from; slot < to; slot++) {
        const object = alloc(size(slot));
        if (TOUCHED) write(object, slot & MARK);
        slots[slot] = object;
      }
    },
    drain(from, to) {
      for (let i = from; i < to; i++) free(slots[order === undefined ? i : order[i]]);
    },
  };
}
