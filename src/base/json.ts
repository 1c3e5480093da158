/**
 * JSON with errors that name the line: V8's own message names no place for the commonest mistake, a wrong
 * character.
 */
import { InputError } from './errors.js';
import { printable } from './printable.js';

/** Whether a parsed value has names: neither a list nor null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text that is not JSON at all. */
export class NotJsonError extends InputError {}

/** Throws NotJsonError with the file's name, the line, what was expected and what stands there. */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const { at, expected } = findJsonError(text);
    const line = text.slice(0, at).split('\n').length;
    const rest = text.slice(at).split('\n', 1)[0]!;
    const stands = at >= text.length ? 'the file ends' : `there stands ${printable(rest, 40)}`;
    throw new NotJsonError(file, line, `not JSON: expected ${expected}, but ${stands}`);
  }
}

const NUMBER_OR_WORD = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const BLANK = /[ \t\n\r]*/y;
const ESCAPE = /["\\/bfnrt]|u[0-9a-fA-F]{4}/y;

/** What may come next, by the name that the message gives it. */
type Next =
  | 'a value'
  | 'a value or ]'
  | 'a name in "" or }'
  | 'a name in ""'
  | ':'
  | ', or ]'
  | ', or }'
  | 'the end';

/** The first place at which a text is not JSON any more. */
function findJsonError(text: string): { at: number; expected: string } {
  const open: ('{' | '[')[] = [];
  let next: Next = 'a value';
  let at = 0;
  const afterValue = (): Next => (open.length === 0 ? 'the end' : open.at(-1) === '{' ? ', or }' : ', or ]');
  for (;;) {
    at = endOf(BLANK, text, at);
    const sign = text[at];
    if (sign === undefined) return { at, expected: next };
    if (next.endsWith(sign) && (sign === ']' || sign === '}')) {
      open.pop();
      next = afterValue();
      at++;
    } else if (next === ':' || next.startsWith(',')) {
      if (sign !== next[0]) return { at, expected: next };
      next = sign === ':' || open.at(-1) === '[' ? 'a value' : 'a name in ""';
      at++;
    } else if (sign === '"' && next !== 'the end') {
      const end = endOfString(text, at + 1);
      if (end < 0) return { at: -end, expected: 'the rest of a text in ""' };
      at = end;
      next = next.startsWith('a name') ? ':' : afterValue();
    } else if (!next.startsWith('a value')) {
      return { at, expected: next };
    } else if (sign === '{' || sign === '[') {
      open.push(sign);
      next = sign === '{' ? 'a name in "" or }' : 'a value or ]';
      at++;
    } else {
      const end = endOf(NUMBER_OR_WORD, text, at);
      if (end === at) return { at, expected: next };
      at = end;
      next = afterValue();
    }
  }
}

/** Behind what a sticky pattern matches at a place; the place itself where it does not. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** Behind the closing quote, or the place of the mistake, negative. */
function endOfString(text: string, from: number): number {
  let at = from;
  for (; at < text.length && text[at] !== '"'; at++) {
    if (text[at]! < ' ') return -at;
    if (text[at] !== '\\') continue;
    const end = endOf(ESCAPE, text, at + 1);
    if (end === at + 1) return -at;
    at = end - 1;
  }
  return at < text.length ? at + 1 : -at;
}
