/**
 * The sources of this repository, for tests about their style. The readers know just enough of TypeScript for that: `codeOf` blanks what is
 * not code.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** A file of src/, by its path from there. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

const SRC = new URL('../../src/', import.meta.url);

export function readSources(): Source[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.tsx?$/.test(path))
    .sort()
    .map((path) => ({ path, text: readFileSync(new URL(path, SRC), 'utf8') }));
}

export function isTest(path: string): boolean {
  return /\.test\.tsx?$/.test(path);
}

/** Suites that several tests run, such as one for every strategy: `strategy.case.test.ts`. */
export function isCaseSuite(path: string): boolean {
  return /\.case(\.test)?\.tsx?$/.test(path);
}

export function roomOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Words and signs after which a slash begins a regular expression rather than a division. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{;+\-*%>~^]|\b(?:return|typeof|case|in|of|do|else|throw|void|delete))$/;

/** Blanks stay blanks, lines stay lines: offsets in the result are offsets in the text. */
function blanked(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}

/** Where the literal that begins at `from` ends: the offset behind its closing sign. */
export function endOfQuoted(text: string, from: number): number {
  const quote = text[from];
  let inClass = false;
  for (let i = from + 1; i < text.length; i++) {
    const sign = text[i];
    if (sign === '\\') i++;
    else if (quote === '`' && sign === '$' && text[i + 1] === '{') i = endOfHole(text, i + 2) - 1;
    else if (quote === '/' && sign === '[') inClass = true;
    else if (quote === '/' && sign === ']') inClass = false;
    else if (sign === quote && !inClass) return i + 1;
    else if (sign === '\n' && quote !== '`') return i;
  }
  return text.length;
}

/** The offset behind the `}` that closes a template's `${`. */
function endOfHole(text: string, from: number): number {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    const sign = text[i]!;
    if (sign === '{') depth++;
    else if (sign === '}' && --depth === 0) return i + 1;
    else if (`'"\``.includes(sign)) i = endOfQuoted(text, i) - 1;
  }
  return text.length;
}

/** The text with comments and the insides of strings, templates and regular expressions blanked. */
export function codeOf(text: string): string {
  let code = '';
  for (let i = 0; i < text.length; ) {
    const two = text.slice(i, i + 2);
    let end = i + 1;
    if (two === '//' || two === '/*') {
      const close = two === '//' ? text.indexOf('\n', i) : text.indexOf('*/', i + 2) + 2;
      end = close < i + 2 ? text.length : close;
      code += blanked(text.slice(i, end));
    } else if (
      `'"\``.includes(text[i]!) ||
      (text[i] === '/' && BEFORE_REGEX.test(code.slice(-200).trimEnd()))
    ) {
      end = Math.max(endOfQuoted(text, i), i + 2);
      code += text[i] + blanked(text.slice(i + 1, end - 1)) + text.slice(end - 1, end);
    } else {
      code += text[i];
    }
    i = end;
  }
  return code;
}
