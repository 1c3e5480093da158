/**
 * Threads that are stopped at a step of their own: played in this one, as machines over arrays that ask before each write to the ledger,
 * and before each atomic step. The caller may make the thread die there, throw there, or let others do something there.
 */
import assert from 'node:assert/strict';
import { Machine } from '../machine.js';
import type { MachineHandle } from './handle.js';

/** The thread is dead: nothing of it gets through any more, and what its `finally` does neither. */
export class Death extends Error {}

/** What a thread is about to do: a plain write, an atomic step that may write, or a callback of its program. */
export type StepKind = 'write' | 'atomic' | 'callback';

/** The word that would be exchanged, where it is one of 32 bits: a lock that would be taken. */
export interface LockWord {
  readonly words: Int32Array;
  readonly at: number;
}

/** Counts the steps of one thread, and does something before one of them. */
export class Fate {
  steps = 0;
  /** Before which step it happens. */
  at = Number.POSITIVE_INFINITY;
  /** What happens: it dies, unless somebody else is asked. Throwing, with `at` left as it is, stops the thread for good. */
  act: (kind: StepKind, lock?: LockWord) => void = die;

  step(kind: StepKind, lock?: LockWord): void {
    if (this.steps >= this.at) this.act(kind, lock);
    this.steps++;
  }
}

function die(): never {
  throw new Death();
}

type Words = Int32Array | Uint16Array | Uint8Array | Float64Array | BigUint64Array;
const watchedBy = new WeakMap<object, { readonly words: Words; readonly fate: Fate }>();

/** The same words; each write asks `fate` first, also within `fill` and `copyWithin`. */
function watched<T extends Words>(words: T, fate: Fate): T {
  const put = (at: number, value: number | bigint) => {
    fate.step('write');
    Reflect.set(words, at, value, words);
  };
  const methods: Record<string, unknown> = {
    fill(value: number, from = 0, to = words.length) {
      for (let at = from; at < to; at++) put(at, value);
    },
    copyWithin(to: number, from: number, end = words.length) {
      assert.ok(to <= from, 'copied downwards');
      for (let i = 0; from + i < end; i++) put(to + i, words[from + i]!);
    },
  };
  const proxy = new Proxy(words, {
    get(target, key) {
      if (typeof key === 'string' && key in methods) return methods[key];
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set(_, key, value) {
      put(Number(key), value);
      return true;
    },
  });
  watchedBy.set(proxy, { words, fate });
  return proxy;
}

const ARRAYS = ['Int32Array', 'Uint16Array', 'Uint8Array', 'Float64Array', 'BigUint64Array'] as const;

const scope = globalThis as unknown as Record<string, unknown>;
const REAL = ARRAYS.map((name) => scope[name] as new (...args: unknown[]) => Words);

/** A machine whose steps are asked of `fate`. It may be attached in the middle of another one's attaching. */
export function attachMortal(handle: MachineHandle, fate: Fate): Machine {
  const before = ARRAYS.map((name) => scope[name]);
  ARRAYS.forEach((name, i) => {
    const Real = REAL[i]!;
    scope[name] = function make(...args: unknown[]) {
      const words = new Real(...args);
      return words.buffer === handle.ledger ? watched(words, fate) : words;
    };
    Object.setPrototypeOf(scope[name], Real);
  });
  try {
    return Machine.attach(handle);
  } finally {
    ARRAYS.forEach((name, i) => {
      scope[name] = before[i];
    });
  }
}

/**
 * Nobody can be woken where one thread plays all: who would sleep has slept, for longer than anybody's patience. A time of 0 is a question
 * whether sleeping is allowed.
 */
const now = Date.now.bind(Date);
const LONG_MS = 60_000;
let slept = 0;
Date.now = () => now() + slept;
function sleep(ms: unknown): void {
  if (ms !== 0) slept += LONG_MS;
}

const READS: readonly string[] = ['load', 'wait', 'notify'];
for (const name of ['compareExchange', 'exchange', 'store', 'add', 'load', 'wait', 'notify'] as const) {
  const real = Atomics[name] as (...args: unknown[]) => unknown;
  Object.assign(Atomics, {
    [name]: (words: object, ...rest: unknown[]) => {
      const watch = watchedBy.get(words);
      if (watch !== undefined && !READS.includes(name)) {
        const { words: own, fate } = watch;
        const isLock = name === 'compareExchange' && own instanceof Int32Array;
        fate.step('atomic', isLock ? { words: own, at: rest[0] as number } : undefined);
      }
      if (name === 'wait') {
        sleep(rest[2]);
        rest[2] = 0;
      }
      return real(watch?.words ?? words, ...rest);
    },
  });
}
