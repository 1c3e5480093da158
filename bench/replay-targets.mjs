// What reading and replaying traces should reach, in one table: each figure is a ratio, or a rate, within one run.
//
//     npm run bench:replay                     a few minutes; an idle machine gives steadier figures
//     npm run bench:replay -- --json FILE      also as {targets: [{name, ratio, limit, held}], missing: […]}
//     npm run bench:replay -- --rounds 3       quicker
//
// It runs three benchmarks, each of which says at its head what it compares with what: trace-text.mjs, pointer-table.mjs, replay.mjs. Exit
// code 1 if a target is not held.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { json: { type: 'string' }, rounds: { type: 'string' } },
});
const rounds = values.rounds === undefined ? [] : ['--rounds', values.rounds];

function run(name) {
  if (process.stderr.isTTY) process.stderr.write(`${name} …`);
  const script = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--json', ...rounds], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  if (status !== 0) throw new Error(`${name} ended with ${status}\n${stderr}`);
  return JSON.parse(stdout);
}

/** Times as fast as each of what people would write instead: the geometric mean over the traces, as no trace is like another. */
function textTargets({ results }) {
  const judged = results.flatMap(({ rows }) => rows.filter(({ target }) => target !== undefined));
  return [...new Set(judged.map(({ name }) => name))].map((name) => {
    const rows = judged.filter((row) => row.name === name);
    const ratio = Math.exp(rows.reduce((sum, { times }) => sum + Math.log(times), 0) / rows.length);
    const [{ target }] = rows;
    return {
      name: `reader against ${name}, times as fast, geometric mean of ${rows.length} traces`,
      ratio,
      limit: target,
      held: ratio >= target,
      each: rows.map(({ times }) => times),
    };
  });
}

const text = run('trace-text');
const targets = [...textTargets(text), ...run('pointer-table').targets, ...run('replay').targets];
const missing = text.missing ?? [];

const width = Math.max(...targets.map(({ name }) => name.length));
console.log(`${' '.repeat(width)}      found  limit`);
for (const { name, ratio, limit, held, each = [] } of targets) {
  const sign = held ? ' ' : '✗';
  // A limit of a share is from above, all others are from below.
  const bound = `${limit < 0.5 ? '≤' : '≥'} ${limit}`;
  const parts = each.length > 1 ? `   (${each.map((one) => one.toFixed(2)).join(', ')})` : '';
  console.log(
    `${sign} ${name.padEnd(width)} ${ratio.toFixed(3).padStart(9)}  ${bound.padEnd(5)}${parts}`.trimEnd(),
  );
}
for (const name of missing) console.log(`  not compared with ${name}: it is not installed`);
const failed = targets.filter(({ held }) => !held).length;
console.log(`${targets.length - failed} held, ${failed} not`);
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ targets, missing }, null, 2)}\n`);
process.exitCode = failed > 0 ? 1 : 0;
