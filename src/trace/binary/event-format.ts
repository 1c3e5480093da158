/**
 * # Event formats: how a kernel lays out its events
 *
 * A kernel describes each of its events in a text file, and recorders copy these files into what they record:
 *
 *     name: kmalloc
 *     ID: 253                                   what a record's common_type holds
 *     format:
 *         field:int common_pid;                 offset:4;   size:4;  signed:1;
 *         field:const void * ptr;               offset:16;  size:8;  signed:0;
 *         field:__data_loc char[] name;         offset:24;  size:4;  signed:1;
 *     print fmt: "call_site=%pS …", … __print_flags(REC->gfp_flags, "|", {( unsigned long)…, "GFP_KERNEL"}, …
 *
 * Numbers, offsets and sizes differ between kernels, builds and machines, so nothing of them is known in advance: a field is found by
 * its name and read where the text says. A text that does not fit into a record's fixed part stands behind it, and its field says where:
 *
 *     __data_loc   low half: offset from the record's first byte;       high half: length
 *     __rel_loc    low half: offset from the byte behind the field;     high half: length
 *
 * The values of gfp flags differ as well. Their names do not, and `print fmt` pairs them: with that table the bits of any kernel become
 * those of 6.1, name by name, in the order in which the kernel prints them (so that `GFP_ATOMIC` is 6.1's, whatever it was there).
 * Kernels 6.10 to 6.13 print `1UL << ___GFP_IO_BIT` instead of a number: the bit of that name is then taken as 6.1 numbers it.
 *
 * Sources: Documentation/trace/events.rst of the kernel; the files recorded in truth/.
 */
import { __GFP, parseGfp } from '../../machine/index.js';

/** How a field's value lies in the record. */
type FieldShape = 'value' | 'array' | 'data_loc' | 'rel_loc';

export interface FormatField {
  readonly name: string;
  /** As the kernel's C has it, such as `const void *`. */
  readonly type: string;
  readonly shape: FieldShape;
  /** Bytes from the record's beginning. */
  readonly offset: number;
  /** Bytes; 0 for an array that goes to the record's end. */
  readonly size: number;
  readonly signed: boolean;
}

export interface EventFormat {
  /** The group of events that it belongs to, such as `kmem`. */
  readonly system: string;
  readonly name: string;
  readonly id: number;
  readonly fields: ReadonlyMap<string, FormatField>;
  readonly printFmt: string;
}

/** One flag's name and its bits in the kernel that wrote the format. */
type FlagName = readonly [bits: number, name: string];

/** The parts of a field's line behind its declaration, each a word, a colon and a number. */
const PART = /^\s*(offset|size|signed):\s*(\d{1,9})\s*$/;
/** Longer lines and files than any kernel writes are not looked at. */
const LINE_LENGTH_MAX = 1024;
const TEXT_LENGTH_MAX = 1 << 20;

/** A kernel's format file; undefined for a text that is none. */
export function parseEventFormat(text: string, system: string): EventFormat | undefined {
  if (text.length > TEXT_LENGTH_MAX) return undefined;
  const name = /^\S+/.exec(lineOf(text, 'name:'))?.[0];
  const id = /^\d+/.exec(lineOf(text, 'ID:'))?.[0];
  if (name === undefined || id === undefined) return undefined;
  const print = behind(text, 'print fmt:');
  const printFmt = print < 0 ? '' : text.slice(print).trimStart();
  return { system, name, id: Number(id), fields: parseFields(text), printFmt };
}

/** The `field:` lines of a format file, or of a header_page file, by the fields' names. Other lines are passed over. */
export function parseFields(text: string): Map<string, FormatField> {
  const fields = new Map<string, FormatField>();
  for (const line of text.split('\n')) {
    if (line.startsWith('print fmt:')) break;
    if (line.length > LINE_LENGTH_MAX) continue;
    const field = fieldOf(line);
    if (field === undefined) continue;
    const { type, name, isArray, offset, size, signed } = field;
    const shape = type.startsWith('__data_loc')
      ? 'data_loc'
      : type.startsWith('__rel_loc')
        ? 'rel_loc'
        : isArray
          ? 'array'
          : 'value';
    fields.set(name, { name, type, shape, offset, size, signed });
  }
  return fields;
}

