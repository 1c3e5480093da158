// Schedules of two and three CPUs, as many as wanted (src/slab/workers/schedules.case.test.ts).
//
//     npm run schedules                                  100,000, of a seed of its own
//     npm run schedules -- --schedules 5000 --seed 7
//     npm run schedules -- --per-call 400                of each call, how many at most; 0 for one of each kind before each step
//
// Closes with one line of JSON; exits with 1 and the schedule if something was lost or was given twice.
import { parseArgs } from 'node:util';
import { runSchedules } from '../dist/slab/workers/schedules.case.test.js';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 20)) },
    'per-call': { type: 'string', default: '60' },
  },
});

try {
  const perCall = Number(values['per-call']);
  const result = runSchedules({
    schedules: Number(values.schedules),
    seed: Number(values.seed),
    ...(perCall > 0 && { perCall }),
    say: (line) => process.stderr.write(`\r${line.slice(0, 120).padEnd(120)}`),
  });
  process.stderr.write('\n');
  process.stdout.write(`${JSON.stringify({ seed: Number(values.seed), ...result })}\n`);
} catch (error) {
  process.stderr.write(`\n${error?.stack ?? error}\n${error?.cause?.stack ?? ''}\n`);
  process.exit(1);
}
