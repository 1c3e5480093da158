/** What commands write, what ends them, and what a file can make them print: run as a person does, in processes of their own. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { enterFolder, MAIN, slablab, spawnSlablab } from './command-line.case.test.js';

const folder = enterFolder('outputs');
const recorded = (name: string) => fileURLToPath(new URL(`../../truth/traces/${name}`, import.meta.url));
const TEXT = gunzipSync(readFileSync(recorded('sample-trace-cmd-report.txt.gz')));
const SNAPSHOTS = readFileSync(recorded('boot-find-public.snapshots.json.gz'));

/** A trace of its own, a snapshots file, and the other inputs of commands. */
function inputs(): { trace: string; snapshots: string; kallsyms: string; script: string } {
  const names = {
    trace: 'in.txt',
    snapshots: 'in.json.gz',
    kallsyms: 'in.kallsyms',
    script: 'in.slab',
  };
  writeFileSync(names.trace, TEXT);
  writeFileSync(names.snapshots, SNAPSHOTS);
  writeFileSync(names.kallsyms, 'ffffffff81000000 T _text\n');
  writeFileSync(names.script, 'create own 64\nalloc own 3\n');
  return names;
}

test('no command writes over what it reads', async () => {
  const { trace, snapshots, kallsyms } = inputs();
  const given = [trace, snapshots, kallsyms];
  const before = given.map((path) => readFileSync(path));
  for (const [i, path] of given.entries()) {
    const [link, hard] = [`link-${i}`, `hard-${i}`];
    symlinkSync(path, link);
    linkSync(path, hard);
    for (const out of [path, link, hard])
      for (const words of [
        `replay ${trace} --snapshots ${snapshots} --kallsyms ${kallsyms} --html ${out}`,
        `sweep ${trace} --snapshots ${snapshots} --kallsyms ${kallsyms} --set cpus=1 -o ${out}`,
        `convert ${trace} --kallsyms ${kallsyms} -o ${out}`,
      ]) {
        if (words.startsWith('convert') && path === snapshots) continue;
        const { code, err } = await slablab(words);
        assert.equal(code, 2, words);
        assert.match(err, new RegExp(`^slablab: ${out} is what is read: write another file\\n`), words);
      }
  }
  assert.deepEqual(
    given.map((path) => readFileSync(path)),
    before,
  );
  // Standard input and output may be the file as well.
  const shell = `"${process.execPath}" "${MAIN}" convert - -o - <> in.txt >&0`;
  assert.equal(spawnSync('bash', ['-c', shell]).status, 2);
  assert.deepEqual(readFileSync(trace), before[0]);
});

test('what is missing is told although the output is there', async () => {
  writeFileSync('there.slt', 'old');
  for (const words of ['convert nosuch.txt -o there.slt', 'replay nosuch.txt --html there.slt']) {
    const { code, err } = await slablab(words);
    assert.equal(code, 3);
    assert.match(err, /^slablab: nosuch\.txt: no such file\n/);
  }
  assert.equal(readFileSync('there.slt', 'utf8'), 'old');
});

test('what cannot be written is told before the work, in the same words, with what helps', async () => {
  const { script } = inputs();
  writeFileSync('file', '');
  mkdirSync('full-of-it');
  writeFileSync('full-of-it/x', '');
  for (const command of ['convert nosuch -o', 'replay nosuch --html', 'sweep nosuch --set cpus=1 -o']) {
    for (const [out, message, hint] of [
      ['no/such', 'no/such: cannot be written: there is no such folder', 'make the folder first'],
      ['file/x', 'file/x: cannot be written: a part of the path is no folder', 'name a file in a folder'],
      [
        'full-of-it',
        'full-of-it: expected the name of a file to write, but it is a directory',
        'name a file',
      ],
      ['/dev/stdin/x', '/dev/stdin/x: cannot be written: ', 'name a file'],
    ] as const) {
      const { code, out: said, err } = await slablab(`${command} ${out}`);
      assert.deepEqual({ code, said }, { code: 3, said: '' }, err);
      assert.ok(err.startsWith(`slablab: ${message}`), err);
      assert.ok(err.includes(`\n  ${hint}`), err);
    }
  }
  for (const [dir, message, hint] of [
    ['full-of-it', 'full-of-it: expected an empty folder, but something is in it', '--force writes into it'],
    ['file/x', 'file/x: expected a folder, but it, or a part of the path, is a file', 'name a'],
    ['', "'': expected the name of a folder to write, but it is empty", 'name '],
  ] as const) {
    const { code, err } = await slablab(['sysfs', dir, script]);
    assert.equal(code, 3);
    assert.ok(err.startsWith(`slablab: ${message}`), err);
    assert.ok(err.includes(`\n  ${hint}`), err);
  }
});