/** Where a line goes on that begins with this word; -1 if none does. */
function behind(text: string, word: string): number {
  if (text.startsWith(word)) return word.length;
  const at = text.indexOf(`\n${word}`);
  return at < 0 ? -1 : at + 1 + word.length;
}

/** What stands in that line, '' if there is none. */
function lineOf(text: string, word: string): string {
  const from = behind(text, word);
  if (from < 0) return '';
  const end = text.indexOf('\n', from);
  return text.slice(from, end < 0 ? text.length : end).trim();
}

interface FieldLine {
  readonly type: string;
  readonly name: string;
  readonly isArray: boolean;
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
}

/** One `field:` line. Each of its parts is looked at once: a line made to hurt takes no longer than its length. */
function fieldOf(line: string): FieldLine | undefined {
  const [first = '', ...parts] = line.trim().split(';', 4);
  if (!first.startsWith('field:')) return undefined;
  const numbers = new Map<string, number>();
  for (const part of parts) {
    const found = PART.exec(part);
    if (found !== null) numbers.set(found[1]!, Number(found[2]));
  }
  const offset = numbers.get('offset');
  const size = numbers.get('size');
  const declared = declaration(first.slice('field:'.length).trim());
  if (offset === undefined || size === undefined || declared === undefined) return undefined;
  return { ...declared, offset, size, signed: numbers.get('signed') === 1 };
}

/** `const char buf[16]`: from its end, an array's length, the name, and the type before it. */
function declaration(text: string): Pick<FieldLine, 'type' | 'name' | 'isArray'> | undefined {
  const isArray = text.endsWith(']');
  const open = isArray ? text.lastIndexOf('[') : text.length;
  if (open < 0 || (isArray && text.indexOf(']', open) < text.length - 1)) return undefined;
  const end = text.slice(0, open).trimEnd().length;
  let from = end;
  while (from > 0 && isWordSign(text.charCodeAt(from - 1))) from--;
  // A name begins with no digit.
  while (from < end && isDigit(text.charCodeAt(from))) from++;
  if (from === end) return undefined;
  return { type: text.slice(0, from).trim(), name: text.slice(from, end), isArray };
}

function isDigit(sign: number): boolean {
  return sign >= 48 && sign <= 57;
}

function isWordSign(sign: number): boolean {
  return isDigit(sign) || sign === 95 || ((sign | 32) >= 97 && (sign | 32) <= 122);
}

// ---- gfp flags ---------------------------------------------------------------------------------------------------------

