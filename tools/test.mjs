// Runs the compiled tests, two files at a time, and closes with one line: `N passed, N failed`.
//
//     node tools/test.mjs                     every test
//     node tools/test.mjs slab/ tidy          files whose path holds one of these
//     node tools/test.mjs --grep 'double free'   tests whose name matches the pattern (a regular expression)
//
//     TEST_RUNS=10 node tools/test.mjs slab/      properties that take long (src/base/runs.case.test.ts) ten times as often
//
// A file that passes is one line. Failures come with their full error, and with what the file printed. A compiled test whose
// source is gone is left out; a source that was not compiled fails, because it would otherwise never run. `*.case.test.ts` are
// suites that other tests import: they are not run by themselves.
import { existsSync, readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { run } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect, parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FILES_AT_A_TIME = 2;
const FILE_TIMEOUT_MS = 10 * 60_000;
/** How Node 20 marks the tests that `testNamePatterns` passes over. */
const NOT_MATCHED = 'test name does not match pattern';

const colour = process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const paint = (code) => (text) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
const [red, green, yellow, dim] = [paint(31), paint(32), paint(33), paint(2)];
const say = (text) => process.stdout.write(`${text}\n`);

/** Paths below a folder, relative to the repository's root, with `/`. */
function filesBelow(folder) {
  const top = join(ROOT, folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.path, entry.name)).split(sep).join('/'))
    .sort();
}

