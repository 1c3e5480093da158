// Writes docs/api.md, the reference of everything that the package exports, from the declarations in dist/:
//
//     npm run api                          builds, then writes it
//     node tools/api.mjs --check [FILE]    compares it with what is there; 1 if they differ
//
// A name's entry is what its source says above it, and its declaration. The main entry comes first, by room; then, for each entry of its
// own in package.json, what that has beyond the main one. Declarations as TypeScript 7 writes them are regular enough to be read by
// lines: a statement begins at a line's start and ends where its brackets are closed; above it stands its comment.
import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = new URL('..', import.meta.url);
const OUTPUT = new URL('docs/api.md', ROOT);
const LINE = 120;
/** The rooms that a caller looks for first. */
const FIRST = ['slab', 'machine', 'base', 'pools', 'iommu', 'lab', 'text'];

// ---- declarations ----------------------------------------------------------------------------------------------------------

/** What a file of declarations holds: its own names, and what it passes on from other files. */
const files = new Map();

function readDeclarations(url) {
  const known = files.get(url.href);
  if (known !== undefined) return known;
  const file = { names: new Map(), passed: [] };
  files.set(url.href, file);
  for (const { comment, text } of statementsOf(readFileSync(url, 'utf8'))) {
    const passed = /^export (?:type )?(\*|\{[\s\S]*\}) from '(.*)';$/.exec(text);
    if (passed) {
      const [, what, from] = passed;
      file.passed.push({
        from: new URL(from.replace(/\.js$/, '.d.ts'), url),
        names: what === '*' ? null : namesIn(what),
      });
      continue;
    }
    const declared =
      /^export (?:declare )?(?:abstract )?(function|const|class|interface|type|enum|let) (\w+)/.exec(text);
    if (declared === null) {
      if (!/^(?:import|export \{\};|declare |interface |type )/.test(text))
        throw new Error(`${fileURLToPath(url)}: a statement of no known form: ${text.slice(0, 80)}`);
      continue;
    }
    const [, kind, name] = declared;
    const entry = file.names.get(name) ?? { name, kind, file: url, comment: '', texts: [] };
    // A type and a value may share a name, and a function may have several signatures.
    entry.comment ||= comment;
    entry.texts.push(text);
    if (kind !== 'type' && kind !== 'interface') entry.kind = kind;
    file.names.set(name, entry);
  }
  return file;
}

/** `{ a, type B as C }` as pairs: the name there, and the name here. */
function namesIn(braces) {
  return braces
    .slice(1, -1)
    .split(',')
    .map((each) => each.trim().replace(/^type /, ''))
    .filter((each) => each !== '')
    .map((each) => {
      const [there, here = there] = each.split(' as ');
      return [there, here];
    });
}

/** Statements of a file, each with the comment right above it. */
function* statementsOf(source) {
  const lines = source.split('\n');
  let comment = '';
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at];
    if (line.trim() === '' || line.startsWith('//')) continue;
    const from = at;
    if (line.startsWith('/*')) {
      while (!lines[at].includes('*/')) at++;
      comment = textOf(lines.slice(from, at + 1).join('\n'));
      continue;
    }
    let depth = 0;
    for (; ; at++) {
      const code = lines[at]
        .replace(/'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`|\/\/.*|\/\*.*?\*\//g, '')
        .replace(/^\s*(?:\/\*)?\*.*/, '')
        .replace(/\/\*.*/, '');
      depth += (code.match(/[{([]/g) ?? []).length - (code.match(/[})\]]/g) ?? []).length;
      if (depth === 0 && /[;}]$/.test(code.trimEnd()) && !goesOn(lines, at + 1)) break;
      if (at + 1 === lines.length) throw new Error(`a statement has no end: ${lines[from]}`);
    }
    yield { comment, text: lines.slice(from, at + 1).join('\n') };
    comment = '';
  }
}

/** Whether a union goes on behind the closing brace of one of its parts, perhaps behind a comment. */
function goesOn(lines, from) {
  let at = from;
  while (at < lines.length && /^\s*(?:\/\*|\*|$)/.test(lines[at])) at++;
  return /^\s+[|&]/.test(lines[at] ?? '');
}

/** What a doc comment says. The theory of a file is no comment of the name that happens to come first. */
function textOf(comment) {
  if (!comment.startsWith('/**')) return '';
  const text = comment
    .replace(/^\/\*\*\s?/, '')
    .replace(/\s*\*\/$/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .trim();
  return /^#+ /m.test(text) ? '' : text;
}

/** All names that an entry exports, in the order of its files. */
function exportsOf(url) {
  const { names, passed } = readDeclarations(url);
  const found = new Map(names);
  for (const { from, names: wanted } of passed) {
    const all = exportsOf(from);
    if (wanted === null) for (const [name, entry] of all) found.set(name, entry);
    else
      for (const [there, here] of wanted) {
        if (!all.has(there)) throw new Error(`${from.pathname} does not export ${there}`);
        found.set(here, all.get(there));
      }
  }
  return found;
}

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

function reference() {
  const manifest = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));
  const [main, ...others] = Object.entries(manifest.exports)
    .filter(([, { types }]) => types !== undefined)
    .map(([path, { types }]) => ({
      name: path.replace(/^\./, manifest.name),
      names: exportsOf(new URL(types, ROOT)),
    }));
  const sections = [];
  for (const entry of main.names.entries()) {
    const room = roomOf(entry[1]);
    let section = sections.find(({ title }) => title.endsWith(` ${room}`));
    if (section === undefined) {
      section = { title: `From ${room}`, entries: [] };
      sections.push(section);
    }
    section.entries.push(entry);
  }
  const place = ({ title }) => FIRST.indexOf(title.replace('From ', ''));
  sections.sort((a, b) => place(a) - place(b));
  const shown = new Set(main.names.values());
  for (const { name, names } of others) {
    const entries = [...names].filter(([, entry]) => !shown.has(entry));
    if (entries.length > 0) sections.push({ title: name, entries });
    for (const [, entry] of entries) shown.add(entry);
  }
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
    `\`import { … } from '${manifest.name}'\` has what stands under "From …". Each other heading is an entry of its own, such as`,
    `\`${others[0].name}\`, with what it has beyond that. Classes and functions:`,
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
