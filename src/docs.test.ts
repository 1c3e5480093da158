/**
 * README.md and docs/*.md say what the commands print: tools/check-docs.mjs runs them. Those that take a second or more
 * are left out here; `node tools/check-docs.mjs` runs those too, and `npm run docs` also writes what has changed into the documents.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = `${fileURLToPath(new URL('..', import.meta.url))}dist/cli/main.js`;
const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const CHECK = fileURLToPath(new URL('../tools/check-docs.mjs', import.meta.url));

test('what the documents show is what the commands print, 80 columns wide', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CHECK, '--quick'], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0, `${stdout}\nnpm run docs writes what they print now`);
  const [, ran] = /^(\d+) commands run, 0 print something else$/m.exec(stdout)!;
  assert.ok(Number(ran) >= 12, stdout);
});

test('the tables of commands in both READMEs are complete', () => {
  const { stdout } = spawnSync(process.execPath, [MAIN, '--help'], { encoding: 'utf8' });
  const [, list] = stdout.split('\nCommands:\n');
  const commands = [...list!.matchAll(/^ {2}([a-z]+) /gm)]
    .map(([, name]) => name!)
    .filter((name) => name !== 'help');
  assert.ok(commands.length >= 10, stdout);
  for (const path of ['README.md', 'packages/cli/README.md']) {
    const told = [...read(path).matchAll(/^\| `slablab ([a-z]+)/gm)].map(([, name]) => name!);
    assert.deepEqual([...new Set(told)].sort(), [...commands].sort(), path);
  }
});

test('nothing in README and docs is installed from where it is not', () => {
  for (const path of ['README.md', 'packages/cli/README.md', 'docs/library.md', 'docs/replay.md'])
    assert.doesNotMatch(read(path), /npm install (--global )?slablab|npx slablab-cli/, path);
});
