// No allocator: what the loops cost by themselves. Every alloc returns the same address.

const OBJECT = 64;

export function open() {
  const view = new Uint8Array(2 * OBJECT);
  let freed = 0;
  return {
    alloc: () => OBJECT,
    free(object) {
      freed = (freed + object) | 0;
    },
    write(object, byte) {
      view[object] = byte;
    },
    read: (object) => view[object],
    slots: (count) => new Int32Array(count),
    /** All objects are one, and what is read back is what was written last. */
    isNothing: true,
    freed: () => freed,
  };
}

/** In a Worker: the exchange by itself. */
export function join() {
  return open();
}
