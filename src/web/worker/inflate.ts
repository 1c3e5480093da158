/**
 * Unpacks zlib and gzip data that is wanted at once: browsers only have a stream for it, which answers later, and readers of trace.dat ask
 * in the middle of a record. Also for gzip files of several members one behind the other, which a browser's stream does not take.
 *
 * Sources: RFC 1950 (zlib), RFC 1951 (deflate), RFC 1952 (gzip).
 */

/** Data that cannot be unpacked. */
export class InflateError extends Error {
  /** Whether all was well as far as it went. */
  readonly endsTooEarly: boolean;

  constructor(message: string, endsTooEarly = false) {
    super(message);
    this.name = 'InflateError';
    this.endsTooEarly = endsTooEarly;
  }
}

/** Codes of up to this many bits are found in one step. */
const FAST_BITS = 10;
const MAX_BITS = 15;
const END_OF_BLOCK = 256;

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
  6145, 8193, 12289, 16385, 24577,
];
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
/** The order in which lengths of the code of code lengths come. */
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A Huffman code: for each pattern of FAST_BITS bits `symbol << 4 | length`, 0 for longer ones; those by counting. */
interface Code {
  readonly fast: Uint16Array;
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

function codeOf(lengths: Uint8Array): Code {
  const counts = new Uint16Array(MAX_BITS + 1);
  for (const length of lengths) counts[length]!++;
  counts[0] = 0;
  const first = new Uint16Array(MAX_BITS + 2);
  const offsets = new Uint16Array(MAX_BITS + 2);
  let left = 1;
  for (let bits = 1; bits <= MAX_BITS; bits++) {
    left = left * 2 - counts[bits]!;
    if (left < 0) throw new InflateError('a code has more words than fit');
    first[bits + 1] = (first[bits]! + counts[bits]!) << 1;
    offsets[bits + 1] = offsets[bits]! + counts[bits]!;
  }
  const symbols = new Uint16Array(lengths.length);
  const fast = new Uint16Array(1 << FAST_BITS);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    if (length === 0) continue;
    symbols[offsets[length]!++] = symbol;
    const word = first[length]!++;
    if (length > FAST_BITS) continue;
    for (let at = reversed(word, length); at < fast.length; at += 1 << length)
      fast[at] = (symbol << 4) | length;
  }
  return { fast, counts, symbols };
}

function reversed(word: number, bits: number): number {
  let from = word;
  let to = 0;
  for (let i = 0; i < bits; i++) {
    to = (to << 1) | (from & 1);
    from >>= 1;
  }
  return to;
}

const FIXED_LITERALS = codeOf(
  Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)),
);
const FIXED_DISTANCES = codeOf(new Uint8Array(30).fill(5));

