import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ArgumentError, InputError, parseJson, UnknownNameError } from '../base/index.js';
import { inputName, loadWorkload, NoPermissionError, readInput, shippedRecordings } from './index.js';
import { shippedWorkloadPath } from './shipped.js';

const folder = mkdtempSync(join(tmpdir(), 'slablab-files-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** As every command reads JSON. */
async function readJson(path: string): Promise<unknown> {
  return parseJson(await readInput(path), inputName(path));
}

/** A workload of one table, in the schema that slablab reads. */
const SMALL = JSON.stringify({
  meta: { schema: 'v7s-workload-1' },
  runs: [{ ops: [['B', 0, 0, 0, 0, 0, 0, 0, [['a', 0]]]] }],
});

test('gzip is known by its first bytes, not by its name', async () => {
  assert.equal(await readInput(file('plain.gz', 'text')), 'text');
  assert.equal(await readInput(file('packed.json', gzipSync('text'))), 'text');
  assert.equal(await readInput(file('bom.json', '\uFEFF{}')), '{}');
  assert.equal(await readInput(file('empty', '')), '');
});

test('a file that cannot be read is an error that names it', async () => {
  const packed = gzipSync('a text that is long enough to be cut somewhere in its middle');
  const cases: [path: string, message: RegExp][] = [
    [join(folder, 'missing.json'), /missing\.json: no such file$/],
    [join(file('a-file', ''), 'x'), /no directory$/],
    [folder, /it is a directory$/],
    [
      file('cut.gz', packed.subarray(0, 30)),
      /cut\.gz: expected gzip data, but it ends in the middle, after 30 bytes$/,
    ],
    [
      file('damaged.gz', Buffer.concat([packed.subarray(0, 12), packed.subarray(20)])),
      /expected gzip data, but /,
    ],
    [
      file('x.zst', Buffer.from('28b52ffd00', 'hex')),
      /compressed with zstd; give it as 'zstd -dc .*x\.zst \|/,
    ],
  ];
  for (const [path, message] of cases) {
    await assert.rejects(readInput(path), (error) => {
      assert.ok(error instanceof InputError, path);
      assert.match(error.message, message);
      assert.ok(!error.message.includes('\n'));
      return true;
    });
  }
});

/** Root may read almost everything, but not this. */
const WRITE_ONLY = '/proc/sys/vm/compact_memory';
const isRoot = process.getuid?.() === 0;

test('what the system refuses is an error of its own', {
  skip: isRoot && !existsSync(WRITE_ONLY) && 'root may read everything here',
}, async () => {
  const secret = file('secret', '');
  chmodSync(secret, 0);
  await assert.rejects(readInput(isRoot ? WRITE_ONLY : secret), NoPermissionError);
});

test('JSON that is none is named with its line', async () => {
  await assert.rejects(
    readJson(file('bad.json', '{\n"a": 1,\n}')),
    /bad\.json:3: not JSON: expected a name in ""/,
  );
  assert.deepEqual(await readJson(file('good.json', '{"a": 1}')), { a: 1 });
});

test('a workload has a name or is a file', async () => {
  assert.equal((await loadWorkload()).peakLive, 1636);
  const steady = await loadWorkload('steady', { live: 5, seed: 3 });
  assert.equal(steady.source, 'steady --live 5 --seed 3');
  const small = file('small.json', SMALL);
  assert.equal((await loadWorkload(small)).allocations, 1);
  await assert.rejects(loadWorkload('stedy'), (error) => {
    assert.ok(error instanceof UnknownNameError);
    assert.deepEqual(error.suggestions, ['steady']);
    return true;
  });
  await assert.rejects(loadWorkload('stedy.json'), InputError);
  await assert.rejects(loadWorkload(small, { live: 3 }), ArgumentError);
  await assert.rejects(loadWorkload('steady', { live: 0 }), ArgumentError);
});

test('a word is a file where there is one', async () => {
  const before = process.cwd();
  mkdirSync(join(folder, 'here'));
  file('here/mine', SMALL);
  process.chdir(join(folder, 'here'));
  try {
    assert.equal((await loadWorkload('mine')).source, 'mine');
  } finally {
    process.chdir(before);
  }
});

test('a file that is JSON and no workload is refused, with its line', async () => {
  const noEvents = SMALL.replace('[["a",0]]', '[]');
  const cases: [text: string, message: RegExp][] = [
    ['{"meta":\n  {"schema": "x"}}', /w\.json:\d+: expected "meta": \{"schema": "v7s-workload-1"\}/],
    ['{"meta": x}', /w\.json:1: not JSON: expected a value, but there stands x\}/],
    [noEvents, /w\.json: a workload needs at least one event/],
    [SMALL.replace('"a"', '"z"'), /w\.json:1: expected an event/],
  ];
  for (const [text, message] of cases) {
    await assert.rejects(loadWorkload(file('w.json', text)), (error) => {
      assert.ok(error instanceof InputError, text);
      assert.match(error.message, message);
      return true;
    });
  }
});

test('what ships is found', () => {
  assert.ok(existsSync(shippedWorkloadPath()));
  assert.ok(shippedRecordings().some(({ file }) => file === shippedWorkloadPath()));
});
