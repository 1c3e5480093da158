/** `slablab open` as a person has it: the compiled program in a process of its own. What the page makes of it is tested in tests-page/. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../../', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SAMPLE = join(ROOT, 'truth/traces/sample-ftrace-tgid.txt.gz');
const folder = mkdtempSync(join(tmpdir(), 'slablab-open-'));
after(() => rmSync(folder, { recursive: true }));

/** The compiled program with a page of one line beside it, and without one: whether one is built here makes no difference. */
function installed(name: string, hasPage: boolean): string {
  const root = join(folder, name);
  mkdirSync(join(root, 'dist'), { recursive: true });
  for (const room of ['base', 'machine', 'slab', 'pools', 'iommu', 'text', 'trace', 'lab', 'node', 'cli'])
    symlinkSync(join(DIST, room), join(root, 'dist', room));
  symlinkSync(join(ROOT, 'package.json'), join(root, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  if (hasPage) {
    mkdirSync(join(root, 'dist/page'));
    writeFileSync(join(root, 'dist/page/index.html'), '<p>the page</p>');
  }
  return join(root, 'dist/cli/main.js');
}

const main = installed('whole', true);
/** The program is what it is called, not where its parts really lie. */
const NODE = ['--preserve-symlinks', '--preserve-symlinks-main'];

function slablab(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...NODE, main, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
}

/** Starts it, gives its address to `step`, then interrupts it. Returns its exit code. */
async function opened(
  args: readonly string[],
  step: (url: string, child: ReturnType<typeof spawn>) => Promise<void>,
  signal: NodeJS.Signals = 'SIGINT',
): Promise<number | null> {
  const child = spawn(process.execPath, [...NODE, main, 'open', '--no-browser', ...args], { cwd: folder });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  try {
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (data: Buffer) => resolve(data.toString()));
      child.on('exit', () => reject(new Error('it ended before it said its address')));
    });
    await step(line.trim(), child);
  } finally {
    child.kill(signal);
  }
  return ended;
}

test('the page is served with the file that was named, until it is interrupted', async () => {
  const code = await opened([SAMPLE], async (url) => {
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/\?open=files%2Fsample-ftrace-tgid\.txt\.gz$/);
    assert.equal(await (await fetch(url)).text(), '<p>the page</p>');
    const path = new URL(url).searchParams.get('open')!;
    const bytes = Buffer.from(await (await fetch(new URL(path, url))).arrayBuffer());
    assert.ok(bytes.equals(readFileSync(SAMPLE)));
  });
  assert.equal(code, 130);
});

test('its exit code is that of the signal', async () => {
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)
    assert.equal(await opened([], async () => {}, signal), code);
});

test('standard input is given to the page, also when it is loaded again', async () => {
  const code = await opened(['-'], async (url, child) => {
    child.stdin!.end('events');
    const file = new URL(new URL(url).searchParams.get('open')!, url);
    for (let load = 0; load < 2; load++) assert.equal(await (await fetch(file)).text(), 'events');
  });
  assert.equal(code, 130);
});

test('snapshots go with their trace, on a port of choice', async () => {
  writeFileSync(join(folder, 'snapshots.json'), '{"snapshots": []}');
  await opened([SAMPLE, '--snapshots', 'snapshots.json'], async (url) => {
    assert.deepEqual(new URL(url).searchParams.getAll('open'), [
      'files/sample-ftrace-tgid.txt.gz',
      'files/snapshots.json',
    ]);
    const taken = new URL(url).port;
    const { code, err } = slablab('open', '--port', taken);
    assert.equal(code, 2);
    assert.match(err, /port \d+ is not available: another program has it/);
  });
});

test('what is no file to open is refused before a browser sees it', () => {
  writeFileSync(join(folder, 'noise'), 'neither this nor that\n');
  const noise = slablab('open', 'noise');
  assert.equal(noise.code, 3);
  assert.match(
    noise.err,
    /noise:1: expected one of ftrace text.*\n {2}'slablab open --help' says what the page opens/,
  );
  assert.equal(slablab('open', 'not-there.txt').code, 3);
  assert.match(slablab('open', '--snapshots', 'noise').err, /--snapshots are those of a trace/);
  assert.match(slablab('open', '--port', '99999').err, /at most 65535/);
});

test('where the page is not built it says what builds it', () => {
  const without = installed('bare', false);
  const { status, stderr } = spawnSync(process.execPath, [...NODE, without, 'open'], {
    cwd: folder,
    encoding: 'utf8',
  });
  assert.equal(status, 2);
  assert.match(stderr, /the page is not built yet: 'npm run build:page' builds it/);
});

test('help begins with examples', () => {
  const { code, out } = slablab('open', '--help');
  assert.equal(code, 0);
  assert.match(out, /^Examples:\n {2}slablab open +the page, with examples\n/);
});
