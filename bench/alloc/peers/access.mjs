const PAGE = 4096;

/**
 * The bytes of a memory that an allocator gets, each page of it written once: what a page costs when it is first touched is the
 * system's, and is not to fall into somebody's round.
 */
export function touched(buffer) {
  const view = new Uint8Array(buffer);
  for (let at = 0; at < view.length; at += PAGE) view[at] = 0;
  return view;
}

/** How a loop and a check reach the bytes of objects that are addresses: `view` holds the memory that begins at address `base`. */
export function accessTo(view, base = 0) {
  return {
    write(object, byte) {
      view[object - base] = byte;
    },
    read: (object) => view[object - base],
    put(object, offset, byte) {
      view[object - base + offset] = byte;
    },
    get: (object, offset) => view[object - base + offset],
    slots: (count) => new Int32Array(count),
  };
}
