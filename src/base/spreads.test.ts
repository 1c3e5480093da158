/**
 * No list is spread into a call's arguments: each of them lies on the stack, which has room for some 100,000, and a machine has millions of
 * objects. `pushAll`, `largestOf` and `smallestOf` (arrays.ts) take lists of any length.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, isTest, lineAt, readSources, type Source } from './sources.case.test.js';

/** Spreads that are short whatever the input, by their file and a part of their line, each with the reason. */
const BOUNDED: ReadonlyMap<string, string> = new Map([
  ['lab/verify/seq.ts: expect(...difference)', 'three words'],
  ['trace/text/ftrace.ts: String.fromCharCode(...', 'the first 200 bytes of a line'],
  ['trace/file/name-sites.ts: trace.chunks(...asked)', 'the columns that are asked for'],
  ['trace/binary/perf-data.ts: String.fromCharCode(...', 'the 8 bytes of the magic number'],
  ['trace/binary/trace-dat.ts: String.fromCharCode(...', 'the 10 bytes of the magic number'],
  ['web/views/learn/story.ts: ...drainedWords(n)', 'at most one sentence'],
  ['web/views/memory/slab.tsx: context.', 'a point'],
  ['web/worker/inflate.ts: ...codesOf(bits)', 'two codes'],
]);

/** Words in front of a bracket that is no call's. */
const NO_CALL = /\b(?:if|for|while|switch|catch|function|return|typeof|in|of|await|yield)$/;

/** `push(...all)`, `Math.max(0, ...all)` and `call.apply(x, all)`; not `[...all]`, `{ ...all }` or `(...rest: T[]) =>`. */
function checkSpreads(sources: readonly Source[], bounded: ReadonlyMap<string, string>): string[] {
  const findings: string[] = [];
  const unused = new Set(bounded.keys());
  for (const { path, text } of sources) {
    if (isTest(path)) continue;
    const code = codeOf(text);
    const found = (at: number) => {
      const line = text.slice(code.lastIndexOf('\n', at) + 1, text.indexOf('\n', at));
      const allowed = [...bounded.keys()].find((each) => isPart(each, path, line));
      if (allowed === undefined)
        findings.push(
          `${path}:${lineAt(text, at)}: a list is spread into a call: use pushAll, largestOf, smallestOf`,
        );
      else unused.delete(allowed);
    };
    const open: { readonly call: boolean; readonly spreads: number[] }[] = [];
    for (let i = 0; i < code.length; i++) {
      const sign = code[i]!;
      if ('([{'.includes(sign)) {
        const before = code.slice(Math.max(0, i - 60), i).trimEnd();
        open.push({ call: sign === '(' && /[\w$\])>]$/.test(before) && !NO_CALL.test(before), spreads: [] });
      } else if (')]}'.includes(sign)) {
        const closed = open.pop();
        // Parameters of a function.
        if (!/^\s*(?:=>|\{)/.test(code.slice(i + 1, i + 40))) closed?.spreads.forEach(found);
      } else if (code.startsWith('...', i)) {
        const isRest = /^\.\.\.\w+\s*\??:/.test(code.slice(i, i + 60));
        if (open.at(-1)?.call && !isRest) open.at(-1)!.spreads.push(i);
        i += 2;
      }
    }
    for (const match of code.matchAll(/\.apply\(/g)) found(match.index);
    // What stands in a template is blanked above.
    for (const match of text.matchAll(/\$\{[^}`]*\w\(\s*\.\.\./g)) found(match.index);
  }
  return [...findings, ...[...unused].map((key) => `${key}: is not there any more: take it out of BOUNDED`)];
}

/** Whether an entry of BOUNDED, `path: part of a line`, is about this line. */
function isPart(entry: string, path: string, line: string): boolean {
  return entry.startsWith(`${path}: `) && line.includes(entry.slice(path.length + 2));
}

test('no list is spread into the arguments of a call', () => {
  assert.deepEqual(checkSpreads(readSources(), BOUNDED), []);
});

test('a list that is spread into a call is found', () => {
  const lines = [
    'objects.splice(0, objects.length, ...left);',
    'const most = Math.max(',
    '  1,',
    '  ...values.map((each) => [...each].length),',
    ');',
    'f.apply(undefined, values);',
    ['const text = `$', '{Math.min(...values)}`;'].join(''),
    'const fine = [...left, f({ ...left }), (...rest: number[]) => [...rest]];',
    'const when = (some: boolean, ...more: string[]): string[] => more;',
    'run((...all) => all.length);',
    'magic(...bytes);',
  ];
  const planted = { path: 'lab/a.ts', text: `${lines.join('\n')}\n` };
  const bounded = new Map([['lab/a.ts: magic(...bytes', 'four of them']]);
  assert.deepEqual(
    checkSpreads([planted], bounded).map((finding) => finding.slice(0, 10)),
    ['lab/a.ts:1', 'lab/a.ts:4', 'lab/a.ts:6', 'lab/a.ts:7'],
  );
  assert.match(checkSpreads([], bounded).join(), /take it out of BOUNDED/);
});
