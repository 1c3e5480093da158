// A team: Workers that use one allocator at the same time, or, where an allocator cannot be shared, one heap each.
import { Worker } from 'node:worker_threads';
import { importCopy } from './copies.mjs';
import { createRing, resetRing } from './exchange.mjs';
import { checkPlaces } from './inspect.mjs';
import { memoryBytes } from './plan.mjs';

/** The next message of a Worker. Its error, or its end, is an error here. */
function answer(worker) {
  return new Promise((resolve, reject) => {
    const settle = (call) => (value) => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      call(value);
    };
    const onMessage = settle(resolve);
    const onError = settle(reject);
    const onExit = settle((code) => reject(new Error(`a Worker ended with exit code ${code}`)));
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  });
}

function cpuSince(before) {
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

/** `members` Workers with the allocator of a row. */
export async function createTeam(row, workload, touched, members) {
  const { share } = await importCopy(`./peers/${row.peer}.mjs`);
  const bytes = members * memoryBytes(workload);
  const shared = share?.({ size: workload.size, bytes, workers: members });
  const gate = new SharedArrayBuffer(4);
  const ring = createRing();
  const workerData = {
    peer: row.peer,
    variant: row.variant,
    ticket: shared?.ticket,
    workload,
    touched,
    gate,
    members,
  };
  const url = new URL('./worker.mjs', import.meta.url);
  const workers = Array.from({ length: members }, () => new Worker(url, { workerData }));
  await Promise.all(workers.map(answer));

  /** Sends each Worker its command; returns their answers. */
  function tell(...commands) {
    const answers = Promise.all(workers.map(answer));
    for (const [at, worker] of workers.entries()) worker.postMessage(commands[at % commands.length]);
    return answers;
  }

  /** No object of one Worker may touch one of another's, where they share a heap. */
  function checkApart(answers) {
    if (shared === undefined) return;
    const places = answers.flatMap((one) => one.places);
    checkPlaces({ align: 8, first: 1, end: Number.MAX_SAFE_INTEGER }, places, () => workload.size);
  }

  return {
    async open() {
      checkApart(await tell({ command: 'fill' }));
    },
    /** `count` objects in each Worker at the same time. Returns { ns, cpuNs }, the means of theirs. */
    async round(count) {
      const cpu = process.cpuUsage();
      const answers = await tell({ command: 'run', count });
      const cpuNs = cpuSince(cpu) / members;
      const wrong = answers.reduce((sum, one) => sum + one.wrong, 0);
      if (wrong !== 0 && !row.isLoop)
        throw new Error(`${row.title}: ${wrong} objects were read back other than written`);
      return { ns: answers.reduce((sum, one) => sum + one.ns, 0) / members, cpuNs };
    },
    /** The first Worker allocates `count` objects, the second frees them. Returns { ns, cpuNs } until the last is freed. */
    async exchange(count) {
      resetRing(ring);
      const cpu = process.cpuUsage();
      const commands = ['produce', 'consume'].map((command) => ({ command, ring, count }));
      const [sent, got] = await tell(...commands);
      const cpuNs = cpuSince(cpu) / members;
      if (!row.isLoop && (sent.sum !== got.sum || got.wrong !== 0))
        throw new Error(`${row.title}: the consumer did not get what the producer sent (${got.wrong} wrong)`);
      return { ns: got.ns, cpuNs };
    },
    async close(filled) {
      if (filled) checkApart(await tell({ command: 'places' }));
      await tell({ command: 'leave' });
      shared?.validate();
    },
  };
}
