// The commands that README.md and docs/*.md show, and the folder in which they run: what check-docs.mjs holds against the documents
// and same-output.mjs against another commit.
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What needs the network, a browser or many minutes. */
export const BY_HAND = /^(npm|node|git) |slablab open\b/;
/** Those that take a second or more, a recording or a whole workload being read: `--quick` takes the others. */
const LONG = [
  /slablab (compare|iommu recorded)/,
  /slablab iommu( --|$)/,
  /slablab (convert|verify|replay|sweep) (truth\/|boot\.)/,
];

/** The same in every run but for its digits. */
const SECONDS = /\bin \d+(\.\d+)? s\b/g;
export const timeless = (text) => text.replaceAll(SECONDS, 'in N s');

export const isLong = (command) => LONG.some((long) => long.test(command));

/** Those of a checkout that show commands, as paths in it. */
export const documentsOf = (root) => [
  'README.md',
  'packages/cli/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md') && name !== 'api.md')
    .sort()
    .map((name) => `docs/${name}`),
];

/** The blocks of a document: the index of its first line inside, and its lines. */
export function blocksOf(lines) {
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
export function stepsOf({ begin, lines }) {
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

/** A block that is a file, not commands: its name and text. */
export function fileOf({ lines }) {
  const [, name] = /^# ([\w-]+\.(iommu|slab))\b/.exec(lines[0] ?? '') ?? [];
  return name && { name, text: `${lines.join('\n')}\n` };
}

export const isOfCommands = ({ lines }) => lines[0]?.startsWith('$ ') === true;

/** Makes a folder one in which `slablab` and `npx slablab` are the program at a path, and `truth` is a checkout's. */
export function fillFolder(folder, { main, truth }) {
  const bin = join(folder, '.bin');
  mkdirSync(bin);
  symlinkSync(truth, join(folder, 'truth'));
  writeFileSync(join(bin, 'slablab'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  writeFileSync(join(bin, 'npx'), '#!/bin/sh\nexec "$@"\n');
  for (const name of ['slablab', 'npx']) chmodSync(join(bin, name), 0o755);
}

/** What a shell in such a folder is given: nothing of this process that changes what is printed but what it is told. */
export function environmentOf(folder, columns) {
  const env = {
    ...process.env,
    COLUMNS: String(columns),
    PATH: `${join(folder, '.bin')}${delimiter}${process.env.PATH}`,
  };
  delete env.NODE_OPTIONS;
  return env;
}
