/**
 * The page's side of the worker: `engine.call('caches', { row })` returns a promise.
 *
 * A worker runs one call after the other and cannot be interrupted in the middle of one. To cancel is to end it: what it had open is gone
 * with it, and the next call starts a new one.
 */
import type { Answered, Asked, Failure, Progress } from './call.js';
import type { AskOf, CallName, ReplyOf } from './protocol.js';

/** What the worker threw, in its own words. */
export class EngineFailure extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.name = 'EngineFailure';
    this.failure = failure;
  }
}

/** The call was cancelled before it ended. */
export class CancelledError extends Error {
  constructor() {
    super('cancelled');
    this.name = 'CancelledError';
  }
}

interface Waiting {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

export interface Engine {
  call<Name extends CallName>(
    name: Name,
    ask: AskOf<Name>,
    onProgress?: (progress: Progress) => void,
  ): Promise<ReplyOf<Name>>;
  /** Ends the worker: all calls that are waiting are rejected with CancelledError. */
  cancel(): void;
}

/** An engine of one's own: what is opened in one is not in another. */
export function createEngine(): Engine {
  let worker: Worker | undefined;
  let next = 1;
  const waiting = new Map<number, Waiting>();

  function rejectAll(error: Error): void {
    const all = [...waiting.values()];
    waiting.clear();
    for (const { reject } of all) reject(error);
  }

  function start(): Worker {
    const started = new Worker(new URL('./engine.js', import.meta.url), { type: 'module', name: 'engine' });
    started.onmessage = ({ data }: MessageEvent<Answered>) => {
      const call = waiting.get(data.id);
      if (call === undefined) return;
      if ('progress' in data) return call.onProgress?.(data.progress);
      waiting.delete(data.id);
      if ('reply' in data) call.resolve(data.reply);
      else call.reject(new EngineFailure(data.failure));
    };
    started.onerror = (event) => {
      rejectAll(
        new EngineFailure({ code: 'internal', message: event.message || 'the worker did not start' }),
      );
      worker = undefined;
    };
    return started;
  }

  return {
    call(name, ask, onProgress) {
      worker ??= start();
      const id = next++;
      const asked: Asked = { id, name, ask };
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (reply: unknown) => void, reject, onProgress });
        worker?.postMessage(asked);
      });
    },
    cancel() {
      worker?.terminate();
      worker = undefined;
      rejectAll(new CancelledError());
    },
  };
}

/** The page's engine: it holds what is open. */
export const engine = createEngine();
