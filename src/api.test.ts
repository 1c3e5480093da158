/**
 * What the packages export: docs/api.md says what the declarations say, each name has a doc comment, and what a signature names can be
 * imported too. Each check would notice if it did not hold.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as main from './index.js';

const API = fileURLToPath(new URL('../tools/api.mjs', import.meta.url));
const PAGE = fileURLToPath(new URL('../docs/api.md', import.meta.url));

function check(...file: string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [API, '--check', ...file], { encoding: 'utf8' });
}

test('the reference is up to date with the declarations', () => {
  const { status, stderr } = check();
  assert.equal(stderr, '');
  assert.equal(status, 0);
});

test('a reference that says something else is noticed, with its line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slablab-api-'));
  try {
    const lines = readFileSync(PAGE, 'utf8').split('\n');
    const at = lines.indexOf('#### Machine');
    assert.ok(at > 0);
    const damaged = {
      changed: lines.with(at, '#### Maschine'),
      shorter: lines.slice(0, -2),
      longer: [...lines, 'more'],
    };
    for (const [how, text] of Object.entries(damaged)) {
      const file = join(folder, how);
      writeFileSync(file, text.join('\n'));
      const { status, stderr } = check(file);
      assert.equal(status, 1, how);
      assert.match(stderr, how === 'changed' ? new RegExp(`changed:${at + 1}: `) : /npm run api/);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('every value that the main entry has is in the reference', () => {
  const page = readFileSync(PAGE, 'utf8');
  const missing = Object.keys(main).filter(
    (name) => !page.includes(`\n#### ${name}\n`) && !page.includes(`\nconst ${name}`),
  );
  assert.deepEqual(missing, []);
});

/** What tools/exports.mjs and the reader of declarations below it have. */
interface Checks {
  findings(): string[];
  unexported(names: Iterable<unknown>, exported: Set<unknown>): string[];
  undocumented(names: Iterable<unknown>): string[];
}
interface Reader {
  exportsOf(url: URL): Map<string, unknown>;
}
const tool = (name: string) => new URL(`../tools/${name}.mjs`, import.meta.url).href;

test('each name is documented, and what its signature names is exported', async () => {
  const checks = (await import(tool('exports'))) as Checks;
  assert.deepEqual(checks.findings(), []);
});

test('a name without words, or a type that cannot be imported, is noticed', async () => {
  const checks = (await import(tool('exports'))) as Checks;
  const { exportsOf } = (await import(tool('declarations'))) as Reader;
  const folder = mkdtempSync(join(tmpdir(), 'slablab-exports-'));
  const declare = (name: string, lines: readonly string[]) =>
    writeFileSync(join(folder, `${name}.d.ts`), lines.join('\n'));
  try {
    declare('hidden', [
      '/** Nobody can import it. */',
      'export interface Hidden {',
      '    readonly size: number;',
      '}',
    ]);
    declare('entry', [
      "import { type Hidden } from './hidden.js';",
      '/** # A theory */',
      'export declare const ALONE = 1;',
      '/** Two words of a row. */',
      'export declare const ROW_FIRST = 1;',
      'export declare const ROW_SECOND = 2;',
      'export declare const OTHER_ROW = 3;',
      '/** Its members are not all for everybody. */',
      'export declare class Maker {',
      '    /** @internal Only here. */',
      '    constructor(secret: Hidden);',
      "    /** A Hidden in words, and 'Hidden' as text. */",
      "    Hidden: 'Hidden';",
      '}',
      '/** What it takes. */',
      'export declare function take(from: readonly Hidden[]): void;',
      'export declare function make(): Maker;',
    ]);
    const names = exportsOf(pathToFileURL(join(folder, 'entry.d.ts')));
    const all = new Set(names.values());
    const strip = (findings: string[]) => findings.map((finding) => finding.replace(/^.*: /, ''));
    assert.deepEqual(strip(checks.unexported(all, all)), ['Hidden is named by take and not exported']);
    assert.deepEqual(
      strip(checks.undocumented(all)),
      ['ALONE', 'OTHER_ROW', 'make'].map((name) => `${name} has no doc comment`),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