/** `dist/slab/slub/slub.test.js` is compiled from `src/slab/slub/slub.test.ts`, `dist/truth/x.test.js` from `truth/x.test.ts`. */
function compiledPath(source) {
  return source
    .replace(/^src\//, 'dist/')
    .replace(/^truth\//, 'dist/truth/')
    .replace(/\.tsx?$/, '.js');
}

/** The tests to run, by source. */
function findTests(filters) {
  const sources = [
    ...filesBelow('src'),
    ...filesBelow('truth').filter((path) => path.split('/').length === 2),
  ];
  return sources
    .filter((path) => /\.test\.tsx?$/.test(path) && !/\.case\.test\.tsx?$/.test(path))
    .map((source) => ({ source, compiled: compiledPath(source) }))
    .filter(
      ({ source, compiled }) =>
        filters.length === 0 ||
        filters.some((filter) => source.includes(filter) || compiled.includes(filter)),
    );
}

/** Runs one file: its leaf tests counted, its failures kept. */
async function runFile({ source, compiled }, patterns) {
  const began = performance.now();
  const result = { source, passed: 0, failed: 0, skipped: 0, failures: [], output: [], seconds: 0 };
  const path = join(ROOT, compiled);
  if (!existsSync(path)) {
    result.failed = 1;
    result.failures.push({
      name: 'not compiled',
      error: `${compiled} does not exist: run \`npx tsc -b\` first`,
    });
    return result;
  }
  const events = run({
    files: [path],
    concurrency: 1,
    timeout: FILE_TIMEOUT_MS,
    ...(patterns.length > 0 ? { testNamePatterns: patterns } : {}),
  });
  // Names of the tests that are open, by nesting, and whether a test was reported below each nesting: a parent is no leaf.
  const names = [];
  const hasChildren = [];
  let seen = 0;
  let lastBegun = '';
  for await (const { type, data } of events) {
    if (type === 'test:stdout' || type === 'test:stderr') result.output.push(data.message);
    if (type === 'test:dequeue' && data.name !== path) lastBegun = data.name;
    if (type === 'test:start') {
      names.length = data.nesting;
      names[data.nesting] = data.name;
    }
    if (type === 'test:diagnostic' && /asynchronous activity after the test ended/.test(data.message)) {
      result.failed++;
      result.failures.push({ name: 'after the tests', error: data.message });
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const parent = hasChildren[data.nesting + 1] === true;
    hasChildren[data.nesting + 1] = false;
    hasChildren[data.nesting] = true;
    if (data.nesting === 0 && data.name === path) {
      // The file itself: it ends here when it holds no test, and when its process failed.
      const where = lastBegun === '' ? 'the file itself' : `the file itself, in or after '${lastBegun}'`;
      if (type === 'test:fail') fail(result, where, data.details.error);
      continue;
    }
    seen++;
    if (data.skip === NOT_MATCHED) continue;
    if (type === 'test:fail' && data.todo === undefined) {
      names.length = data.nesting + 1;
      if (!parent || data.details.error.failureType !== 'subtestsFailed') {
        fail(result, names.join(' > '), data.details.error);
      }
    } else if (!parent && (data.details.type !== 'suite' || data.skip !== undefined)) {
      if (data.skip !== undefined || data.todo !== undefined) result.skipped++;
      else result.passed++;
    }
  }
  if (seen === 0 && result.failed === 0) {
    result.failed = 1;
    result.failures.push({ name: 'no test', error: `${source} holds no test` });
  }
  result.seconds = (performance.now() - began) / 1000;
  return result;
}

function fail(result, name, error) {
  result.failed++;
  result.failures.push({ name, error: describeError(error) });
}

/** The error as its test threw it, without Node's own frames, with paths from the repository's root. */
function describeError(error) {
  const thrown = error?.cause ?? error;
  const code = error?.exitCode === undefined ? '' : ` (exit code ${error.exitCode}, signal ${error.signal})`;
  if (typeof thrown === 'string') return `${thrown}${code}`;
  // An assertion's stack holds its difference already; other errors may carry a cause and fields of their own.
  const assertion = thrown?.code === 'ERR_ASSERTION' && typeof thrown.stack === 'string';
  const text = assertion ? thrown.stack : inspect(thrown, { colors: colour, depth: 6 });
  return text
    .split('\n')
    .filter((line) => !/^\s+at .*\(?node:/.test(line))
    .join('\n')
    .replaceAll(pathToFileURL(ROOT).href, '')
    .replaceAll(ROOT, '');
}

function indent(text, by) {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `${by}${line}`)
    .join('\n');
}

function report(result, showOutput) {
  const { source, passed, failed, skipped, failures, output, seconds } = result;
  const count = passed + failed + skipped;
  if (count === 0) return;
  const tests = `${count} test${count === 1 ? '' : 's'}`;
  const parts = [
    tests,
    ...(failed > 0 ? [red(`${failed} failed`)] : []),
    ...(skipped > 0 ? [yellow(`${skipped} skipped`)] : []),
  ];
  say(
    `${failed > 0 ? red('✗') : green('✓')} ${source}  ${parts.join(', ')}  ${dim(`${seconds.toFixed(2)} s`)}`,
  );
  for (const { name, error } of failures) {
    say(`\n  ${red('✗')} ${name}\n${indent(error, '      ')}`);
  }
  if (failures.length > 0) say('');
  const printed = output.join('').trimEnd();
  if (printed !== '' && (failed > 0 || showOutput)) say(`${dim('  printed:')}\n${indent(printed, '  | ')}\n`);
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { grep: { type: 'string', multiple: true, default: [] } },
    });
    for (const pattern of values.grep) new RegExp(pattern);
    return { filters: positionals, patterns: values.grep };
  } catch (error) {
    process.stderr.write(`${error.message}\nusage: node tools/test.mjs [part of a path]... [--grep NAME]\n`);
    process.exit(2);
  }
}

const { filters, patterns } = readArguments();
// Frames of failures then name the lines of the TypeScript source.
process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --enable-source-maps`.trim();
const waiting = findTests(filters);
const results = [];
async function work() {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const result = await runFile(next, patterns);
    results.push(result);
    report(result, filters.length > 0 || patterns.length > 0);
  }
}
await Promise.all(Array.from({ length: FILES_AT_A_TIME }, work));

const total = (key) => results.reduce((sum, result) => sum + result[key], 0);
const [passed, failed, skipped] = [total('passed'), total('failed'), total('skipped')];
if (failed > 0) {
  say('\nfailed:');
  for (const { source, failures } of results) for (const { name } of failures) say(`  ${source}: ${name}`);
}
if (passed + failed === 0) {
  const asked = [...filters, ...patterns.map((pattern) => `--grep ${pattern}`)].join(' ');
  say(red(`no test ran${asked === '' ? '' : `: nothing matches ${asked}`}`));
}
say(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
