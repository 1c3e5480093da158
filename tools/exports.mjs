// What must hold of the names that the packages export, from the declarations in dist/:
//
//     node tools/exports.mjs       says what does not hold; 1 if anything does not
//
//   1. a type that an exported signature names is exported too, by the same package;
//   2. each has a doc comment. A constant may share that of the constants above it whose names begin alike (`C_SIZE`, `C_ALIGN`).
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportsOf, namedBy, readDeclarations } from './declarations.mjs';
import { entriesOf } from './pack-types.mjs';

const ROOT = new URL('..', import.meta.url);
const PACKAGES = ['package.json', 'packages/cli/package.json'];

function placeOf({ file, name }) {
  return `${relative(fileURLToPath(ROOT), fileURLToPath(file)).replace(/^dist(.*)\.d\.ts$/, 'src$1.ts')}: ${name}`;
}

/** Types that the signatures of `names` name, and that `exported` lacks. */
export function unexported(names, exported) {
  const findings = [];
  for (const entry of names)
    for (const named of namedBy(entry, false))
      if (!exported.has(named)) findings.push(`${placeOf(named)} is named by ${entry.name} and not exported`);
  return findings;
}

/** Names without a doc comment of their own, or of a row of constants. */
export function undocumented(names) {
  const findings = [];
  for (const entry of names) {
    if (entry.comment !== '' || sharesComment(entry)) continue;
    findings.push(`${placeOf(entry)} has no doc comment`);
  }
  return findings;
}

function sharesComment(entry) {
  const prefixOf = ({ kind, name }) => (kind === 'const' ? /^[A-Z]+_/.exec(name)?.[0] : undefined);
  const prefix = prefixOf(entry);
  if (prefix === undefined) return false;
  const all = [...readDeclarations(entry.file).own.values()];
  const above = all.slice(0, all.indexOf(entry)).reverse();
  const first = above.find((each) => prefixOf(each) !== prefix || each.comment !== '');
  return first !== undefined && prefixOf(first) === prefix;
}

/** All that does not hold. */
export function findings() {
  const found = new Set();
  for (const path of PACKAGES) {
    const entries = entriesOf(JSON.parse(readFileSync(new URL(path, ROOT), 'utf8')));
    const all = new Set(entries.flatMap(({ file }) => [...exportsOf(file).values()]));
    for (const finding of [...unexported(all, all), ...undocumented(all)]) found.add(finding);
  }
  return [...found].sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = findings();
  for (const finding of found) process.stdout.write(`${finding}\n`);
  process.exitCode = found.length > 0 ? 1 : 0;
}
