/** The Web Worker: it holds the open trace and answers the page's calls, one after the other. */
import { InputError, SlablabError } from '../../base/index.js';
import { cachesHandlers } from './caches-calls.js';
import type { Answered, Asked, CallContext, Failure, Handlers } from './call.js';
import { iommuHandlers } from './iommu-calls.js';
import { memoryHandlers } from './memory-calls.js';
import { openHandlers } from './open-calls.js';
import type { Calls } from './protocol.js';
import { Session } from './session.js';
import { timeHandlers } from './time-calls.js';
import { whatifHandlers } from './whatif-calls.js';

const session = new Session();

const handlers: Handlers<Calls> = {
  ...openHandlers(session),
  ...timeHandlers(session),
  ...memoryHandlers(session),
  ...cachesHandlers(session),
  ...whatifHandlers(session),
  ...iommuHandlers(),
};

/** What a worker's global scope has of all that the DOM's types know as a window. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Asked>) => void;
  postMessage(answer: Answered, transfer?: Transferable[]): void;
};

/** Calls are answered in the order in which they were made, also where one waits for a file. */
let last: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }) => {
  last = last.then(() => answer(data));
};

async function answer({ id, name, ask }: Asked): Promise<void> {
  const context: CallContext = { tell: (progress) => scope.postMessage({ id, progress }), transfer: [] };
  try {
    const handler = (handlers as Record<string, (ask: unknown, context: CallContext) => unknown>)[name];
    if (handler === undefined) throw new Error(`the worker knows no call '${name}'`);
    const reply = await handler(ask, context);
    scope.postMessage({ id, reply }, context.transfer);
  } catch (error) {
    scope.postMessage({ id, failure: failureOf(error) });
  }
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: 'internal', message: String(error) };
  const stack = error.stack === undefined ? {} : { stack: error.stack };
  if (error instanceof InputError)
    return { code: error.code, message: error.message, file: error.file, line: error.line };
  if (error instanceof SlablabError) return { code: error.code, message: error.message };
  return { code: 'internal', message: error.message, ...stack };
}
