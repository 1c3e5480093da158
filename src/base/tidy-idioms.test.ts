/**
 * What does not stand in a source: what is left for later, lines that run out of the window, idioms that hide something, and questions for
 * an allocator's name. A part of tidy.test.ts, which says how these tests are made.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertNone,
  codeOf,
  planted as file,
  isTest,
  lineAt,
  readSources,
  roomOf,
  type Source,
} from './sources.case.test.js';

const LINE_CHARACTERS_MAX = 140;

// Written in two halves, so that this file does not find itself.
const UNFINISHED = new RegExp(
  `\\b(${['TO-DO', 'FIX-ME', 'XX-X'].map((word) => word.replace('-', '')).join('|')})\\b`,
);
const SWITCHED_OFF = /\.(only|skip)\(/;

interface Idiom {
  readonly name: string;
  /** Looked for in code: comments and the insides of strings are blank. */
  readonly pattern: RegExp;
  readonly why: string;
  readonly testsOnly?: true;
  /** It may stand where a comment inside says why. */
  readonly unlessSaid?: true;
}

const BANNED: readonly Idiom[] = [
  {
    name: '.catch(() => {})',
    pattern: /\.catch\(\s*(?:async\s*)?(?:\(\s*\w*\s*\)|\w+)\s*=>\s*(?:\{\s*\}|undefined|null)\s*,?\s*\)/g,
    why: 'no error is dropped without a word: say inside why it may be',
    unlessSaid: true,
  },
  {
    name: '>>> 0 >=',
    pattern: />>>\s*0\s*>=/g,
    why: 'it lets fractions and words of 2^32 and more pass as CPUs: compare `x >>> 0 !== x` too, or ask for an integer',
  },
  { name: 'as unknown as', pattern: /\bas\s+unknown\s+as\b/g, why: 'it makes the compiler believe anything' },
  {
    name: 'setTimeout',
    pattern: /\bsetTimeout\s*\(|\bsetInterval\s*\(|\btimers\.setTimeout\b/g,
    why: 'a test waits for what it needs to hold, not for a time in which it mostly does',
    testsOnly: true,
  },
];

/** Where an idiom stands all the same, as `path: a part of its line`, each with the reason. */
const ALLOWED: ReadonlyMap<string, string> = new Map([
  [
    'machine/ledger.ts: ) as unknown as LedgerShape',
    'the keys are those of the list, which is typed by the shape',
  ],
  [
    'machine/ledger.ts: return arrays as unknown as Ledger',
    'each field of the list becomes the view of its name',
  ],
  [
    'slab/typed-view.ts: as unknown as Cursor<F>',
    'its properties are defined by name while the program runs',
  ],
  [
    'trace/batch/byte-cursor.ts: as unknown as [number, number]',
    'two bytes were asked for, which no type says',
  ],
  ['trace/file/trace-file.ts: as unknown as Record<string, Column>', 'an interface has no index signature'],
  ['trace/text/ftrace.ts: as unknown as string[]', 'each group of this pattern takes part in every match'],
  ['web/sw.ts: globalThis as unknown as WorkerScope', 'the types of the DOM know windows only'],
  ['web/worker/engine.ts: globalThis as unknown as {', 'the types of the DOM know windows only'],
  ['lab/look/look.test.ts: as unknown as Record<string, ArrayBufferView>', 'the fields of a ledger by name'],
  [
    'slab/slab/slab.test.ts: as unknown as MachineOptions',
    'what JavaScript may pass and TypeScript does not',
  ],
  ['slab/workers/mortal.case.test.ts: globalThis as unknown as Record', 'Atomics is taken away and put back'],
  [
    'cli/outputs.test.ts: new Promise((done) => setTimeout(done, 5))',
    'between two looks at a condition of another process',
  ],
  [
    'slab/workers/stress.case.test.ts: setTimeout(resolve, ms)',
    'threads are killed at moments that nothing chooses',
  ],
  [
    'web/worker/files.test.ts: setTimeout(() => response.destroy(), 20)',
    'what the other end has read is seen there only',
  ],
]);

/** Assertions about how long something took, as `path: a part of the assertion`, each with the reason. */
const CLOCKED: ReadonlyMap<string, string> = new Map([
  [
    'slab/slab/slab.test.ts: performance.now() - began < 5000',
    'milliseconds where it is right, hours where each tick of a year is walked: no machine is that slow or fast',
  ],
  [
    'cli/commands/replay.test.ts: seconds < 30',
    'the name of the test says so: seconds where it is right, with room for a slow machine',
  ],
]);

/**
 * Comparisons with an allocator's name, or a word that is one, in shipped files outside slab/, as `path: a part of its line`, each with the
 * reason. An allocator is asked for what it has.
 */
const NAMED: ReadonlyMap<string, string> = new Map([
  ["lab/layout/boxes.ts: freelist.place === 'slab'", 'a place: the slab that the freelist is about'],
  ["lab/layout/facts.ts: case 'slab':", 'the same place'],
  ["lab/layout/report.ts: freelistPlace(layout.flags) === 'slab'", 'the same place'],
  ["web/views/iommu/desk.ts: words.get('tables') === 'slub'", 'a word of the address, which people type'],
  ["web/views/learn/drawing.tsx: page.holder === 'slab'", 'what holds a page: a slab'],
  ["web/views/learn/picture.ts: holder === 'slab'", 'the same'],
  ["web/views/memory/words.ts: case 'slab':", 'the same'],
]);
const NAMED_MAX = 8;

// ---- Left-overs -------------------------------------------------------------------------------------------------

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

// ---- Idioms --------------------------------------------------------------------------------------------------------

/** The whole line of an offset. */
function lineOf(text: string, at: number): string {
  const end = text.indexOf('\n', at);
  return text.slice(text.lastIndexOf('\n', at) + 1, end < 0 ? text.length : end);
}

/** An entry of a list of `path: part of a text` that is about this text. */
function entryFor(list: ReadonlyMap<string, string>, path: string, text: string): string | undefined {
  return [...list.keys()].find(
    (key) => key.startsWith(`${path}: `) && text.includes(key.slice(path.length + 2)),
  );
}

function checkIdioms(
  sources: readonly Source[],
  banned: readonly Idiom[],
  allowed: ReadonlyMap<string, string>,
): string[] {
  const findings: string[] = [];
  const unused = new Set(allowed.keys());
  for (const { path, text } of sources) {
    for (const { name, pattern, why, testsOnly, unlessSaid } of banned) {
      if (testsOnly && !isTest(path)) continue;
      for (const { index, 0: code } of codeOf(text).matchAll(pattern)) {
        if (unlessSaid && /\/[/*]/.test(text.slice(index, index + code.length))) continue;
        const entry = entryFor(allowed, path, lineOf(text, index));
        if (entry === undefined) findings.push(`${path}:${lineAt(text, index)}: ${name}: ${why}`);
        else unused.delete(entry);
      }
    }
  }
  return [...findings, ...[...unused].map((key) => `${key}: is not there any more: take it out of ALLOWED`)];
}

const CLOCK = String.raw`\b(?:Date|performance)\.now\(\)|\bprocess\.hrtime\b|\bprocess\.uptime\(\)`;

/** The names of a file that hold a time of the clock, or are made from one that does. */
function clockNames(code: string): Set<string> {
  const names = new Set<string>();
  const statements = [...code.matchAll(/\b(?:const|let)\s+([\w$]+)(?:\s*:[^=;]*)?\s*=(?!=)\s*([^;]*);/g)];
  for (let before = -1; before < names.size; ) {
    before = names.size;
    for (const [, name, value] of statements) {
      // A function that goes by the clock within is a deadline of its own.
      if (!/=>|\bfunction\b/.test(value!) && readsClock(value!, names)) names.add(name!);
    }
  }
  return names;
}

function readsClock(code: string, names: ReadonlySet<string>): boolean {
  if (new RegExp(CLOCK).test(code)) return true;
  // Not the key of an object, and not a member of one.
  const words = code.matchAll(/(?<![.\w$])[A-Za-z_$][\w$]*(?!\s*:(?!:))/g);
  return [...words].some(([word]) => names.has(word));
}

/** Assertions of tests over a difference of two times. */
function checkClock(sources: readonly Source[], clocked: ReadonlyMap<string, string>): string[] {
  const findings: string[] = [];
  const unused = new Set(clocked.keys());
  for (const { path, text } of sources) {
    if (!isTest(path)) continue;
    const code = codeOf(text);
    const names = clockNames(code);
    for (const { index, 0: head } of code.matchAll(/\bassert(?:\.\w+)*\s*\(/g)) {
      const to = closingOf(code, index + head.length);
      // What stands in the holes of a message decides nothing, and is blank.
      if (!readsClock(code.slice(index + head.length, to), names)) continue;
      const entry = entryFor(clocked, path, text.slice(index, to));
      if (entry === undefined)
        findings.push(`${path}:${lineAt(text, index)}: the assertion goes by the clock: count steps instead`);
      else unused.delete(entry);
    }
  }
  return [...findings, ...[...unused].map((key) => `${key}: is not there any more: take it out of CLOCKED`)];
}

/** The offset of the bracket that closes the one before `from`. */
function closingOf(code: string, from: number): number {
  let depth = 1;
  for (let i = from; i < code.length; i++) {
    if ('([{'.includes(code[i]!)) depth++;
    else if (')]}'.includes(code[i]!) && --depth === 0) return i;
  }
  return code.length;
}

// ---- Names of allocators -------------------------------------------------------------------------------------------

const NAME_ASKED = /[!=]==?\s*'(?:slab|slub)'|'(?:slab|slub)'\s*[!=]==?|\bcase\s+'(?:slab|slub)'/g;

/** Where a shipped file compares something with an allocator's name, by offset. */
function namesAsked(text: string): number[] {
  const code = codeOf(text);
  // In a comment or a string the first sign is blank.
  return [...text.matchAll(NAME_ASKED)].map(({ index }) => index).filter((at) => code[at] === text[at]);
}

function checkNames(sources: readonly Source[], named: ReadonlyMap<string, string>, max: number): string[] {
  const findings: string[] = [];
  const unused = new Set(named.keys());
  let total = 0;
  for (const { path, text } of sources) {
    if (isTest(path) || roomOf(path) === 'slab') continue;
    for (const at of namesAsked(text)) {
      total++;
      const entry = entryFor(named, path, lineOf(text, at));
      if (entry === undefined)
        findings.push(`${path}:${lineAt(text, at)}: asks for an allocator's name: ask what it has`);
      else unused.delete(entry);
    }
  }
  for (const key of unused) findings.push(`${key}: is not there any more: take it out of NAMED`);
  if (total > max) findings.push(`there are ${total} questions for an allocator's name, at most ${max}`);
  return findings;
}

// ---- The repository ------------------------------------------------------------------------------------------------

const sources = readSources();

test('nothing is left for later, switched off or too wide', () => assertNone(checkLines(sources)));

test('no idiom that hides something', () => assertNone(checkIdioms(sources, BANNED, ALLOWED)));

test('no assertion goes by the clock', () => assertNone(checkClock(sources, CLOCKED)));

test('an allocator is asked for what it has, not for its name', () =>
  assertNone(checkNames(sources, NAMED, NAMED_MAX)));

// ---- Planted violations --------------------------------------------------------------------------------------------

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

test('a banned idiom is found, and an exception that nothing needs', () => {
  const planted = [
    file(
      'lab/a.ts',
      'await stop().catch(() => {});',
      'stop().catch((_error) => undefined);',
      'stop()',
      '  .catch(async () => {',
      '  });',
      'if (cpu >>> 0 >= cpus) throw noSuchCpu(cpu);',
      'const x = y as unknown as string;',
      // What is none of them.
      'stop().catch(() => {',
      '  // It has stopped already.',
      '});',
      'stop().catch((error) => console.error(error)); setTimeout(draw, 20);',
      "// .catch(() => {}) and 'as unknown as'",
      "const text = 'as unknown as';",
      'const z = y as unknown; if (cpu >>> 0 !== cpu || cpu >= cpus) stop();',
    ),
    file('lab/a.test.ts', '', 'await new Promise((done) => setTimeout(done, 50));', 'setInterval(look, 5);'),
    file('lab/b.test.ts', 'const x = y as unknown as MachineOptions;', 'setTimeout(kill, when);'),
  ];
  const allowed = new Map([
    ['lab/b.test.ts: as unknown as MachineOptions', 'planted'],
    ['lab/b.test.ts: setTimeout(kill', 'planted'],
    ['lab/a.ts: setTimeout(kill', 'it is in another file'],
  ]);
  assert.deepEqual(
    checkIdioms(planted, BANNED, allowed).map((finding) => finding.split(': ').slice(0, 2).join(': ')),
    [
      'lab/a.ts:1: .catch(() => {})',
      'lab/a.ts:2: .catch(() => {})',
      'lab/a.ts:4: .catch(() => {})',
      'lab/a.ts:6: >>> 0 >=',
      'lab/a.ts:7: as unknown as',
      'lab/a.test.ts:2: setTimeout',
      'lab/a.test.ts:3: setTimeout',
      'lab/a.ts: setTimeout(kill',
    ],
  );
});

test('an assertion that goes by the clock is found', () => {
  const planted = file(
    'lab/a.test.ts',
    'const began = performance.now();',
    'work();',
    'assert.ok(performance.now() - began < 50);',
    'const took: number = Date.now() - start;',
    'assert.equal(',
    '  took / 1000 < 5,',
    '  true,',
    ');',
    'const seconds = took / 1000;',
    'assert(seconds < 1, "slow");',
    // What is none of them.
    'while (Date.now() - began < 1000) work();',
    "assert.ok(report.seconds > 0, 'took');",
    'assert.deepEqual(rows, [{ seconds: 3 }]);',
    ['assert.equal(count, 4, `after $', '{took} ms`);'].join(''),
    'const later = () => performance.now();',
    'assert.ok(later);',
  );
  const lines = [3, 5, 10].map((line) => `lab/a.test.ts:${line}`);
  const found = checkClock([planted], new Map());
  assert.deepEqual(
    found.map((finding) => finding.split(': ')[0]),
    lines,
  );
  const clocked = new Map([
    ['lab/a.test.ts: began < 50', 'planted'],
    ['lab/a.test.ts: began < 70', 'planted'],
  ]);
  assert.deepEqual(checkClock([planted], clocked), [
    ...found.slice(1),
    'lab/a.test.ts: began < 70: is not there any more: take it out of CLOCKED',
  ]);
  assert.deepEqual(
    checkClock([{ ...planted, path: 'lab/a.ts' }], new Map()),
    [],
    'what ships has no assertions',
  );
});

test("a question for an allocator's name is found", () => {
  const planted = [
    file(
      'lab/a.ts',
      "if (allocator === 'slab') arrays();",
      "const cpu = 'slub' !== kind && kind == 'slub';",
      "switch (kind) { case 'slab': break; case 'slob': }",
      // What is none of them.
      "// allocator === 'slab'",
      "const words = \"=== 'slab'\"; const kind = 'slab';",
    ),
    file('slab/a.ts', "if (allocator === 'slab') arrays();"),
    file('lab/a.test.ts', "if (allocator === 'slab') arrays();"),
    file('lab/b.ts', "if (allocator === 'slab') arrays();"),
  ];
  const named = new Map([["lab/b.ts: allocator === 'slab'", 'planted']]);
  const found = [1, 2, 2, 3].map((line) => `lab/a.ts:${line}: asks for an allocator's name: ask what it has`);
  assert.deepEqual(checkNames(planted, named, 5), found);
  const more = new Map([...named, ["lab/c.ts: allocator === 'slab'", 'planted']]);
  assert.deepEqual(checkNames(planted, more, 4), [
    ...found,
    "lab/c.ts: allocator === 'slab': is not there any more: take it out of NAMED",
    "there are 5 questions for an allocator's name, at most 4",
  ]);
});