test('devices stay devices', {
  skip: process.platform !== 'linux' && 'it has no /dev/full',
}, () => {
  const { trace } = inputs();
  for (const words of [`convert ${trace} -o`, `replay ${trace} --html`, `sweep ${trace} --set cpus=1 -o`]) {
    assert.equal(spawnSlablab(`${words} /dev/null`).code, 0, words);
    const full = spawnSlablab(`${words} /dev/full`);
    assert.equal(full.code, 3, words);
    assert.match(
      full.err,
      /^slablab: \/dev\/full: cannot be written: no space is left on the disk\n {2}free some/,
    );
  }
  assert.ok(statSync('/dev/null').isCharacterDevice() && statSync('/dev/full').isCharacterDevice());
  const direct = spawnSlablab(`convert ${trace} -o -`);
  assert.ok(direct.bytes.equals(spawnSlablab(`convert ${trace} -o /dev/stdout`).bytes));
  assert.match(spawnSlablab(`sweep ${trace} --set cpus=1 -o /dev/stdout`).out, /^cpus,trace,machine/);
});

/** Starts a command, sends a signal when it has taken its input, which goes on, and says how it ended. */
async function interrupted(
  words: string,
  signal: NodeJS.Signals,
  input: Uint8Array,
): Promise<string | number> {
  const child = spawn(process.execPath, [MAIN, ...words.split(' ')], { cwd: folder });
  let ended: string | number | undefined;
  const end = new Promise<string | number>((done) => {
    child.on('close', (code, by) => {
      ended = by ?? code!;
      done(ended);
    });
  });
  // More than a pipe holds: whoever took it is reading, and waits for more or is at work.
  child.stdin.on('error', () => {});
  await new Promise<void>((done) => {
    child.stdin.write(input, () => done());
  });
  assert.equal(ended, undefined, `${words} is still at work`);
  child.kill(signal);
  return await end;
}

const BIG = Buffer.concat(Array.from({ length: 40 }, () => TEXT));

for (const [words, signal] of [
  ['compare -', 'SIGINT'],
  ['convert - -o cut.slt', 'SIGTERM'],
  ['replay - --html cut.html', 'SIGHUP'],
  ['sweep - --set cpus=1 -o cut.csv', 'SIGINT'],
  ['verify -', 'SIGTERM'],
  ['iommu -', 'SIGHUP'],
  ['info -', 'SIGINT'],
  ['sysfs cut -', 'SIGTERM'],
] as const)
  test(`${signal} ends '${words}' while it reads, and nothing is left`, async () => {
    // It has taken all but what a pipe holds, and its input goes on.
    assert.equal(await interrupted(words, signal, BIG), signal);
    assert.deepEqual(
      readdirSync(folder).filter((name) => /cut|slablab/.test(name)),
      [],
    );
  });

