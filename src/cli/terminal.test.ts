/** What reaches a terminal: colours, progress, and what help knows of commands that are not loaded. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { slablab, widest } from './command-line.case.test.js';
import { COMMANDS } from './commands.js';
import { EXIT_WORDS } from './exit.js';
import { Terminal } from './terminal.js';

function terminal(columns: number, env: Record<string, string> = {}) {
  const written: string[] = [];
  const stream = { isTTY: true, columns, write: (text: string) => written.push(text) };
  return { written, terminal: new Terminal({ stdout: stream, stderr: stream, env }, 'auto') };
}

test('a line of progress that is too long keeps its end', () => {
  const { written, terminal: narrow } = terminal(40);
  narrow.progress('reading /some/where/far/away/boot.txt.gz: 3.2 M events, 41 %, 22 s left');
  assert.equal([...written[0]!].length, 39);
  assert.match(written[0]!, /^….* 41 %, 22 s left$/);
  const other = terminal(80);
  other.terminal.progress('short\u001b[31m\u202e')();
  assert.deepEqual(other.written, ['short·[31m·', '\r\u001b[K']);
});

test('a terminal that is dumb gets no progress', () => {
  const { written, terminal: dumb } = terminal(80, { TERM: 'dumb' });
  dumb.progress('reading')();
  assert.deepEqual(written, []);
});

test('colours by the option, then FORCE_COLOR, then NO_COLOR, then what stdout is', async () => {
  const bold = async (words: string, screen = {}) =>
    (await slablab(`layout --size 8 ${words}`, screen)).out.includes('\u001b[');
  for (const [words, screen, coloured] of [
    ['', {}, false],
    ['', { isTTY: true }, true],
    ['--no-color', { isTTY: true }, false],
    ['--color=never', { isTTY: true, env: { FORCE_COLOR: '1' } }, false],
    ['--color always', { env: { NO_COLOR: '1' } }, true],
    ['--color=auto', { isTTY: true }, true],
    ['', { env: { FORCE_COLOR: '1' } }, true],
    ['', { isTTY: true, env: { FORCE_COLOR: '0' } }, false],
    ['', { isTTY: true, env: { NO_COLOR: '1' } }, false],
    ['', { isTTY: true, env: { NO_COLOR: '' } }, true],
    ['', { isTTY: true, env: { TERM: 'dumb' } }, false],
  ] as const) {
    assert.equal(await bold(words, screen), coloured, `${words} ${JSON.stringify(screen)}`);
    const help = await slablab(`--help ${words}`, screen);
    assert.equal(help.out.includes('\u001b[1m'), coloured, `help ${words} ${JSON.stringify(screen)}`);
  }
  const wrong = await slablab('layout --size 8 --color=allways');
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /did you mean 'always'\?/);
});

test('what help says of a command that is not loaded is true', async () => {
  for (const { name, words, load } of COMMANDS) {
    const program = new Command();
    (await load())(program, () => assert.fail());
    const [command] = program.commands;
    assert.equal(command!.name(), name);
    const args = command!.registeredArguments.map((arg) => {
      const dots = arg.variadic ? '...' : '';
      return arg.required ? `<${arg.name()}${dots}>` : `[${arg.name()}${dots}]`;
    });
    assert.equal(words, ['[options]', ...args].join(' '));
  }
  const { out } = await slablab('--help');
  assert.ok(widest(out) <= 80);
  const doc = readFileSync(fileURLToPath(new URL('../../docs/commands.md', import.meta.url)), 'utf8');
  for (const [code, said] of EXIT_WORDS) {
    assert.ok(out.includes(`  ${code}`) && out.includes(said), code);
    assert.ok(doc.includes(`| ${code} | ${said} |`), `docs/commands.md: ${code}`);
  }
});

test('what makes no machine is found out before anything is read', async () => {
  for (const words of [
    'compare nowhere.json',
    'info --workload nowhere.json',
    'info nowhere.slab',
    'iommu nowhere.iommu',
    'replay nowhere.txt',
    'sweep nowhere.txt --set dentry.size=8',
    'sysfs nowhere nowhere.slab',
  ])
    for (const option of ['--cpus 100000', '--memory 1']) {
      const { code, err } = await slablab(`${words} ${option}`);
      assert.equal(code, 2, err);
      assert.match(err, /a machine has 1 to 1024 CPUs|of memory, not 1 B/);
    }
});
