// Runs every command of the documents, and those of same-output/commands.txt, with another build and with this one: equal bytes?
// For work that changes how something is written and nothing of what it does.
//
//     node tools/same-output.mjs 9d8b42b              against a commit: cloned and built in a temporary folder
//     node tools/same-output.mjs ../before            against a checkout that is built already
//     node tools/same-output.mjs HEAD~3 --quick iommu     without the long ones; only those with `iommu` in their place or text
//
// Held against each other are stdout, stderr, the exit code of the shell's line, and the name, mode and bytes of each file that is
// in the folder afterwards. Both sides run in a folder of the same path, one after the other, on this checkout's truth/; only a
// command that is told no file reads the truth/ beside its own build, which is this one for a commit, and its own for a folder. The
// documents are those of the other build. Made equal before that are the seconds that a command took (SECONDS of doc-commands.mjs)
// and the path of the build, which an error may name; nothing else. A filter keeps a document's commands before the one that it
// finds, which may need their files; they count too.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  BY_HAND,
  blocksOf,
  documentsOf,
  environmentOf,
  fileOf,
  fillFolder,
  isLong,
  isOfCommands,
  stepsOf,
  timeless,
} from './doc-commands.mjs';

const ROOT = realpathSync(fileURLToPath(new URL('..', import.meta.url))).replace(/\/$/, '');
const OWN = 'tools/same-output';
const MAIN = ['dist', 'cli', 'main.js'];
const AT_ONCE = 2;
const SHOWN_LINES = 6;
/** Milliseconds after which a command is said to hang. */
const PATIENCE_MS = 600_000;

/** A built checkout of a commit, or the folder that is one. */
function builtCheckout(base, temporary) {
  if (existsSync(join(base, ...MAIN))) return realpathSync(base);
  const run = (file, args, cwd) =>
    execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
  const commit = run('git', ['rev-parse', '--verify', `${base}^{commit}`], ROOT);
  const folder = join(temporary, 'base');
  run('git', ['clone', '--quiet', '--shared', '--no-checkout', ROOT, folder], ROOT);
  run('git', ['checkout', '--quiet', commit], folder);
  const lockOf = (root) => readFileSync(join(root, 'package-lock.json'), 'utf8');
  if (lockOf(folder) === lockOf(ROOT)) symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  else run('npm', ['ci', '--silent'], folder);
  run(process.execPath, [join(folder, 'node_modules', 'typescript', 'bin', 'tsc'), '-b'], folder);
  // What a command reads without being told a file is in the truth/ beside its build.
  rmSync(join(folder, 'truth'), { recursive: true });
  symlinkSync(join(ROOT, 'truth'), join(folder, 'truth'));
  return realpathSync(folder);
}

/** A document's files and commands, in their order: they share a folder. */
function sessionOfDocument(root, document, { quick }) {
  const steps = [];
  for (const block of blocksOf(readFileSync(join(root, document), 'utf8').split('\n'))) {
    const file = fileOf(block);
    if (file) steps.push({ file });
    if (!isOfCommands(block)) continue;
    for (const { at, command } of stepsOf(block)) {
      if (BY_HAND.test(command) || (quick && isLong(command))) continue;
      steps.push({ place: `${document}:${at + 1}`, command });
    }
  }
  return steps;
}

/** All lines that one with {A,B} stands for; `\,` is a comma in a word. */
function spread(line) {
  const [whole, words] = /\{((?:[^{}\\]|\\.)*)\}/.exec(line) ?? [];
  if (whole === undefined) return [line];
  return words
    .split(/(?<!\\),/)
    .flatMap((word) => spread(line.replace(whole, () => word.replaceAll('\\,', ','))));
}

/** The commands of commands.txt, each with a folder of its own. */
function ownSessions({ quick }) {
  const path = `${OWN}/commands.txt`;
  const sessions = [];
  for (const [index, line] of readFileSync(join(ROOT, path), 'utf8').split('\n').entries()) {
    if (line === '[long]' && quick) break;
    if (line === '' || line.startsWith('#') || line === '[long]') continue;
    for (const each of spread(line))
      sessions.push([{ place: `${path}:${index + 1}`, command: each.replaceAll(/ {2,}/g, ' ').trim() }]);
  }
  return sessions;
}

/** A session up to the last of its commands that a filter finds; undefined without any. */
function filtered(steps, filters) {
  const last = steps.findLastIndex(
    ({ place, command }) =>
      command !== undefined &&
      (filters.length === 0 || filters.some((filter) => `${place} ${command}`.includes(filter))),
  );
  return last < 0 ? undefined : steps.slice(0, last + 1);
}

/** What a shell's line prints and ends with. Text of bytes: a character a byte. */
function runCommand(command, folder) {
  return new Promise((done, fail) => {
    const child = spawn('sh', ['-c', `{ ${command}\n}`], {
      cwd: folder,
      env: environmentOf(folder, 80),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: PATIENCE_MS,
    });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('latin1');
      child[name].on('data', (text) => {
        texts[name] += text;
      });
    }
    child.on('error', fail);
    child.on('close', (code, signal) => done({ ...texts, 'exit code': String(code ?? signal) }));
  });
}