const FLAGS_OF_GFP = /__print_flags\(\s*REC->gfp_flags\s*,\s*"[^"]*"\s*,/;
const MEMBER = /\{([^{}"]*),\s*"([^"]*)"\s*\}/y;
const BETWEEN = /[\s,]*/y;

/** The names that a `print fmt` gives to gfp bits, in the order in which the kernel tries them; none if it names none. */
export function gfpNames(printFmt: string): FlagName[] {
  const start = FLAGS_OF_GFP.exec(printFmt);
  const names: FlagName[] = [];
  if (start === null) return names;
  for (let at = start.index + start[0].length; ; ) {
    BETWEEN.lastIndex = at;
    BETWEEN.exec(printFmt);
    MEMBER.lastIndex = BETWEEN.lastIndex;
    const member = MEMBER.exec(printFmt);
    if (member === null) return names;
    const bits = evaluate(member[1]!);
    if (bits !== undefined) names.push([bits, member[2]!]);
    at = MEMBER.lastIndex;
  }
}

/** Bits of another kernel as those of 6.1. */
export interface GfpTranslator {
  (bits: number): number;
  /** Names that were set and that 6.1 does not have: they are left out. */
  readonly unknown: ReadonlySet<string>;
}

export function createGfpTranslator(names: readonly FlagName[]): GfpTranslator {
  const table = names
    .filter(([bits]) => bits !== 0)
    .map(([bits, name]) => [bits, name, meaning(name)] as const);
  const unknown = new Set<string>();
  const translate = (bits: number): number => {
    let rest = bits;
    let translated = 0;
    for (const [mask, name, here] of table) {
      if ((rest & mask) !== mask) continue;
      rest &= ~mask;
      if (here === undefined) unknown.add(name);
      else translated |= here;
    }
    return (translated | rest) >>> 0;
  };
  return Object.assign(translate, { unknown });
}

/** A name's bits in 6.1; undefined for a name that came or went. */
function meaning(name: string): number | undefined {
  try {
    return parseGfp(name);
  } catch {
    return undefined;
  }
}

// ---- The constants in `print fmt` ------------------------------------------------------------------------------------------

const TOKEN = /\s*(?:(0[xX][0-9a-fA-F]+|\d+)[uUlL]*|([A-Za-z_]\w*)|(<<|[()|&~+-]))/y;
const TYPE_WORDS = new Set(['unsigned', 'signed', 'long', 'int', 'short', 'char', 'const', '__force']);
const TYPE_NAMES = /^(?:gfp_t|u\d\d?|__u\d\d?|\w+_t)$/;
const DEPTH_MAX = 64;

/** Value of a constant expression of C in 32 bits; undefined where something in it has no known value. */
function evaluate(text: string): number | undefined {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const { length } = text.trimEnd();
  while (TOKEN.lastIndex < length) {
    const token = TOKEN.exec(text);
    if (token === null) return undefined;
    tokens.push(token[1] ?? token[2] ?? token[3]!);
  }
  let at = 0;
  let depth = 0;

  const operand = (): number => {
    if (++depth > DEPTH_MAX) return Number.NaN;
    const value = unwrapped();
    depth--;
    return value;
  };
  const unwrapped = (): number => {
    const token = tokens[at++] ?? '';
    if (token === '(') {
      if (skipsCast()) return operand();
      const value = binary(0);
      return tokens[at++] === ')' ? value : Number.NaN;
    }
    if (token === '~' || token === '-') {
      const value = operand();
      return Number.isNaN(value) ? value : token === '~' ? ~value : -value;
    }
    return /^\d/.test(token) ? Number(token) | 0 : constantNamed(token);
  };
  /** Inside a bracket that holds a type alone, such as `( unsigned long)`, which changes nothing here: goes behind it. */
  const skipsCast = (): boolean => {
    let end = at;
    while (tokens[end] !== undefined && (TYPE_WORDS.has(tokens[end]!) || TYPE_NAMES.test(tokens[end]!)))
      end++;
    if (end === at || tokens[end] !== ')') return false;
    at = end + 1;
    return true;
  };
  /** Operators by how strongly they bind, the weakest first. */
  const binary = (level: number): number => {
    const signs = LEVELS[level];
    if (signs === undefined) return operand();
    let left = binary(level + 1);
    while (tokens[at] !== undefined && signs.includes(tokens[at]!)) {
      const sign = tokens[at++]!;
      const right = binary(level + 1);
      if (Number.isNaN(left) || Number.isNaN(right)) left = Number.NaN;
      else if (sign === '|') left |= right;
      else if (sign === '&') left &= right;
      else if (sign === '<<') left <<= right;
      else left = sign === '+' ? left + right : left - right;
    }
    return left;
  };
  const value = binary(0);
  return Number.isNaN(value) || at < tokens.length ? undefined : value >>> 0;
}

const LEVELS: readonly (readonly string[])[] = [['|'], ['&'], ['<<'], ['+', '-']];

/** `___GFP_IO_BIT`, an enumerator that a format file names without its value. */
function constantNamed(name: string): number {
  const flag = /^___GFP_(\w+)_BIT$/.exec(name)?.[1];
  const bits = flag === undefined ? undefined : (__GFP as Readonly<Record<string, number>>)[flag];
  return bits === undefined ? Number.NaN : 31 - Math.clz32(bits);
}
