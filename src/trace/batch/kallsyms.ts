/**
 * # Which function an address is in
 *
 * /proc/kallsyms has a line for each symbol of the running kernel, and recorders may copy it into what they record:
 *
 *     ffffffff811c1050 t getname_flags
 *     ffffffffc0201000 t nf_hook      [nf_conntrack]        of a module
 *
 * An address belongs to the symbol with the highest address that is not above it. Of several symbols at one address the kernel names the
 * first in the table, and so do we. Absolute symbols (`A`: offsets into a CPU's own area) and ARM's mapping symbols (`$a`) are not
 * places in the kernel. A reader without permission gets zeros for all addresses: such a table names nothing.
 *
 * Addresses are 64 bits. Kept as one signed number they are exact, because the kernel's lie within 2^47 of 2^64.
 */
import { hex8 } from './byte-cursor.js';
import { fromUtf8 } from './strings.js';

/** No function is longer: an address this far behind a symbol is in none that the table knows. */
const OFFSET_MAX = 1 << 20;
const NEWLINE = 10;
const SPACE = 32;

/** Names of the places in a kernel (trace/batch/kallsyms.ts). */
export interface Symbols {
  /** How many places the table names. */
  readonly count: number;
  /** `getname_flags+0x2b`, with ` [module]` behind it where it is of one; undefined where no symbol is near. */
  nameOf(low: number, high: number): string | undefined;
}

/** An address that no symbol names, as events print it. */
export function addressText(low: number, high: number): string {
  return high === 0 ? `0x${low.toString(16)}` : `0x${high.toString(16)}${hex8(low)}`;
}

/** Reads the text of /proc/kallsyms. Lines that are none are passed over. */
export function parseKallsyms(bytes: Uint8Array): Symbols {
  let capacity = 1 << 12;
  let address = new Float64Array(capacity);
  /** Where the symbol's line goes on behind its type. */
  let name = new Uint32Array(capacity);
  let count = 0;
  let sorted = true;
  for (let at = 0; at < bytes.length; ) {
    let end = bytes.indexOf(NEWLINE, at);
    if (end < 0) end = bytes.length;
    const value = addressAt(bytes, at, end);
    const space = bytes.indexOf(SPACE, at);
    at = end + 1;
    if (value === undefined || value === 0 || !namesPlace(bytes, space, end)) continue;
    if (count === capacity) {
      capacity *= 2;
      address = copyInto(new Float64Array(capacity), address);
      name = copyInto(new Uint32Array(capacity), name);
    }
    if (count > 0 && value < address[count - 1]!) sorted = false;
    address[count] = value;
    name[count++] = space + 3;
  }
  if (!sorted) sortBoth(address, name, count);

  const nameOf = (low: number, high: number): string | undefined => {
    const wanted = signed(low, high);
    let from = 0;
    let to = count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (address[middle]! <= wanted) from = middle + 1;
      else to = middle;
    }
    if (from === 0) return undefined;
    const start = address[from - 1]!;
    if (wanted - start >= OFFSET_MAX) return undefined;
    while (from > 1 && address[from - 2] === start) from--;
    return nameAt(bytes, name[from - 1]!, wanted - start);
  };
  return { count, nameOf };
}

/** Two halves as one number, of which the upper half of all addresses is negative. */
function signed(low: number, high: number): number {
  return (high | 0) * 2 ** 32 + low;
}

/** The hexadecimal number that begins a line; undefined if none does. */
function addressAt(bytes: Uint8Array, from: number, to: number): number | undefined {
  let low = 0;
  let high = 0;
  let at = from;
  for (; at < to; at++) {
    const digit = digitOf(bytes[at]!);
    if (digit < 0) break;
    high = ((high << 4) | (low >>> 28)) >>> 0;
    low = ((low << 4) | digit) >>> 0;
  }
  return at === from || at - from > 16 || bytes[at] !== SPACE ? undefined : signed(low, high);
}

function digitOf(sign: number): number {
  if (sign >= 48 && sign < 58) return sign - 48;
  const letter = sign | 32;
  return letter >= 97 && letter < 103 ? letter - 87 : -1;
}

/** ` t name` from the first space on: of a type that is a place, with a name. */
function namesPlace(bytes: Uint8Array, space: number, end: number): boolean {
  if (space + 3 >= end || bytes[space + 2] !== SPACE) return false;
  return (bytes[space + 1]! | 32) !== 97 && bytes[space + 3] !== 36;
}

function nameAt(bytes: Uint8Array, from: number, offset: number): string {
  let end = bytes.indexOf(NEWLINE, from);
  if (end < 0) end = bytes.length;
  while (end > from && bytes[end - 1]! <= SPACE) end--;
  let stop = from;
  while (stop < end && bytes[stop]! > SPACE) stop++;
  const name = fromUtf8(bytes, from, stop);
  // `[ext4]`, behind a tab; who copied the table may have made a blank of it.
  while (stop < end && bytes[stop]! <= SPACE) stop++;
  const module = stop === end ? '' : ` ${fromUtf8(bytes, stop, end)}`;
  return `${name}+0x${offset.toString(16)}${module}`;
}

/** By address; what has the same address stays in the order of the table. */
function sortBoth(address: Float64Array, name: Uint32Array, count: number): void {
  const order = new Uint32Array(count).map((_, i) => i);
  order.sort((a, b) => address[a]! - address[b]! || a - b);
  const addresses = address.slice(0, count);
  const names = name.slice(0, count);
  order.forEach((from, to) => {
    address[to] = addresses[from]!;
    name[to] = names[from]!;
  });
}

function copyInto<T extends Float64Array | Uint32Array>(larger: T, smaller: T): T {
  larger.set(smaller);
  return larger;
}
