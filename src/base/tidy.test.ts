/**
 * # The style is a test
 *
 * What a reader of this repository may rely on, checked on the sources themselves (after TigerBeetle's `tidy.zig`):
 *
 *  1. arrows between rooms go one way, through a room's index, and only the table ROOMS says where to;
 *  2. a file can be read in one sitting, a function on one screen or two;
 *  3. no file is dead: what ships is reachable from an entry, a case suite is run by a test;
 *  4. nothing is left for later, no test is switched off by hand, no line runs out of the window;
 *  5. files of a room do not depend on each other in a circle;
 *  6. no list is spread into a call's arguments (spreads.test.ts).
 *
 * Every check is a function from sources to findings, and each is also fed with a planted violation: a check that cannot
 * fail checks nothing. A finding begins with `path:line:`.
 *
 * The readers below know just enough of TypeScript for that: `codeOf` blanks what is not code, imports are found by their
 * keyword, and a function ends where its indentation does, which the formatter guarantees.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  codeOf,
  endOfQuoted,
  isCaseSuite,
  isTest,
  lineAt,
  readSources,
  roomOf,
  type Source,
} from './sources.case.test.js';

interface Room {
  /** The rooms that it may import, each through its index. */
  readonly uses: readonly string[];
  /** May import Node's own modules, or a package. Tests of every room may. */
  readonly node: boolean;
  readonly packages: boolean;
}

const LIBRARY: readonly string[] = ['base', 'machine', 'slab', 'pools', 'iommu', 'text', 'trace', 'lab'];

/** Rule 1. The library below node and web runs wherever JavaScript does. */
const ROOMS: ReadonlyMap<string, Room> = new Map(
  Object.entries({
    base: { uses: [], node: false, packages: false },
    machine: { uses: ['base'], node: false, packages: false },
    slab: { uses: ['base', 'machine'], node: false, packages: false },
    pools: { uses: ['base', 'machine', 'slab'], node: false, packages: false },
    iommu: { uses: ['base', 'machine', 'slab', 'pools'], node: false, packages: false },
    text: { uses: ['base', 'machine', 'slab'], node: false, packages: false },
    trace: { uses: ['base', 'machine'], node: false, packages: false },
    lab: { uses: LIBRARY.slice(0, -1), node: false, packages: false },
    node: { uses: LIBRARY, node: true, packages: true },
    cli: { uses: [...LIBRARY, 'node'], node: true, packages: true },
    web: { uses: LIBRARY, node: false, packages: true },
    // Files that lie in src/ itself: index.ts.
    '': { uses: LIBRARY, node: false, packages: false },
  }),
);

/** Second doors of rooms: parts of an index, for what must begin at once and needs nothing else of the room. */
const DOORS: ReadonlySet<string> = new Set(['lab/layout/index.ts']);

const FILE_LINES_MAX = 700;
const FUNCTION_LINES_MAX = 90;
const LINE_CHARACTERS_MAX = 140;

/** Files and functions that may be longer, as `path` or `path#function`, each with the reason. */
const LONGER: ReadonlyMap<string, string> = new Map();

/** Where programs and library users come in. An entry that does not exist yet leaves its rooms unjudged. */
const ENTRIES: readonly { readonly path: string; readonly rooms: readonly string[] }[] = [
  { path: 'index.ts', rooms: ['', 'base', 'machine', 'slab', 'pools', 'iommu'] },
  { path: 'all.ts', rooms: ['', ...LIBRARY] },
  { path: 'node/index.ts', rooms: ['node'] },
  { path: 'cli/main.ts', rooms: ['cli'] },
  { path: 'web/main.ts', rooms: ['web'] },
  // What the browser runs beside the page.
  { path: 'web/sw.ts', rooms: ['web'] },
];

