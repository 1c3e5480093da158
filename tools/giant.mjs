// Every command on a made-up machine that is larger than any recording (src/node/giant.case.test.ts): seconds and memory of each.
//
//     npm run giant                              50 million objects, 3,000 caches, 1,024 CPUs, 100,000 functions, 2 million events
//     npm run giant -- --objects 5000000         smaller
//     npm run giant -- --keep /tmp/giant         the files stay there
//
// Closes with a line a command; exits with 1 if one failed or took more than 4 GiB.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeGiant } from '../dist/node/giant.case.test.js';

const number = (value) => ({ type: 'string', default: String(value) });
const { values } = parseArgs({
  options: {
    objects: number(50_000_000),
    caches: number(3000),
    cpus: number(1024),
    sites: number(100_000),
    events: number(2_000_000),
    keep: { type: 'string' },
  },
});
const [objects, caches, cpus, sites, events] = ['objects', 'caches', 'cpus', 'sites', 'events'].map((name) =>
  Number(values[name]),
);
const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'slablab-giant-'));
mkdirSync(folder, { recursive: true });
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const { trace, snapshots } = makeGiant({
  folder,
  objects,
  caches,
  cpus,
  sites,
  events,
  nodes: 8,
  ram: 2 ** 41,
});
const at = (name) => join(folder, name);
writeFileSync(
  at('many.slab'),
  `create tables 64\nalloc tables ${objects}\nfree tables ${Math.floor(objects / 50)} order=random\n`,
);
const slt = at('trace.slt');
const machine = ['--snapshots', snapshots];

const COMMANDS = [
  ['convert', trace, '-o', slt],
  ['replay', trace, ...machine],
  ['replay', slt, ...machine, '--html', at('report.html')],
  ['replay', slt, ...machine, '--json'],
  ['replay', slt, ...machine, '--csv'],
  ['replay', slt, ...machine, '--wide'],
  ['replay', slt, ...machine, '--set', 'dentry.size=200', '--set', 'slub_max_order=0'],
  ['replay', slt, ...machine, '--set', 'allocator=slab'],
  ['replay', slt],
  ['verify', slt, ...machine],
  ['sweep', slt, ...machine, '--set', 'slub_max_order=0,3', '-o', at('rows.csv')],
  ['info', at('many.slab'), '--memory', '16G'],
  ['sysfs', at('tree'), at('many.slab'), '--memory', '16G', '--force'],
];

/** What a process writes of itself at its end: memory at most, and CPU time. */
const reporter = at('reporter.cjs');
writeFileSync(
  reporter,
  `process.on('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const usage = { mib: maxRSS / 1024, cpu: (userCPUTime + systemCPUTime) / 1e6 };
  require('node:fs').writeFileSync(process.env.GIANT_USAGE, JSON.stringify(usage));
});
`,
);

const MIB_MAX = 4096;
let failed = false;
const rows = [];
for (const args of COMMANDS) {
  const env = { ...process.env, GIANT_USAGE: at('usage.json'), NO_COLOR: '1' };
  const begin = performance.now();
  const { status, stderr } = spawnSync(process.execPath, ['--require', reporter, main, ...args], {
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  const seconds = (performance.now() - begin) / 1000;
  const { mib, cpu } = JSON.parse(readFileSync(at('usage.json'), 'utf8'));
  // 1 is what verify says of a cache that lies further off than it may: the machine is made up, and so is what its events leave out.
  const isRun = status === 0 || (status === 1 && args[0] === 'verify');
  const isBad = !isRun || mib > MIB_MAX;
  failed ||= isBad;
  const words = args.map((word) => word.replace(`${folder}/`, '')).join(' ');
  const row = `${seconds.toFixed(0).padStart(5)} s  ${cpu.toFixed(0).padStart(5)} s CPU  ${mib.toFixed(0).padStart(5)} MiB  ${words}`;
  rows.push(isBad ? `${row}  FAILED: ${status} ${stderr.slice(-300)}` : row);
  process.stderr.write(`${rows.at(-1)}\n`);
}
process.stdout.write(`${rows.join('\n')}\n`);
if (values.keep === undefined) rmSync(folder, { recursive: true });
process.exit(failed ? 1 : 0);
