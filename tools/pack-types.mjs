// Writes a package's declarations beside its JavaScript, from those in dist/:
//
//     node tools/pack-types.mjs
//
// The main entry of package.json is lib/index.js, and was declared in dist/index.d.ts. What its declarations name comes along, and nothing
// else. Doc comments stay above what an entry exports and its members. The theory of a file is for who reads its source.
//
// JavaScript and declarations get a tab where the compiler writes four blanks: that is two hundredths of the packed size.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { exportsOf, meaningOf, namedBy, readDeclarations, wordsOf } from './declarations.mjs';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

/** Where an entry of package.json was declared. */
export function declaredIn(types) {
  return pathToFileURL(join(DIST, types.replace(/^\.\/(?:lib|dist)\//, '')));
}

/** The entries of a package that have declarations: `./lab`, and where that was declared. */
export function entriesOf(manifest) {
  return Object.entries(manifest.exports)
    .filter(([, { types }]) => types !== undefined)
    .map(([path, { types }]) => ({ path, file: declaredIn(types) }));
}

/** Every declaration that is exported, and every one that those name, and so on. */
function reachedFrom(exported) {
  const reached = new Set(exported);
  for (const entry of reached) for (const named of namedBy(entry)) reached.add(named);
  return reached;
}

/** The declarations of one package: text by path from its lib/. Comments stay above what an entry exports. */
export function declarationsOf(manifest) {
  const entries = entriesOf(manifest);
  const commented = new Set(entries.flatMap(({ file }) => [...exportsOf(file).values()]));
  const reached = reachedFrom(commented);
  const files = new Set([...entries, ...reached].map(({ file }) => file.href));
  const texts = new Map();
  for (const href of [...files].sort()) {
    const path = relative(DIST, fileURLToPath(href)).split(sep).join('/');
    texts.set(path, textOf(readDeclarations(new URL(href)), commented, reached));
  }
  return texts;
}

/** Who compiles for an older JavaScript has no `Symbol.dispose`, which Node has from 20 on: the compiler's own library is asked for it. */
const DISPOSABLE = '/// <reference lib="esnext.disposable" />';

/** A name is taken, and passed on, from where it is declared: files that only pass names on are none of the package, but for its entries. */
function textOf({ url, own, taken, passed }, commented, reached) {
  const kept = [...own.values()].filter((entry) => reached.has(entry));
  const statements = kept.map((entry) => {
    const text = entry.texts.join('\n');
    if (!commented.has(entry)) return withoutComments(text);
    return `${entry.comment === '' ? '' : `${entry.doc}\n`}${text}`;
  });
  const used = new Set(kept.flatMap((entry) => [...wordsOf(entry)]));
  const imported = [...taken.keys()]
    .filter((here) => used.has(here))
    .map((here) => [here, meaningOf(url, here)])
    .filter(([, entry]) => entry !== undefined);
  const given =
    passed.length === 0 ? [] : [...exportsOf(url)].filter(([, { file }]) => file.href !== url.href);
  const lines = [
    ...(statements.some((text) => text.includes('[Symbol.dispose]')) ? [DISPOSABLE] : []),
    ...byFile(imported, ({ name }) => name).map(
      ([file, names]) => `import type { ${names} } from '${pathTo(url, file)}';`,
    ),
    ...byFile(given, ({ kind, name }) =>
      kind === 'type' || kind === 'interface' ? `type ${name}` : name,
    ).map(([file, names]) => `export { ${names} } from '${pathTo(url, file)}';`),
    ...statements,
  ];
  // A file without an export would be a script.
  if (!lines.some((line) => /^export /m.test(line))) lines.push('export {};');
  return `${lines.join('\n')}\n`;
}

/** Names by the file that declares each: its name there as `wordOf` says it, and the one that it has here if that is another. */
function byFile(names, wordOf) {
  const files = new Map();
  for (const [here, entry] of names) {
    const words = files.get(entry.file.href) ?? [];
    words.push(entry.name === here ? wordOf(entry) : `${wordOf(entry)} as ${here}`);
    files.set(entry.file.href, words);
  }
  return [...files].map(([file, words]) => [file, words.join(', ')]);
}

function pathTo(from, to) {
  const path = relative(dirname(fileURLToPath(from)), fileURLToPath(to))
    .split(sep)
    .join('/');
  return (path.startsWith('.') ? path : `./${path}`).replace(/\.d\.ts$/, '.js');
}

function withoutComments(text) {
  return text.replace(/^\s*\/\*\*[\s\S]*?\*\/\n/gm, '').replace(/[ \t]*\/\*\*[\s\S]*?\*\//g, '');
}

/**
 * Writes the declarations of the package in a folder beside its JavaScript, and takes away those that were written before and are no
 * longer wanted. Returns how many there are.
 */
export function writeDeclarations(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const lib = join(folder, dirname(manifest.exports['.'].default));
  const texts = declarationsOf(manifest);
  for (const path of readdirSync(lib, { recursive: true, encoding: 'utf8' }))
    if (path.endsWith('.d.ts') && !texts.has(path.split(sep).join('/'))) rmSync(join(lib, path));
  for (const [path, text] of texts) {
    mkdirSync(dirname(join(lib, path)), { recursive: true });
    writeFileSync(join(lib, path), text);
  }
  for (const path of readdirSync(lib, { recursive: true, encoding: 'utf8' }))
    if (/\.(?:js|d\.ts)$/.test(path)) indentWithTabs(join(lib, path));
  return texts.size;
}

function indentWithTabs(file) {
  const text = readFileSync(file, 'utf8');
  // Blanks of a template of several lines are part of it.
  if (text.split('\n').some((line) => (line.match(/`/g) ?? []).length % 2 === 1)) return;
  const tabbed = text.replace(/^(?: {4})+/gm, (blanks) => '\t'.repeat(blanks.length / 4));
  if (tabbed !== text) writeFileSync(file, tabbed);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = writeDeclarations(fileURLToPath(new URL('..', import.meta.url)));
  process.stdout.write(`${files} files of declarations\n`);
}
