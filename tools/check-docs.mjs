// Runs the commands that README.md and docs/*.md show, and holds what they print against what stands there.
//
//     npm run docs                 writes what the commands print now into the documents
//     node tools/check-docs.mjs    says which documents are not true, by file and line; exit code 1
//     node tools/check-docs.mjs --quick docs/iommu.md     leaves the long ones out; only these documents
//
// A block in ``` whose first line begins with `$ ` is a command (or several) with its output, 80 columns wide. A line that is `…`
// stands for lines left out: what is shown has to be there, in that order. A block that begins with `# NAME.iommu` or
// `# NAME.slab` is a file of that name. The blocks of a document run in their order, in a folder of their own in which `truth`
// is the repository's; a document that needs a file makes it. Seconds are not compared. What needs the network, a browser or
// many minutes (BY_HAND) is not run.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAIN = join(ROOT, 'dist', 'cli', 'main.js');
const COLUMNS = 80;
const BY_HAND = /^(npm|node|git) |slablab open\b/;
/** Those that take a second or more, a recording or a whole workload being read: `--quick` takes the others. */
const LONG = [
  /slablab (compare|iommu recorded)/,
  /slablab iommu( --|$)/,
  /slablab (convert|verify|replay|sweep) (truth\/|boot\.)/,
];
/** The same in every run but for its digits. */
const SECONDS = /\bin \d+(\.\d+)? s\b/g;

const documents = () => [
  'README.md',
  'packages/cli/README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md') && name !== 'api.md')
    .sort()
    .map((name) => `docs/${name}`),
];

/** The blocks of a document: the index of its first line inside, and its lines. */
function blocksOf(lines) {
  const blocks = [];
  let begin;
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith('```')) continue;
    if (begin === undefined) begin = index + 1;
    else {
      blocks.push({ begin, lines: lines.slice(begin, index) });
      begin = undefined;
    }
  }
  return blocks;
}

/** A block of commands as steps: each command as typed, in one or several lines, and what it is said to print. */
function stepsOf({ begin, lines }) {
  const steps = [];
  for (const [index, line] of lines.entries()) {
    const last = steps.at(-1);
    if (line.startsWith('$ ')) steps.push({ at: begin + index, typed: [line], shown: [] });
    else if (last.shown.length === 0 && last.typed.at(-1).endsWith('\\')) last.typed.push(line);
    else last.shown.push(line);
  }
  return steps.map((step) => ({
    ...step,
    command: step.typed
      .join('\n')
      .slice(2)
      .replaceAll(/\\\n\s*/g, ''),
  }));
}

