// The long stress test of threads that share a machine and are killed (src/slab/workers/stress.case.test.ts).
//
//     npm run stress                                         4 threads of 50 million operations each, a kill a second
//     npm run stress -- --operations 250000000               10^9 in all
//     npm run stress -- --threads 8 --kill-every 50          milliseconds
//
// Closes with one line of JSON; exits with 1 and the error if something was lost or was there twice.
import { parseArgs } from 'node:util';
import { runStress } from '../dist/slab/workers/stress.case.test.js';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '4' },
    operations: { type: 'string', default: '50000000' },
    'kill-every': { type: 'string', default: '1000' },
  },
});

try {
  const result = await runStress({
    threads: Number(values.threads),
    operations: Number(values.operations),
    killEveryMs: Number(values['kill-every']),
    say: (line) => process.stderr.write(`\r${line}`),
  });
  process.stderr.write('\n');
  process.stdout.write(`${JSON.stringify({ ...values, ...result })}\n`);
} catch (error) {
  process.stderr.write(`\n${error?.stack ?? error}\n`);
  process.exit(1);
}
