/**
 * No large file comes into the repository unseen: whoever clones it gets all that was ever committed, also what was taken out again. A part
 * of tidy.test.ts, which says how these tests are made.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const BLOB_BYTES_MAX = 512 * 1024;

/** Larger files that were committed, each with the reason. */
const LARGE: ReadonlyMap<string, string> = new Map([
  ['truth/traces/boot-find-public.txt.gz', 'a recording: a boot under SLUB, as text'],
  ['truth/traces/boot-find-slab-public.txt.gz', 'a recording: a boot under SLAB, as text'],
  ['truth/traces/gcc-public.perf.data.gz', 'a recording: a compiler at work, as perf wrote it'],
  ['truth/traces/gcc-public.txt.gz', 'a recording: the same as text'],
  ['truth/traces/mm-public.dat.gz', 'a recording: memory in use, as trace-cmd wrote it'],
  ['truth/traces/mm-public.txt.gz', 'a recording: the same as text'],
  ['truth/traces/sample-trace-cmd.dat.gz', 'a recording: as another trace-cmd wrote it'],
  ['truth/traces/sock-public.txt.gz', 'a recording: sockets, as text'],
  ['truth/traces/tar-public.dat.gz', 'a recording: an archive is packed, as trace-cmd wrote it'],
  ['truth/traces/tar-public.txt.gz', 'a recording: the same as text'],
  ['truth/v7s-workload.json.gz', 'the recorded workload that `compare` runs'],
]);

interface Blob {
  readonly path: string;
  readonly bytes: number;
}

function git(root: string, args: readonly string[], input = ''): string | undefined {
  const { status, stdout } = spawnSync('git', args, {
    cwd: root,
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** Why the history of a folder cannot be told, as words of a skipped test; false if it can be. */
function whyUntold(root: string): string | false {
  const top = git(root, ['rev-parse', '--show-toplevel']);
  if (top === undefined || realpathSync(top) !== realpathSync(root))
    return 'this folder is no git repository: whether a large file was added cannot be told';
  if (git(root, ['rev-parse', '--is-shallow-repository']) !== 'false')
    return 'this repository is shallow: whether a large file was ever added cannot be told';
  return false;
}

/** Every version of every file that was committed up to HEAD, or is about to be. */
function blobsOf(root: string): Blob[] {
  const committed = git(root, ['rev-list', '--objects', 'HEAD']) ?? '';
  // A line of the index is `mode object stage<TAB>path`.
  const staged = (git(root, ['ls-files', '-s']) ?? '').replace(/^\d+ (\w+) \d\t/gm, '$1 ');
  const format = '--batch-check=%(objecttype) %(objectsize) %(rest)';
  const lines = git(root, ['cat-file', format], `${committed}\n${staged}\n`) ?? '';
  return [...lines.matchAll(/^blob (\d+) (.+)$/gm)].map(([, bytes, path]) => ({
    path: path!,
    bytes: Number(bytes),
  }));
}

function checkBlobs(blobs: readonly Blob[], large: ReadonlyMap<string, string>): string[] {
  const sizes = new Map<string, number>();
  for (const { path, bytes } of blobs) {
    if (bytes > BLOB_BYTES_MAX) sizes.set(path, Math.max(bytes, sizes.get(path) ?? 0));
  }
  const findings: string[] = [];
  for (const [path, bytes] of sizes) {
    if (!large.has(path))
      findings.push(
        `${path}: has ${bytes} bytes, at most ${BLOB_BYTES_MAX}: make it smaller or list it in LARGE`,
      );
  }
  for (const path of large.keys()) {
    if (!sizes.has(path)) findings.push(`${path}: no version of it is so large: take it out of LARGE`);
  }
  return findings;
}

test('no large file was committed that is not listed', { skip: whyUntold(ROOT) }, () => {
  const blobs = blobsOf(ROOT);
  assert.ok(
    blobs.some(({ path }) => path === 'src/base/tidy.test.ts'),
    'reads the history of this repository',
  );
  assert.deepEqual(checkBlobs(blobs, LARGE), []);
});

test('a large file is found, also one that is only staged or was taken out again', () => {
  const root = mkdtempSync(join(tmpdir(), 'slablab-blobs-'));
  const run = (...args: string[]) => {
    const asSomebody = ['-c', 'user.name=a', '-c', 'user.email=a@localhost', '-c', 'commit.gpgsign=false'];
    assert.notEqual(git(root, [...asSomebody, ...args]), undefined, args.join(' '));
  };
  const write = (path: string, bytes: number) => writeFileSync(join(root, path), path.padEnd(bytes, 'x'));
  try {
    assert.match(String(whyUntold(root)), /no git repository/);
    run('init', '-q');
    write('fits', BLOB_BYTES_MAX);
    write('was there', BLOB_BYTES_MAX + 1);
    run('add', '.');
    run('commit', '-q', '-m', 'a');
    run('rm', '-q', 'was there');
    run('commit', '-q', '-m', 'b');
    assert.equal(whyUntold(root), false);
    write('staged', BLOB_BYTES_MAX + 2);
    run('add', '.');
    assert.deepEqual(checkBlobs(blobsOf(root), new Map()), [
      'was there: has 524289 bytes, at most 524288: make it smaller or list it in LARGE',
      'staged: has 524290 bytes, at most 524288: make it smaller or list it in LARGE',
    ]);
    const large = new Map([
      ['was there', 'a recording'],
      ['staged', 'a recording'],
      ['fits', 'a recording'],
    ]);
    assert.deepEqual(checkBlobs(blobsOf(root), large), [
      'fits: no version of it is so large: take it out of LARGE',
    ]);
    const copy = join(root, 'copy');
    run('clone', '-q', '--depth', '1', `file://${root}`, copy);
    assert.match(String(whyUntold(copy)), /shallow/);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
