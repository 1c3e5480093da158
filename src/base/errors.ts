import { printable, printableLines } from './printable.js';

/** Signs of what a file can make a message say, and of a word in it. */
const MESSAGE_MAX = 2000;
const WORD_MAX = 200;

/**
 * Every error that slablab throws on purpose. A reader of a message learns what was expected, what came,
 * and where: file and line, or address and cache. `code` is stable; messages may get better.
 *
 * Running out of memory is not here: an allocation that finds none returns `NULL`, as in the kernel.
 */
export class SlablabError extends Error {
  /** A stable word for programs, such as `bad-free`. */
  readonly code: string;

  /** Whatever a file said in it, `message` can be shown. */
  constructor(code: string, message: string) {
    super(printableLines(message));
    this.name = new.target.name;
    this.code = code;
  }
}

/** slablab itself is wrong. Please report it. */
export class EngineError extends SlablabError {
  constructor(message: string) {
    super('engine', message);
  }
}

/** An argument that cannot be meant: the call changed nothing. */
export class ArgumentError extends SlablabError {
  constructor(message: string) {
    super('argument', message);
  }
}

/**
 * Arguments on which the kernel itself crashes, hangs or makes nonsense (size 0, a NULL name, an alignment that is no power of
 * two). Outside the faithful mode slablab refuses them before anything is changed.
 */
export class KernelWouldCrashError extends SlablabError {
  /** What a real kernel does: `oops`, `divide error`, `hang` or `silent nonsense`. */
  readonly outcome: string;

  constructor(message: string, outcome: string) {
    super('kernel-would-crash', `${message} (Linux: ${outcome})`);
    this.outcome = outcome;
  }
}

/** Where the kernel panics: a `SLAB_PANIC` cache that could not be made. */
export class KernelPanicError extends SlablabError {
  constructor(message: string) {
    super('kernel-panic', `Kernel panic - not syncing: ${message}`);
  }
}

/** What is wrong with a free that a BadFreeError refuses. */
export type BadFreeReason =
  /** the object was freed before, or never handed out */
  | 'not-live'
  /** inside an object, not at its start */
  | 'misaligned'
  /** no slab, pool or page allocation holds this address */
  | 'unknown-address'
  /** another cache's object */
  | 'wrong-cache'
  /** a page block of another order */
  | 'wrong-order'
  /** a pool's allocation of another size */
  | 'wrong-size';

/** A free of something that is not live. Nothing was changed; the machine stays usable. */
export class BadFreeError extends SlablabError {
  readonly address: number;
  readonly reason: BadFreeReason;
  /** The cache or pool that the address belongs to, where known. */
  readonly cache: string | undefined;
  /** The stacks of the calls that allocated and freed what lies there, innermost first, where they were noted. */
  readonly allocatedAt: string | undefined;
  readonly freedAt: string | undefined;

  constructor(
    address: number,
    reason: BadFreeReason,
    message: string,
    cache?: string,
    stacks?: { readonly allocatedAt: string | undefined; readonly freedAt: string | undefined },
  ) {
    super('bad-free', message);
    this.allocatedAt = stacks?.allocatedAt;
    this.freedAt = stacks?.freedAt;
    this.address = address;
    this.reason = reason;
    this.cache = cache;
  }
}

/** A cache or pool cannot be destroyed while objects of it are live. */
export class LiveObjectsError extends SlablabError {
  readonly cache: string;
  readonly live: number;

  constructor(cache: string, live: number) {
    super(
      'live-objects',
      `${cache} still has ${live} live object${live === 1 ? '' : 's'}: free ${live === 1 ? 'it' : 'them'} before it is destroyed`,
    );
    this.cache = cache;
    this.live = live;
  }
}

/** A table of the ledger is full. This is not the machine's memory running out: make the ledger larger. */
export class LedgerFullError extends SlablabError {
  readonly table: string;
  readonly limit: number;
  /** What happened, without what the machine's maker can do about it: for who did not make it. */
  readonly fact: string;

  constructor(table: string, limit: number, option: string) {
    const fact = `the ledger has room for ${limit} ${table} and all are taken`;
    super('ledger-full', `${fact}; make it with a larger ${option}`);
    this.fact = fact;
    this.table = table;
    this.limit = limit;
  }
}

