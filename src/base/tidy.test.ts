/**
 * # The style is a test
 *
 * What a reader of this repository may rely on, checked on the sources themselves (after TigerBeetle's `tidy.zig`):
 *
 *  1. arrows between rooms go one way, through a room's index, and only the table ROOMS says where to; so do those between the folders
 *     of a room, by the table FOLDERS; and files of a room do not depend on each other in a circle (this file);
 *  2. a file can be read in one sitting, a function on one screen or two, a folder's files at a glance (tidy-lengths.test.ts);
 *  3. nothing is dead: what ships is reachable from an entry, what is exported is taken or given to users, a case suite is run by a test
 *     (tidy-dead.test.ts);
 *  4. nothing is left for later, no test is switched off by hand or goes by the clock, no line runs out of the window, and what an
 *     allocator can do is not asked by its name (tidy-idioms.test.ts);
 *  5. no list is spread into a call's arguments (spreads.test.ts);
 *  6. no large file comes into the repository unseen (tidy-blobs.test.ts).
 *
 * Every check is a function from sources to findings, and each is also fed with a planted violation: a check that cannot
 * fail checks nothing. A finding begins with `path:line:`. Exceptions stand in lists, each with its reason, and one that nothing needs
 * any more is a finding too.
 *
 * The readers of sources (sources.case.test.ts) know just enough of TypeScript for that: `codeOf` blanks what is not code, imports are
 * found by their keyword, and a function ends where its indentation does, which the formatter guarantees.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertNone,
  planted as file,
  fileAt,
  folderOf,
  type Import,
  importsOf,
  isCaseSuite,
  isTest,
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

/** The library below node and web runs wherever JavaScript does. */
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

/**
 * The folders of rooms that have some, and which folders of the same room each may import, through their index. Files at a room's top put
 * the folders together: they may import all of them, and no folder imports them. A room with a folder here has all of them here.
 */
const FOLDERS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    'slab/kernel': [],
    'slab/cache': ['kernel'],
    'slab/slabs': ['cache', 'kernel'],
    'slab/debug': ['cache', 'kernel', 'slabs'],
    'slab/workers': ['cache', 'kernel', 'slabs'],
    'slab/slub': ['cache', 'debug', 'kernel', 'slabs', 'workers'],
    'slab/sheaf': ['cache', 'slabs', 'slub'],
    'slab/barn': ['cache', 'debug', 'kernel', 'slabs', 'slub', 'workers'],
    'slab/slab': ['cache', 'debug', 'slabs'],
    'slab/kmalloc': ['cache', 'kernel'],
    'slab/check': ['barn', 'cache', 'kernel', 'slab', 'slabs'],
    'slab/leaks': ['cache', 'slabs'],
    'trace/batch': [],
    'trace/text': ['batch'],
    'trace/binary': ['batch', 'text'],
    'trace/resolve': ['batch'],
    'trace/file': ['batch', 'resolve', 'text'],
    'lab/boot': [],
    'lab/compare': [],
    'lab/evidence': ['boot'],
    'lab/layout': [],
    'lab/script': [],
    'lab/iommu': ['compare', 'script'],
    'lab/what-if': ['compare'],
    'lab/replay': ['boot', 'compare', 'evidence', 'what-if'],
    'lab/look': ['layout', 'replay', 'what-if'],
    'lab/verify': ['boot'],
  }),
);

/** Second doors of rooms: parts of an index, for what must begin at once and needs nothing else of the room. */
const DOORS: ReadonlySet<string> = new Set(['lab/layout/index.ts']);

// ---- Arrows between rooms -----------------------------------------------------------------------------------------------------

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

// ---- Arrows between folders ----------------------------------------------------------------------------------------

function checkFolders(sources: readonly Source[], folders: ReadonlyMap<string, readonly string[]>): string[] {
  const findings: string[] = [];
  const rooms = new Set([...folders.keys()].map(roomOf));
  const inRooms = sources.filter(({ path }) => rooms.has(roomOf(path)));
  const there = new Set(inRooms.map(({ path }) => folderOf(path)));
  for (const folder of there) {
    if (folder.includes('/') && !folders.has(folder)) findings.push(`${folder}/: add this folder to FOLDERS`);
  }
  const used = new Set<string>();
  for (const { path: from, text } of inRooms) {
    if (isTest(from)) continue;
    for (const { path, line, specifier } of importsOf({ path: from, text })) {
      if (path === undefined || roomOf(path) !== roomOf(from) || folderOf(path) === folderOf(from)) continue;
      used.add(`${folderOf(from)} → ${folderOf(path)}`);
      const wrong = wrongFolder(from, path, folders);
      if (wrong !== undefined) findings.push(`${from}:${line}: '${specifier}': ${wrong}`);
    }
  }
  for (const [folder, uses] of folders) {
    if (!there.has(folder)) findings.push(`${folder}/: is not there any more: take it out of FOLDERS`);
    for (const target of uses) {
      if (!used.has(`${folder} → ${roomOf(folder)}/${target}`))
        findings.push(`${folder}/: imports nothing of ${target}/ any more: take the arrow out of FOLDERS`);
    }
  }
  return [...findings, ...circlesOf(folders)];
}

