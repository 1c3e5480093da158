/**
 * # Jobs on all cores
 *
 * Each Worker is given one job after another and answers each; who is done first gets the next. The first failure ends all of them.
 */
import { Worker } from 'node:worker_threads';
import { EngineError } from '../base/index.js';

/** What a Worker answers: its job's result, or why there is none. */
export type PoolAnswer<Result> = { readonly result: Result } | { readonly error: unknown };

interface PoolOptions<Job, Result> {
  /** The Worker's compiled file, and what it is given when it starts. */
  readonly worker: URL;
  readonly workerData: unknown;
  readonly workers: number;
  readonly jobs: readonly Job[];
  /** In the order in which they are done. An exception of it ends all. */
  readonly onResult: (job: Job, result: Result) => void;
}

/** Runs all jobs. Throws what a job threw first. */
export async function runPool<Job, Result>(options: PoolOptions<Job, Result>): Promise<void> {
  const { worker, workerData, workers, jobs, onResult } = options;
  const queue = [...jobs].reverse();
  const team = Array.from({ length: Math.min(workers, jobs.length) }, () =>
    startMember<Result>(worker, workerData),
  );
  const runs = team.map(async ({ ask }) => {
    for (let job = queue.pop(); job !== undefined; job = queue.pop()) {
      const answer = await ask(job);
      if ('error' in answer) throw answer.error;
      onResult(job, answer.result);
    }
  });
  try {
    await Promise.all(runs);
  } finally {
    queue.length = 0;
    await Promise.all(team.map(({ end }) => end()));
    await Promise.allSettled(runs);
  }
}

interface Member<Result> {
  /** Gives it a job; one at a time. */
  readonly ask: (job: unknown) => Promise<PoolAnswer<Result>>;
  readonly end: () => Promise<unknown>;
}

function startMember<Result>(file: URL, workerData: unknown): Member<Result> {
  const worker = new Worker(file, { workerData });
  let settle: (answer: PoolAnswer<Result>) => void = () => {};
  /** Why it cannot work any more. */
  let dead: PoolAnswer<Result> | undefined;
  const die = (error: unknown) => {
    dead ??= { error };
    settle(dead);
  };
  worker.on('message', (answer: PoolAnswer<Result>) => settle(answer));
  worker.on('error', die);
  worker.on('exit', (code) =>
    die(new EngineError(`a Worker ended with code ${code} in the middle of a job`)),
  );
  return {
    ask: (job) =>
      new Promise((resolve) => {
        settle = resolve;
        if (dead === undefined) worker.postMessage(job);
        else resolve(dead);
      }),
    end: () => worker.terminate(),
  };
}
