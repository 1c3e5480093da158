// @thi.ng/malloc: a pool over an ArrayBuffer, its free blocks and its used ones in two lists.
import { MemPool } from '@thi.ng/malloc';
import { accessTo, touched } from './access.mjs';

export function open({ bytes }) {
  const buf = new ArrayBuffer(bytes);
  const view = touched(buf);
  const pool = new MemPool({ buf });
  return {
    alloc: (size) => pool.malloc(size),
    free(object) {
      pool.free(object);
    },
    ...accessTo(view),
    align: 8,
    first: 1,
    end: bytes,
  };
}
