// codemix malloc: free blocks in a skip list inside the buffer.
import { createRequire } from 'node:module';
import { accessTo, touched } from './access.mjs';

// A CommonJS module has one copy unless its cache is told otherwise.
const require = createRequire(import.meta.url);
for (const path of Object.keys(require.cache))
  if (/[\\/]node_modules[\\/]malloc[\\/]/.test(path)) delete require.cache[path];
const Allocator = require('malloc');

export function open({ bytes }) {
  const buffer = new ArrayBuffer(bytes);
  const view = touched(buffer);
  const allocator = new Allocator(buffer);
  return {
    alloc: (size) => allocator.alloc(size),
    free(object) {
      allocator.free(object);
    },
    ...accessTo(view),
    align: 8,
    first: 1,
    end: bytes,
  };
}