/** Each file below a folder but the ones that were put there to run in it: its mode and bytes, or where a link leads. */
function filesIn(folder, normal, under = '') {
  const files = new Map();
  for (const name of readdirSync(join(folder, under))) {
    if (under === '' && (name === '.bin' || name === 'truth')) continue;
    const path = join(under, name);
    const status = lstatSync(join(folder, path));
    const mode = (status.mode & 0o7777).toString(8);
    if (status.isSymbolicLink()) files.set(path, `link to ${readlinkSync(join(folder, path))}`);
    else if (status.isDirectory()) {
      files.set(path, `folder, mode ${mode}`);
      for (const [each, is] of filesIn(folder, normal, path)) files.set(each, is);
    } else {
      const text = normal(readFileSync(join(folder, path), 'latin1'));
      const digest = createHash('sha256').update(text, 'latin1').digest('hex').slice(0, 16);
      files.set(path, `mode ${mode}, ${text.length} bytes, sha256 ${digest}…`);
    }
  }
  return files;
}

/** Runs a session with one build, in a folder that is made for it and removed. */
async function runSession(steps, root, folder) {
  const normal = (text) => timeless(text).replaceAll(root, 'BUILD');
  const results = [];
  mkdirSync(folder);
  try {
    fillFolder(folder, { main: join(root, ...MAIN), truth: join(ROOT, 'truth') });
    if (steps[0].place?.startsWith(OWN)) {
      for (const name of readdirSync(join(ROOT, OWN)))
        if (name !== 'commands.txt') copyFileSync(join(ROOT, OWN, name), join(folder, name));
    }
    for (const { file, command } of steps) {
      if (file) writeFileSync(join(folder, file.name), file.text);
      if (command === undefined) continue;
      const result = await runCommand(command, folder);
      for (const name of Object.keys(result)) result[name] = normal(result[name]);
      results.push({ result, files: filesIn(folder, normal) });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}

/** The lines in which two texts differ, from the first to the last of them. */
function shortDiff(before, after) {
  const [old, now] = [before.split('\n'), after.split('\n')];
  let from = 0;
  while (from < Math.min(old.length, now.length) && old[from] === now[from]) from++;
  let same = 0;
  while (same < Math.min(old.length, now.length) - from && old.at(-1 - same) === now.at(-1 - same)) same++;
  const shown = (sign, lines) => {
    const cut = lines.slice(from, lines.length - same);
    const said = cut.slice(0, SHOWN_LINES).map((line) => {
      const text = Buffer.from(line, 'latin1').toString('utf8');
      return `      ${sign} ${text.length > 200 ? `${text.slice(0, 200)}…` : text}\n`;
    });
    const left = cut.length - said.length;
    return said.join('') + (left > 0 ? `      ${sign} … ${left} more lines\n` : '');
  };
  return `    from line ${from + 1}:\n${shown('-', old)}${shown('+', now)}`;
}

/** What differs after a command, as text; empty if nothing. What differed in a file before it is not told again. */
function differencesOf(before, after, told) {
  let text = '';
  for (const name of Object.keys(before.result)) {
    if (before.result[name] !== after.result[name])
      text += `  ${name}\n${shortDiff(before.result[name], after.result[name])}`;
  }
  let files = 0;
  for (const name of new Set([...before.files.keys(), ...after.files.keys()])) {
    const [old, now] = [before, after].map(({ files }) => files.get(name) ?? 'not there');
    if (old === now || told.get(name) === `${old}\n${now}`) continue;
    told.set(name, `${old}\n${now}`);
    if (++files <= SHOWN_LINES) text += `  file ${name}\n      - ${old}\n      + ${now}\n`;
  }
  if (files > SHOWN_LINES) text += `  … ${files - SHOWN_LINES} more files\n`;
  return text;
}

/** Runs a session with both builds. Returns how many of its commands differ. */
async function compareSession(steps, base, folder) {
  const before = await runSession(steps, base, folder);
  const after = await runSession(steps, ROOT, folder);
  const commands = steps.filter(({ command }) => command !== undefined);
  const told = new Map();
  let differ = 0;
  for (const [index, { place, command }] of commands.entries()) {
    const text = differencesOf(before[index], after[index], told);
    if (text === '') continue;
    differ++;
    process.stdout.write(`${place}: ${command}\n${text}`);
  }
  return differ;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' } },
});
const [base, ...filters] = positionals;
if (base === undefined) {
  process.stderr.write('usage: node tools/same-output.mjs COMMIT|FOLDER [--quick] [FILTER…]\n');
  process.exit(2);
}
if (!existsSync(join(ROOT, ...MAIN))) {
  process.stderr.write('this checkout is not built: npx tsc -b\n');
  process.exit(2);
}
const temporary = mkdtempSync(join(realpathSync(tmpdir()), 'slablab-same-'));
try {
  const root = builtCheckout(
    existsSync(base) && statSync(base).isDirectory() ? resolve(base) : base,
    temporary,
  );
  const sessions = [
    ...documentsOf(root).map((document) => sessionOfDocument(root, document, values)),
    ...ownSessions(values),
  ]
    .map((steps) => filtered(steps, filters))
    .filter((steps) => steps !== undefined);
  let [next, ran, differ] = [0, 0, 0];
  const work = async () => {
    while (next < sessions.length) {
      const index = next++;
      const steps = sessions[index];
      const folder = join(temporary, `run-${index}`);
      ran += steps.filter(({ command }) => command !== undefined).length;
      const found = await compareSession(steps, root, folder);
      differ += found;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  process.stdout.write(`${ran} commands, ${differ} differ\n`);
  process.exitCode = differ > 0 ? 1 : 0;
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
