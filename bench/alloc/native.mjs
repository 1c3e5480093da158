// One cell of the tables: an allocator of C, in a program of its own that runs one round when it is asked (native.c). The calls are
// those of cell.mjs.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What is freed stays in the process, as it does in a heap of JavaScript: rounds are warm. */
const ENVIRONMENT = { MIMALLOC_ALLOW_DECOMMIT: '0', MIMALLOC_PAGE_RESET: '0' };

/** Starts a program of native.c; `ask` sends a line and returns the answer's words. */
export function startNative(row) {
  const child = spawn(row.native, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...ENVIRONMENT },
  });
  const waiting = [];
  const stop = (error) => {
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  child.on('error', stop);
  child.stdin.on('error', stop);
  child.on('exit', (code, signal) =>
    stop(new Error(`${row.title} ended: exit code ${code}, signal ${signal}`)),
  );
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(line.split(' ')));
  return {
    ask(line) {
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${line}\n`);
      });
    },
    end() {
      child.stdin.end();
    },
  };
}

export function createNativeCell(row, workload, touched, threads = 1) {
  const { loop, size, live } = workload;
  const program = startNative(row);

  async function expectOk(line) {
    const [word, ...rest] = await program.ask(line);
    if (word !== 'ok') throw new Error(`${row.title}: ${[word, ...rest].join(' ')}`);
    return rest;
  }

  return {
    row,
    makesGarbage: false,
    async open() {
      await expectOk(`open ${loop} ${touched ? 1 : 0} ${size} ${live} ${threads}`);
    },
    async round(count) {
      const [ns, wrong, cpuNs] = await program.ask(`run ${count}`);
      if (wrong !== '0' && !row.isLoop)
        throw new Error(`${row.title}: ${wrong} of ${count} objects were read back other than written`);
      return { ns: Number(ns), cpuNs: Number(cpuNs) };
    },
    async held() {
      const [span, asked] = await expectOk('check');
      return span === '0' ? undefined : Number(span) / Number(asked);
    },
    async close() {
      await expectOk('check');
      program.end();
    },
  };
}
