// Is what an allocator hands out memory that can be used? Asked before the first timed round and after the last, never in between.

const SAMPLE = 1000;
/** Objects that can be checked together; their places lie below 2^53 divided by it. */
const SLOTS_MAX = 2 ** 20;

/**
 * Throws unless each object is aligned, lies inside the allocator's memory, and shares no byte with another. `size(slot)` is what was
 * asked for.
 */
export function checkPlaces(allocator, objects, size) {
  if (objects.length > SLOTS_MAX)
    throw new RangeError(`${objects.length} objects are more than ${SLOTS_MAX}`);
  const places = placesOf(allocator, objects);
  // Numbers sort many times faster than slots by a function of theirs: each is a place and, below it, its slot.
  const sorted = places.map((start, slot) => start * SLOTS_MAX + slot).sort();
  let end = 0;
  for (const key of sorted) {
    const start = Math.floor(key / SLOTS_MAX);
    const slot = key - start * SLOTS_MAX;
    const bytes = size(slot);
    const fail = (what) => {
      throw new Error(`object ${slot} (${bytes} bytes at ${start}) ${what}`);
    };
    if (start < end) fail(`begins before its neighbour's end, ${end}`);
    if (allocator.align !== undefined && start % allocator.align !== 0)
      fail(`is not aligned to ${allocator.align}`);
    if (allocator.end !== undefined && (start < allocator.first || start + bytes > allocator.end))
      fail(`is not inside ${allocator.first} to ${allocator.end}`);
    if (typeof objects[slot] === 'object' && objects[slot].length < bytes) fail('is too short');
    end = start + bytes;
  }
}

/** Where objects begin: addresses as they are, arrays counted over the buffers that they lie in. */
function placesOf(allocator, objects) {
  if (allocator.end !== undefined) return Float64Array.from(objects);
  const buffers = new Map();
  let behind = 0;
  return Float64Array.from(objects, ({ buffer, byteOffset }) => {
    let start = buffers.get(buffer);
    if (start === undefined) {
      start = behind;
      buffers.set(buffer, start);
      behind += buffer.byteLength;
    }
    return start + byteOffset;
  });
}

/**
 * Writes the last byte of each object and reads the first and last of all: an allocator that keeps something of its own there, or hands
 * out a byte twice, is found. First bytes stay as the loop wrote them.
 */
export function stamp({ put, get }, objects, size) {
  const first = objects.length > 0 ? Uint8Array.from(objects, (object) => get(object, 0)) : undefined;
  const mark = (slot) => (slot * 7 + 1) & 127;
  for (let slot = 0; slot < objects.length; slot++) put(objects[slot], size(slot) - 1, mark(slot));
  for (let slot = 0; slot < objects.length; slot++) {
    const [wrote, stood] = [mark(slot), get(objects[slot], size(slot) - 1)];
    if (stood !== wrote) throw new Error(`object ${slot}: its last byte was ${wrote} and became ${stood}`);
    if (get(objects[slot], 0) !== first[slot]) throw new Error(`object ${slot}: its first byte changed`);
  }
}

/** Allocates some objects of one size, checks them, frees them in another order. */
export function checkSample(allocator, size, touched) {
  const objects = allocator.slots(SAMPLE);
  for (let i = 0; i < SAMPLE; i++) objects[i] = allocator.alloc(size);
  checkPlaces(allocator, objects, () => size);
  if (touched) stamp(allocator, objects, () => size);
  // 7 and 1000 have no factor in common: each once.
  for (let i = 0; i < SAMPLE; i++) allocator.free(objects[(i * 7) % SAMPLE]);
}
