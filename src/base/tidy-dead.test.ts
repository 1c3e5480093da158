/**
 * Nothing is dead: no file, no case suite, no exported name. A part of tidy.test.ts, which says how these tests are made.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  assertNone,
  codeOf,
  endOfQuoted,
  planted as file,
  fileAt,
  importsOf,
  isCaseSuite,
  isTest,
  lineAt,
  pathOf,
  readSources,
  roomOf,
  type Source,
} from './sources.case.test.js';

/** Where programs and library users come in. An entry that does not exist yet leaves its rooms unjudged. */
const ENTRIES: readonly { readonly path: string; readonly rooms: readonly string[] }[] = [
  { path: 'index.ts', rooms: ['', 'base', 'machine', 'slab', 'pools', 'iommu'] },
  { path: 'all.ts', rooms: ['', 'base', 'machine', 'slab', 'pools', 'iommu', 'text', 'trace', 'lab'] },
  { path: 'node/index.ts', rooms: ['node'] },
  { path: 'cli/main.ts', rooms: ['cli'] },
  { path: 'web/main.ts', rooms: ['web'] },
  // What the browser runs beside the page.
  { path: 'web/sw.ts', rooms: ['web'] },
];

/** What is exported for tests alone, as `path#name`, each with the reason. */
const TESTED_ONLY: ReadonlyMap<string, string> = new Map([
  ['cli/commands.ts#COMMANDS', 'every command is asked for its help'],
  ['cli/commands/verify.ts#setName', 'the words by themselves'],
  ['cli/commands/verify.ts#shortenPair', 'the words by themselves'],
  ['cli/progress.ts#progressWords', 'the words by themselves, without a terminal'],
  ['cli/render/chart.ts#resample', 'the values of a chart before they are drawn'],
  ['cli/render/html-chart.ts#Chart', 'charts that no command draws'],
  ['cli/render/html-chart.ts#niceStep', 'the steps of an axis'],
  ['iommu/iommu-core.ts#nextPieces', 'held against a list of all sizes'],
  ['lab/iommu/script.ts#formatProt', 'written and read again'],
  ['lab/iommu/script.ts#parseProt', 'written and read again'],
  ['lab/look/levels.ts#LEVEL_BUCKETS_MAX', 'a trace with more rows than that'],
  ['lab/replay/history.ts#evenRuns', 'held against counting'],
  ['lab/replay/measure.ts#POINTS_MAX', 'a replay with more rows than that'],
  ['lab/script/script.ts#takeAtRandom', 'each object is as likely as another'],
  ['machine/ledger.ts#COUNTERS_INUSE_SHIFT', 'a ledger is damaged at this word'],
  ['machine/links.ts#linkPagesInUse', 'no page of links is lost, whatever is taken and given'],
  ['machine/watermarks.ts#minFreeKbytes', 'held against what kernels print'],
  ['node/sweep.ts#usualJobs', 'machines with other processors than this one'],
  ['slab/cache/layout-slab.ts#CFLGS_OBJFREELIST_SLAB', 'the flag as kernels print it'],
  ['slab/cache/statistics.ts#statisticsOf', 'counters that have run over'],
  ['slab/slab/reap.ts#firstReap', 'the moment of the reaper, held against recordings'],
  ['trace/binary/perf-data.ts#PerfDataOptions', 'files that are made for a test are read with them'],
  ['trace/binary/record-decoder.ts#UNREADABLE', 'what is told of a record that cannot be read'],
  ['trace/binary/trace-dat.ts#TraceDatOptions', 'files that are made for a test are read with them'],
  ['trace/text/memo.ts#RunMemo', 'a memo that is full, which takes a trace of millions of lines'],
  ['web/state/hash.ts#Place', 'written and read again'],
  ['web/views/iommu/desk.ts#FIRST_CHOICE', 'choices that differ from it in one thing'],
  ['web/views/time/scale.ts#LEAST_ROWS', 'nothing is shown of fewer rows'],
  ['web/views/time/scale.ts#rowOfTime', 'there and back'],
  ['web/views/time/tiles.ts#TileAsk', 'tiles without a page'],
  ['web/views/time/tiles.ts#bestTile', 'tiles without a page'],
  ['web/views/time/tiles.ts#serves', 'tiles without a page'],
  ['web/worker/iommu-calls.ts#loadOf', 'a load without a worker'],
]);

