// Reads the declarations that TypeScript writes. They are regular enough to be read by lines: a statement begins at a line's start and
// ends where its brackets are closed; above it stands its comment.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What a file of declarations holds: its own names, what it passes on from other files, and what it takes from them. */
const files = new Map();

/** A file's statements by name, exported or not; each of them once, however often it is asked for. */
export function readDeclarations(url) {
  const known = files.get(url.href);
  if (known !== undefined) return known;
  const file = { url, names: new Map(), own: new Map(), passed: [], taken: new Map() };
  files.set(url.href, file);
  for (const statement of statementsOf(readFileSync(url, 'utf8'))) readStatement(file, statement);
  return file;
}

const PASSED = /^export (?:type )?(\*|\{[\s\S]*\}) from '(.*)';$/;
const TAKEN = /^import (?:type )?(\{[\s\S]*\}) from '(.*)';$/;
const DECLARED =
  /^(export )?(?:declare )?(?:abstract )?(function|const|class|interface|type|enum|let) ([\w$]+)/;

function readStatement(file, { comment, text }) {
  const there = (from) => new URL(from.replace(/\.js$/, '.d.ts'), file.url);
  const passed = PASSED.exec(text);
  if (passed) {
    const [, what, from] = passed;
    file.passed.push({ from: there(from), names: what === '*' ? null : namesIn(what) });
    return;
  }
  const taken = TAKEN.exec(text);
  if (taken) {
    const [, what, from] = taken;
    for (const [name, here] of namesIn(what)) file.taken.set(here, { from: there(from), name });
    return;
  }
  const declared = DECLARED.exec(text);
  if (declared === null) {
    if (text === 'export {};') return;
    throw new Error(`${fileURLToPath(file.url)}: a statement of no known form: ${text.slice(0, 80)}`);
  }
  const [, exported, kind, name] = declared;
  const entry = file.own.get(name) ?? { name, kind, file: file.url, comment: '', texts: [] };
  // A type and a value may share a name, and a function may have several signatures.
  if (entry.comment === '') {
    entry.doc = comment;
    entry.comment = docOf(comment);
  }
  entry.texts.push(withoutInternals(text));
  if (kind !== 'type' && kind !== 'interface') entry.kind = kind;
  file.own.set(name, entry);
  if (exported) file.names.set(name, entry);
}

/** A class without what only its own room calls: the members that are marked as internal. */
function withoutInternals(text) {
  return text.replace(
    /^ {4}\/\*\*(?:(?!\*\/)[\s\S])*@internal(?:(?!\*\/)[\s\S])*\*\/\n( {4}.*\n)/gm,
    (_, member) => (member.startsWith('    constructor(') ? '    private constructor();\n' : ''),
  );
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

/** Statements of a file, each with the comment right above it, as they stand. */
export function* statementsOf(source) {
  const lines = source.split('\n');
  let comment = '';
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at];
    if (line.trim() === '' || line.startsWith('//')) continue;
    const from = at;
    if (line.startsWith('/*')) {
      while (!lines[at].includes('*/')) at++;
      comment = lines.slice(from, at + 1).join('\n');
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

/** What a doc comment says. The theory of a file, which has headings, is no comment of the name that happens to come first. */
export function docOf(comment) {
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
export function exportsOf(url) {
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

/** What `name` means in a file of declarations: one of its own, or one that it imports; undefined for what is not ours. */
export function meaningOf(url, name) {
  const { own, taken } = readDeclarations(url);
  const mine = own.get(name);
  if (mine !== undefined) return mine;
  const there = taken.get(name);
  if (there === undefined) return undefined;
  return exportsOf(there.from).get(there.name);
}

/** The words of an entry's signatures that can be names of types: not what is between quotes, in comments, or the name of a member. */
export function wordsOf({ texts }, values = true) {
  const code = texts
    .join('\n')
    .replace(/\/\*[\s\S]*?\*\//g, ' ')
    .replace(/'(?:\\.|[^'\\\n])*'/g, "''")
    .replaceAll('...', ' ')
    .replace(values ? /^$/ : /\btypeof \w+/g, ' ')
    .replace(/(?<!\? )\b[\w$]+(?=\??\s*:)/g, ' ')
    .replace(/\.\s*[\w$]+/g, ' ');
  return new Set(code.match(/[A-Za-z_$][\w$]*/g));
}

/** The declarations that the signatures of an entry name; also the values whose type one is, unless `values` is false. */
export function namedBy(entry, values = true) {
  return [...wordsOf(entry, values)]
    .filter((word) => word !== entry.name)
    .map((word) => meaningOf(entry.file, word))
    .filter((named) => named !== undefined);
}
