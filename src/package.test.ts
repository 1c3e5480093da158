/**
 * The quick part of tools/check-package.mjs: the npm package of the library has what its package.json names, weighs no more than it may,
 * and can be imported. `npm run check:package` also installs it and runs what README and docs/library.md show.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const CHECK = fileURLToPath(new URL('../tools/check-package.mjs', import.meta.url));

function check(...options: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CHECK, '--quick', ...options], { encoding: 'utf8' });
}

test('the package of the library is whole, and light enough', () => {
  const { status, stdout, stderr } = check();
  assert.equal(stderr, '');
  assert.equal(status, 0);
  assert.match(stdout, /check:package passed: slablab [\d.]+ KiB of 170 KiB\n$/);
});

test('a package that is too heavy fails', () => {
  const { status, stdout, stderr } = check('--limit', '50');
  assert.equal(status, 1);
  assert.match(stderr, /^slablab is too heavy: \d+ files, [\d.]+ KiB packed, limit 50 KiB\n$/);
  assert.match(stdout, /check:package failed\n$/);
});

test('both packages have one version and one licence, and the library depends on nothing', () => {
  const read = (path: string) =>
    JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')) as Record<string, unknown>;
  const [library, cli] = [read('package.json'), read('packages/cli/package.json')];
  for (const key of ['version', 'license', 'type', 'engines'])
    assert.deepEqual(cli![key], library![key], key);
  assert.equal(library!.dependencies, undefined);
  assert.deepEqual(library!.bin, undefined);
});