/** A folder in which `slablab` and `npx slablab` are this one. */
function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'slablab-docs-'));
  const bin = join(folder, '.bin');
  mkdirSync(bin);
  symlinkSync(join(ROOT, 'truth'), join(folder, 'truth'));
  writeFileSync(join(bin, 'slablab'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  writeFileSync(join(bin, 'npx'), '#!/bin/sh\nexec "$@"\n');
  for (const name of ['slablab', 'npx']) chmodSync(join(bin, name), 0o755);
  return folder;
}

/** What a shell shows of a command, errors too. */
function runCommand(command, folder) {
  const env = {
    ...process.env,
    COLUMNS: String(COLUMNS),
    PATH: `${join(folder, '.bin')}${delimiter}${process.env.PATH}`,
  };
  delete env.NODE_OPTIONS;
  const { stdout, error } = spawnSync('sh', ['-c', `{ ${command}\n} 2>&1`], {
    cwd: folder,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (error) throw error;
  const lines = stdout.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => line.trimEnd());
}

const isCut = (line) => line.trim() === '…';
const timeless = (line) => line.replaceAll(SECONDS, 'in N s');
const sameLine = (a, b) => timeless(a) === timeless(b);
/** A line without what changes when figures do. */
const shapeOf = (line) => line.replaceAll(/[\d.,]+/g, '0').replaceAll(/[\s─-▟]+/g, ' ');

/** Runs of lines between the `…`. */
function segmentsOf(shown) {
  const segments = [[]];
  for (const line of shown) {
    if (isCut(line)) segments.push([]);
    else segments.at(-1).push(line);
  }
  return segments;
}

/** Where lines stand among others, from an index on; -1 if nowhere. */
function findRun(lines, run, from, same) {
  for (let at = from; at + run.length <= lines.length; at++) {
    if (run.every((line, index) => same(lines[at + index], line))) return at;
  }
  return -1;
}

function agrees(shown, printed) {
  const segments = segmentsOf(shown);
  if (segments.length === 1)
    return shown.length === printed.length && findRun(printed, shown, 0, sameLine) === 0;
  let from = 0;
  for (const [index, segment] of segments.entries()) {
    const at = findRun(printed, segment, from, sameLine);
    if (at < 0 || (index === 0 && at !== 0)) return false;
    from = at + segment.length;
  }
  const last = segments.at(-1);
  return last.length === 0 || findRun(printed, last, printed.length - last.length, sameLine) >= 0;
}

/** What is printed now, cut where it was cut before. Undefined where that place is not to be found any more. */
function cutAsBefore(shown, printed) {
  const written = [];
  const cuts = shown.filter(isCut);
  let from = 0;
  for (const [index, segment] of segmentsOf(shown).entries()) {
    if (index > 0) written.push(cuts[index - 1]);
    if (segment.length === 0) continue;
    const first = index === 0 ? 0 : findLike(printed, segment[0], from);
    if (first < 0) return undefined;
    const isLast = index === cuts.length;
    const found = isLast ? printed.length - 1 : findLike(printed, segment.at(-1), first);
    // A line that broke elsewhere: as many lines as before.
    const last = found < 0 ? Math.min(first + segment.length, printed.length) - 1 : found;
    written.push(...printed.slice(first, last + 1));
    from = last + 1;
  }
  // Who ran it in how many seconds is no news.
  return written.map((line) => shown.find((old) => sameLine(old, line)) ?? line);
}

/** The line itself, or one that differs in its figures, or one that begins with the same words. */
function findLike(lines, line, from) {
  const words = (text) => shapeOf(text).trim().split(' ').slice(0, 2).join(' ');
  for (const like of [(text) => text, shapeOf, words]) {
    const at = lines.findIndex((each, index) => index >= from && like(each) === like(line));
    if (at >= 0) return at;
  }
  return -1;
}

/** Runs a document's blocks. Returns its lines as they should be, and what was found on the way. */
function runDocument(lines, { quick }) {
  const folder = makeFolder();
  const found = { written: [...lines], wrong: [], ran: 0, left: [] };
  const changes = [];
  try {
    for (const block of blocksOf(lines)) {
      const file = /^# ([\w-]+\.(iommu|slab))\b/.exec(block.lines[0] ?? '');
      if (file) writeFileSync(join(folder, file[1]), `${block.lines.join('\n')}\n`);
      if (!block.lines[0]?.startsWith('$ ')) continue;
      for (const step of stepsOf(block)) {
        const { at, typed, command, shown } = step;
        if (BY_HAND.test(command) || (quick && LONG.some((long) => long.test(command)))) {
          found.left.push(command);
          continue;
        }
        const printed = runCommand(command, folder);
        found.ran++;
        if (agrees(shown, printed)) continue;
        const now = cutAsBefore(shown, printed);
        found.wrong.push({ line: at + 1, command, printed, lost: now === undefined });
        if (now !== undefined) changes.push({ at: at + typed.length, count: shown.length, now });
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  for (const { at, count, now } of changes.reverse()) found.written.splice(at, count, ...now);
  return found;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: 'boolean' }, quick: { type: 'boolean' } },
});
let [ran, wrong] = [0, 0];
for (const document of positionals.length > 0 ? positionals : documents()) {
  const path = join(ROOT, document);
  const found = runDocument(readFileSync(path, 'utf8').split('\n'), values);
  ran += found.ran;
  for (const { line, command, printed, lost } of found.wrong) {
    const mended = values.write === true && !lost;
    if (!mended) wrong++;
    process.stdout.write(
      `${document}:${line}: ${mended ? 'written anew' : 'prints something else'}: ${command}\n`,
    );
    if (mended) continue;
    process.stdout.write(`${printed.map((each) => `    ${each}`).join('\n')}\n`);
    if (values.write)
      process.stdout.write('  what the block shows is not there any more: cut it anew by hand\n');
  }
  for (const command of values.quick ? [] : found.left)
    process.stdout.write(`${document}: not run: ${command}\n`);
  if (values.write && found.wrong.length > 0) writeFileSync(path, found.written.join('\n'));
}
process.stdout.write(`${ran} commands run, ${wrong} print something else\n`);
process.exitCode = wrong > 0 ? 1 : 0;
