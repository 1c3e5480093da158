// How long the commands take that do next to nothing, against `node -e 0`, in rounds that alternate: medians and ratios.
//
//     npx tsc -b && node bench/startup.mjs [--rounds 15] [--main FILE]     FILE is bin/slablab.js of an unpacked package
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    main: { type: 'string', default: fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)) },
  },
});
const rounds = Number(values.rounds);
const COMMANDS = [
  ['node -e 0', ['-e', '0']],
  ['slablab --version', [values.main, '--version']],
  ['slablab --help', [values.main, '--help']],
  ['slablab layout --size 100', [values.main, 'layout', '--size', '100']],
];

const times = COMMANDS.map(() => []);
for (let round = -1; round < rounds; round++)
  COMMANDS.forEach(([name, args], i) => {
    const began = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${name}: ${stderr}`);
    // The first round puts the files into the system's cache.
    if (round >= 0) times[i].push(performance.now() - began);
  });

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const [base] = times.map(median);
console.log(`node ${process.version}, ${cpus().length} CPUs, ${rounds} rounds, ${values.main}`);
COMMANDS.forEach(([name], i) => {
  const ms = median(times[i]);
  console.log(`${name.padEnd(28)}${ms.toFixed(0).padStart(6)} ms${(ms / base).toFixed(2).padStart(7)} x`);
});
