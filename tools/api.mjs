// Writes docs/api.md, the reference of everything that the packages export, from the declarations in dist/:
//
//     npm run api                          builds, then writes it
//     node tools/api.mjs --check [FILE]    compares it with what is there; 1 if they differ
//
// A name's entry is what its source says above it, and its declaration. The library comes first, by room; then, for each entry of the
// commands' package, what that has beyond those before it.
import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { exportsOf } from './declarations.mjs';
import { entriesOf } from './pack-types.mjs';

const ROOT = new URL('..', import.meta.url);
const OUTPUT = new URL('docs/api.md', ROOT);
const LINE = 120;
/** The rooms that a caller looks for first. */
const FIRST = ['slab', 'machine', 'base', 'pools', 'iommu', 'lab', 'text', 'trace'];

// ---- the page ----------------------------------------------------------------------------------------------------------------

const roomOf = ({ file }) =>
  relative(fileURLToPath(new URL('dist/', ROOT)), fileURLToPath(file)).split(/[\\/]/)[0];

/** A declaration as somebody who calls it wants to see it. */
function signatureOf({ texts }) {
  return texts
    .map((text) =>
      text
        .replace(/^export (?:declare )?/gm, '')
        .replace(/^ {4}(?:#private;|private .*;)\n/gm, '')
        .replace(/^( {4})+/gm, (indent) => ' '.repeat(indent.length / 2)),
    )
    .join('\n');
}

function byName(a, b) {
  return a[0].toLowerCase() < b[0].toLowerCase() ? -1 : 1;
}

/** Entries with headings; constants that need no words, such as offsets in the ledger, in one list. */
function pageOf(entries) {
  const plain = entries.filter(
    ([, { kind, comment, texts }]) => kind === 'const' && comment === '' && texts.join('').length < LINE,
  );
  const told = entries.filter((entry) => !plain.includes(entry)).sort(byName);
  const parts = told.map(([name, entry]) => {
    const words = entry.comment === '' ? '' : `${entry.comment}\n\n`;
    return `#### ${name}\n\n${words}\`\`\`ts\n${signatureOf(entry)}\n\`\`\`\n`;
  });
  if (plain.length > 0) {
    const lines = plain.sort(byName).map(([, entry]) => signatureOf(entry));
    parts.push(`#### More constants\n\n\`\`\`ts\n${lines.join('\n')}\n\`\`\`\n`);
  }
  return parts.join('\n');
}

/** Where a name is explained, as GitHub makes anchors. */
const anchor = (title) =>
  title
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');

/** The entries of a package, each with its names. */
function namesOfPackage(path) {
  const manifest = JSON.parse(readFileSync(new URL(path, ROOT), 'utf8'));
  return entriesOf(manifest).map(({ path, file }) => ({
    name: path.replace(/^\./, manifest.name),
    names: exportsOf(file),
  }));
}

/** Names by room, each room a section. */
function byRoom(names, titleOf) {
  const sections = [];
  for (const entry of names) {
    const title = titleOf(roomOf(entry[1]));
    let section = sections.find((each) => each.title === title);
    if (section === undefined) {
      section = { title, entries: [] };
      sections.push(section);
    }
    section.entries.push(entry);
  }
  const place = ({ entries }) => FIRST.indexOf(roomOf(entries[0][1]));
  return sections.sort((a, b) => place(a) - place(b));
}

function reference() {
  const [main] = namesOfPackage('package.json');
  const [cli, ...rooms] = namesOfPackage('packages/cli/package.json');
  const shown = new Set(main.names.values());
  const beyond = ({ names }) => {
    const entries = [...names].filter(([, entry]) => !shown.has(entry));
    for (const [, entry] of entries) shown.add(entry);
    return entries;
  };
  const alone = (entry) => ({ title: entry.name, entries: beyond(entry) });
  const sections = [
    ...byRoom(main.names, (room) => `From ${room}`),
    ...byRoom(beyond(cli), (room) => `${cli.name}: from ${room}`),
    ...rooms.map(alone),
  ].filter(({ entries }) => entries.length > 0);
  const contents = sections.map(({ title, entries }) => {
    const words = entries
      .filter(([, { kind }]) => kind === 'function' || kind === 'class')
      .map(([name]) => name);
    const some =
      words.length > 0
        ? `: ${words
            .sort()
            .map((word) => `[${word}](#${anchor(word)})`)
            .join(', ')}`
        : '';
    return `- [${title}](#${anchor(title)})${some}`;
  });
  return [
    '# API reference',
    '',
    'Made from the declarations by `npm run api`; do not edit. How the parts play together: [library.md](library.md) and',
    '[workers.md](workers.md) for programs, [design.md](design.md) for the rooms that names come from.',
    '',
    `\`import { … } from '${main.name}'\` has what stands under "From …". Other headings are entries of their own, such as`,
    `\`${rooms.at(-1).name}\`, with what they have beyond that. \`${cli.name}\` has all of it, and what stands under its name. Classes and`,
    'functions:',
    '',
    ...contents,
    '',
    ...sections.map(({ title, entries }) => `## ${title}\n\n${pageOf(entries)}`),
  ].join('\n');
}

const [flag, path] = process.argv.slice(2);
if (flag !== undefined && flag !== '--check') {
  process.stderr.write('usage: node tools/api.mjs [--check [FILE]]\n');
  process.exit(2);
}
const text = reference();
if (flag === undefined) writeFileSync(OUTPUT, text);
else {
  const there = readFileSync(path === undefined ? OUTPUT : pathToFileURL(path), 'utf8').split('\n');
  const lines = text.split('\n');
  const at = lines.findIndex((line, i) => line !== there[i]);
  if (at >= 0 || there.length !== lines.length) {
    const line = at < 0 ? lines.length : at;
    process.stderr.write(
      `${path ?? 'docs/api.md'}:${line + 1}: the declarations say '${lines[line] ?? ''}', here stands ` +
        `'${there[line] ?? ''}': run \`npm run api\`\n`,
    );
    process.exitCode = 1;
  }
}
