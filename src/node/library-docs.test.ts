/** The programs of docs/library.md and of the README run as they stand, once `slablab` is found where it was built. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const ROOT = new URL('../../', import.meta.url);
const BUILT = new URL('dist/index.js', ROOT).href;
const folder = mkdtempSync(join(tmpdir(), 'slablab-docs-'));
after(() => rmSync(folder, { recursive: true }));

/** What each program prints, by a line that only it has. */
const PRINTS: readonly (readonly [has: string, prints: RegExp])[] = [
  ["kmemCacheCreate('tables'", /^true :D-0001024$/],
  ["kmemCacheCreate('node'", /^$/],
  ['kmallocAligned', /^89$/],
  [
    "kmemCacheCreate('session'",
    /free already\nallocated at open [\s\S]*freed at close [\s\S]*Live: 1 object, 128 B\.[\s\S]*Poison overwritten/,
  ],
  ['p.at(address).age++', /^1 1\.5$/],
  ['particles.free(some)', /^0$/],
];

function programsOf(file: string): string[] {
  const text = readFileSync(new URL(file, ROOT), 'utf8');
  return [...text.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, program]) => program!);
}

const programs = [...programsOf('README.md'), ...programsOf('docs/library.md')].filter((program) =>
  program.includes("from 'slablab'"),
);

test('each program of the library is known here', () => {
  for (const program of programs)
    assert.equal(PRINTS.filter(([has]) => program.includes(has)).length, 1, program);
  assert.equal(programs.length, PRINTS.length);
});

for (const [has, prints] of PRINTS) {
  test(`as it stands: ${has}`, () => {
    const program = programs.find((each) => each.includes(has))!;
    const file = join(folder, 'program.mjs');
    writeFileSync(file, program.replaceAll("'slablab'", `'${BUILT}'`));
    const printed = execFileSync(process.execPath, [file], { encoding: 'utf8' }).trimEnd();
    assert.match(printed, prints);
  });
}
