/**
 * The sources of this repository, for tests about their style. The readers know just enough of TypeScript for that: `codeOf` blanks what is
 * not code, and imports are found by their keyword.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';

/** A file of src/, by its path from there. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

const SRC = new URL('../../src/', import.meta.url);

/** The paths of all files below src/, whatever they hold. */
export function readPaths(): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(new URL(path, SRC)).isFile())
    .map((path) => path.replaceAll('\\', '/'))
    .sort();
}

export function readSources(): Source[] {
  return readPaths()
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => ({ path, text: readFileSync(new URL(path, SRC), 'utf8') }));
}

export function isTest(path: string): boolean {
  return /\.test\.tsx?$/.test(path);
}

/** A file that no repository has, to show that a check finds what it looks for. */
export function planted(path: string, ...lines: string[]): Source {
  return { path, text: `${lines.join('\n')}\n` };
}

export function assertNone(findings: readonly string[]): void {
  assert.ok(findings.length === 0, `\n${findings.map((finding) => `src/${finding}`).join('\n')}`);
}

/** Suites that several tests run, such as one for every strategy: `strategy.case.test.ts`. */
export function isCaseSuite(path: string): boolean {
  return /\.case(\.test)?\.tsx?$/.test(path);
}

export function roomOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
}

/** The folder that a file lies in: `slab/slub`, for a file at the room's top `slab`, and '' for one of src/ itself. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
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

const blankedTexts = new Map<string, string>();

/** The text with comments and the insides of strings, templates and regular expressions blanked. */
export function codeOf(text: string): string {
  const known = blankedTexts.get(text);
  if (known !== undefined) return known;
  const code = readCode(text);
  blankedTexts.set(text, code);
  return code;
}

function readCode(text: string): string {
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

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** The file it names, by its path from src/; undefined for a package or a module of Node's. */
  readonly path: string | undefined;
}

/** The file that a specifier names in the file `from`, by its path from src/; undefined for a package or a module of Node's. */
export function pathOf(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const named = new URL(specifier, `file:///src/${from}`).pathname;
  return named.startsWith('/src/') ? named.slice('/src/'.length).replace(/\.js$/, '.ts') : named;
}

const IMPORT = /\b(?:from|import)\s*(?=['"])|\bimport\s*\(\s*(?=['"])|\bnew URL\(\s*(?=['"])/g;

/** Imports, exports from, dynamic imports, and workers' `new URL('./worker.js', import.meta.url)`. */
export function importsOf({ path, text }: Source): Import[] {
  const found: Import[] = [];
  for (const match of codeOf(text).matchAll(IMPORT)) {
    const from = match.index + match[0].length;
    const specifier = text.slice(from + 1, endOfQuoted(text, from) - 1);
    if (match[0].startsWith('new') && !/^\.{1,2}\/.*\.js$/.test(specifier)) continue;
    found.push({ specifier, line: lineAt(text, match.index), path: pathOf(path, specifier) });
  }
  return found;
}

/** A file by the path that imports name: `.ts` also where it is `.tsx`. */
export function fileAt(byPath: ReadonlyMap<string, Source>, path: string): Source | undefined {
  return byPath.get(path) ?? byPath.get(path.replace(/\.ts$/, '.tsx'));
}