/** Why a file may not import one of another folder of its room. */
function wrongFolder(
  from: string,
  path: string,
  folders: ReadonlyMap<string, readonly string[]>,
): string | undefined {
  const [here, target] = [folderOf(from), folderOf(path)];
  if (!target.includes('/'))
    return `what puts the folders of ${target}/ together is imported by none of them`;
  const allowed = !here.includes('/') || folders.get(here)?.includes(target.slice(target.indexOf('/') + 1));
  if (!allowed) return `the arrows do not go from ${here}/ to ${target}/`;
  return path === `${target}/index.ts` ? undefined : `enter ${target}/ through its index`;
}

/** The arrows of the table that close a circle. */
function circlesOf(folders: ReadonlyMap<string, readonly string[]>): string[] {
  const findings: string[] = [];
  const done = new Set<string>();
  const visit = (folder: string, trail: readonly string[]): void => {
    if (trail.includes(folder)) {
      const circle = [...trail.slice(trail.indexOf(folder)), folder];
      findings.push(`${folder}/: FOLDERS has a circle: ${circle.join(' → ')}`);
    }
    if (done.has(folder)) return;
    done.add(folder);
    for (const target of folders.get(folder) ?? []) visit(`${roomOf(folder)}/${target}`, [...trail, folder]);
  };
  for (const folder of folders.keys()) visit(folder, []);
  return findings;
}

// ---- Circles ----------------------------------------------------------------------------------------------------

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

test('arrows between rooms go one way and through the index', () => {
  assert.ok(
    sources.some(({ path }) => path === 'base/tidy.test.ts'),
    'reads the sources that it is compiled from',
  );
  assertNone(checkArrows(sources));
});

test('arrows between the folders of a room go one way and through the index', () =>
  assertNone(checkFolders(sources, FOLDERS)));

test('no circles between the files of a room', () => assertNone(checkCircles(sources)));

// ---- Planted violations: each check can fail -----------------------------------------------------------------------

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

test('a wrong arrow between folders is found, and one that nobody goes', () => {
  const folders = new Map([
    ['slab/kernel', []],
    ['slab/cache', ['kernel']],
    ['slab/slub', ['cache', 'kernel']],
  ]);
  const wellMade = [
    file('slab/kernel/index.ts', "export * from './profile.js';"),
    file('slab/kernel/profile.ts', "import { GFP } from '../../machine/index.js';"),
    file('slab/cache/index.ts', "import { LINUX } from '../kernel/index.js';"),
    file('slab/slub/index.ts', "import { a } from '../cache/index.js';", "import '../kernel/index.js';"),
    // Tests import what they test from its file, wherever that lies.
    file('slab/kernel/a.test.ts', "import { a } from '../slub/slub.js';", "import '../machine.js';"),
    file('slab/machine.ts', "import { createSlub } from './slub/index.js';"),
    file('lab/look/look.ts', "import { plan } from '../replay/plan.js';"),
  ];
  assert.deepEqual(checkFolders(wellMade, folders), []);
  const wrong = [
    file('slab/kernel/a.ts', "import { cacheLayout } from '../cache/index.js';"),
    file(
      'slab/cache/a.ts',
      "export * from '../kernel/profile.js';",
      "import { Machine } from '../machine.js';",
    ),
    file('slab/cache/b.ts', "import type { Machine } from '../index.js';"),
    file('slab/index.ts', "export * from './cache/a.js';"),
    file('slab/attic/a.ts', ''),
  ];
  assert.deepEqual(checkFolders([...wellMade, ...wrong], folders), [
    'slab/attic/: add this folder to FOLDERS',
    "slab/kernel/a.ts:1: '../cache/index.js': the arrows do not go from slab/kernel/ to slab/cache/",
    "slab/cache/a.ts:1: '../kernel/profile.js': enter slab/kernel/ through its index",
    "slab/cache/a.ts:2: '../machine.js': what puts the folders of slab/ together is imported by none of them",
    "slab/cache/b.ts:1: '../index.js': what puts the folders of slab/ together is imported by none of them",
    "slab/index.ts:1: './cache/a.js': enter slab/cache/ through its index",
  ]);
  const idle = new Map([...folders, ['slab/kernel', ['slub']], ['slab/sheaf', []]]);
  assert.deepEqual(checkFolders(wellMade, idle), [
    'slab/kernel/: imports nothing of slub/ any more: take the arrow out of FOLDERS',
    'slab/sheaf/: is not there any more: take it out of FOLDERS',
    'slab/kernel/: FOLDERS has a circle: slab/kernel → slab/slub → slab/cache → slab/kernel',
    'slab/kernel/: FOLDERS has a circle: slab/kernel → slab/slub → slab/kernel',
  ]);
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