test('a signal ends the conversion of a binary trace in the middle of it', async () => {
  const data = gunzipSync(readFileSync(recorded('mm-public.dat.gz')));
  writeFileSync('mm.dat', data);
  const whole = spawnSync(process.execPath, [MAIN, 'convert', 'mm.dat', '-o', 'whole.slt'], { cwd: folder });
  assert.equal(whole.status, 0);
  const child = spawn(process.execPath, [MAIN, 'convert', 'mm.dat', '-o', 'binary.slt'], { cwd: folder });
  const end = new Promise((done) => child.on('close', (code, by) => done(by ?? code)));
  // It is at work as soon as it has the trace open.
  const files = () => {
    try {
      return readdirSync(`/proc/${child.pid}/fd`).map((fd) => statSync(`/proc/${child.pid}/fd/${fd}`).ino);
    } catch {
      return [];
    }
  };
  const { ino } = statSync('mm.dat');
  while (process.platform === 'linux' && child.exitCode === null && !files().includes(ino))
    await new Promise((done) => setTimeout(done, 5));
  child.kill('SIGTERM');
  assert.equal(await end, 'SIGTERM');
  assert.equal(existsSync('binary.slt'), false);
  assert.deepEqual(
    readdirSync(folder).filter((name) => /slablab/.test(name)),
    [],
  );
});

// ---- What a file can make a command print -----------------------------------------------------------------------------

/** Everything but what a terminal shows as it stands, and newlines. */
const STRANGE = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\ufffd]/u;
/** Our own. */
const COLOURS = [1, 2, 22, 31, 32, 39].map((code) => `\u001b[${code}m`);
const EVIL = [
  '\u001b]0;pwned\u0007',
  '\u001b[31m',
  '\u009b2J',
  '\u202e',
  '\u2066',
  '\u200b',
  '\u0000',
  '\u007f',
  '\r',
  '\t',
  '\u0085',
];

const evil = fc.constantFrom(...EVIL, 'a', '{', '"', ':', ' ', '\n', 'kmalloc', '[');
const junk = fc.array(evil, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''));

test('nothing of a file moves the terminal, whatever reads it', async () => {
  writeFileSync('trace.txt', TEXT);
  await fc.assert(
    fc.asyncProperty(junk, fc.boolean(), async (text, isTTY) => {
      writeFileSync('evil', Buffer.from(text));
      writeFileSync('evil.json', JSON.stringify({ [text]: text, meta: { schema: text, kernel: text } }));
      const lines = TEXT.toString('latin1').split('\n');
      writeFileSync(
        'evil.txt',
        [...lines.slice(0, 20), lines[20] + text, text + lines[21], ...lines.slice(22, 60)].join('\n'),
      );
      writeFileSync('evil.slab', `create ${text} 64\nalloc ${text} 1\n`);
      for (const words of [
        ...['evil', 'evil.json'].flatMap((file) => [
          ['compare', file],
          ['verify', file],
          ['replay', 'trace.txt', '--snapshots', file],
          ['replay', file],
          ['iommu', file],
          ['info', file],
          ['convert', file, '-o', 'x.slt'],
          ['sweep', file, '--set', 'cpus=1'],
        ]),
        ['replay', 'evil.txt', '--wide'],
        ['replay', 'evil.txt', '--json'],
        ['replay', 'evil.txt', '--csv'],
        ['convert', 'evil.txt', '-o', 'x.slt'],
        ['info', 'evil.slab', '--no-standing'],
        ['info', 'evil.slab', '--no-standing', '--json'],
        ['info', 'evil.slab', '--no-standing', '--report', text],
        ['layout', '--size', '8', '--name', text],
        ['layout', '--size', '8', '--name', text, '--json'],
        [text],
        ['compare', text],
      ]) {
        const { out, err } = await slablab(words, { isTTY });
        // Its own colours, on a terminal.
        const plain =
          (isTTY ? COLOURS.reduce((text, colour) => text.replaceAll(colour, ''), out) : out) + err;
        const found = STRANGE.exec(plain);
        assert.equal(
          found,
          null,
          `${JSON.stringify(words)}: ${JSON.stringify(plain.slice(Math.max(0, (found?.index ?? 0) - 60)).slice(0, 120))}`,
        );
        if (out.startsWith('{')) JSON.parse(out);
      }
    }),
    {
      seed: 7,
      numRuns: 6,
      examples: [
        ['\u001b]0;pwned\u0007\u001b[31mRED{', true],
        ['{\u001b[31m', false],
      ],
    },
  );
});
