/**
 * What is to be read is short enough to be: files, functions, lines, classes, and the lists of files in folders. A part of tidy.test.ts,
 * which says how these tests are made.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertNone,
  codeOf,
  planted as file,
  folderOf,
  isTest,
  readPaths,
  readSources,
  type Source,
} from './sources.case.test.js';

const FILE_LINES_MAX = 700;
/** Of a function's own lines: those of the functions inside it count for them. */
const FUNCTION_LINES_MAX = 90;
/** Of a function or a class with all that is inside. */
const SPAN_LINES_MAX = 350;
const FOLDER_FILES_MAX = 20;

/** Files and functions that may be longer, as `path` or `path#function`, each with the reason. */
const LONGER: ReadonlyMap<string, string> = new Map();

/** Functions and classes that may go on for longer with all that is inside, as `path#name`, each with the reason. */
const WIDER: ReadonlyMap<string, string> = new Map([
  [
    'trace/resolve/resolve.ts#createResolver',
    'the columns of a chunk and the tables of pointers, which every step reads',
  ],
]);

/** Folders of src/ that may hold more files, each with the reason. */
const FULLER: ReadonlyMap<string, string> = new Map([
  ['lab/verify', 'a reader for each kind of recording, which have little in common'],
]);

// ---- Files and functions -----------------------------------------------------------------------------------------------------

interface Span {
  readonly name: string;
  /** First and last line, counted from 0. */
  readonly first: number;
  readonly last: number;
}

const NO_FUNCTION = /^(?:\}\s*)?(?:if|else|for|while|do|switch|try|catch|finally|case)\b/;
const NO_FUNCTION_EITHER =
  /^(?:export\s+)?(?:default\s+)?(?:abstract\s+)?(?:class|interface|enum|namespace|type)\b/;
const METHOD =
  /^(?:(?:public|private|protected|static|override|async|get|set)\s+)*\*?[#\w$[\].]+\s*(?:<.*>)?\(.*\).*[^(,[=:|&\s]\s*\{$/;

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

/** Where the head of a block begins: `): Result {` closes one that began above, on the nearest line of the same depth. */
function headStart(lines: readonly string[], opens: number): number {
  const depth = indentOf(lines[opens]!);
  for (let at = opens; at > 0; at--) {
    const text = lines[at]!.trim();
    if (text !== '' && indentOf(lines[at]!) === depth && !/^[)}\]](?!,)/.test(text)) return at;
  }
  return 0;
}

const CLASS = /^(?:export\s+)?(?:default\s+)?(?:abstract\s+)?class\b/;

function isFunction(head: string): boolean {
  if (NO_FUNCTION.test(head) || NO_FUNCTION_EITHER.test(head)) return false;
  return /=> \{$/.test(head) || /\bfunction\b/.test(head) || METHOD.test(head);
}

/** The functions that are longer than a line: from the first line of their head to the bracket that closes them. */
function functionsOf(text: string): Span[] {
  return spansOf(text, isFunction);
}

/** The blocks with such heads. */
function spansOf(text: string, isWanted: (head: string) => boolean): Span[] {
  const lines = codeOf(text).split('\n');
  const found: Span[] = [];
  lines.forEach((line, opens) => {
    if (!line.trimEnd().endsWith('{')) return;
    const first = headStart(lines, opens);
    const head = lines
      .slice(first, opens + 1)
      .join(' ')
      .replace(/\s+/g, ' ')
      .trim();
    if (!isWanted(head)) return;
    const closes = (other: string, i: number) =>
      i > opens && indentOf(other) === indentOf(line) && /^\s*\}/.test(other);
    const last = lines.findIndex(closes);
    if (last >= 0) found.push({ name: nameOf(head), first, last });
  });
  return found;
}