/** Bits from the low end of bytes on. */
class Bits {
  readonly bytes: Uint8Array;
  at: number;
  #held = 0;
  #count = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  take(count: number): number {
    while (this.#count < count) {
      if (this.at >= this.bytes.length) throw new InflateError('it ends in the middle', true);
      this.#held |= this.bytes[this.at++]! << this.#count;
      this.#count += 8;
    }
    const value = this.#held & ((1 << count) - 1);
    this.#held >>>= count;
    this.#count -= count;
    return value;
  }

  /** Leaves what is left of a byte. */
  align(): void {
    this.at -= this.#count >> 3;
    this.#held = 0;
    this.#count = 0;
  }

  symbol({ fast, counts, symbols }: Code): number {
    while (this.#count < MAX_BITS && this.at < this.bytes.length) {
      this.#held |= this.bytes[this.at++]! << this.#count;
      this.#count += 8;
    }
    const found = fast[this.#held & ((1 << FAST_BITS) - 1)]!;
    if (found !== 0) {
      const length = found & 15;
      if (length > this.#count) throw new InflateError('it ends in the middle', true);
      this.#held >>>= length;
      this.#count -= length;
      return found >> 4;
    }
    let word = 0;
    let first = 0;
    let index = 0;
    for (let bits = 1; bits <= MAX_BITS; bits++) {
      if (bits > this.#count) throw new InflateError('it ends in the middle', true);
      word = (word << 1) | ((this.#held >>> (bits - 1)) & 1);
      const count = counts[bits]!;
      if (word - first < count) {
        this.#held >>>= bits;
        this.#count -= bits;
        return symbols[index + word - first]!;
      }
      index += count;
      first = (first + count) << 1;
    }
    throw new InflateError('a word is in no code');
  }
}

/** Bytes that grow. */
class Output {
  bytes: Uint8Array;
  length = 0;

  constructor(expected: number) {
    this.bytes = new Uint8Array(Math.max(expected, 1024));
  }

  room(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** Unpacks deflate data from `from` on; returns where it ends. */
function inflateInto(bytes: Uint8Array, from: number, out: Output): number {
  const bits = new Bits(bytes, from);
  for (let isLast = false; !isLast; ) {
    isLast = bits.take(1) === 1;
    switch (bits.take(2)) {
      case 0:
        stored(bits, out);
        break;
      case 1:
        block(bits, out, FIXED_LITERALS, FIXED_DISTANCES);
        break;
      case 2:
        block(bits, out, ...codesOf(bits));
        break;
      default:
        throw new InflateError('a block is of no kind that there is');
    }
  }
  bits.align();
  return bits.at;
}

function stored(bits: Bits, out: Output): void {
  bits.align();
  const { bytes, at } = bits;
  if (at + 4 > bytes.length) throw new InflateError('it ends in the middle', true);
  const length = bytes[at]! | (bytes[at + 1]! << 8);
  if (length !== (~(bytes[at + 2]! | (bytes[at + 3]! << 8)) & 0xffff))
    throw new InflateError('the length of a stored block is damaged');
  const end = at + 4 + length;
  if (end > bytes.length) throw new InflateError('it ends in the middle', true);
  out.room(length);
  out.bytes.set(bytes.subarray(at + 4, end), out.length);
  out.length += length;
  bits.at = end;
}

function codesOf(bits: Bits): [literals: Code, distances: Code] {
  const literals = bits.take(5) + 257;
  const distances = bits.take(5) + 1;
  const given = bits.take(4) + 4;
  const codeLengths = new Uint8Array(19);
  for (let i = 0; i < given; i++) codeLengths[CODE_ORDER[i]!] = bits.take(3);
  const code = codeOf(codeLengths);
  const lengths = new Uint8Array(literals + distances);
  for (let i = 0; i < lengths.length; ) {
    const symbol = bits.symbol(code);
    if (symbol < 16) {
      lengths[i++] = symbol;
      continue;
    }
    if (symbol === 16 && i === 0) throw new InflateError('a length is repeated before there is one');
    const value = symbol === 16 ? lengths[i - 1]! : 0;
    const times = symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7);
    if (i + times > lengths.length) throw new InflateError('there are more lengths than words');
    lengths.fill(value, i, i + times);
    i += times;
  }
  return [codeOf(lengths.subarray(0, literals)), codeOf(lengths.subarray(literals))];
}

function block(bits: Bits, out: Output, literals: Code, distances: Code): void {
  for (;;) {
    const symbol = bits.symbol(literals);
    if (symbol === END_OF_BLOCK) return;
    out.room(258);
    if (symbol < END_OF_BLOCK) {
      out.bytes[out.length++] = symbol;
      continue;
    }
    const base = LENGTH_BASE[symbol - 257];
    if (base === undefined) throw new InflateError('a word is in no code');
    const length = base + bits.take(LENGTH_EXTRA[symbol - 257]!);
    const far = bits.symbol(distances);
    const distance = DISTANCE_BASE[far];
    if (distance === undefined) throw new InflateError('a word is in no code');
    const from = out.length - distance - bits.take(DISTANCE_EXTRA[far]!);
    if (from < 0) throw new InflateError('it repeats what is in front of its beginning');
    for (let i = 0; i < length; i++) out.bytes[out.length + i] = out.bytes[from + i]!;
    out.length += length;
  }
}

/** Unpacks zlib data. `expected` bytes are made room for. Throws InflateError. */
export function inflateZlib(packed: Uint8Array, expected = packed.length * 4): Uint8Array {
  const [method = 0, flags = 0] = packed;
  if ((method & 15) !== 8 || ((method << 8) | flags) % 31 !== 0)
    throw new InflateError('it does not begin as zlib data does');
  if (flags & 0x20) throw new InflateError('it needs a dictionary');
  const out = new Output(expected);
  const end = inflateInto(packed, 2, out);
  const sum = packed.subarray(end, end + 4).reduce((value, byte) => value * 256 + byte, 0);
  const bytes = out.bytes.subarray(0, out.length);
  if (end + 4 > packed.length) throw new InflateError('it ends in the middle', true);
  if (sum !== adler(bytes)) throw new InflateError('its checksum does not agree');
  return bytes;
}

function adler(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let from = 0; from < bytes.length; from += 3800) {
    const to = Math.min(from + 3800, bytes.length);
    for (let i = from; i < to; i++) {
      a += bytes[i]!;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}

/** Unpacks a gzip file of any number of members, one after the other. What stands behind them must be zeros. Throws InflateError. */
export function* gunzipMembers(packed: Uint8Array): Iterable<Uint8Array> {
  let at = 0;
  while (at < packed.length) {
    if (packed[at] === 0 && packed.subarray(at).every((byte) => byte === 0)) return;
    const out = new Output(packed.length * 4);
    at = inflateInto(packed, afterHeader(packed, at), out);
    if (at + 8 > packed.length) throw new InflateError('it ends in the middle', true);
    const length = new DataView(packed.buffer, packed.byteOffset).getUint32(at + 4, true);
    if (length !== out.length >>> 0) throw new InflateError('its length does not agree');
    at += 8;
    yield out.bytes.subarray(0, out.length);
  }
}

function afterHeader(packed: Uint8Array, from: number): number {
  if (packed[from] !== 0x1f || packed[from + 1] !== 0x8b || packed[from + 2] !== 8)
    throw new InflateError('a member does not begin as gzip does');
  const flags = packed[from + 3]!;
  let at = from + 10;
  if (flags & 4) at += 2 + packed[at]! + packed[at + 1]! * 256;
  // Its name, a comment: each ends with a zero.
  for (const bit of [8, 16]) {
    if (!(flags & bit)) continue;
    const zero = packed.indexOf(0, at);
    if (zero < 0) throw new InflateError('it ends in the middle', true);
    at = zero + 1;
  }
  if (flags & 2) at += 2;
  return at;
}
