/**
 * README.md and docs/*.md say what the commands print: tools/check-docs.mjs runs them. The long ones are left out here; `npm run docs`
 * runs those too, and writes what has changed into the documents.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const CHECK = fileURLToPath(new URL('../tools/check-docs.mjs', import.meta.url));

test('what the documents show is what the commands print, 80 columns wide', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CHECK, '--quick'], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0, `${stdout}\nnpm run docs writes what they print now`);
  const [, ran] = /^(\d+) commands run, 0 print something else$/m.exec(stdout)!;
  assert.ok(Number(ran) >= 20, stdout);
});