/** All CPUs of a shared machine are taken: nobody can attach until one of them is detached. */
export class NoCpuError extends SlablabError {
  readonly cpus: number;

  constructor(cpus: number) {
    super(
      'no-cpu',
      `all ${cpus} CPUs of this machine are attached or reserved: make it with more workers, or detach one`,
    );
    this.cpus = cpus;
  }
}

/** The CPU that a handle was to give is not reserved by its token: somebody attached with it before, or it is over. */
export class ReservationError extends SlablabError {
  readonly cpu: number;
  readonly generation: number;
  /** `used`: a thread is this CPU by this token. `over`: it was given back, or the thread that used it has been detached. */
  readonly reason: 'used' | 'over';

  constructor(cpu: number, generation: number, reason: 'used' | 'over') {
    const why =
      reason === 'used' ? 'a thread attached with it before' : 'it was given back, or used and then detached';
    super('reservation', `CPU ${cpu} is not reserved by generation ${generation} any more: ${why}`);
    this.cpu = cpu;
    this.generation = generation;
    this.reason = reason;
  }
}

/** This thread is no CPU of the machine any more. What a call had begun is put in order by whoever detached it. */
export class DetachedError extends SlablabError {
  readonly cpu: number;
  readonly generation: number;
  /** `self`: by its own `detach()`. `other`: another thread called `detachCpu` with its token. */
  readonly by: 'self' | 'other';

  constructor(cpu: number, generation: number, by: 'self' | 'other') {
    const how = by === 'self' ? 'it called detach()' : 'another thread detached it';
    super(
      'detached',
      `this thread was CPU ${cpu} of the machine (generation ${generation}) and is not any more: ${how}`,
    );
    this.cpu = cpu;
    this.generation = generation;
    this.by = by;
  }
}

/**
 * A lock was not let go in time: its holder has ended without being detached, or hangs. The call was cut off in the middle, and so are all
 * later slow steps of this thread, with the same error, until it calls `detachCpu`, with the holder's token if that is dead, or with none.
 * That puts in order what this CPU left unfinished as well. An object that was on its way may be live and nobody's then.
 */
export class LockHeldError extends SlablabError {
  readonly what: string;
  /** The CPU that holds it. */
  readonly holder: number;

  constructor(what: string, holder: number, seconds: number) {
    super(
      'lock-held',
      `${what} was held by CPU ${holder} for ${seconds} s: if its Worker has ended, detachCpu takes it over by its token ` +
        '(attachedCpus() lists them), and puts in order what this call left',
    );
    this.what = what;
    this.holder = holder;
  }
}

/** `validate()` found that the ledger's equation does not hold. */
export class LedgerCorruptError extends SlablabError {
  /** Which term of the equation, such as `slab.objects`. */
  readonly term: string;

  constructor(term: string, message: string) {
    super('ledger-corrupt', `${term}: ${message}`);
    this.term = term;
  }
}

/** A file that is not what it should be. */
export class InputError extends SlablabError {
  readonly file: string;
  /** 1-based; 0 where no line can be named. */
  readonly line: number;

  constructor(file: string, line: number, message: string) {
    super('input', printable(`${file}${line > 0 ? `:${line}` : ''}: `) + printable(message, MESSAGE_MAX));
    this.file = file;
    this.line = line;
  }
}

/** How many known words a message tells. */
const KNOWN_TOLD = 12;

/** A word that names nothing: a machine, a strategy, a flag. Carries the nearest words that do. */
export class UnknownNameError extends SlablabError {
  readonly word: string;
  readonly suggestions: readonly string[];

  constructor(kind: string, word: string, known: readonly string[], suggestions: readonly string[]) {
    const rest = known.length - KNOWN_TOLD;
    const cut = rest > 1 ? [...known.slice(0, KNOWN_TOLD), `and ${rest} more`] : known;
    const hint =
      suggestions.length > 0
        ? `did you mean ${suggestions.map((s) => `'${s}'`).join(' or ')}?`
        : `known: ${cut.join(', ')}`;
    super('unknown-name', `no ${kind} is called '${printable(word, WORD_MAX)}'; ${hint}`);
    this.word = word;
    this.suggestions = suggestions;
  }
}
