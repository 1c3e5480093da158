#!/usr/bin/env node
import { EXIT } from './exit.js';
import { run } from './program.js';

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read our output has seen enough: `slablab compare | head`.
    if (error.code === 'EPIPE') process.exit();
    if (stream === process.stdout) process.stderr.write(`slablab: cannot write: ${error.message}\n`);
    process.exit(EXIT.internal);
  });
}

process.exitCode = await run(process.argv.slice(2), process);