function nameOf(head: string): string {
  const named =
    /\bfunction\b\s*\*?\s*([\w$]+)/.exec(head) ??
    (CLASS.test(head) ? /\bclass\s+([\w$]+)/.exec(head) : null) ??
    /\b(?:const|let)\s+([\w$]+)/.exec(head) ??
    /([#\w$]+)\s*[(<]/.exec(head);
  return named?.[1] ?? 'a function';
}

/**
 * A function's lines are its own: those of the functions inside it count for them. A closure that holds a room's worth of small
 * functions is no longer to read than a class of as many methods.
 */
function ownLines(span: Span, all: readonly Span[]): number {
  const inside = all.filter(
    (other) => other !== span && span.first <= other.first && other.last <= span.last,
  );
  const taken = new Set<number>();
  for (const other of inside) for (let line = other.first; line <= other.last; line++) taken.add(line);
  let own = 0;
  for (let line = span.first; line <= span.last; line++) if (!taken.has(line)) own++;
  return own;
}

function checkLengths(sources: readonly Source[], longer: ReadonlyMap<string, string>): string[] {
  const findings: string[] = [];
  const used = new Set<string>();
  const measure = (key: string, where: string, what: string, lines: number, max: number) => {
    if (lines <= max) return;
    used.add(key);
    if (!longer.has(key)) findings.push(`${where}: ${what} has ${lines} lines, at most ${max}`);
  };
  for (const { path, text } of sources) {
    measure(path, `${path}:1`, 'the file', text.trimEnd().split('\n').length, FILE_LINES_MAX);
    const spans = functionsOf(text);
    for (const span of spans) {
      const where = `${path}:${span.first + 1}`;
      measure(`${path}#${span.name}`, where, span.name, ownLines(span, spans), FUNCTION_LINES_MAX);
    }
  }
  for (const key of longer.keys()) {
    if (!used.has(key)) findings.push(`${key}:1: is short enough by now: take it out of LONGER`);
  }
  return findings;
}

function checkSpans(sources: readonly Source[], wider: ReadonlyMap<string, string>): string[] {
  const findings: string[] = [];
  const used = new Set<string>();
  for (const { path, text } of sources) {
    for (const { name, first, last } of spansOf(text, (head) => isFunction(head) || CLASS.test(head))) {
      const lines = last - first + 1;
      if (lines <= SPAN_LINES_MAX) continue;
      used.add(`${path}#${name}`);
      if (wider.has(`${path}#${name}`)) continue;
      findings.push(
        `${path}:${first + 1}: ${name} has ${lines} lines with all inside, at most ${SPAN_LINES_MAX}`,
      );
    }
  }
  for (const key of wider.keys()) {
    if (!used.has(key)) findings.push(`${key}: is short enough by now: take it out of WIDER`);
  }
  return findings;
}

// ---- Folders -------------------------------------------------------------------------------------------------------

function checkFolderSizes(paths: readonly string[], fuller: ReadonlyMap<string, string>): string[] {
  const counts = new Map<string, number>();
  for (const path of paths) {
    if (!isTest(path)) counts.set(folderOf(path), (counts.get(folderOf(path)) ?? 0) + 1);
  }
  const findings: string[] = [];
  for (const [folder, count] of counts) {
    if (count > FOLDER_FILES_MAX && !fuller.has(folder))
      findings.push(`${folder}/: has ${count} files that are no tests, at most ${FOLDER_FILES_MAX}`);
  }
  for (const folder of fuller.keys()) {
    if ((counts.get(folder) ?? 0) <= FOLDER_FILES_MAX)
      findings.push(`${folder}/: is small enough by now: take it out of FULLER`);
  }
  return findings;
}

// ---- The repository ------------------------------------------------------------------------------------------------

const sources = readSources();

test('files and functions are short enough to be read', () => assertNone(checkLengths(sources, LONGER)));

test('functions and classes end soon enough, with all that is inside', () =>
  assertNone(checkSpans(sources, WIDER)));

test('no folder has more files than can be seen at a glance', () =>
  assertNone(checkFolderSizes(readPaths(), FULLER)));

// ---- Planted violations --------------------------------------------------------------------------------------------

test('a file or function that is too long is found', () => {
  const body = (lines: number, by = '  ') => Array.from({ length: lines }, (_, i) => `${by}step(${i});`);
  const long = file(
    'slab/long.ts',
    'export function tooLong(',
    '  size: number,',
    '): void {',
    ...body(88),
    '}',
    'class Cache {',
    '  shrink({ all }: Options): Map<number, string> {',
    ...body(89, '    '),
    '  }',
    '}',
    'const later = async () => {',
    ...body(89),
    '};',
  );
  assert.deepEqual(checkLengths([long], new Map()), [
    'slab/long.ts:1: tooLong has 92 lines, at most 90',
    'slab/long.ts:94: shrink has 91 lines, at most 90',
    'slab/long.ts:186: later has 91 lines, at most 90',
  ]);
  const brackets = [
    '  if (x) {',
    '    y();',
    '  } else {',
    "    z('}');",
    '  }',
    '  const o = {',
    '    s: `',
    '}`,',
    '  };',
  ];
  const holder = file(
    'slab/a.ts',
    'export function holder() {',
    '  function inner() {',
    ...body(80, '    '),
    '  }',
    ...brackets,
    ...body(70),
    '}',
  );
  assert.deepEqual(checkLengths([holder], new Map()), [], 'lines of inner functions are their own');
  const thick = file('slab/b.ts', ...Array.from({ length: 701 }, (_, i) => `export const c${i} = ${i};`));
  assert.deepEqual(checkLengths([thick], new Map()), ['slab/b.ts:1: the file has 701 lines, at most 700']);
  assert.deepEqual(checkLengths([thick], new Map([['slab/b.ts', 'a table']])), []);
  assert.match(checkLengths([holder], new Map([['slab/a.ts', 'a table']])).join(), /take it out of LONGER/);
});

test('a function or class that goes on for too long with all inside is found', () => {
  const method = (name: string, lines: number) => [
    `  ${name}(): void {`,
    ...Array.from({ length: lines }, (_, i) => `    step(${i});`),
    '  }',
  ];
  const long = file(
    'slab/long.ts',
    'export function createLong(size: number) {',
    ...Array.from({ length: 5 }, (_, i) => method(`function part${i}`, 68)).flat(),
    '}',
    'export class Machine<T> extends Base {',
    ...Array.from({ length: 5 }, (_, i) => method(`part${i}`, 67)).flat(),
    '  readonly #last = 0;',
    '  readonly #words = {',
    '  };',
    '}',
    'const short = () => {',
    ...Array.from({ length: 5 }, (_, i) => method(`function part${i}`, 60)).flat(),
    '};',
  );
  assert.deepEqual(checkSpans([long], new Map()), [
    'slab/long.ts:1: createLong has 352 lines with all inside, at most 350',
  ]);
  const wider = new Map([
    ['slab/long.ts#createLong', 'one closure'],
    ['slab/long.ts#Machine', 'one class'],
  ]);
  assert.match(checkSpans([long], wider).join(), /^slab\/long\.ts#Machine: .* take it out of WIDER$/);
  const longer = { ...long, text: long.text.replace('  readonly #last = 0;', 'x;\n'.repeat(3)) };
  assert.match(checkSpans([longer], new Map()).at(-1)!, /^slab\/long\.ts:353: Machine has 353 lines/);
});

test('a folder with too many files is found', () => {
  const paths = (count: number) => Array.from({ length: count }, (_, i) => `slab/cache/c${i}.ts`);
  const others = ['slab/cache/c.test.ts', 'slab/cache/c.case.test.ts', 'slab/cache/more/d.ts', 'index.ts'];
  assert.deepEqual(checkFolderSizes([...paths(20), ...others], new Map()), []);
  const many = [...paths(20), ...others, 'slab/cache/facts.css'];
  assert.deepEqual(checkFolderSizes(many, new Map()), [
    'slab/cache/: has 21 files that are no tests, at most 20',
  ]);
  const fuller = new Map([['slab/cache', 'a file a kernel']]);
  assert.deepEqual(checkFolderSizes(many, fuller), []);
  assert.deepEqual(checkFolderSizes(paths(20), fuller), [
    'slab/cache/: is small enough by now: take it out of FULLER',
  ]);
});
