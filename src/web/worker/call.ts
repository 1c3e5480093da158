/**
 * # How the page and its worker speak
 *
 *     page                                  worker
 *     engine.call('open', ask)  ──{id, name, ask}──▸  handlers.open(ask, context)
 *     onProgress(progress)      ◂──{id, progress}───  context.tell(progress)
 *     the promise               ◂──{id, reply}──────  what it returns, or {id, failure} for what it throws
 *
 * A call is a name with the type of what is asked and of what comes back; each subject declares its own beside its handlers (open-calls.ts,
 * time-calls.ts, …), and protocol.ts puts them together. What goes across is data that can be cloned: no functions, no classes.
 */

/** The type of one call. */
export interface Call<Ask, Reply> {
  readonly ask: Ask;
  readonly reply: Reply;
}

export type Ask<Calls, Name extends keyof Calls> = Calls[Name] extends { readonly ask: infer A } ? A : never;
export type Reply<Calls, Name extends keyof Calls> = Calls[Name] extends { readonly reply: infer R }
  ? R
  : never;

/** How far a long call has come. */
export interface Progress {
  /** What is being done: 'reading boot.txt'. */
  readonly what: string;
  /** Events or rows so far. */
  readonly events: number;
  /** Of how much how much is done, in any unit; undefined where nobody knows the end. */
  readonly share: number | undefined;
  /** Milliseconds since this step began. */
  readonly elapsed: number;
}

/** What a handler is given beside what was asked. */
export interface CallContext {
  tell(progress: Progress): void;
  /** Buffers of the reply that need not be copied. */
  readonly transfer: ArrayBuffer[];
}

/** A function for each call of a subject. */
export type Handlers<Calls> = {
  readonly [Name in keyof Calls]: (
    ask: Ask<Calls, Name>,
    context: CallContext,
  ) => Reply<Calls, Name> | Promise<Reply<Calls, Name>>;
};

/** An error on its way from the worker to the page. */
export interface Failure {
  /** Stable, such as `input` or `unknown-name`; `internal` for what is no error of slablab's. */
  readonly code: string;
  readonly message: string;
  /** The file and line that an InputError names. */
  readonly file?: string;
  readonly line?: number;
  readonly stack?: string;
}

export interface Asked {
  readonly id: number;
  readonly name: string;
  readonly ask: unknown;
}

export type Answered =
  | { readonly id: number; readonly progress: Progress }
  | { readonly id: number; readonly reply: unknown }
  | { readonly id: number; readonly failure: Failure };