// ---- Dead files -------------------------------------------------------------------------------------------------

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

// ---- Dead exports --------------------------------------------------------------------------------------------------

/** What a file gives and takes by name. */
interface Names {
  readonly source: Source;
  /** The names that it declares and exports, with the offset of each. */
  readonly own: ReadonlyMap<string, number>;
  /** What it passes on, by the name that it has here: from which file, and its name there. */
  readonly passed: ReadonlyMap<string, Taken>;
  /** The files of which it passes on everything. */
  readonly passedWhole: readonly string[];
  /** What it imports, by the name that it has here. */
  readonly taken: ReadonlyMap<string, Taken>;
  /** The files that it imports as one value: each of its words may be a name from there. */
  readonly takenWhole: readonly string[];
}

interface Taken {
  readonly path: string;
  readonly name: string;
}

const DECLARING = [
  'function\\s*\\*?',
  'const(?:\\s+enum)?',
  'let',
  'class',
  'interface',
  'type',
  'enum',
].join('|');
const MODIFIERS = ['declare', 'default', 'abstract', 'async'].map((word) => `(?:${word}\\s+)?`).join('');
const DECLARED = new RegExp(`^export\\s+${MODIFIERS}(?:${DECLARING})\\s+([\\w$]+)`, 'gm');
const LISTED = /^export\s+(?:type\s+)?\{([^{}]*)\}\s*(from\s*)?/gm;
const PASSED_WHOLE = /^export\s+(?:type\s+)?\*\s*(?:as\s+([\w$]+)\s*)?from\s*/gm;
const TAKEN = /^import\s+(?:type\s+)?(?:([\w$]+)\s*,?\s*)?(?:\{([^{}]*)\}|\*\s*as\s+[\w$]+)?\s*from\s*/gm;
const TAKEN_WHOLE = /\bimport\s*\(\s*(?=')/g;

/** `{ a, type B as C }` as pairs: the name there, and the name here. */
function pairsIn(list: string): (readonly [there: string, here: string])[] {
  return list
    .split(',')
    .map((each) => each.trim().replace(/^type\s+/, ''))
    .filter((each) => each !== '')
    .map((each) => {
      const [there, here] = each.split(/\s+as\s+/);
      return [there!, here ?? there!] as const;
    });
}

function namesOf(source: Source): Names {
  const { path, text } = source;
  const code = codeOf(text);
  const own = new Map<string, number>();
  const passed = new Map<string, Taken>();
  const passedWhole: string[] = [];
  const taken = new Map<string, Taken>();
  const takenWhole: string[] = [];
  const fileBehind = (match: RegExpMatchArray) => {
    const from = match.index! + match[0].length;
    return pathOf(path, text.slice(from + 1, endOfQuoted(text, from) - 1));
  };
  for (const match of code.matchAll(TAKEN)) {
    const from = fileBehind(match);
    if (from === undefined) continue;
    const [, whole, list] = match;
    if (whole !== undefined) taken.set(whole, { path: from, name: 'default' });
    if (list === undefined && whole === undefined) takenWhole.push(from);
    for (const [there, here] of pairsIn(list ?? '')) taken.set(here, { path: from, name: there });
  }
  for (const match of code.matchAll(TAKEN_WHOLE)) {
    const from = fileBehind(match);
    if (from !== undefined) takenWhole.push(from);
  }
  for (const match of code.matchAll(DECLARED)) {
    own.set(/^export\s+default\b/.test(match[0]) ? 'default' : match[1]!, match.index);
  }
  for (const match of code.matchAll(LISTED)) {
    const from = match[2] === undefined ? undefined : fileBehind(match);
    for (const [there, here] of pairsIn(match[1]!)) {
      const known = from === undefined ? taken.get(there) : { path: from, name: there };
      if (known !== undefined) passed.set(here, known);
      else if (match[2] === undefined) own.set(here, match.index);
    }
  }
  for (const match of code.matchAll(PASSED_WHOLE)) {
    const from = fileBehind(match);
    if (from !== undefined) passedWhole.push(from);
  }
  return { source, own, passed, passedWhole, taken, takenWhole };
}

/** The names of all files, and where each comes from. */
class Library {
  readonly #files: ReadonlyMap<string, Source>;
  readonly #names = new Map<string, Names>();

  constructor(sources: readonly Source[]) {
    this.#files = new Map(sources.map((source) => [source.path, source]));
  }

  names(path: string): Names | undefined {
    const source = fileAt(this.#files, path);
    if (source === undefined) return undefined;
    const known = this.#names.get(source.path) ?? namesOf(source);
    this.#names.set(source.path, known);
    return known;
  }

  /** Where a file's exported name leads: `path#name` of each file that passes it on, the declaration last. Empty for what is not ours. */
  way({ path, name }: Taken): string[] {
    const names = this.names(path);
    if (names === undefined) return [];
    const here = `${names.source.path}#${name}`;
    if (names.own.has(name)) return [here];
    const passed = names.passed.get(name);
    if (passed !== undefined) return [here, ...this.way(passed)];
    for (const whole of names.passedWhole) {
      const found = this.way({ path: whole, name });
      if (found.length > 0) return [here, ...found];
    }
    return [];
  }

  /** Every name that a file exports. */
  exported(path: string): string[] {
    const names = this.names(path);
    if (names === undefined) return [];
    return [
      ...names.own.keys(),
      ...names.passed.keys(),
      ...names.passedWhole.flatMap((whole) => this.exported(whole)),
    ];
  }

  /** What a file takes from others, by the whole way of each name. */
  takenBy(path: string): string[] {
    const { source, taken, takenWhole } = this.names(path)!;
    const all = [...taken.values()];
    const words = new Set(takenWhole.length > 0 ? codeOf(source.text).match(/[A-Za-z_$][\w$]*/g) : []);
    for (const whole of takenWhole) {
      for (const name of this.exported(whole)) if (words.has(name)) all.push({ path: whole, name });
    }
    return all.flatMap((each) => this.way(each));
  }
}

/**
 * Exports that no other shipped file takes, and no door gives to users; and names that a file passes on for nobody. Tests of other rooms
 * come through the index as everybody does.
 */
function checkExports(
  sources: readonly Source[],
  doors: readonly string[],
  testedOnly: ReadonlyMap<string, string>,
): string[] {
  const library = new Library(sources);
  const [shipped, tests] = [new Set<string>(), new Set<string>()];
  for (const { path } of sources) {
    for (const each of library.takenBy(path)) (isTest(path) ? tests : shipped).add(each);
  }
  for (const path of doors) {
    for (const name of library.exported(path))
      for (const each of library.way({ path, name })) shipped.add(each);
  }
  const findings: string[] = [];
  const unused = new Set(testedOnly.keys());
  for (const { path, text } of sources) {
    if (isTest(path)) continue;
    for (const [name, at] of library.names(path)!.own) {
      const key = `${path}#${name}`;
      if (shipped.has(key)) continue;
      if (tests.has(key) && unused.delete(key)) continue;
      const by = tests.has(key) ? 'only tests take it' : 'nothing takes it';
      findings.push(`${path}:${lineAt(text, at)}: ${name} is exported, and ${by}`);
    }
    for (const name of library.names(path)!.passed.keys()) {
      if (!shipped.has(`${path}#${name}`) && !tests.has(`${path}#${name}`))
        findings.push(`${path}:1: passes ${name} on, and nothing takes it from here`);
    }
  }
  for (const key of unused) findings.push(`${key}: is taken or gone by now: take it out of TESTED_ONLY`);
  return findings;
}

/** The files that the packages name as entries. */
function readDoors(): string[] {
  return ['package.json', 'packages/cli/package.json'].flatMap((manifest) => {
    const { exports } = JSON.parse(readFileSync(new URL(`../../${manifest}`, import.meta.url), 'utf8')) as {
      exports: Record<string, { types?: string }>;
    };
    return Object.values(exports)
      .map(({ types }) => types)
      .filter((types) => types !== undefined)
      .map((types) => types.replace(/^\.\/(?:lib|dist)\//, '').replace(/\.d\.ts$/, '.ts'));
  });
}

// ---- The repository ------------------------------------------------------------------------------------------------

const sources = readSources();

test('no file is dead', () => assertNone(checkDead(sources, ENTRIES)));

test('no export is dead', () => assertNone(checkExports(sources, readDoors(), TESTED_ONLY)));

// ---- Planted violations --------------------------------------------------------------------------------------------

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

test('an export that nothing takes is found, whichever way the others are taken', () => {
  const planted = [
    file('index.ts', "export { createSlub, type Slub as Allocator } from './slab/index.js';"),
    file(
      'slab/index.ts',
      "export * from './slub.js';",
      "export { other, own as late, tried } from './other.js';",
    ),
    file(
      'slab/slub.ts',
      'export interface Slub {}',
      'export interface SlubOptions {}',
      'export function createSlub(options: SlubOptions): Slub {}',
      'export const LATER = 1;',
      'export abstract class Whole {}',
      'export async function dead() {}',
      'const listed = 1;',
      'export { listed };',
      'export const tested = 1;',
      'export default function start() {}',
      '// export const COMMENT = 1;',
    ),
    file(
      'slab/other.ts',
      "import { Whole as All } from './slub.js';",
      'export const other = All;',
      'export const own = 1;',
      'export const tried = 2;',
    ),
    file('slab/slub.test.ts', "import { tested, tried } from './index.js';"),
    file('lab/a.ts', "import type { other } from '../slab/index.js';"),
    file(
      'lab/b.tsx',
      "const { LATER } = await import('../slab/slub.js');",
      "import start from '../slab/slub.js';",
    ),
    file('lab/c.ts', "import * as names from './d.js';", 'names.used();'),
    file('lab/d.ts', 'export function used() {}', 'export function unused() {}'),
  ];
  const doors = ['index.ts'];
  const found = [
    'slab/slub.ts:2: SlubOptions is exported, and nothing takes it',
    'slab/slub.ts:6: dead is exported, and nothing takes it',
    'slab/slub.ts:8: listed is exported, and nothing takes it',
    'slab/slub.ts:9: tested is exported, and only tests take it',
    'lab/d.ts:2: unused is exported, and nothing takes it',
    'slab/other.ts:3: own is exported, and nothing takes it',
    'slab/other.ts:4: tried is exported, and only tests take it',
    'slab/index.ts:1: passes late on, and nothing takes it from here',
  ];
  assert.deepEqual(checkExports(planted, doors, new Map()).sort(), [...found].sort());
  const unopened = ['createSlub', 'Slub'].flatMap((name) =>
    checkExports(planted, [], new Map()).filter((finding) => finding.includes(` ${name} is exported`)),
  );
  assert.equal(unopened.length, 2, 'what users get is taken');
  const testedOnly = new Map([
    ['slab/slub.ts#tested', 'planted'],
    ['slab/slub.ts#createSlub', 'planted'],
    ['slab/slub.ts#gone', 'planted'],
  ]);
  const withList = checkExports(planted, doors, testedOnly);
  assert.equal(withList.length, found.length + 1);
  assert.deepEqual(withList.slice(-2), [
    'slab/slub.ts#createSlub: is taken or gone by now: take it out of TESTED_ONLY',
    'slab/slub.ts#gone: is taken or gone by now: take it out of TESTED_ONLY',
  ]);
  assert.match(
    checkExports(planted, doors, new Map([['slab/slub.ts#dead', 'planted']])).join('\n'),
    /slab\/slub\.ts:6: dead is exported, and nothing takes it/,
    'what no test takes is dead, whatever the list says',
  );
});
