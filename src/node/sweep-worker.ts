/** A Worker of a sweep: opens the trace once, and replays one cell after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { SlablabError } from '../base/index.js';
import { prepareReplay, type Recorded, readSnapshots } from '../lab/index.js';
import { openTraceFile } from '../trace/index.js';
import { FileBytes } from './spool.js';
import type { SweepCell } from './sweep-axes.js';
import { replayCell, type SweepAnswer, type SweepWorkerData } from './sweep-cell.js';
import type { PoolAnswer } from './worker-pool.js';

const { fd, size, file, snapshots, plan } = workerData as SweepWorkerData;
let recorded: Recorded | undefined;

parentPort!.on('message', ({ settings }: SweepCell) => {
  const answer: PoolAnswer<SweepAnswer> = { result: answerTo(settings) };
  parentPort!.postMessage(answer);
});

function answerTo(settings: readonly string[]): SweepAnswer {
  try {
    recorded ??= prepareReplay({
      ...plan,
      trace: openTraceFile(new FileBytes(fd, size), file),
      snapshots: snapshots && readSnapshots(snapshots.text, snapshots.file),
    });
    return replayCell(recorded, settings);
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    return { code: error instanceof SlablabError ? error.code : 'unexpected', message, stack };
  }
}
