// What JavaScript offers without an allocator: a pool of arrays that are kept for the next use, and arrays that the garbage collector
// takes back. An object here is a Uint8Array, and to free it is to forget it.

const CLASSES = 32;

const KINDS = {
  /** One stack of free arrays for each power of two. */
  pool() {
    const pools = Array.from({ length: CLASSES }, () => []);
    return {
      alloc(size) {
        const power = 32 - Math.clz32(size - 1);
        const pool = pools[power];
        return pool.length > 0 ? pool.pop() : new Uint8Array(1 << power);
      },
      free(object) {
        pools[31 - Math.clz32(object.length)].push(object);
      },
    };
  },
  buffer: () => ({ alloc: (size) => Buffer.allocUnsafe(size), free() {} }),
  uint8array: () => ({ alloc: (size) => new Uint8Array(size), free() {} }),
};

export function open(_plan, kind) {
  return {
    ...KINDS[kind](),
    write(object, byte) {
      object[0] = byte;
    },
    read: (object) => object[0],
    put(object, offset, byte) {
      object[offset] = byte;
    },
    get: (object, offset) => object[offset],
    slots: (count) => new Array(count).fill(null),
    align: 1,
    makesGarbage: kind !== 'pool',
  };
}