// Written in two halves, so that this file does not find itself.
const UNFINISHED = new RegExp(
  `\\b(${['TO-DO', 'FIX-ME', 'XX-X'].map((word) => word.replace('-', '')).join('|')})\\b`,
);
const SWITCHED_OFF = /\.(only|skip)\(/;

// ---- Reading sources -----------------------------------------------------------------------------------------------

interface Import {
  readonly specifier: string;
  readonly line: number;
  /** The file it names, by its path from src/; undefined for a package or a module of Node's. */
  readonly path: string | undefined;
}

const IMPORT = /\b(?:from|import)\s*(?=['"])|\bimport\s*\(\s*(?=['"])|\bnew URL\(\s*(?=['"])/g;

/** Imports, exports from, dynamic imports, and workers' `new URL('./worker.js', import.meta.url)`. */
function importsOf({ path, text }: Source): Import[] {
  const found: Import[] = [];
  for (const match of codeOf(text).matchAll(IMPORT)) {
    const from = match.index + match[0].length;
    const specifier = text.slice(from + 1, endOfQuoted(text, from) - 1);
    if (match[0].startsWith('new') && !/^\.{1,2}\/.*\.js$/.test(specifier)) continue;
    const named = specifier.startsWith('.') ? new URL(specifier, `file:///src/${path}`).pathname : undefined;
    const file = named?.startsWith('/src/') ? named.slice('/src/'.length).replace(/\.js$/, '.ts') : named;
    found.push({ specifier, line: lineAt(text, match.index), path: file });
  }
  return found;
}

// ---- 1. Arrows -----------------------------------------------------------------------------------------------------

function checkArrows(sources: readonly Source[]): string[] {
  const findings: string[] = [];
  for (const source of sources) {
    const room = ROOMS.get(roomOf(source.path));
    if (room === undefined) {
      findings.push(
        `${source.path}:1: the folder ${roomOf(source.path)}/ is no room; add it to ROOMS or move the file`,
      );
      continue;
    }
    for (const each of importsOf(source)) {
      const wrong = wrongImport(source.path, room, each);
      if (wrong !== undefined) findings.push(`${source.path}:${each.line}: '${each.specifier}': ${wrong}`);
    }
  }
  return findings;
}

/** Why a file of a room may not import this. */
function wrongImport(from: string, room: Room, { specifier, path }: Import): string | undefined {
  if (path === undefined) {
    if (isTest(from)) return undefined;
    const allowed = specifier.startsWith('node:') ? room.node : room.packages;
    return allowed ? undefined : `only tests may import it in ${roomOf(from) || 'src'}/`;
  }
  if (path.startsWith('/')) return 'it lies outside src/';
  const target = roomOf(path);
  if (target === roomOf(from)) {
    return isTest(path) && !isTest(from) ? 'a test is no part of what ships' : undefined;
  }
  if (!room.uses.includes(target))
    return `the arrows do not go from ${roomOf(from) || 'src'}/ to ${target || 'src'}/`;
  if (path === `${target}/index.ts` || DOORS.has(path) || (isTest(from) && isCaseSuite(path)))
    return undefined;
  return `enter ${target}/ through its index`;
}

// ---- 2. Length -----------------------------------------------------------------------------------------------------

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

/** The functions that are longer than a line: from the first line of their head to the bracket that closes them. */
function functionsOf(text: string): Span[] {
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
    if (NO_FUNCTION.test(head) || NO_FUNCTION_EITHER.test(head)) return;
    if (!/=> \{$/.test(head) && !/\bfunction\b/.test(head) && !METHOD.test(head)) return;
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

// ---- 3. Dead files -------------------------------------------------------------------------------------------------

function checkDead(sources: readonly Source[], entries: typeof ENTRIES): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const present = entries.filter((entry) => fileAt(byPath, entry.path) !== undefined);
  const judged = new Set(present.flatMap((entry) => entry.rooms));
  const tests = sources.filter(({ path }) => isTest(path) && !isCaseSuite(path)).map(({ path }) => path);
  const shipped = reach(
    byPath,
    present.map((entry) => entry.path),
  );
  const tested = reach(byPath, tests);
  const findings: string[] = [];
  for (const { path } of sources) {
    if (isCaseSuite(path)) {
      if (!tested.has(path)) findings.push(`${path}:1: no test runs this case suite`);
    } else if (!isTest(path) && judged.has(roomOf(path)) && !shipped.has(path)) {
      findings.push(`${path}:1: nothing that ships imports this file`);
    }
  }
  return findings;
}

function reach(byPath: ReadonlyMap<string, Source>, from: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const open = [...from];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const source = fileAt(byPath, path);
    if (source === undefined || reached.has(source.path)) continue;
    reached.add(source.path);
    for (const each of importsOf(source)) if (each.path !== undefined) open.push(each.path);
  }
  return reached;
}

function fileAt(byPath: ReadonlyMap<string, Source>, path: string): Source | undefined {
  return byPath.get(path) ?? byPath.get(path.replace(/\.ts$/, '.tsx'));
}

// ---- 4. Left-overs -------------------------------------------------------------------------------------------------

function checkLines(sources: readonly Source[]): string[] {
  const findings: string[] = [];
  for (const { path, text } of sources) {
    const code = codeOf(text).split('\n');
    text.split('\n').forEach((line, i) => {
      const where = `${path}:${i + 1}`;
      const unfinished = UNFINISHED.exec(line);
      if (unfinished)
        findings.push(`${where}: ${unfinished[1]} left in the source: do it, or write it down elsewhere`);
      const off = isTest(path) ? SWITCHED_OFF.exec(code[i]!) : null;
      if (off)
        findings.push(
          `${where}: .${off[1]}( switches tests off; a condition goes into the option { skip: reason }`,
        );
      if (line.length > LINE_CHARACTERS_MAX) {
        findings.push(`${where}: the line has ${line.length} characters, at most ${LINE_CHARACTERS_MAX}`);
      }
    });
  }
  return findings;
}

// ---- 5. Circles ----------------------------------------------------------------------------------------------------

function checkCircles(sources: readonly Source[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const findings: string[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (source: Source): void => {
    if (done.has(source.path)) return;
    trail.push(source.path);
    for (const { path, line } of importsOf(source)) {
      const next = path === undefined ? undefined : fileAt(byPath, path);
      if (next === undefined || roomOf(next.path) !== roomOf(source.path)) continue;
      const at = trail.indexOf(next.path);
      if (at < 0) visit(next);
      else
        findings.push(
          `${source.path}:${line}: closes a circle: ${[...trail.slice(at), next.path].join(' → ')}`,
        );
    }
    trail.pop();
    done.add(source.path);
  };
  for (const source of sources) visit(source);
  return findings;
}

// ---- The repository ------------------------------------------------------------------------------------------------

const sources = readSources();

function assertNone(findings: readonly string[]): void {
  assert.ok(findings.length === 0, `\n${findings.map((finding) => `src/${finding}`).join('\n')}`);
}

test('arrows between rooms go one way and through the index', () => {
  assert.ok(
    sources.some(({ path }) => path === 'base/tidy.test.ts'),
    'reads the sources that it is compiled from',
  );
  assertNone(checkArrows(sources));
});

test('files and functions are short enough to be read', () => assertNone(checkLengths(sources, LONGER)));

test('no file is dead', () => assertNone(checkDead(sources, ENTRIES)));

test('nothing is left for later, switched off or too wide', () => assertNone(checkLines(sources)));

test('no circles between the files of a room', () => assertNone(checkCircles(sources)));

// ---- Planted violations: each check can fail -----------------------------------------------------------------------

function file(path: string, ...lines: string[]): Source {
  return { path, text: `${lines.join('\n')}\n` };
}

test('a wrong arrow is found', () => {
  const planted = [
    file(
      'base/a.ts',
      "import { x } from '../machine/index.js';",
      "import fs from 'node:fs';",
      "import fc from 'fast-check';",
    ),
    file('machine/a.ts', "import { x } from '../base/units.js';", "export * from '../base/index.js';"),
    file(
      'lab/a.ts',
      'import {',
      '  x,',
      "} from '../node/index.js';",
      "const y = await import('../cli/main.js');",
    ),
    file(
      'web/a.ts',
      "import '../cli/index.js';",
      "import { h } from 'preact';",
      "import { z } from '../lab/index.js';",
    ),
    file('cli/a.ts', "import { w } from '../web/index.js';", "import { c } from 'commander';"),
    file(
      'lab/b.ts',
      "import { x } from '../index.js';",
      "import { y } from '../../truth/y.js';",
      "import { z } from './b.test.js';",
    ),
    file('attic/a.ts', ''),
    file('index.ts', "export * from './slab/index.js';", "export * from './node/index.js';"),
    // What looks like an import and is none.
    file(
      'base/b.ts',
      "// import '../lab/index.js'",
      "const s = `from '../lab/index.js'`;",
      "const r = /import '..\\/lab'/;",
    ),
  ];
  assert.deepEqual(
    checkArrows(planted).map((finding) => finding.replace(/: [^:]*$/, '')),
    [
      "base/a.ts:1: '../machine/index.js'",
      "base/a.ts:2: 'node:fs'",
      "base/a.ts:3: 'fast-check'",
      "machine/a.ts:1: '../base/units.js'",
      "lab/a.ts:3: '../node/index.js'",
      "lab/a.ts:4: '../cli/main.js'",
      "web/a.ts:1: '../cli/index.js'",
      "cli/a.ts:1: '../web/index.js'",
      "lab/b.ts:1: '../index.js'",
      "lab/b.ts:2: '../../truth/y.js'",
      "lab/b.ts:3: './b.test.js'",
      'attic/a.ts:1',
      "index.ts:2: '../node/index.js'".replace('../', './'),
    ],
  );
});

test('tests may use Node, packages and case suites, but enter other rooms as everybody does', () => {
  const wellMade = file(
    'lab/a.test.ts',
    "import { test } from 'node:test';",
    "import fc from 'fast-check';",
    "import { inner } from './a.js';",
    "import { suite } from '../slab/allocator.case.test.js';",
    "import { kmalloc } from '../slab/index.js';",
  );
  assert.deepEqual(checkArrows([wellMade]), []);
  const around = file('lab/a.test.ts', '', "import { inner } from '../slab/inner.js';");
  assert.match(checkArrows([around]).join(), /^lab\/a\.test\.ts:2: .* enter slab\/ through its index$/);
});

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

test('a dead file is found', () => {
  const planted = [
    file('index.ts', "export * from './slab/index.js';"),
    file('slab/index.ts', "export * from './slub.js';"),
    file('slab/slub.ts', "const worker = new Worker(new URL('./worker.js', import.meta.url));"),
    file('slab/worker.ts', ''),
    file('slab/dead.ts', "import './slub.js';"),
    file('slab/dead.test.ts', "import './dead.js';"),
    file('slab/lost.case.test.ts', ''),
    file('cli/unjudged.ts', ''),
  ];
  assert.deepEqual(checkDead(planted, ENTRIES), [
    'slab/dead.ts:1: nothing that ships imports this file',
    'slab/lost.case.test.ts:1: no test runs this case suite',
  ]);
  assert.match(checkDead([...planted, file('cli/main.ts', '')], ENTRIES).join(), /cli\/unjudged\.ts:1/);
});

test('what is left for later, switched off or too wide is found', () => {
  const word = ['TO', 'DO'].join('');
  const planted = [
    file(
      'lab/a.ts',
      '',
      `// ${word}: later`,
      `const wide = '${'x'.repeat(130)}';`,
      'iterator.skip(1);',
      `const ${word}S = 1;`,
    ),
    file(
      'lab/a.test.ts',
      "test.only('x', () => {});",
      "describe.skip('y', () => {});",
      "const text = '.only(';",
    ),
  ];
  assert.deepEqual(
    checkLines(planted).map((finding) => finding.split(' ').slice(0, 3).join(' ')),
    [
      `lab/a.ts:2: ${word} left`,
      'lab/a.ts:3: the line',
      'lab/a.test.ts:1: .only( switches',
      'lab/a.test.ts:2: .skip( switches',
    ],
  );
});

test('a circle is found', () => {
  const planted = [
    file('slab/a.ts', "import { b } from './b.js';"),
    file('slab/b.ts', '', "import type { C } from './c.js';"),
    file('slab/c.ts', "export { a } from './a.js';"),
    file('slab/d.ts', "import { a } from './a.js';", "import { b } from './b.js';"),
  ];
  assert.deepEqual(checkCircles(planted), [
    'slab/c.ts:1: closes a circle: slab/a.ts → slab/b.ts → slab/c.ts → slab/a.ts',
  ]);
});
