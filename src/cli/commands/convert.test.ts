/** `slablab convert`: run in this process, and in one of its own where pipes and signals matter. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { enterFolder, slablab, spawnForHasty, spawnSlablab } from '../command-line.case.test.js';

const folder = enterFolder('convert');

const recorded = (name: string) => `truth/traces/${name}`;
const TEXT = gunzipSync(readFileSync(recorded('sample-trace-cmd-report.txt.gz')));

test('a trace becomes a file, and what was done is said within 80 columns', async () => {
  const { code, out, err } = await slablab(['convert', recorded('tar-public.dat.gz'), '-o', 'tar.slt']);
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  assert.match(out, /^truth\/traces\/tar-public\.dat\.gz: trace\.dat version \d, gzip · 287,878 events\n/);
  assert.match(out, /tar\.slt: 2\.\d\d MiB \(9\.\d an event\)/);
  assert.match(
    out,
    /1,706 frees are missing from the trace: their\s+addresses\s+were\s+handed\s+out\s+again\s+\(ovl_alloc_entry\)\./,
  );
  assert.match(out, /\nNext:\n {2}slablab replay tar\.slt\n$/);
  for (const line of out.split('\n')) assert.ok([...line].length <= 80, line);
  assert.ok(readFileSync(join(folder, 'tar.slt')).length < 10 * 287_878);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('partial')),
    [],
  );
});

test('from a pipe into a pipe it is the same file', async () => {
  writeFileSync(join(folder, 'report.txt'), TEXT);
  assert.equal((await slablab(['convert', 'report.txt', '-o', 'report.slt'])).code, 0);
  const piped = spawnSlablab('convert - -o -', TEXT);
  assert.equal(piped.code, 0);
  assert.equal(piped.err, '');
  const again = spawnSlablab('convert - -o again.slt', piped.bytes);
  assert.equal(again.code, 0);
  // They differ in what the trace was called.
  const named = readFileSync(join(folder, 'report.slt')).length - 'report.txt'.length;
  assert.equal(piped.bytes.length - 'standard input'.length, named);
  assert.deepEqual(readFileSync(join(folder, 'again.slt')), piped.bytes);
});

test('--json tells everything, by names', async () => {
  const { code, out } = await slablab([
    'convert',
    recorded('sample-trace-cmd-report.txt.gz'),
    '-o',
    'x.slt',
    '--json',
  ]);
  assert.equal(code, 0);
  const json = JSON.parse(out);
  assert.deepEqual([json.schema, json.version, json.command], ['slablab/convert/2', 2, 'convert']);
  assert.equal(json.fileSchema, 'slablab-trace-1');
  assert.deepEqual(json.packed, ['gzip']);
  assert.equal(json.read.format, 'trace-cmd report');
  assert.equal(json.read.lines, TEXT.toString().split('\n').length - 1);
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);
  const { events, others, comments, damaged, lines } = json.read;
  assert.equal(sum(events) + sum(others) + comments + damaged, lines);
  assert.equal(json.events, sum(events));
  assert.equal(json.bytes, readFileSync(join(folder, 'x.slt')).length);
});

test('what cannot be read or written ends as it should, and leaves nothing behind', async () => {
  writeFileSync(join(folder, 'cut.gz'), readFileSync(recorded('sock-public.txt.gz')).subarray(0, 200_000));
  writeFileSync(join(folder, 'same.txt'), TEXT);
  for (const [args, code, message] of [
    [['convert', '-o', 'x'], 2, /slablab convert needs <trace>/],
    [['convert', 'same.txt'], 2, /the file to write is missing: -o FILE\.slt/],
    [['convert', 'same.txt', '--output', 'x'], 2, /has no option --output; did you mean --out\?/],
    [['convert', 'same.txt', '-o', 'same.txt'], 2, /same\.txt is what is read: write another file/],
    [['convert', 'same.txt', '-o', 'x.slt', '--kallsyms', 'k'], 3, /k: no such file/],
    [['convert', 'nowhere', '-o', 'y.slt'], 3, /nowhere: no such file/],
    [['convert', 'cut.gz', '-o', 'y.slt'], 3, /cut\.gz: expected gzip data, but it ends in the middle/],
    [
      ['convert', recorded('sample-ftrace-raw.txt.gz'), '-o', 'y.slt'],
      3,
      /:13: was printed with the trace option raw/,
    ],
    [
      ['convert', recorded('boot-find-public.snapshots.json.gz'), '-o', 'y.slt'],
      3,
      /but it is JSON: if it holds snapshots/,
    ],
    [['convert', 'same.txt', '-o', 'no/such/y.slt'], 3, /there is no such folder/],
    [['convert', 'same.txt', '-o', '.'], 3, /but it is a directory/],
  ] as const) {
    const ended = await slablab(args);
    assert.deepEqual({ code: ended.code, out: ended.out }, { code, out: '' }, `${args}: ${ended.err}`);
    assert.match(ended.err, message);
    assert.match(ended.err, /^slablab: [^\n]+\n {2}[^\n]+\n$/, 'a line and a hint');
  }
  assert.equal(existsSync(join(folder, 'y.slt')), false);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('partial')),
    [],
  );
});

test('a reader that goes away ends it silently', async () => {
  const ended = await spawnForHasty(['convert', recorded('tar-public.txt.gz'), '-o', '-']);
  assert.deepEqual(ended, { code: 0, err: '' });
});

test('damage is counted and told', async () => {
  const lines = TEXT.toString().split('\n');
  lines[100] = lines[100]!.slice(0, 90);
  lines[200] = '\u0000\u0001\u0002 garbage';
  const { code, out } = spawnSlablab('convert - -o damaged.slt', lines.join('\n'));
  assert.equal(code, 0);
  assert.match(out, /\n2 places could not be read and were left out, the first at line 101: /);
  // And it is still known later.
  const later = await slablab(['convert', 'damaged.slt', '-o', 'later.slt']);
  assert.match(later.out, /\n2 places could not be read/);
});

test('the file can be read by what docs/slt.md shows', {
  skip: !hasPython() && 'python3 is not there',
}, async () => {
  const doc = readFileSync(fileURLToPath(new URL('../../../docs/slt.md', import.meta.url)), 'utf8');
  const reader = /```python\n(.*?)```/s.exec(doc)![1]!;
  writeFileSync(join(folder, 'report.txt'), TEXT);
  const { code } = await slablab(['convert', 'report.txt', '-o', 'report.slt']);
  assert.equal(code, 0);
  const use =
    "import sys; print(sum(op & 15 == 1 for c in columns(sys.argv[1], ['op', 'time']) for op in c['op']))";
  const counted = execFileSync('python3', ['-c', `${reader}\n${use}`, join(folder, 'report.slt')]).toString();
  const json = JSON.parse((await slablab(['convert', 'report.txt', '-o', 'report.slt', '--json'])).out);
  assert.equal(Number(counted), json.resolved.objects.allocs);
});

function hasPython(): boolean {
  return spawnSync('python3', ['--version']).status === 0;
}
