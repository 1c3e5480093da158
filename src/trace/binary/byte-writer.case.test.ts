/**
 * Bytes and format files for the tests of the binary readers, of any order of bytes and size of words.
 */
import { utf8 } from '../batch/strings.js';

/** Bytes, one number behind the other. */
export class ByteWriter {
  readonly little: boolean;
  #bytes = new Uint8Array(1 << 12);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  constructor(little: boolean) {
    this.little = little;
  }

  u8(value: number): this {
    this.#room(1).setUint8(this.length++, value);
    return this;
  }

  u16(value: number): this {
    this.#room(2).setUint16(this.length, value, this.little);
    this.length += 2;
    return this;
  }

  u32(value: number): this {
    this.#room(4).setUint32(this.length, value, this.little);
    this.length += 4;
    return this;
  }

  u64(value: number | bigint): this {
    this.#room(8).setBigUint64(this.length, BigInt.asUintN(64, BigInt(value)), this.little);
    this.length += 8;
    return this;
  }

  /** A number of 1, 2, 4 or 8 bytes. */
  number(value: number | bigint, bytes: number): this {
    const whole = BigInt(value);
    if (bytes === 8) return this.u64(whole);
    const low = Number(BigInt.asUintN(bytes * 8, whole));
    return bytes === 4 ? this.u32(low) : bytes === 2 ? this.u16(low) : this.u8(low);
  }

  bytes(bytes: Uint8Array): this {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  text(text: string): this {
    return this.bytes(utf8(text));
  }

  nulText(text: string): this {
    return this.text(text).u8(0);
  }

  align(unit: number): this {
    while (this.length % unit !== 0) this.u8(0);
    return this;
  }

  /** Overwrites a 64-bit number. */
  patch(at: number, value: number): void {
    this.#view.setBigUint64(at, BigInt(value), this.little);
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }

  #room(bytes: number): DataView {
    if (this.length + bytes > this.#bytes.length) {
      const larger = new Uint8Array((this.length + bytes) * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return this.#view;
  }
}

/** The machine that recorded. */
export interface Target {
  readonly little: boolean;
  /** Bytes of its kernel's `long`. */
  readonly longBytes: 4 | 8;
  readonly pageBytes: number;
}

export const PC: Target = { little: true, longBytes: 8, pageBytes: 4096 };

/** A field for `formatText`: name, C type, bytes. */
export type FieldSpec = readonly [name: string, type: string, bytes: number];

const COMMON: readonly FieldSpec[] = [
  ['common_type', 'unsigned short', 2],
  ['common_flags', 'unsigned char', 1],
  ['common_preempt_count', 'unsigned char', 1],
  ['common_pid', 'int', 4],
];

/** A kernel's format file: the common fields, then these in their order, each where its size allows it. */
export function formatText(name: string, id: number, fields: readonly FieldSpec[], printFmt = '""'): string {
  let offset = 0;
  const lines = [...COMMON, ...fields].map(([field, type, bytes]) => {
    const unit = Math.max(1, Math.min(bytes, 8));
    offset = Math.ceil(offset / unit) * unit;
    const [base, array] = type.split('[');
    const declared =
      array === undefined
        ? `${type} ${field}`
        : type.startsWith('__')
          ? `${type} ${field}`
          : `${base} ${field}[${array}`;
    const line = `\tfield:${declared};\toffset:${offset};\tsize:${bytes};\tsigned:${type.startsWith('unsigned') ? 0 : 1};`;
    offset += bytes;
    return line;
  });
  lines.splice(COMMON.length, 0, '');
  return `name: ${name}\nID: ${id}\nformat:\n${lines.join('\n')}\n\nprint fmt: ${printFmt}\n`;
}
