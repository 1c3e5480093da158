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
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAIN = join(ROOT, 'dist', 'cli', 'main.js');
const COLUMNS = 80;

/** What a shell shows of a command, errors too. */
function runCommand(command, folder) {
  const { stdout, error } = spawnSync('sh', ['-c', `{ ${command}\n} 2>&1`], {
    cwd: folder,
    env: environmentOf(folder, COLUMNS),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (error) throw error;
  const lines = stdout.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => line.trimEnd());
}

const isCut = (line) => line.trim() === '…';
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
  const folder = mkdtempSync(join(tmpdir(), 'slablab-docs-'));
  const found = { written: [...lines], wrong: [], ran: 0, left: [] };
  const changes = [];
  try {
    fillFolder(folder, { main: MAIN, truth: join(ROOT, 'truth') });
    for (const block of blocksOf(lines)) {
      const file = fileOf(block);
      if (file) writeFileSync(join(folder, file.name), file.text);
      if (!isOfCommands(block)) continue;
      for (const step of stepsOf(block)) {
        const { at, typed, command, shown } = step;
        if (BY_HAND.test(command) || (quick && isLong(command))) {
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
for (const document of positionals.length > 0 ? positionals : documentsOf(ROOT)) {
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
