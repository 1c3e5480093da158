/** docs/api.md says what the declarations say, and the comparison would notice if it did not. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
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
