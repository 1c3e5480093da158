/**
 * The texts of a trace: call sites, names of tasks and of caches. Each differs from all others and has a number; 0 is the empty text.
 * Readers look a text up by its bytes, without making a string of it.
 */
import { grown } from '../../base/index.js';

const MULTIPLIER = 0x9e3779b1 | 0;

/** Texts, each once, by number. */
export class Strings {
  /** All texts as UTF-8, one behind the other. */
  #bytes: Uint8Array = new Uint8Array(1 << 16);
  /** Where text `id` begins; the next one's beginning is its end. */
  #start = new Int32Array(1 << 10);
  #hash = new Int32Array(1 << 10);
  /** Open addressing over a power of two: an id, or 0. At most half full. */
  #slots = new Int32Array(1 << 11);
  #count = 1;
  readonly #texts: (string | undefined)[] = [''];

  /** How many texts there are, the empty one included: ids are below it. */
  get count(): number {
    return this.#count;
  }

  /** The id of the text that these bytes are. */
  intern(bytes: Uint8Array, from: number, to: number): number {
    if (from >= to) return 0;
    let hash = (to - from) | 0;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, MULTIPLIER);
    hash ^= hash >>> 15;
    const mask = this.#slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const id = this.#slots[at]!;
      if (id === 0) return this.#add(bytes, from, to, hash, at);
      if (this.#hash[id] === hash && this.#isAt(id, bytes, from, to)) return id;
    }
  }

  internText(text: string): number {
    const bytes = utf8(text);
    return this.intern(bytes, 0, bytes.length);
  }

  /** The text of an id; '' for one that no text has. */
  text(id: number): string {
    let text = this.#texts[id];
    if (text === undefined && id < this.#count) {
      text = fromUtf8(this.#bytes, this.#start[id]!, this.#start[id + 1]!);
      this.#texts[id] = text;
    }
    return text ?? '';
  }

  /** The bytes of an id's text, which a tool may have cut in the middle of a sign. */
  bytes(id: number): Uint8Array {
    return id > 0 && id < this.#count
      ? this.#bytes.slice(this.#start[id]!, this.#start[id + 1]!)
      : new Uint8Array(0);
  }

  #isAt(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = this.#start[id]!;
    if (this.#start[id + 1]! - start !== to - from) return false;
    for (let i = from, at = start; i < to; i++, at++) if (this.#bytes[at] !== bytes[i]) return false;
    return true;
  }

  #add(bytes: Uint8Array, from: number, to: number, hash: number, at: number): number {
    const id = this.#count++;
    if (id + 2 > this.#start.length) {
      this.#start = grown(this.#start, this.#start.length * 2);
      this.#hash = grown(this.#hash, this.#hash.length * 2);
    }
    const start = this.#start[id]!;
    const end = start + to - from;
    if (end > this.#bytes.length) {
      this.#bytes = grown(this.#bytes, Math.max(this.#bytes.length * 2, end));
    }
    this.#bytes.set(bytes.subarray(from, to), start);
    this.#start[id + 1] = end;
    this.#hash[id] = hash;
    this.#slots[at] = id;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    return id;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let id = 1; id < this.#count; id++) {
      let at = this.#hash[id]! & mask;
      while (slots[at] !== 0) at = (at + 1) & mask;
      slots[at] = id;
    }
    this.#slots = slots;
  }
}

/** Text as UTF-8. Halves of surrogate pairs that stand alone become the replacement character. */
export function utf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const sign of text) {
    let code = sign.codePointAt(0)!;
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else
      bytes.push(
        0xf0 | (code >> 18),
        0x80 | ((code >> 12) & 63),
        0x80 | ((code >> 6) & 63),
        0x80 | (code & 63),
      );
  }
  return Uint8Array.from(bytes);
}

/** UTF-8 as text; a byte that is none becomes the replacement character. */
export function fromUtf8(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; ) {
    const first = bytes[i]!;
    const length =
      first < 0x80
        ? 1
        : first >= 0xf0 && first < 0xf5
          ? 4
          : first >= 0xe0 && first < 0xf0
            ? 3
            : first >= 0xc2 && first < 0xe0
              ? 2
              : 0;
    let code = length === 1 ? first : first & (0xff >> (length + 1));
    let good = length > 0 && i + length <= to;
    for (let k = 1; good && k < length; k++) {
      const next = bytes[i + k]!;
      if ((next & 0xc0) !== 0x80) good = false;
      code = (code << 6) | (next & 63);
    }
    if (!good || code > 0x10ffff) {
      text += '\ufffd';
      i++;
      continue;
    }
    text += String.fromCodePoint(code);
    i += length;
  }
  return text;
}
