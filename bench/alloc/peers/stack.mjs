// The least that an allocator in JavaScript can do: a stack of the addresses that were freed, of one size, and nothing is looked at.
//
// Two of them, in memories of their own, share nothing but the machine. How much slower two are than one is what two busy CPUs take from
// each other at this workload: their caches, their memory, and the time that the system gives them.
import { accessTo, touched } from './access.mjs';

const SMALLEST = 64;

export function open({ bytes }) {
  const view = touched(new ArrayBuffer(bytes));
  const stack = new Int32Array(bytes / SMALLEST);
  let count = 0;
  let fresh = SMALLEST;
  return {
    alloc(size) {
      if (count > 0) return stack[--count];
      fresh += size;
      return fresh - size;
    },
    free(object) {
      stack[count++] = object;
    },
    ...accessTo(view),
    align: 8,
    first: 1,
    end: bytes,
  };
}

/** Each Worker has its own. */
export function join(_ticket, _variant, { bytes }) {
  return open({ bytes });
}
